"""Health checks and checks of one task: their schedule, and the meaning of their results (docs/health-checks.md of
Mesos).

A health check's result is sent when it becomes healthy, and each time it is unhealthy; failures in the grace period do
not count until there has been a success. A check's result is sent when it differs from the previous one, and never
acted upon.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from smackbox.mesos.agent.state.container import Containers, ContainerSpec, ProbeOutcome
from smackbox.mesos.agent.state.timers import Timer, Timers

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import CheckInfo, CheckStatusInfo, HealthCheck


DELAY_S = 15.0
INTERVAL_S = 10.0
TIMEOUT_S = 20.0
GRACE_PERIOD_S = 10.0
CONSECUTIVE_FAILURES = 3
_CHECK_FIELDS = {"COMMAND": "command", "HTTP": "http", "TCP": "tcp"}


class _Repeated:
    """A repeated check: the first run is after its delay, the next ones an interval after each result."""

    def __init__(
        self,
        check: CheckInfo | HealthCheck,
        spec: ContainerSpec,
        timers: Timers,
        containers: Containers,
        result: Callable[[ProbeOutcome], None],
    ) -> None:
        self.check = check
        self._spec = spec
        self._timers = timers
        self._containers = containers
        self._result = result
        self._stopped = False
        self._cancel: Callable[[], None] | None = None
        self._timer: Timer = timers.after(_milliseconds(check.get("delay_seconds", DELAY_S)), self._run)

    def stop(self) -> None:
        self._stopped = True
        self._timer.cancel()
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    def _run(self) -> None:
        timeout_ms = _milliseconds(self.check.get("timeout_seconds", TIMEOUT_S))
        self._cancel = self._containers.probe(self._spec, self.check, timeout_ms, self._done)

    def _done(self, outcome: ProbeOutcome) -> None:
        if self._stopped:
            return
        self._cancel = None
        self._timer = self._timers.after(_milliseconds(self.check.get("interval_seconds", INTERVAL_S)), self._run)
        self._result(outcome)


class HealthChecker:
    """`report(healthy, kill)` is called when the framework must be notified; `kill` is set after that many consecutive
    failures.
    """

    def __init__(
        self,
        check: HealthCheck,
        spec: ContainerSpec,
        timers: Timers,
        containers: Containers,
        report: Callable[[bool, bool, str], None],
    ) -> None:
        self._check = check
        self._report = report
        self._timers = timers
        self._began_ms = timers.clock.monotonic_ms()
        self._initializing = True
        self._failures = 0
        self._repeated = _Repeated(check, spec, timers, containers, self._result)

    def stop(self) -> None:
        """Check no more."""
        self._repeated.stop()

    def _result(self, outcome: ProbeOutcome) -> None:
        if is_healthy(self._check, outcome):
            if self._initializing or self._failures:
                self._report(True, False, "")
            self._initializing = False
            self._failures = 0
            return
        grace_ms = _milliseconds(self._check.get("grace_period_seconds", GRACE_PERIOD_S))
        if self._initializing and self._timers.clock.monotonic_ms() - self._began_ms <= grace_ms:
            return
        self._failures += 1
        limit = self._check.get("consecutive_failures", CONSECUTIVE_FAILURES)
        self._report(False, self._failures >= limit, outcome.message)


class StatusChecker:
    """`report(check_status)` is called whenever the result changes."""

    def __init__(
        self,
        check: CheckInfo,
        spec: ContainerSpec,
        timers: Timers,
        containers: Containers,
        report: Callable[[CheckStatusInfo], None],
    ) -> None:
        self._check = check
        self._report = report
        self._last = empty_check_status(check)
        self._repeated = _Repeated(check, spec, timers, containers, self._result)

    def stop(self) -> None:
        """Check no more."""
        self._repeated.stop()

    def _result(self, outcome: ProbeOutcome) -> None:
        status = empty_check_status(self._check)
        match self._check["type"]:
            case _ if outcome.value is None:
                pass
            case "COMMAND":
                status["command"]["exit_code"] = outcome.value
            case "HTTP":
                status["http"]["status_code"] = outcome.value
            case _:
                status["tcp"]["succeeded"] = bool(outcome.value)
        if status != self._last:
            self._last = status
            self._report(status)


def empty_check_status(check: CheckInfo) -> CheckStatusInfo:
    """The status of a check without a result."""
    match check["type"]:
        case "COMMAND":
            return {"type": "COMMAND", "command": {}}
        case "HTTP":
            return {"type": "HTTP", "http": {}}
        case kind:
            return {"type": kind, "tcp": {}}


def is_healthy(check: HealthCheck, outcome: ProbeOutcome) -> bool:
    """Whether a health check counts as passed: exit code 0, an HTTP status of 200 to 399, a connection."""
    value = outcome.value
    if value is None:
        return False
    match check.get("type"):
        case "HTTP":
            return 200 <= value < 400
        case "TCP":
            return bool(value)
        case _:
            return value == 0


def health_check_type(check: HealthCheck) -> HealthCheck:
    """Add the `type`, which old frameworks omit: they only set `command` or `http`."""
    if check.get("type") in _CHECK_FIELDS:
        return check
    return {**check, "type": "HTTP" if "http" in check else "TCP" if "tcp" in check else "COMMAND"}


def problem(check: CheckInfo | HealthCheck, label: str) -> str | None:
    """Why a check is invalid; None if it is valid."""
    kind = check.get("type")
    if kind not in _CHECK_FIELDS:
        return f"{label}: the type {kind} is unknown"
    field = _CHECK_FIELDS[kind]
    details = cast("dict[str, object]", check).get(field)
    if not isinstance(details, dict):
        return f"{label}: expecting '{field}' to be set for {kind} check"
    if kind == "COMMAND" and label == "HealthCheck" and not details.get("value"):
        return f"{label}: the command is empty"
    if kind != "COMMAND" and "port" not in details:
        return f"{label}: expecting 'port' to be set"
    for name in ("delay_seconds", "interval_seconds", "timeout_seconds", "grace_period_seconds"):
        if cast("dict[str, float]", check).get(name, 0) < 0:
            return f"{label}: expecting '{name}' to be non-negative"
    return None


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1_000)
