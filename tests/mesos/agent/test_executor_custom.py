"""Executors of a framework's own, over the v1 executor API."""

from __future__ import annotations

import base64
import http.client
import sys
from pathlib import Path
from typing import Any

from tests.mesos.agent.conftest import StartAgent, stop
from tests.mesos.agent.fake_master import FakeMaster, framework_info, scalar, task_info

from smackbox.mesos.agent.server.service import AgentService
from smackbox.mesos.wire import protobuf
from smackbox.net.listener import free_port

PROTOBUF = "application/x-protobuf"
PROGRAM = Path(__file__).with_name("executor_process.py")


def executor_info(executor_id: str = "e", command: str | None = None) -> dict[str, Any]:
    return {
        "type": "CUSTOM",
        "executor_id": {"value": executor_id},
        "framework_id": {"value": "f"},
        "command": {"value": command or f"exec {sys.executable} {PROGRAM}"},
        "resources": [scalar("cpus", 0.1), scalar("mem", 32)],
    }


def data(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def output(tmp_path: Path) -> list[str]:
    file = tmp_path / "work/slaves/agent-1/frameworks/f/executors/e/runs/latest/stdout"
    return file.read_text().split() if file.exists() else []


def test_tasks_share_an_executor(agent: AgentService, master: FakeMaster, tmp_path: Path) -> None:
    first = master.run(None, executor=executor_info())
    second = master.run(None, executor=executor_info(), data=data("finish"))
    running = master.state(first, "TASK_RUNNING")
    assert running["source"] == "SOURCE_EXECUTOR"
    assert running["executor_id"] == {"value": "e"}
    assert running["agent_id"] == {"value": "agent-1"}
    assert master.terminal(second)["state"] == "TASK_FINISHED"
    message = {"framework_id": {"value": "f"}, "executor_id": {"value": "e"}, "data": data("hello")}
    master.send({"type": "MESSAGE", "message": message})
    echoed = master.wait(lambda: [one for one in master.calls if one["type"] == "MESSAGE"], "message")
    assert echoed[0]["message"] == message
    master.kill(first)
    assert master.terminal(first)["state"] == "TASK_KILLED"
    assert output(tmp_path)[:2] == ["SUBSCRIBED", "LAUNCH"]
    assert output(tmp_path).count("ACKNOWLEDGED") >= 3
    order = {"framework_id": {"value": "f"}, "executor_id": {"value": "e"}}
    master.send({"type": "SHUTDOWN_EXECUTOR", "shutdown_executor": order})
    exited = master.wait(lambda: [one for one in master.calls if one["type"] == "EXITED_EXECUTOR"], "exit")
    assert exited[0]["exited_executor"] == {**order, "status": 0}
    master.wait(lambda: not agent.running.agent.frameworks, "end of the framework")


def test_a_group_goes_to_the_executor_whole(agent: AgentService, master: FakeMaster, tmp_path: Path) -> None:
    infos = [task_info(name, None, data=data("finish")) for name in ("a", "b")]
    group = {"framework": framework_info(), "executor": executor_info(), "task_group": {"tasks": infos}}
    master.send({"type": "RUN_TASK_GROUP", "run_task_group": group})
    assert {master.terminal(name)["state"] for name in ("a", "b")} == {"TASK_FINISHED"}
    assert output(tmp_path)[:2] == ["SUBSCRIBED", "LAUNCH_GROUP"]


def test_tasks_of_an_executor_that_dies_are_lost(agent: AgentService, master: FakeMaster) -> None:
    framework = framework_info("f", "PARTITION_AWARE")
    running = master.run(None, executor=executor_info(), framework=framework)
    master.state(running, "TASK_RUNNING")
    last = master.run(None, executor=executor_info(), framework=framework, data=data("exit"))
    for task in (running, last):
        gone = master.terminal(task)
        assert (gone["state"], gone["reason"], gone["source"]) == (
            "TASK_GONE",
            "REASON_EXECUTOR_TERMINATED",
            "SOURCE_AGENT",
        )
        assert gone["message"] == "Executor exited with status 7"


def test_an_executor_that_does_not_register_is_given_up(start_agent: StartAgent, master: FakeMaster) -> None:
    start_agent(executor_registration_timeout="100ms")
    task = master.run(None, executor=executor_info(command="sleep 1000"))
    failed = master.terminal(task)
    assert (failed["state"], failed["reason"]) == ("TASK_FAILED", "REASON_EXECUTOR_REGISTRATION_TIMEOUT")
    assert failed["message"] == "Executor did not register within 100ms"


def test_a_queued_task_can_be_killed(agent: AgentService, master: FakeMaster) -> None:
    task = master.run(None, executor=executor_info(command="sleep 1000"))
    master.kill(task)
    killed = master.terminal(task)
    assert (killed["state"], killed["reason"]) == ("TASK_KILLED", "REASON_TASK_KILLED_DURING_LAUNCH")
    master.wait(lambda: not agent.running.agent.frameworks, "end of the executor, which has nothing to do")


def test_an_executor_comes_back_to_the_next_agent(start_agent: StartAgent, master: FakeMaster, tmp_path: Path) -> None:
    first = start_agent()
    running = master.run(None, executor=executor_info())
    mute = master.run(None, executor=executor_info(), data=data("mute"))
    master.state(running, "TASK_RUNNING")
    master.wait(lambda: output(tmp_path).count("LAUNCH") == 2)
    stop(first)
    start_agent(executor_reregistration_timeout="20secs")
    master.wait(lambda: output(tmp_path).count("SUBSCRIBED") == 2, "executor's return")
    later = master.run(None, executor=executor_info(), data=data("finish"))
    assert master.terminal(later)["state"] == "TASK_FINISHED"
    assert output(tmp_path).count("LAUNCH") == 3, "what the executor has is not launched again"
    for task in (running, mute):
        master.kill(task)
        assert master.terminal(task)["state"] == "TASK_KILLED"


def test_an_executor_that_does_not_come_back_is_given_up(start_agent: StartAgent, master: FakeMaster) -> None:
    first = start_agent()
    task = master.run(None, executor=executor_info())
    master.state(task, "TASK_RUNNING")
    stop(first)
    # it looks for the agent where that was
    start_agent(port=free_port("127.0.0.1"), executor_reregistration_timeout="100ms")
    failed = master.terminal(task)
    assert failed["reason"] == "REASON_EXECUTOR_REREGISTRATION_TIMEOUT"


def test_an_executor_that_speaks_protobuf(agent: AgentService, master: FakeMaster) -> None:
    task = master.run(None, executor=executor_info(command="sleep 1000"))
    master.wait(lambda: agent.running.agent.frameworks and agent.running.agent.frameworks["f"].executors["e"].pid)
    host, port = agent.url.removeprefix("http://").split(":")
    ids = {"framework_id": {"value": "f"}, "executor_id": {"value": "e"}}
    headers = {"Content-Type": PROTOBUF, "Accept": PROTOBUF}

    def post(**call: Any) -> http.client.HTTPResponse:
        connections.append(http.client.HTTPConnection(host, int(port), timeout=10))
        body = protobuf.encode("executor.Call", {**ids, **call})
        connections[-1].request("POST", "/api/v1/executor", body, headers)
        return connections[-1].getresponse()

    def event() -> dict[str, Any]:
        return protobuf.decode("executor.Event", stream.read(int(stream.readline())))

    connections: list[http.client.HTTPConnection] = []
    stream = post(type="SUBSCRIBE", subscribe={})
    assert (stream.status, stream.getheader("Content-Type")) == (200, PROTOBUF)
    subscribed = event()
    assert subscribed["subscribed"]["framework_info"]["id"] == {"value": "f"}
    assert event()["launch"]["task"]["task_id"] == {"value": task}
    uuid = base64.b64encode(bytes(16)).decode()
    status = {"task_id": {"value": task}, "state": "TASK_RUNNING", "uuid": uuid}
    for _ in range(2):
        assert post(type="UPDATE", update={"status": status}).status == 202
        assert event()["acknowledged"] == {"task_id": {"value": task}, "uuid": uuid}
    assert master.state(task, "TASK_RUNNING")["uuid"] == uuid
    for bad in ({"state": "TASK_STAGING"}, {"uuid": "AAAA"}, {"source": "SOURCE_MASTER"}):
        assert post(type="UPDATE", update={"status": {**status, **bad}}).status == 400
    master.kill(task)
    assert event()["kill"]["task_id"] == {"value": task}
    stream.close()
    for connection in connections:
        connection.close()
