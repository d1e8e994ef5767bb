"""Spark's REST submission protocol: its answers byte for byte where Spark has them, and drivers that run on Mesos."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.contract.pool import Pool, until
from tests.spark.mesos_calls import Calls, Clock

from smackbox.net.http import HttpRequest
from smackbox.spark.dispatcher.machine import QUEUED_LIMIT, Dispatcher
from smackbox.spark.dispatcher.rest import answer
from smackbox.spark.dispatcher.service import DispatcherServer, DispatcherSettings

SMALL = {
    "spark.driver.memory": "100m", "spark.driver.memoryOverhead": "100m", "spark.executor.memory": "64m",
    "spark.executor.memoryOverhead": "64m", "spark.cores.max": "2",
}  # fmt: skip


@pytest.fixture
def dispatcher() -> Dispatcher:
    made = Dispatcher(Clock(), Calls(), lambda driver: {"value": driver.submission.job})
    made.subscribed("F")
    return made


def ask(dispatcher: Dispatcher, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    response = answer(dispatcher, HttpRequest(method, path, {}, {}, data))
    return response.status, json.loads(response.body)


def request(**changes: Any) -> dict[str, Any]:
    """A request as clients in the wild write it."""
    wanted = {
        "action": "CreateSubmissionRequest",
        "appResource": "file:/python/job.py",
        "appArgs": ["one"],
        "clientSparkVersion": "3.0.2",
        "mainClass": "",
        "environmentVariables": {"SPARK_ENV_LOADED": "1"},
        "sparkProperties": {"spark.app.name": "mine", "spark.master": "spark://m:6066", "spark.cores.max": 12},
    }
    return {name: value for name, value in {**wanted, **changes}.items() if value is not None}


def create(dispatcher: Dispatcher, **changes: Any) -> str:
    status, answered = ask(dispatcher, "POST", "/v1/submissions/create", request(**changes))
    assert status == 200 and answered["success"], answered
    return str(answered["submissionId"])


def offer(cpus: float = 4, mem: float = 4096) -> dict[str, Any]:
    scalars = {"cpus": cpus, "mem": mem}
    return {
        "id": {"value": "O"},
        "agent_id": {"value": "A"},
        "hostname": "host",
        "url": {"scheme": "http", "address": {"hostname": "host", "ip": "10.0.0.1", "port": 5051}, "path": "/slave(1)"},
        "resources": [{"name": name, "type": "SCALAR", "scalar": {"value": value}} for name, value in scalars.items()],
    }


def status(dispatcher: Dispatcher, submission_id: str, state: str, message: str = "") -> None:
    task_id = dispatcher.drivers[submission_id].task_id
    dispatcher.update(
        {"task_id": {"value": task_id}, "agent_id": {"value": "A"}, "state": state, "message": message, "uuid": "u"}
    )


def test_a_submission_is_queued_with_its_settings(dispatcher: Dispatcher) -> None:
    code, answered = ask(dispatcher, "POST", "/v1/submissions/create", request(surprise=1))
    submission_id = answered.pop("submissionId")
    assert submission_id.startswith("driver-20")
    version = answered.pop("serverSparkVersion")
    assert version[0] in "34"
    assert (code, answered) == (200, {
        "action": "CreateSubmissionResponse",
        "success": True,
        "message": f"Driver successfully submitted as {submission_id}",
        "unknownFields": ["surprise"],
    })  # fmt: skip
    driver = dispatcher.drivers[submission_id]
    assert (driver.submission.job, driver.submission.arguments) == ("/python/job.py", ("one",))
    assert driver.submission.conf == {"spark.cores.max": "12"}
    assert (driver.submission.name, driver.cores, driver.mem_mb) == ("mine", 1, 1024 + 384)
    assert driver.environment == {"SPARK_ENV_LOADED": "1"}


def test_a_program_for_spark_submit_loses_its_own_name_among_the_arguments(dispatcher: Dispatcher) -> None:
    """How it is written for a standalone master, whose driver is SparkSubmit itself."""
    submission_id = create(
        dispatcher, mainClass="org.apache.spark.deploy.SparkSubmit", appArgs=["file:/python/job.py", "x"]
    )
    assert dispatcher.drivers[submission_id].submission.arguments == ("x",)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"appResource": None}, "Application 'appResource' is missing."),
        ({"appArgs": None}, "Application arguments 'appArgs' is missing."),
        ({"action": "Surprise"}, "Received message of unexpected type Surprise."),
        ({"appResource": "a.jar"}, "Main class 'mainClass' is missing."),
        ({"mainClass": "org.example.Main"}, "belongs to a .jar"),
        ({"sparkProperties": {"spark.cores.maxx": "1"}}, "did you mean 'spark.cores.max'"),
        ({"sparkProperties": {"spark.driver.memory": "much"}}, "512m or 2g"),
        ({"appArgs": "text"}, "appArgs"),
    ],
)
def test_a_malformed_request_is_refused_with_the_reason(
    dispatcher: Dispatcher, changes: dict[str, Any], said: str
) -> None:
    code, answered = ask(dispatcher, "POST", "/v1/submissions/create", request(**changes))
    assert (code, answered["action"]) == (400, "ErrorResponse")
    assert answered["message"].startswith("Malformed request: ") and said in answered["message"]
    assert not dispatcher.drivers


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("/", 400, "Missing protocol version."),
        ("/v1", 400, "Missing the /submissions prefix."),
        ("/v1/submissions", 400, "Missing an action: please specify one of /create, /kill, or /status."),
        ("/v2/submissions/create", 468, "Unknown protocol version 'v2'."),
        ("/v1/submissions/status", 400, "Submission ID is missing in status request."),
    ],
)
def test_a_wrong_path_is_explained(dispatcher: Dispatcher, path: str, code: int, said: str) -> None:
    answered = ask(dispatcher, "GET", path)
    assert answered[0] == code
    assert answered[1]["message"].startswith(said)
    assert answered[1].get("highestProtocolVersion") == ("v1" if code == 468 else None)


def test_garbage_is_a_malformed_request(dispatcher: Dispatcher) -> None:
    for body in (b"", b"{", b"[]", b'{"action": 7}', b'{"sparkProperties": 3}'):
        code, answered = ask(dispatcher, "POST", "/v1/submissions/create", body)
        assert (code, answered["action"]) == (400, "ErrorResponse"), body


def test_a_driver_goes_from_the_queue_to_its_end(dispatcher: Dispatcher) -> None:
    submission_id = create(dispatcher)
    path = f"/v1/submissions/status/{submission_id}"
    assert ask(dispatcher, "GET", path)[1]["driverState"] == "QUEUED"
    dispatcher.offers([offer(mem=1000)])
    assert dispatcher.lacking == "host: cpus 4 of 1, mem 1000 of 1408"
    dispatcher.offers([offer()])
    answered = ask(dispatcher, "GET", path)[1]
    assert answered["driverState"] == "RUNNING"
    assert (answered["workerId"], answered["workerHostPort"]) == ("A", "10.0.0.1:5051")
    status(dispatcher, submission_id, "TASK_RUNNING")
    status(dispatcher, submission_id, "TASK_FAILED", "Command exited with status 4")
    answered = ask(dispatcher, "GET", path)[1]
    assert (answered["driverState"], answered["message"]) == ("FAILED", "TASK_FAILED: Command exited with status 4")
    assert dispatcher.drivers[submission_id].exit_code == 4


def test_kill_is_answered_by_the_drivers_state(dispatcher: Dispatcher) -> None:
    waiting, running = create(dispatcher), create(dispatcher)

    def kill(submission_id: str) -> tuple[bool, str]:
        answered = ask(dispatcher, "POST", f"/v1/submissions/kill/{submission_id}")[1]
        assert answered["action"] == "KillSubmissionResponse"
        return answered["success"], answered["message"]

    assert kill(waiting) == (True, "Removed driver while it's still pending")
    dispatcher.offers([offer()])
    assert kill(running) == (True, "Killing running driver")
    status(dispatcher, running, "TASK_KILLED")
    assert ask(dispatcher, "GET", f"/v1/submissions/status/{running}")[1]["driverState"] == "KILLED"
    assert kill(running) == (False, "Driver already terminated")
    assert kill("driver-0") == (False, "Cannot find driver")
    assert ask(dispatcher, "GET", "/v1/submissions/status/driver-0")[1]["driverState"] == "NOT_FOUND"


def test_a_supervised_driver_is_tried_again_later_and_later(dispatcher: Dispatcher) -> None:
    submission_id = create(dispatcher, sparkProperties={"spark.driver.supervise": "true"})
    for attempt, wait_ms in enumerate((1_000, 2_000, 4_000)):
        dispatcher.offers([offer()])
        assert dispatcher.drivers[submission_id].attempt == attempt
        status(dispatcher, submission_id, "TASK_FAILED")
        assert dispatcher.drivers[submission_id].state == "RETRYING"
        dispatcher.clock.now_ms += wait_ms - 1  # type: ignore[attr-defined]
        assert not dispatcher.wants_offers()
        dispatcher.clock.now_ms += 1  # type: ignore[attr-defined]
        assert dispatcher.wants_offers()


def test_a_driver_goes_where_its_constraints_say(dispatcher: Dispatcher) -> None:
    properties = {
        "spark.mesos.driver.constraints": "rack:one", "spark.mesos.driver.labels": "team:red",
        "spark.mesos.driverEnv.FLAVOUR": "sweet",
    }  # fmt: skip
    submission_id = create(dispatcher, sparkProperties=properties)
    assert dispatcher.drivers[submission_id].environment["FLAVOUR"] == "sweet"
    dispatcher.offers([offer()])
    assert dispatcher.lacking == "host: attribute rack is None, not of one"
    dispatcher.effects.actions.clear()
    rack = {"name": "rack", "type": "TEXT", "text": {"value": "one"}}
    dispatcher.offers([{**offer(), "attributes": [rack]}])
    for action in dispatcher.effects.actions:
        action()
    accept = next(fields for kind, fields in dispatcher._mesos.made if kind == "ACCEPT")  # type: ignore[attr-defined]
    (task,) = accept["operations"][0]["launch"]["task_infos"]
    assert task["labels"] == {"labels": [{"key": "team", "value": "red"}]}


def test_the_queue_has_a_limit(dispatcher: Dispatcher) -> None:
    for _ in range(QUEUED_LIMIT):
        create(dispatcher)
    answered = ask(dispatcher, "POST", "/v1/submissions/create", request())[1]
    assert (answered["success"], answered["message"]) == (False, "Already reached maximum submission size")


def test_the_successor_of_a_dispatcher_knows_its_drivers(dispatcher: Dispatcher) -> None:
    submission_id = create(dispatcher)
    dispatcher.offers([offer()])
    records = {name: value for name, value in dispatcher.effects.records.items() if value is not None}
    successor = Dispatcher(Clock(), Calls(), lambda _: {})
    successor.load(records)
    assert successor.framework_id == "F"
    assert msgspec.json.encode(successor.drivers) == msgspec.json.encode(dispatcher.drivers)
    status(successor, submission_id, "TASK_FINISHED")
    assert successor.drivers[submission_id].state == "FINISHED"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Pool(tmp_path_factory.mktemp("mesos")) as pool:
        pool.start_master(allocation_interval="50ms")
        pool.start_agent()
        yield pool.start(DispatcherServer(DispatcherSettings(master=pool.master, port=0))).url


def call(url: str, body: Any = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=30) as response:
        return dict(json.load(response))


def test_a_submitted_driver_runs_its_executors_on_the_same_mesos(url: str, tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(
        f"""
import os, pathlib, sys
from smackbox.spark import SparkContext

with SparkContext() as sc:
    total = sc.parallelize(range(10), 2).map(lambda x: (x % 2, x)).reduceByKey(lambda a, b: a + b).collect()
    said = [sc.master.partition(":")[0], sc.appName, sys.argv[1:], os.environ["FLAVOUR"], sorted(total)]
    pathlib.Path({str(tmp_path / "out")!r}).write_text(repr(said))
"""
    )
    wanted = request(
        appResource=f"file:{tmp_path}/job.py", environmentVariables={"FLAVOUR": "sour"},
        sparkProperties={**SMALL, "spark.app.name": "mine"},
    )  # fmt: skip
    submission_id = call(f"{url}/v1/submissions/create", wanted)["submissionId"]
    state = until(
        lambda: (
            (found := call(f"{url}/v1/submissions/status/{submission_id}"))["driverState"] in {"FINISHED", "FAILED"}
            and found
        ),
        "the end of the driver",
    )
    assert state["driverState"] == "FINISHED", state
    assert (tmp_path / "out").read_text() == repr(["mesos", "mine", ["one"], "sour", [(0, 20), (1, 25)]])


def test_the_command_submits_to_a_dispatcher_asks_and_kills(url: str, tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("import time\ntime.sleep(1000)\n")
    master = f"mesos://{url.partition('://')[2]}"

    def smack(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "smackbox", "submit", "--master", master, *arguments],
            cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip

    conf = [part for key, value in SMALL.items() for part in ("--conf", f"{key}={value}")]
    sent = smack("--deploy-mode", "cluster", "--supervise", *conf, "job.py", "one")
    assert sent.returncode == 0, sent.stderr
    submission_id = json.loads(sent.stdout)["submissionId"]
    until(lambda: json.loads(smack("--status", submission_id).stdout)["driverState"] == "RUNNING", "the driver")
    assert json.loads(smack("--kill", submission_id).stdout)["message"] == "Killing running driver"
    until(lambda: json.loads(smack("--status", submission_id).stdout)["driverState"] == "KILLED", "its end")
    for arguments, said in (
        (["--kill", submission_id], "Driver already terminated"),
        (["--status", "driver-0"], "has no driver driver-0"),
        (["--deploy-mode", "cluster", "--conf", "spark.cores.maxx=1", "job.py"], "did you mean 'spark.cores.max'"),
        ([], "smack submit needs a JOB"),
    ):
        done = smack(*arguments)
        assert (done.returncode, "Traceback" in done.stderr) == (1, False)
        assert said in done.stderr


def test_an_unknown_version_is_answered_over_http(url: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        call(f"{url}/v9/submissions/create", {})
    with caught.value:
        assert caught.value.code == 468
        assert json.load(caught.value)["highestProtocolVersion"] == "v1"
