"""What else the master orders: volumes, shut-downs, draining."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.mesos.agent.conftest import StartAgent, stop
from tests.mesos.agent.fake_master import FakeMaster, framework_info, scalar

from smackbox.mesos.agent.server.service import AgentService


def volume(persistence_id: str, path: str = "data", mode: str = "RW") -> dict[str, Any]:
    return {
        **scalar("disk", 16),
        "reservations": [{"type": "DYNAMIC", "role": "ads/web", "principal": "p"}],
        "disk": {
            "persistence": {"id": persistence_id},
            "volume": {"container_path": path, "mode": mode},
        },
    }


def checkpoint(master: FakeMaster, *resources: dict[str, Any]) -> None:
    operation = {"uuid": {"value": "dTE="}, "framework_id": {"value": "f"}, "operation_id": {"value": "o"}, "info": {}}
    order = {"resources": list(resources), "operations": [operation]}
    seen = len(operations(master))
    master.send({"type": "CHECKPOINT_RESOURCES", "checkpoint_resources": order})
    master.wait(lambda: len(operations(master)) > seen, "answer to the operation")


def operations(master: FakeMaster) -> list[dict[str, Any]]:
    return [one["operation_update"] for one in master.calls if one["type"] == "OPERATION_UPDATE"]


def test_a_volume_lives_over_tasks_and_restarts(start_agent: StartAgent, master: FakeMaster, tmp_path: Path) -> None:
    first = start_agent()
    checkpoint(master, volume("v1"))
    assert operations(master) == [
        {
            "framework_id": {"value": "f"},
            "status": {
                "state": "OPERATION_FINISHED",
                "uuid": {"value": "dTE="},
                "operation_id": {"value": "o"},
            },
        }
    ]
    writer = master.run("echo kept > data/file", resources=[volume("v1")])
    assert master.terminal(writer)["state"] == "TASK_FINISHED"
    stop(first)
    start_agent()
    assert master.wait(lambda: master.subscribes[1:])[0]["checkpointed_resources"] == [volume("v1")]
    reader = master.run("grep kept elsewhere/file", resources=[volume("v1", "elsewhere")])
    assert master.terminal(reader)["state"] == "TASK_FINISHED"
    directory = tmp_path / "work/volumes/roles/ads web/v1"
    assert (directory / "file").read_text() == "kept\n"
    checkpoint(master)
    assert not directory.exists()
    dropped = master.terminal(master.run("true", resources=[volume("v1")]))
    assert (dropped["state"], dropped["reason"]) == ("TASK_LOST", "REASON_RESOURCES_UNKNOWN")


def test_a_container_path_stays_in_the_sandbox(agent: AgentService, master: FakeMaster) -> None:
    checkpoint(master, volume("v1"))
    failed = master.terminal(master.run("true", resources=[volume("v1", "../../x")]))
    assert (failed["state"], failed["reason"]) == ("TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED")


def test_a_framework_that_is_torn_down(agent: AgentService, master: FakeMaster) -> None:
    master.acknowledges = False
    task = master.run("sleep 1000")
    master.wait(lambda: agent.running.agent.runs and all(run.started for run in agent.running.agent.runs.values()))
    master.send({"type": "SHUTDOWN_FRAMEWORK", "shutdown_framework": {"framework_id": {"value": "f"}}})
    master.wait(lambda: not agent.running.agent.frameworks, "end of the framework, without acknowledgements")
    assert "TASK_FINISHED" not in master.states(task)


def test_a_drained_agent_says_so(agent: AgentService, master: FakeMaster) -> None:
    task = master.run("trap '' TERM; while :; do sleep 0.05; done")
    master.state(task, "TASK_RUNNING")
    master.send({"type": "DRAIN", "drain": {"max_grace_period": {"nanoseconds": 10_000_000}, "mark_gone": False}})
    assert master.terminal(task)["state"] == "TASK_KILLED"
    master.wait(lambda: agent.running.agent.is_drained, "drained agent")
    master.hang_up()
    assert master.wait(lambda: master.subscribes[1:])[0]["drained"] is True


def test_an_agent_that_is_shut_down_is_forgotten(agent: AgentService, master: FakeMaster) -> None:
    gone: list[str] = []
    agent.on_gone = gone.append
    task = master.run("sleep 1000")
    master.state(task, "TASK_RUNNING")
    master.send({"type": "SHUTDOWN", "shutdown": {"message": "marked gone"}})
    master.wait(lambda: gone == ["marked gone"], "word of its end")
    assert agent.running.agent.checkpoints.read("agent") is None


def test_an_agent_that_leaves_tells_the_master(start_agent: StartAgent, master: FakeMaster) -> None:
    service = start_agent()
    task = master.run("sleep 1000")
    master.state(task, "TASK_RUNNING")
    service.thread.call(service.running.shut_down())  # type: ignore[attr-defined]
    assert master.calls[-1]["type"] == "UNSUBSCRIBE"
    assert "TASK_KILLED" in master.states(task)


def test_pings_are_answered(agent: AgentService, master: FakeMaster) -> None:
    master.send({"type": "PING"})
    master.wait(lambda: [one for one in master.calls if one["type"] == "PONG"], "pong")


def test_a_framework_changes(agent: AgentService, master: FakeMaster) -> None:
    task = master.run("sleep 1000")
    master.state(task, "TASK_RUNNING")
    changed = framework_info("f", "TASK_KILLING_STATE")
    master.send({"type": "UPDATE_FRAMEWORK", "update_framework": {"framework": changed}})
    master.wait(lambda: agent.running.agent.frameworks["f"].info == changed, "change")
