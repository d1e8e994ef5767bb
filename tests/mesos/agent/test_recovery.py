"""Tasks over the agent's death: they go on, their updates come, and nothing runs twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.mesos.agent.conftest import StartAgent, stop
from tests.mesos.agent.fake_master import FakeMaster, framework_info
from tests.mesos.agent.test_tasks import is_alive, sandbox

from smackbox.base.errors import StartError


def test_a_task_goes_on_over_a_restart(start_agent: StartAgent, master: FakeMaster, tmp_path: Path) -> None:
    first = start_agent()
    task = master.run("until [ -e go ]; do sleep 0.01; done; exit 3")
    pid = master.state(task, "TASK_RUNNING")["container_status"]["executor_pid"]
    port = first.running.agent.settings.port
    stop(first)
    assert is_alive(pid)
    start_agent()
    again = master.wait(lambda: master.subscribes[1:])[0]
    assert [one["task_id"]["value"] for one in again["tasks"]] == [task]
    assert again["agent_info"]["id"] == {"value": "agent-1"}
    assert again["agent_info"]["port"] == port
    (sandbox(tmp_path, task) / "go").touch()
    failed = master.terminal(task)
    assert (failed["state"], failed["message"]) == ("TASK_FAILED", "Command exited with status 3")
    assert master.states(task) == ["TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"]


def test_a_task_that_ended_meanwhile_is_told_of(start_agent: StartAgent, master: FakeMaster, tmp_path: Path) -> None:
    first = start_agent()
    task = master.run("until [ -e go ]; do sleep 0.01; done; kill -9 $$")
    pid = master.state(task, "TASK_RUNNING")["container_status"]["executor_pid"]
    stop(first)
    (sandbox(tmp_path, task) / "go").touch()
    master.wait(lambda: not is_alive(pid), "end of the task")
    start_agent()
    assert master.terminal(task)["message"] == "Command terminated with signal Killed"


def test_what_a_dead_wrapper_left_is_killed_and_nobody_else(
    start_agent: StartAgent, master: FakeMaster, tmp_path: Path
) -> None:
    first = start_agent(isolation="posix/cpu,posix/mem")
    task = master.run("sleep 1000 & echo $! > child; wait")
    wrapper = master.state(task, "TASK_RUNNING")["container_status"]["executor_pid"]
    child_file = sandbox(tmp_path, task) / "child"
    master.wait(lambda: child_file.exists() and child_file.read_text().strip())
    stop(first)
    os.kill(wrapper, signal.SIGKILL)
    stranger = subprocess.Popen(["sleep", "1000"], env={"PATH": os.environ["PATH"]})
    try:
        start_agent(isolation="posix/cpu,posix/mem")
        lost = master.terminal(task)
        assert (lost["state"], lost["reason"]) == ("TASK_LOST", "REASON_EXECUTOR_TERMINATED")
        master.wait(lambda: not is_alive(int(child_file.read_text())), "end of the child")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_an_update_that_was_not_acknowledged_comes_again(start_agent: StartAgent, master: FakeMaster) -> None:
    master.acknowledges = False
    first = start_agent()
    task = master.run("true")
    starting = master.state(task, "TASK_STARTING")
    stop(first)
    master.statuses.clear()
    master.acknowledges = True
    start_agent()
    assert master.state(task, "TASK_STARTING")["uuid"] == starting["uuid"]
    assert master.terminal(task)["state"] == "TASK_FINISHED"
    assert master.states(task) == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]


def test_a_framework_without_checkpoint_ends_with_its_agent(start_agent: StartAgent, master: FakeMaster) -> None:
    first = start_agent()
    task = master.run("sleep 1000", framework=framework_info(checkpoint=False))
    pid = master.state(task, "TASK_RUNNING")["container_status"]["executor_pid"]
    stop(first)
    start_agent()
    assert master.wait(lambda: master.subscribes[1:])[0]["tasks"] == []
    master.wait(lambda: not is_alive(pid), "end of the task")


def test_a_kill_goes_on_over_a_restart(start_agent: StartAgent, master: FakeMaster) -> None:
    first = start_agent()
    task = master.run("trap '' TERM; while :; do sleep 0.05; done", framework=framework_info("f", "TASK_KILLING_STATE"))
    master.state(task, "TASK_RUNNING")
    master.kill(task, 0.3)
    master.state(task, "TASK_KILLING")
    stop(first)
    start_agent()
    assert master.terminal(task)["state"] == "TASK_KILLED"


def test_a_reboot_loses_what_ran(start_agent: StartAgent, master: FakeMaster, tmp_path: Path) -> None:
    first = start_agent()
    task = master.run("sleep 1000", framework=framework_info("f", "PARTITION_AWARE"))
    pid = master.state(task, "TASK_RUNNING")["container_status"]["executor_pid"]
    stop(first)
    (tmp_path / "work/meta/boot_id").write_text('"another"')
    start_agent()
    gone = master.terminal(task)
    assert (gone["state"], gone["reason"]) == ("TASK_GONE", "REASON_EXECUTOR_TERMINATED")
    assert is_alive(pid), "after a reboot a pid is somebody else's"
    subprocess.run(["pkill", "-KILL", "-s", str(pid)], check=True)


def test_another_agent_info_is_refused(start_agent: StartAgent) -> None:
    stop(start_agent(attributes="rack:1"))
    with pytest.raises(StartError, match=r"the agent's attributes changed from rack:.*--recover=cleanup"):
        start_agent(attributes="rack:2")
    with pytest.raises(StartError, match="resources changed"):
        start_agent(attributes="rack:1", resources="cpus:8;mem:1024;disk:1024")
    start_agent(attributes="rack:1;zone:a", resources="cpus:8;mem:1024;disk:1024", reconfiguration_policy="additive")


def test_a_new_master_gets_the_whole_picture(start_agent: StartAgent, master: FakeMaster) -> None:
    start_agent()
    task = master.run("sleep 1000")
    master.state(task, "TASK_RUNNING")
    master.hang_up()
    again = master.wait(lambda: master.subscribes[1:])[0]
    assert [(one["task_id"]["value"], one["state"]) for one in again["tasks"]] == [(task, "TASK_RUNNING")]
    assert [one["id"]["value"] for one in again["frameworks"]] == ["f"]
    master.kill(task)
    assert master.terminal(task)["state"] == "TASK_KILLED"


def start_process(master: FakeMaster, directory: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "smackbox",
            "mesos",
            "agent",
            "--port=0",
            f"--work-dir={directory}",
            f"--master={master.url}",
            "--resources=cpus:4;mem:1024;disk:1024",
            "--no-switch-user",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("ready mesos-agent http://")
    return process


def test_kill_9_at_random_moments(master: FakeMaster, tmp_path: Path) -> None:
    """Every task gets exactly one terminal state, none is lost, none runs twice."""
    chance = random.Random(1)
    runs = tmp_path / "runs"
    runs.mkdir()
    orders: dict[str, dict[str, object]] = {}
    for round_ in range(6):
        agent = start_process(master, tmp_path / "work")
        heard = len(master.statuses)
        for number in range(25):
            task = f"r{round_}-{number}"
            orders[task] = {"task_id": task}
            master.run(f"echo x >> {runs}/{task}; sleep 0.0{chance.randrange(10)}", task_id=task)
        moment = heard + chance.randrange(60)
        master.wait(lambda: len(master.statuses) >= moment, "enough updates")  # noqa: B023
        agent.send_signal(signal.SIGKILL)
        agent.communicate()
    agent = start_process(master, tmp_path / "work")
    known = {task["task_id"]["value"] for task in master.subscribes[-1]["tasks"]}
    ended = [task for task in orders if {"TASK_FINISHED"} & set(master.states(task)) or task in known]
    for task in ended:
        assert master.terminal(task)["state"] == "TASK_FINISHED"
    try:
        for task in orders:
            states = master.states(task)
            file = runs / task
            times = file.read_text().count("x") if file.exists() else 0
            if task in ended:
                assert states == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"], task
                assert times == 1, task
            else:  # the order was still on its way: the master sees that the agent does not have it
                assert (states, times) == ([], 0), task
        assert len(ended) > 25
    finally:
        agent.terminate()
        agent.communicate()
