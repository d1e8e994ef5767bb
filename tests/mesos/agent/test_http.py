"""The agent's endpoints: state, containers, figures, files, and the operator API."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.mesos.agent.conftest import StartAgent
from tests.mesos.agent.fake_master import FakeMaster

from smackbox.mesos.agent.handlers.operator import OPERATIONS
from smackbox.mesos.agent.handlers.routes import ENDPOINTS, find
from smackbox.mesos.agent.server.service import AgentService
from smackbox.mesos.wire import protobuf
from smackbox.mesos.wire.fields import enum_numbers
from smackbox.net.listener import free_port

PROTOBUF = "application/x-protobuf"


def ask(
    service: AgentService,
    endpoint: str,
    /,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    **query: Any,
) -> tuple[int, bytes]:
    if query:
        endpoint += "?" + urllib.parse.urlencode(query)
    request = urllib.request.Request(service.url + endpoint, body, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def get(service: AgentService, endpoint: str, /, **query: Any) -> Any:
    status, body = ask(service, endpoint, **query)
    assert status == 200, (status, body)
    return json.loads(body)


def call(service: AgentService, kind: str, **fields: Any) -> Any:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    status, body = ask(service, "/api/v1", json.dumps({"type": kind, **fields}).encode(), headers)
    assert status == 200, (status, body)
    answer = json.loads(body)
    assert answer["type"] == kind
    return answer[kind.lower()]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/state", "state"),
        ("/state.json", "state"),
        ("/slave(1)/state.json", "state"),
        ("/slave(1)/monitor/statistics.json", "monitor/statistics"),
        ("/api/v1", "api/v1"),
        ("/api/v1/operator", "api/v1"),
        ("/api/v1/executor", "api/v1/executor"),
        ("/files/read.json", "files/read"),
        ("/metrics/snapshot/more", "metrics/snapshot"),
        ("/", None),
        ("/nothing", None),
    ],
)
def test_paths_are_shortened_until_one_matches(path: str, name: str | None) -> None:
    assert find(path) == name


def test_state_shows_what_runs(agent: AgentService, master: FakeMaster) -> None:
    task = master.run("sleep 1000")
    master.state(task, "TASK_RUNNING")
    done = master.run("true")
    master.terminal(done)
    state = get(agent, "/slave(1)/state.json")
    assert (state["id"], state["hostname"], state["version"]) == ("agent-1", "localhost", "1.11.0")
    assert state["resources"] == {"cpus": 4.0, "gpus": 0.0, "mem": 1024.0, "disk": 1024.0, "ports": "[31000-32000]"}
    (framework,) = state["frameworks"]
    running = next(one for one in framework["executors"] if one["id"] == task)
    assert Path(running["directory"]).is_dir()
    assert running["resources"]["cpus"] == 0.1
    assert [(one["id"], one["state"]) for one in running["tasks"]] == [(task, "TASK_RUNNING")]
    master.wait(lambda: done not in [one["id"] for one in get(agent, "/state")["frameworks"][0]["executors"]])
    finished = get(agent, "/state")["frameworks"][0]["completed_executors"][0]
    assert [(one["id"], one["state"]) for one in finished["completed_tasks"]] == [(done, "TASK_FINISHED")]


def test_containers_and_what_they_use(agent: AgentService, master: FakeMaster) -> None:
    task = master.run("sleep 1000")
    master.state(task, "TASK_RUNNING")
    (container,) = get(agent, "/containers")
    assert (container["framework_id"], container["executor_id"]) == ("f", task)
    assert master.wait(lambda: get(agent, "/containers")[0]["statistics"]["processes"] >= 1)
    # Linux counts resident pages by processor, in batches: of a process that has just started it may say 0
    assert master.wait(lambda: get(agent, "/monitor/statistics")[0]["statistics"]["mem_rss_bytes"] > 0)


def test_figures(agent: AgentService, master: FakeMaster) -> None:
    task = master.run("true")
    master.terminal(task)
    figures = get(agent, "/metrics/snapshot", timeout="5secs")
    assert figures["slave/registered"] == 1
    assert figures["slave/tasks_finished"] == 1
    assert figures["slave/cpus_total"] == 4
    assert ask(agent, "/metrics/snapshot", timeout="soon")[0] == 400
    assert get(agent, "/flags")["flags"]["master"] == master.url
    assert ask(agent, "/health") == (200, b"")
    assert get(agent, "/version")["version"] == "1.11.0"
    assert ask(agent, "/state", b"")[0] == 405


def test_figures_for_prometheus(start_agent: StartAgent, master: FakeMaster) -> None:
    port = free_port("127.0.0.1")
    start_agent(metrics_port=port)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        assert b"mesos_slave_registered 1.0" in answer.read()


def test_files_of_a_sandbox(agent: AgentService, master: FakeMaster, tmp_path: Path) -> None:
    task = master.run("printf 0123456789; mkdir folder; ln -s /etc/passwd secret; ln -s ../../../../.. up; sleep 1000")
    master.state(task, "TASK_RUNNING")
    directory = get(agent, "/state")["frameworks"][0]["executors"][0]["directory"]
    master.wait(lambda: (Path(directory) / "up").is_symlink())
    entries = {Path(one["path"]).name: one for one in get(agent, "/files/browse", path=directory)}
    assert entries["stdout"]["size"] == 10
    assert entries["stdout"]["mode"] == "-rw-r--r--"
    assert entries["folder"]["mode"].startswith("d")
    for named in (
        directory,
        f"/frameworks/f/executors/{task}/runs/latest",
        f"/frameworks/f/executors/{task}/tasks/{task}",
    ):
        read = get(agent, "/files/read", path=f"{named}/stdout", offset=3, length=4)
        assert read == {"offset": 3, "data": "3456"}
        assert get(agent, "/files/read", path=f"{named}/stdout") == {"offset": 10, "data": ""}
    assert ask(agent, "/files/download", path=f"{directory}/stdout") == (200, b"0123456789")
    assert ask(agent, "/files/browse", path=directory, jsonp="show")[1].startswith(b"show([")
    assert directory in get(agent, "/files/debug")
    for outside in (
        f"{directory}/secret",
        f"{directory}/up/meta/agent",
        str(tmp_path / "work/meta/agent"),
        "/etc/passwd",
    ):
        assert ask(agent, "/files/read", path=outside, offset=0)[0] == 404, outside
    assert ask(agent, "/files/read")[0] == 400
    assert ask(agent, "/files/read", path=directory, offset=0)[0] == 400
    assert ask(agent, "/files/read", path=f"{directory}/stdout", offset="x")[0] == 400
    assert ask(agent, "/files/read", path=f"{directory}/nothing")[0] == 404


def test_a_large_file_is_downloaded_in_pieces(agent: AgentService, master: FakeMaster) -> None:
    task = master.run("head -c 5000000 /dev/zero > large; sleep 1000")
    master.state(task, "TASK_RUNNING")
    path = f"/frameworks/f/executors/{task}/runs/latest/large"
    master.wait(lambda: ask(agent, "/files/download", path=path) == (200, bytes(5_000_000)))
    assert len(get(agent, "/files/read", path=path, offset=0, length=1_000_000)["data"]) == 65_536


def test_the_operator_api(agent: AgentService, master: FakeMaster) -> None:
    task = master.run("printf hello; sleep 1000")
    master.state(task, "TASK_RUNNING")
    path = f"/frameworks/f/executors/{task}/runs/latest"
    assert call(agent, "GET_HEALTH") == {"healthy": True}
    assert call(agent, "GET_VERSION")["version_info"]["version"] == "1.11.0"
    assert {"name": "master", "value": master.url} in call(agent, "GET_FLAGS")["flags"]
    assert {"name": "slave/registered", "value": 1.0} in call(agent, "GET_METRICS", get_metrics={})["metrics"]
    files = call(agent, "LIST_FILES", list_files={"path": path})["file_infos"]
    assert {f"{path}/stdout", f"{path}/stderr"} <= {one["path"] for one in files}
    asked = {"path": f"{path}/stdout", "offset": 1, "length": 3}
    master.wait(lambda: call(agent, "READ_FILE", read_file=asked)["size"] == 5)
    read = call(agent, "READ_FILE", read_file=asked)
    assert (read["size"], base64.b64decode(read["data"])) == (5, b"ell")
    tasks = call(agent, "GET_TASKS")
    assert [one["task_id"]["value"] for one in tasks["launched_tasks"]] == [task]
    assert call(agent, "GET_STATE")["get_tasks"] == tasks
    assert call(agent, "GET_FRAMEWORKS")["frameworks"][0]["framework_info"]["id"] == {"value": "f"}
    assert call(agent, "GET_EXECUTORS")["executors"][0]["executor_info"]["executor_id"] == {"value": task}
    assert call(agent, "GET_CONTAINERS")["containers"][0]["executor_id"] == {"value": task}
    assert call(agent, "GET_AGENT")["agent_info"]["id"] == {"value": "agent-1"}


def test_the_operator_api_in_protobuf(agent: AgentService) -> None:
    body = protobuf.encode("agent.Call", {"type": "GET_AGENT"})
    status, answer = ask(agent, "/api/v1", body, {"Content-Type": PROTOBUF, "Accept": PROTOBUF})
    assert status == 200
    info = protobuf.decode("agent.Response", answer)["get_agent"]["agent_info"]
    assert info["hostname"] == "localhost"


def test_what_the_operator_api_refuses(agent: AgentService) -> None:
    headers = {"Content-Type": "application/json"}
    for kind in enum_numbers("agent.Call.Type"):
        if kind not in OPERATIONS:
            assert ask(agent, "/api/v1", json.dumps({"type": kind}).encode(), headers)[0] == 501, kind
    assert ask(agent, "/api/v1", b'{"type": "READ_FILE"}', headers)[0] == 400
    assert ask(agent, "/api/v1", b"{}", headers)[0] == 400
    assert ask(agent, "/api/v1", b"{", headers)[0] == 400
    assert ask(agent, "/api/v1", b"{}", {"Content-Type": "text/plain"})[0] == 415
    assert ask(agent, "/api/v1")[0] == 405
    wanted = {**headers, "Accept": "text/html"}
    assert ask(agent, "/api/v1", b'{"type": "GET_HEALTH"}', wanted)[0] == 406


def test_what_the_executor_api_refuses(agent: AgentService, master: FakeMaster) -> None:
    task = master.run(
        None,
        executor={
            "type": "CUSTOM",
            "executor_id": {"value": "e"},
            "framework_id": {"value": "f"},
            "command": {"value": "sleep 1000"},
        },
    )
    master.wait(lambda: agent.running.agent.frameworks)
    headers = {"Content-Type": "application/json"}
    ids = {"framework_id": {"value": "f"}, "executor_id": {"value": "e"}}

    def refused(**body: Any) -> tuple[int, bytes]:
        return ask(agent, "/api/v1/executor", json.dumps({**ids, **body}).encode(), headers)

    assert refused(type="SUBSCRIBE") == (400, b"Failed to validate executor::Call: Expecting 'subscribe' to be present")
    assert refused(type="SUBSCRIBE", subscribe={}, framework_id={"value": "x"}) == (400, b"Framework cannot be found")
    assert refused(type="SUBSCRIBE", subscribe={}, executor_id={"value": "x"}) == (400, b"Executor cannot be found")
    assert refused(type="UPDATE", update={"status": {"task_id": {"value": task}, "state": "TASK_RUNNING"}}) == (
        403,
        b"Executor is not subscribed",
    )
    assert ask(agent, "/api/v1/executor")[0] == 405
    assert len(ENDPOINTS) == 13
