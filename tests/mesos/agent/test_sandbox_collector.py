"""Old sandboxes go, and those that are needed stay."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.mesos.agent.conftest import StartAgent, stop
from tests.mesos.agent.fake_master import FakeMaster
from tests.mesos.agent.test_tasks import sandbox

from smackbox.mesos.agent.server.sandbox_collector import age_limit_s


@pytest.mark.parametrize(("used", "limit_s"), [(0.0, 90.0), (0.5, 40.0), (0.9, 0.0), (1.0, 0.0)])
def test_the_fuller_the_disk_the_sooner(used: float, limit_s: float) -> None:
    assert age_limit_s(100, 0.1, used) == pytest.approx(limit_s)


def test_a_sandbox_goes_when_it_is_old(start_agent: StartAgent, master: FakeMaster, tmp_path: Path) -> None:
    start_agent(gc_delay="1ms", disk_watch_interval="20ms")
    kept = master.run("sleep 1000")
    master.state(kept, "TASK_RUNNING")
    old = master.run("true")
    master.terminal(old)
    executors = tmp_path / "work/slaves/agent-1/frameworks/f/executors"
    master.wait(lambda: not (executors / old).exists(), "removal of the sandbox")
    assert (sandbox(tmp_path, kept) / "stdout").exists()


def test_what_an_earlier_life_has_left_goes_too(start_agent: StartAgent, master: FakeMaster, tmp_path: Path) -> None:
    first = start_agent()
    old, kept = master.run("true"), master.run("sleep 1000")
    master.terminal(old)
    master.state(kept, "TASK_RUNNING")
    assert sandbox(tmp_path, old).exists()
    stop(first)
    start_agent(gc_delay="1ms", disk_watch_interval="20ms")
    executors = tmp_path / "work/slaves/agent-1/frameworks/f/executors"
    master.wait(lambda: not (executors / old).exists(), "removal of the sandbox")
    assert sandbox(tmp_path, kept).exists()
