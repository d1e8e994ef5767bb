"""One task run by the agent itself, instead of Mesos' command executor and default executor.

    launch -> TASK_STARTING, TASK_RUNNING -> (kill: TASK_KILLING, SIGTERM, grace period, SIGKILL) -> one terminal status

A second kill may shorten the grace period but never lengthen it. A task whose kill was requested is KILLED however it
ends, unless it exceeded a limit or its maximum run time: then it is FAILED with that reason.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Protocol

from smackbox.mesos.agent.state.checks import (
    HealthChecker,
    StatusChecker,
    empty_check_status,
    health_check_type,
    problem,
)
from smackbox.mesos.agent.state.container import Containers, ContainerSpec, Ended, Started, split_status
from smackbox.mesos.agent.state.entities import AgentTask
from smackbox.mesos.agent.state.timers import Timer, Timers

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import CheckStatusInfo, KillPolicy


KILL_GRACE_MS = 3_000
LAUNCH_FAILED = "REASON_CONTAINER_LAUNCH_FAILED"
KILLED_DURING_LAUNCH = "REASON_TASK_KILLED_DURING_LAUNCH"
MAX_COMPLETION_TIME = "REASON_MAX_COMPLETION_TIME_REACHED"


class Owner(Protocol):
    """Receives the states of a task."""

    def status(self, task: AgentTask, state: str, **fields: object) -> None:
        """Report a state of the task."""
        ...

    def killing(self, task: AgentTask, grace_ms: int) -> None:
        """Checkpoint the kill: after a restart the agent continues with it."""

    def ended(self, task: AgentTask) -> None:
        """It has its terminal status, and its container is gone."""


class TaskRun:
    """One task from its launch to its end."""

    def __init__(
        self,
        task: AgentTask,
        spec: ContainerSpec,
        timers: Timers,
        containers: Containers,
        owner: Owner,
        *,
        sends_killing: bool,
        lost_state: str = "TASK_LOST",
    ) -> None:
        self.task = task
        self.spec = spec
        self.started: Started | None = None
        self.is_over = False
        self._timers = timers
        self._containers = containers
        self._owner = owner
        self._sends_killing = sends_killing
        self._lost_state = lost_state
        self._is_resumed = False
        self._checkers: list[HealthChecker | StatusChecker] = []
        self._check_status: CheckStatusInfo | None = None
        self._healthy: bool | None = None
        self._is_killed = False
        self._is_too_long = False
        self._escalation: Timer | None = None
        self._max_completion: Timer | None = None

    def launch(self) -> None:
        """Start its container; TASK_FAILED if it cannot be started."""
        if wrong := self._problem():
            self.started = None
            self._end("TASK_FAILED", reason="REASON_TASK_INVALID", message=wrong)
            return
        self._containers.launch(self.spec, self._on_started, self._on_ended)

    def resume(self) -> None:
        """Take over a task that an earlier agent process started."""
        self._is_resumed = True
        self._containers.resume(self.spec, self._on_started, self._on_ended)

    def never_started(self) -> None:
        """Its kill was requested before it could start, and then the agent died."""
        self._is_killed = True
        self._on_ended(Ended(started=False))

    def kill(self, grace_ms: int | None = None) -> None:
        """Send SIGTERM, and SIGKILL after the grace period."""
        if self.is_over:
            return
        if grace_ms is None:
            grace_ms = grace_period_ms(self.task.info.get("kill_policy")) or KILL_GRACE_MS
        if self._is_killed:
            self._shorten(grace_ms)
            return
        self._is_killed = True
        self._stop_checks()
        self._owner.killing(self.task, grace_ms)
        if self.started is None:
            self._containers.destroy(self.spec.id)
            return
        if self._sends_killing:
            self._owner.status(self.task, "TASK_KILLING", healthy=self._healthy)
        self._containers.signal(self.spec.id, signal.SIGTERM)
        self._escalation = self._timers.after(grace_ms, self._escalate)

    def _shorten(self, grace_ms: int) -> None:
        due_ms = self._timers.clock.monotonic_ms() + grace_ms
        if self._escalation is None or self._escalation.act is None or due_ms >= self._escalation.due_ms:
            return
        self._escalation.cancel()
        self._escalation = self._timers.after(grace_ms, self._escalate)

    def _escalate(self) -> None:
        self._containers.destroy(self.spec.id)

    def _on_started(self, started: Started) -> None:
        self.started = started
        if self._is_killed:
            self._containers.destroy(self.spec.id)
            return
        info = self.task.info
        check = info.get("check")
        check_status = None if check is None else empty_check_status(check)
        known = {status["state"] for status in self.task.statuses}
        for state in ("TASK_STARTING", "TASK_RUNNING"):
            if state not in known:
                data = started.data if state == "TASK_RUNNING" else None
                self._owner.status(self.task, state, check_status=check_status, data=data)
        if (health := info.get("health_check")) is not None:
            self._checkers.append(
                HealthChecker(health_check_type(health), self.spec, self._timers, self._containers, self._on_health)
            )
        if check is not None:
            self._checkers.append(StatusChecker(check, self.spec, self._timers, self._containers, self._on_check))
        if (limit := info.get("max_completion_time")) is not None:
            self._max_completion = self._timers.after(int(limit["nanoseconds"]) // 1_000_000, self._on_too_long)

    def _on_health(self, healthy: bool, kill: bool, message: str) -> None:
        self._healthy = healthy
        self._owner.status(
            self.task,
            "TASK_RUNNING",
            healthy=healthy,
            check_status=self._check_status,
            message=message or None,
            reason="REASON_TASK_HEALTH_CHECK_STATUS_UPDATED",
        )
        if kill:
            self.kill()

    def _on_check(self, status: CheckStatusInfo) -> None:
        self._check_status = status
        self._owner.status(
            self.task,
            "TASK_RUNNING",
            healthy=self._healthy,
            check_status=status,
            reason="REASON_TASK_CHECK_STATUS_UPDATED",
        )

    def _on_too_long(self) -> None:
        self._is_too_long = True
        self.kill(0)

    def _on_ended(self, ended: Ended) -> None:
        self._stop_checks()
        for timer in (self._escalation, self._max_completion):
            if timer is not None:
                timer.cancel()
        text = ended.message or describe(ended.status)
        if self._is_killed and self.started is None:
            self._end("TASK_KILLED", reason=KILLED_DURING_LAUNCH, message="Task was killed while it was launched")
        elif ended.reason is not None:
            limitation = {"resources": ended.limitation} if ended.limitation else None
            self._end("TASK_FAILED", reason=ended.reason, message=ended.message, limitation=limitation)
        elif self._is_too_long:
            self._end("TASK_FAILED", reason=MAX_COMPLETION_TIME, message=text)
        elif self._is_killed:
            self._end("TASK_KILLED", message=text)
        elif ended.status is None:
            state = self._lost_state if self._is_resumed else "TASK_FAILED"
            self._end(state, reason="REASON_EXECUTOR_TERMINATED", message=text)
        else:
            self._end("TASK_FINISHED" if ended.status == 0 else "TASK_FAILED", message=text)

    def _end(self, state: str, **fields: object) -> None:
        self.is_over = True
        self._owner.status(self.task, state, healthy=self._healthy, check_status=self._check_status, **fields)
        self._owner.ended(self.task)

    def _stop_checks(self) -> None:
        for checker in self._checkers:
            checker.stop()
        self._checkers.clear()

    def _problem(self) -> str | None:
        info = self.task.info
        if (health := info.get("health_check")) is not None and (
            wrong := problem(health_check_type(health), "HealthCheck")
        ):
            return wrong
        return problem(info["check"], "CheckInfo") if "check" in info else None


def describe(status: int | None) -> str:
    """The result of a command, with Mesos' text."""
    if status is None:
        return "Failed to get exit status for Command"
    code, signum = split_status(status)
    if signum is None:
        return f"Command exited with status {code}"
    return f"Command terminated with signal {signal.strsignal(signum) or signum}"


def grace_period_ms(policy: KillPolicy | None) -> int | None:
    """The grace period of a `KillPolicy`; None if it has none."""
    if policy is None or "grace_period" not in policy:
        return None
    return max(int(policy["grace_period"]["nanoseconds"]) // 1_000_000, 0)
