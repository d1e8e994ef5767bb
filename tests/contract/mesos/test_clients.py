"""Unmodified clients of Mesos run real work on our master and our agent."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.contract.clients import builds
from tests.contract.mesos.environments import clean, python_with

FRAMEWORKS = Path(__file__).parent / "frameworks"
TIMEOUT_S = 100
pytestmark = [pytest.mark.contract, pytest.mark.timeout(600)]  # the first run installs and builds


def run(python: str, framework: str, master: str) -> dict[str, Any]:
    done = subprocess.run(
        [python, str(FRAMEWORKS / framework), master],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env=clean(),
    )
    assert done.returncode == 0, done.stderr[-4000:]
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert seen["in_time"], (seen, done.stderr[-4000:])
    return seen


@pytest.mark.xdist_group("mesos-pymesos")
class TestPymesos:
    """JSON; its parser needs Python 3.10."""

    def check(self, seen: dict[str, Any]) -> None:
        assert seen["states"]["command"][-1] == "TASK_FINISHED"
        assert seen["states"]["custom"][-2:] == ["TASK_RUNNING", "TASK_FINISHED"]
        assert seen["states"]["killed"][-1] == "TASK_KILLED"
        assert seen["messages"] == ["hello from data"]
        assert seen["offers"] >= 1

    def test_it_runs_tasks_and_an_executor_of_its_own(self, master_url: str) -> None:
        seen = run(python_with("pymesos==0.3.15", "3.10"), "pymesos_framework.py", master_url.removeprefix("http://"))
        self.check(seen)
        assert seen["health"] is True
        assert seen["agents"] == 1

    def test_it_finds_the_leader(self, elected_masters: str) -> None:
        self.check(run(python_with("pymesos==0.3.15", "3.10"), "pymesos_framework.py", elected_masters))


@pytest.mark.xdist_group("mesos-avmesos")
class TestAvmesos:
    """JSON; it cuts events by lines, and finds the leader by `pid`."""

    def check(self, seen: dict[str, Any]) -> None:
        assert seen["states"]["finishes"][-1] == "TASK_FINISHED"
        assert seen["states"]["killed"][-1] == "TASK_KILLED"

    def test_it_runs_tasks(self, master_url: str) -> None:
        self.check(run(python_with("avmesos==0.4.2"), "avmesos_framework.py", master_url))

    def test_it_finds_the_leader(self, elected_masters: str) -> None:
        self.check(run(python_with("avmesos==0.4.2"), "avmesos_framework.py", elected_masters))


@pytest.mark.polyglot
def test_mesos_rxjava(master_url: str) -> None:
    """Protobuf both ways."""
    lines = builds.run("mesos_java", master_url).splitlines()
    assert lines == ["t0 TASK_FINISHED", "t1 TASK_FAILED", "t2 TASK_FAILED"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_curl(master_url: str) -> None:
    call = json.dumps({"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "root", "name": "curl"}}})
    scheduler = f"{master_url}/api/v1/scheduler"
    done = subprocess.run(
        ["curl", "-siN", "--max-time", "1", "-H", "Content-Type: application/json", "-d", call, scheduler],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    head, _, body = done.stdout.partition("\n\n")
    assert head.startswith("HTTP/1.1 200")
    assert "transfer-encoding: chunked" in head.lower()
    length, _, rest = body.partition("\n")
    assert json.loads(rest[: int(length)])["type"] == "SUBSCRIBED"
    state = subprocess.run(["curl", "-s", f"{master_url}/state"], capture_output=True, timeout=TIMEOUT_S, check=True)
    assert len(json.loads(state.stdout)["slaves"]) == 1
