"""What a context shows of itself, beside a real Spark: the REST interfaces, and our event log in its history server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bench.engines import real_spark
from bench.engines.java import java

from smackbox.net.listener import free_port

pytestmark = [pytest.mark.polyglot, pytest.mark.slow, pytest.mark.timeout(900)]
SCRIPT = Path(__file__).with_name("seen_program.py")
TIMEOUT_S = 300


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    if reason := real_spark.missing():
        pytest.skip(reason)
    found = {}
    for engine, python in (("smackbox", Path(sys.executable)), ("pyspark", real_spark.python())):
        folder = found[engine] = tmp_path_factory.mktemp(engine)
        environ = {key: value for key, value in os.environ.items() if engine == "smackbox" or key != "PYTHONPATH"}
        command = [str(python), str(SCRIPT), engine, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=TIMEOUT_S, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
    return found


@pytest.fixture(scope="module")
def rest(folders: dict[str, Path]) -> dict[str, dict[str, Any]]:
    return {engine: json.loads((folder / "rest.json").read_text()) for engine, folder in folders.items()}


def told(job: dict[str, Any]) -> dict[str, Any]:
    """A job without its moments; PySpark names the call of a shuffle's parent elsewhere, so names are left out."""
    moments = {"submissionTime", "completionTime", "name"}
    return {key: value for key, value in job.items() if key not in moments}


def test_jobs_are_told_as_spark_tells_them(rest: dict[str, dict[str, Any]]) -> None:
    ours, theirs = ([told(job) for job in rest[engine]["jobs"]] for engine in ("smackbox", "pyspark"))
    for job in (*ours, *theirs):
        if job["status"] == "FAILED":  # whether the other task has ended by then is chance
            for name in ("numCompletedTasks", "numCompletedIndices", "numKilledTasks", "killedTasksSummary"):
                del job[name]
    assert ours == theirs


def test_our_answers_have_fields_of_spark_alone(rest: dict[str, dict[str, Any]]) -> None:
    for name in ("applications", "jobs", "stages", "tasks", "executors"):
        known = {key for shown in rest["pyspark"][name] for key in shown}
        assert {key for shown in rest["smackbox"][name] for key in shown} <= known, name


def test_stages_count_as_there(rest: dict[str, dict[str, Any]]) -> None:
    def counted(engine: str) -> list[Any]:
        names = ("status", "numTasks", "numFailedTasks", "attemptId")
        return [[stage[name] for name in names] for stage in rest[engine]["stages"]]

    assert counted("smackbox") == counted("pyspark")
    tasks = {engine: sorted((t["index"], t["attempt"], t["status"]) for t in rest[engine]["tasks"]) for engine in rest}
    assert tasks["smackbox"] == tasks["pyspark"]


@pytest.fixture
def history(folders: dict[str, Path], tmp_path: Path) -> Iterator[str]:
    """The URL of a real history server over our folder."""
    home = next(real_spark.CACHE.glob("lib/python*/site-packages/pyspark"))
    port = free_port("127.0.0.1")
    command = [
        str(java()),
        "-cp",
        f"{home}/jars/*",
        f"-Dspark.history.fs.logDirectory=file:{folders['smackbox']}/events",
    ]
    command += [f"-Dspark.history.ui.port={port}", "-Dspark.history.fs.update.interval=1s"]
    opens = ("java.lang", "java.nio", "java.util", "sun.nio.ch", "java.net", "java.io", "java.lang.invoke")
    command += [f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in opens]
    command.append("org.apache.spark.deploy.history.HistoryServer")
    with (tmp_path / "log").open("wb") as log:
        environ = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1"}
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=tmp_path, env=environ)
    try:
        yield f"http://127.0.0.1:{port}/api/v1/applications"
    finally:
        server.terminate()
        server.wait(60)


def read(url: str, until: float) -> Any:
    """The answer once there is one that is not empty."""
    while True:
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                found = json.load(answer)
            if found:
                return found
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        assert time.monotonic() < until, f"{url} has nothing"
        time.sleep(0.5)


def test_a_history_server_shows_our_event_log(history: str, rest: dict[str, dict[str, Any]]) -> None:
    until = time.monotonic() + 240
    (application,) = read(history, until)
    ours = rest["smackbox"]
    assert (application["id"], application["name"]) == (ours["applications"][0]["id"], "seen")
    assert application["attempts"][0]["completed"] is True
    jobs = read(f"{history}/{application['id']}/jobs", until)
    for name in ("jobId", "name", "status", "stageIds", "numTasks", "numCompletedTasks", "numFailedTasks", "jobGroup"):
        assert [job.get(name) for job in jobs] == [job.get(name) for job in ours["jobs"]], name
    stages = read(f"{history}/{application['id']}/stages", until)
    for name in ("stageId", "name", "status", "numTasks", "numCompleteTasks", "numFailedTasks"):
        assert [stage[name] for stage in stages] == [stage[name] for stage in ours["stages"]], name
    tasks = read(f"{history}/{application['id']}/stages/0/0/taskList", until)
    assert sorted(task["taskId"] for task in tasks) == sorted(task["taskId"] for task in ours["tasks"])
    executors = read(f"{history}/{application['id']}/allexecutors", until)
    assert {executor["id"] for executor in executors} >= {"0", "1"}
