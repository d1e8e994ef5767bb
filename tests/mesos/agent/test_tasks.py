"""Command tasks from their launch to their end, against the internal protocol."""

from __future__ import annotations

import os
from pathlib import Path

from tests.mesos.agent.fake_master import FakeMaster, framework_info

from smackbox.mesos.agent.server.service import AgentService


def sandbox(tmp_path: Path, task_id: str) -> Path:
    return (tmp_path / f"work/slaves/agent-1/frameworks/f/executors/{task_id}/runs/latest").resolve()


def test_a_command_runs_in_its_sandbox(agent: AgentService, master: FakeMaster, tmp_path: Path) -> None:
    task = master.run('echo out; echo err >&2; pwd; echo "$MESOS_SANDBOX"')
    finished = master.terminal(task)
    assert master.states(task) == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]
    assert finished["message"] == "Command exited with status 0"
    assert finished["source"] == "SOURCE_EXECUTOR"
    assert finished["executor_id"] == {"value": task}
    directory = sandbox(tmp_path, task)
    assert (directory / "stdout").read_text() == f"out\n{directory}\n{directory}\n"
    assert (directory / "stderr").read_text() == "err\n"
    status = finished["container_status"]
    assert status["container_id"] == {"value": directory.name}
    assert status["network_infos"][0]["ip_addresses"] == [{"ip_address": "127.0.0.1", "protocol": "IPv4"}]


def test_a_failure_names_the_exit_status(agent: AgentService, master: FakeMaster) -> None:
    failed = master.terminal(master.run("exit 1"))
    assert (failed["state"], failed["message"]) == ("TASK_FAILED", "Command exited with status 1")
    killed = master.terminal(master.run("kill -9 $$"))
    assert (killed["state"], killed["message"]) == ("TASK_FAILED", "Command terminated with signal Killed")
    missing = master.terminal(master.run({"shell": False, "value": "no-such-program", "arguments": ["x"]}))
    assert (missing["state"], missing["message"]) == ("TASK_FAILED", "Command exited with status 127")


def test_arguments_and_environment(agent: AgentService, master: FakeMaster, tmp_path: Path) -> None:
    command = {
        "shell": False,
        "value": "printf",
        "arguments": ["printf", "%s|%s", "a b", "$HOME"],
        "environment": {"variables": [{"name": "X", "value": "ü"}]},
    }
    task = master.run(command)
    assert master.terminal(task)["state"] == "TASK_FINISHED"
    assert (sandbox(tmp_path, task) / "stdout").read_text() == "a b|$HOME"
    task = master.run({**command, "shell": True, "value": "env"})
    master.terminal(task)
    lines = (sandbox(tmp_path, task) / "stdout").read_text().splitlines()
    environment = dict(line.split("=", 1) for line in lines if "=" in line)
    assert environment["X"] == "ü"
    assert environment["MESOS_FRAMEWORK_ID"] == "f"
    assert environment["MESOS_EXECUTOR_ID"] == task
    assert environment["MESOS_AGENT_ENDPOINT"] == agent.url.removeprefix("http://")
    assert environment["MESOS_CHECKPOINT"] == "1"
    assert environment["MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"] == "5secs"
    assert environment["MESOS_RECOVERY_TIMEOUT"] == "15mins"


def test_a_kill_ends_the_whole_tree(agent: AgentService, master: FakeMaster, tmp_path: Path) -> None:
    task = master.run("sleep 1000 & echo $! > child; sleep 1000", framework=framework_info("f", "TASK_KILLING_STATE"))
    master.state(task, "TASK_RUNNING")
    child_file = sandbox(tmp_path, task) / "child"
    master.wait(lambda: child_file.exists() and child_file.read_text().strip())
    master.kill(task)
    killed = master.terminal(task)
    assert master.states(task) == ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_KILLED"]
    assert killed["message"] == "Command terminated with signal Terminated"
    child = int(child_file.read_text())
    master.wait(lambda: not is_alive(child), "end of the child")


def test_who_ignores_sigterm_is_killed_after_the_grace_period(
    agent: AgentService, master: FakeMaster, tmp_path: Path
) -> None:
    task = master.run("trap '' TERM; touch ready; while :; do sleep 0.1; done")
    master.state(task, "TASK_RUNNING")
    master.wait(lambda: (sandbox(tmp_path, task) / "ready").exists())
    master.kill(task, 100)
    master.kill(task, 0.05)  # a shorter grace period holds
    killed = master.terminal(task)
    assert (killed["state"], killed["message"]) == ("TASK_KILLED", "Command terminated with signal Killed")


def test_a_kill_right_after_the_launch(agent: AgentService, master: FakeMaster) -> None:
    tasks = []
    for _ in range(20):
        task = master.run("sleep 1000")
        master.kill(task)
        tasks.append(task)
    for task in tasks:
        assert master.terminal(task)["state"] == "TASK_KILLED"


def test_updates_wait_for_acknowledgements(agent: AgentService, master: FakeMaster) -> None:
    master.acknowledges = False
    task = master.run("true")
    master.state(task, "TASK_STARTING")
    latest = master.wait(
        lambda: next((u for c in master.calls for u in c.get("updates", []) if u["status"]["uuid"]), None)
    )
    assert latest["framework_id"] == {"value": "f"}
    assert master.states(task) == ["TASK_STARTING"]


def test_a_task_is_forgotten_when_its_end_is_acknowledged(agent: AgentService, master: FakeMaster) -> None:
    master.terminal(master.run("true"))
    master.wait(lambda: not agent.running.agent.frameworks, "end of the framework")
    assert list((agent.running.agent.settings.work_dir / "meta/frameworks").iterdir()) == []


def test_an_id_that_is_no_file_name_is_an_error(agent: AgentService, master: FakeMaster) -> None:
    refused = master.terminal(master.run("true", task_id="../x"))
    assert (refused["state"], refused["reason"]) == ("TASK_ERROR", "REASON_TASK_INVALID")
    assert "uuid" not in refused


def test_the_time_a_task_may_take(agent: AgentService, master: FakeMaster) -> None:
    failed = master.terminal(master.run("sleep 1000", max_completion_time={"nanoseconds": 50_000_000}))
    assert (failed["state"], failed["reason"]) == ("TASK_FAILED", "REASON_MAX_COMPLETION_TIME_REACHED")


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
