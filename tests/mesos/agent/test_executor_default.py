"""Task groups, run by the agent as Mesos' default executor does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.mesos.agent.conftest import StartAgent, stop
from tests.mesos.agent.fake_master import FakeMaster, framework_info, task_info

from smackbox.mesos.agent.server.service import AgentService


def run_group(master: FakeMaster, *infos: dict[str, Any], **framework: Any) -> None:
    executor = {"type": "DEFAULT", "executor_id": {"value": "e"}, "framework_id": {"value": "f"}}
    order = {
        "framework": framework_info(**framework),
        "executor": executor,
        "task_group": {"tasks": list(infos)},
    }
    master.send({"type": "RUN_TASK_GROUP", "run_task_group": order})


def test_each_task_has_a_sandbox_in_that_of_the_executor(
    agent: AgentService, master: FakeMaster, tmp_path: Path
) -> None:
    run_group(master, task_info("a", "echo $MESOS_SANDBOX"), task_info("b", "true"))
    finished = master.terminal("a")
    assert finished["state"] == master.terminal("b")["state"] == "TASK_FINISHED"
    container = finished["container_status"]["container_id"]
    runs = (tmp_path / "work/slaves/agent-1/frameworks/f/executors/e/runs").resolve()
    sandbox = runs / container["parent"]["value"] / "containers" / container["value"]
    assert (sandbox / "stdout").read_text() == f"{sandbox}\n"
    assert finished["executor_id"] == {"value": "e"}
    master.wait(lambda: [one for one in master.calls if one["type"] == "EXITED_EXECUTOR"], "exit of the executor")
    master.wait(lambda: not agent.running.agent.frameworks, "end of the framework")


def test_a_failed_task_ends_its_group(agent: AgentService, master: FakeMaster) -> None:
    run_group(master, task_info("a", "sleep 1000"), task_info("b", "exit 2"))
    assert master.terminal("b")["state"] == "TASK_FAILED"
    assert master.terminal("a")["state"] == "TASK_KILLED"


def test_a_killed_task_ends_its_group(agent: AgentService, master: FakeMaster) -> None:
    run_group(master, task_info("a", "sleep 1000"), task_info("b", "sleep 1000"))
    master.state("a", "TASK_RUNNING")
    master.state("b", "TASK_RUNNING")
    master.kill("a")
    assert {master.terminal(name)["state"] for name in ("a", "b")} == {"TASK_KILLED"}


def test_none_of_a_group_starts_when_one_cannot(agent: AgentService, master: FakeMaster, tmp_path: Path) -> None:
    secret = {"name": "S", "type": "SECRET", "secret": {"type": "REFERENCE", "reference": {"name": "x"}}}
    command = {"value": "true", "environment": {"variables": [secret]}}
    run_group(master, task_info("a", f"touch {tmp_path}/started"), task_info("b", command))
    assert master.terminal("b")["reason"] == "REASON_CONTAINER_LAUNCH_FAILED"
    assert master.terminal("a")["state"] == "TASK_KILLED"
    assert not (tmp_path / "started").exists()
    master.wait(lambda: not agent.running.agent.frameworks, "end of the framework")


def test_a_group_goes_on_over_a_restart(start_agent: StartAgent, master: FakeMaster) -> None:
    first = start_agent()
    run_group(master, task_info("a", "sleep 1000"), task_info("b", "sleep 1000"))
    master.state("a", "TASK_RUNNING")
    master.state("b", "TASK_RUNNING")
    stop(first)
    start_agent()
    again = master.wait(lambda: master.subscribes[1:])[0]
    assert [one["executor_info"]["executor_id"] for one in again["executors"]] == [{"value": "e"}]
    master.kill("b")
    assert {master.terminal(name)["state"] for name in ("a", "b")} == {"TASK_KILLED"}
