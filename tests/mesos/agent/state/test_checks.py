"""Health checks and checks step by step, with a clock that moves when it is told to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smackbox.base.clock import FakeClock
from smackbox.mesos.agent.state.checks import HealthChecker, StatusChecker, health_check_type, is_healthy, problem
from smackbox.mesos.agent.state.container import ContainerSpec, ProbeOutcome
from smackbox.mesos.agent.state.timers import Timers

COMMAND = {"type": "COMMAND", "command": {"value": "true"}, "delay_seconds": 2, "interval_seconds": 5}
SPEC = ContainerSpec("c", "", "f", "e", Path(), Path(), {}, {}, None, [])


class Probes:
    """Stands in for the containerizer: probes wait for their outcome."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.timers = Timers(self.clock)
        self.waiting: list[Callable[[ProbeOutcome], None]] = []
        self.timeouts: list[int] = []

    def probe(
        self, spec: ContainerSpec, check: dict[str, Any], timeout_ms: int, done: Callable[[ProbeOutcome], None]
    ) -> Callable[[], None]:
        self.waiting.append(done)
        self.timeouts.append(timeout_ms)
        return lambda: self.waiting.remove(done)

    def after(self, seconds: float, value: int | bool | None) -> None:
        """Time passes; the probe that is due by then gives `value`."""
        self.clock.advance_ms(int(seconds * 1_000))
        self.timers.run_due()
        (done,) = self.waiting
        self.waiting.clear()
        done(ProbeOutcome(value))

    def is_due_after(self, seconds: float) -> bool:
        self.clock.advance_ms(int(seconds * 1_000))
        self.timers.run_due()
        return bool(self.waiting)


def health(probes: Probes, **fields: Any) -> tuple[HealthChecker, list[tuple[bool, bool]]]:
    heard: list[tuple[bool, bool]] = []
    check = {**COMMAND, **fields}
    checker = HealthChecker(check, SPEC, probes.timers, probes, lambda good, kill, _: heard.append((good, kill)))  # type: ignore[arg-type]
    return checker, heard


def test_delay_and_interval() -> None:
    probes = Probes()
    health(probes)
    assert not probes.is_due_after(1.9)
    probes.after(0.1, 0)
    assert probes.timeouts == [20_000]
    assert not probes.is_due_after(4.9)
    assert probes.is_due_after(0.1)
    probes.is_due_after(100)
    assert len(probes.waiting) == 1, "a second one does not start while the first runs"


def test_health_is_told_when_it_turns_good_and_whenever_it_is_bad() -> None:
    probes = Probes()
    _, heard = health(probes, grace_period_seconds=0)
    for value in (0, 0, 1, 1, 0, 0):
        probes.after(5, value)
    assert heard == [(True, False), (False, False), (False, False), (True, False)]


def test_so_many_failures_in_a_row_kill() -> None:
    probes = Probes()
    _, heard = health(probes, grace_period_seconds=0, consecutive_failures=2)
    for value in (1, 0, 1, None):
        probes.after(5, value)
    assert heard == [(False, False), (True, False), (False, False), (False, True)]


def test_failures_before_the_first_success_do_not_count_in_the_grace_period() -> None:
    probes = Probes()
    _, heard = health(probes, grace_period_seconds=10, consecutive_failures=1)
    probes.after(2, 1)
    probes.after(5, 1)
    assert heard == []
    probes.after(5, 1)
    assert heard == [(False, True)]


def test_a_success_ends_the_grace_period() -> None:
    probes = Probes()
    _, heard = health(probes, grace_period_seconds=100)
    probes.after(2, 0)
    probes.after(5, 1)
    assert heard == [(True, False), (False, False)]


def test_a_stopped_check_is_over() -> None:
    probes = Probes()
    checker, heard = health(probes, grace_period_seconds=0)
    assert probes.is_due_after(2)
    checker.stop()
    assert probes.waiting == []
    assert not probes.is_due_after(100)
    assert heard == []


@pytest.mark.parametrize(
    ("check", "value", "status"),
    [
        (COMMAND, 3, {"type": "COMMAND", "command": {"exit_code": 3}}),
        ({**COMMAND, "type": "HTTP"}, 404, {"type": "HTTP", "http": {"status_code": 404}}),
        ({**COMMAND, "type": "TCP"}, False, {"type": "TCP", "tcp": {"succeeded": False}}),
    ],
)
def test_a_check_is_told_when_it_changes(check: dict[str, Any], value: int | bool, status: dict[str, Any]) -> None:
    probes = Probes()
    heard: list[dict[str, Any]] = []
    StatusChecker(check, SPEC, probes.timers, probes, heard.append)  # type: ignore[arg-type]
    probes.after(2, None)
    assert heard == [], "no result, as before"
    probes.after(5, value)
    probes.after(5, value)
    probes.after(5, None)
    name = next(key for key in status if key != "type")
    assert heard == [status, {"type": status["type"], name: {}}]


def test_what_is_wrong_with_a_check() -> None:
    assert health_check_type({"http": {"port": 1}})["type"] == "HTTP"
    assert health_check_type({"command": {"value": "x"}})["type"] == "COMMAND"
    assert problem(COMMAND, "HealthCheck") is None
    assert problem({"type": "HTTP"}, "CheckInfo") == "CheckInfo: expecting 'http' to be set for HTTP check"
    assert problem({"type": "TCP", "tcp": {}}, "CheckInfo") == "CheckInfo: expecting 'port' to be set"
    assert problem({**COMMAND, "delay_seconds": -1}, "CheckInfo") is not None


@pytest.mark.parametrize(
    ("kind", "value", "healthy"),
    [
        ("HTTP", 199, False),
        ("HTTP", 200, True),
        ("HTTP", 399, True),
        ("HTTP", 400, False),
        ("TCP", True, True),
        ("TCP", False, False),
        ("COMMAND", 0, True),
        ("COMMAND", 1, False),
        ("COMMAND", None, False),
        ("HTTP", None, False),
    ],
)
def test_what_counts_as_healthy(kind: str, value: int | None, healthy: bool) -> None:
    assert is_healthy({"type": kind}, ProbeOutcome(value)) is healthy
