"""As root the agent runs tasks as the user that the framework names."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.mesos.agent.conftest import StartAgent
from tests.mesos.agent.fake_master import FakeMaster, framework_info

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """One that other users can get into."""
    directory = Path(tempfile.mkdtemp(prefix="smack-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def test_a_task_runs_as_the_frameworks_user(start_agent: StartAgent, master: FakeMaster, open_directory: Path) -> None:
    start_agent(switch_user=True, dir=open_directory)
    source = open_directory / "source.txt"
    source.write_text("fetched\n")
    command = {"value": "id -un; cat source.txt; touch mine; sleep 1000", "uris": [{"value": str(source)}]}
    task = master.run(command, framework=framework_info(user="nobody"))
    pid = master.state(task, "TASK_RUNNING")["container_status"]["executor_pid"]
    sandbox = (open_directory / f"slaves/agent-1/frameworks/f/executors/{task}/runs/latest").resolve()
    master.wait(lambda: (sandbox / "mine").exists(), "file of the task")
    assert (sandbox / "stdout").read_text() == "nobody\nfetched\n"
    assert sandbox.owner() == (sandbox / "source.txt").owner() == (sandbox / "mine").owner() == "nobody"
    assert Path(f"/proc/{pid}").stat().st_uid == 0, "the wrapper, which writes the status file"
    master.kill(task)
    killed = master.terminal(task)
    assert (killed["state"], killed["message"]) == ("TASK_KILLED", "Command terminated with signal Terminated")


def test_the_command_may_name_another_user(start_agent: StartAgent, master: FakeMaster, open_directory: Path) -> None:
    start_agent(switch_user=True, dir=open_directory)
    task = master.run({"value": "test $(id -un) = nobody", "user": "nobody"}, framework=framework_info(user="root"))
    assert master.terminal(task)["state"] == "TASK_FINISHED"
    failed = master.terminal(master.run({"value": "true", "user": "no-such-user"}))
    assert (failed["state"], failed["reason"]) == ("TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED")
    assert "Failed to look up user 'no-such-user'" in failed["message"]


def test_limits_on_resources(start_agent: StartAgent, master: FakeMaster, open_directory: Path) -> None:
    start_agent(dir=open_directory)
    rlimits = {"rlimits": [{"type": "RLMT_NOFILE", "soft": 77, "hard": 88}, {"type": "RLMT_CORE"}]}
    info = {"type": "MESOS", "rlimit_info": rlimits}
    task = master.run("test $(ulimit -Sn) = 77 && test $(ulimit -Hn) = 88", container=info)
    assert master.terminal(task)["state"] == "TASK_FINISHED"
