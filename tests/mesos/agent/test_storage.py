"""A disk that refuses: what is not written down is not begun, and what ends is told all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.mesos.agent.fake_master import FakeMaster

from smackbox.base.errors import StorageError
from smackbox.mesos.agent.server.service import AgentService
from smackbox.mesos.agent.state.checkpoints import Checkpoints


def test_an_order_that_cannot_be_written_is_refused(
    agent: AgentService, master: FakeMaster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: Any) -> None:
        raise StorageError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoints, "task", full)
        failed = master.terminal(master.run(f"touch {tmp_path}/ran"))
        assert (failed["state"], failed["message"]) == ("TASK_FAILED", "no space left")
        master.wait(lambda: not agent.running.agent.frameworks, "end of the framework")
    assert not (tmp_path / "ran").exists()
    assert master.terminal(master.run("true"))["state"] == "TASK_FINISHED"


def test_a_status_that_cannot_be_written_is_told(
    agent: AgentService, master: FakeMaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise StorageError("no space left")

    monkeypatch.setattr(Checkpoints, "update", full)
    monkeypatch.setattr(Checkpoints, "acknowledged", full)
    assert master.terminal(master.run("exit 3"))["message"] == "Command exited with status 3"


def test_a_torn_line_is_cut_off(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.framework("f", {"id": {"value": "f"}})
    checkpoints.executor("f", "e", {"kind": "command"})
    checkpoints.task("f", "e", "t", {"info": {}})
    statuses = [{"uuid": str(number), "state": "TASK_RUNNING"} for number in range(3)]
    for status in statuses:
        checkpoints.update("f", "e", "t", status)
    checkpoints.acknowledged("f", "e", "t", "0")
    file = tmp_path / "frameworks/f/executors/e/tasks/t/updates"
    whole = file.read_bytes()
    ends = [position + 1 for position, byte in enumerate(whole) if byte == ord("\n")]
    for length in range(len(whole) + 1):
        file.write_bytes(whole[:length])
        (framework,) = Checkpoints(tmp_path).recover()
        task = framework.executors[0].tasks[0]
        lines = sum(end <= length for end in ends)
        assert task.statuses == statuses[: min(lines, 3)]
        assert task.acknowledged == (frozenset({"0"}) if lines == 4 else frozenset())
        checkpoints.update("f", "e", "t", {"uuid": "new", "state": "TASK_FINISHED"})
        (framework,) = Checkpoints(tmp_path).recover()
        assert framework.executors[0].tasks[0].statuses[-1]["uuid"] == "new"


def test_folders_that_were_being_made_are_left_out(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.framework("f", {"id": {"value": "f"}})
    (tmp_path / "frameworks/g").mkdir()
    (tmp_path / "frameworks/f/executors/half").mkdir(parents=True)
    (framework,) = checkpoints.recover()
    assert framework.executors == []
    assert not (tmp_path / "frameworks/g").exists()
