"""Supervision: the supervisor decides what happens to a failed actor.

A classic strategy is the parent's: `OneForOne` applies to the failed child, `AllForOne` to its siblings too. A
functional behavior has its own (`Behaviors.supervise`). Only the failing message is lost in a restart or resume.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable

from smackbox.akka.actor.errors import ActorInitializationError, ActorKilledError
from smackbox.akka.actor.messages import DeathPactError
from smackbox.akka.actor.record import record


class Directive(enum.Enum):
    """Resume: go on with the next message. Restart: fresh state. Stop: end. Escalate: the supervisor fails itself."""

    RESUME = "resume"
    RESTART = "restart"
    STOP = "stop"
    ESCALATE = "escalate"


Decider = Callable[[BaseException], Directive]


def default_decider(cause: BaseException) -> Directive:
    """Stop one that failed to start, was killed, or broke a death pact; escalate non-`Exception`s; else restart."""
    if isinstance(cause, ActorInitializationError | ActorKilledError | DeathPactError):
        return Directive.STOP
    return Directive.RESTART if isinstance(cause, Exception) else Directive.ESCALATE


def stopping_decider(cause: BaseException) -> Directive:
    """Stop on every `Exception`."""
    return Directive.STOP if isinstance(cause, Exception) else Directive.ESCALATE


@record
class BackOff:
    """Seconds between restarts: doubled from `first_s` to `limit_s`, each with up to `jitter` more (0.2: 20 %).

    The delay is reset after `reset_after_s` without a failure; None is the mean of `first_s` and `limit_s`.
    """

    first_s: float
    limit_s: float
    jitter: float = 0.2
    reset_after_s: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.first_s <= self.limit_s or self.jitter < 0:
            raise ValueError("a back-off needs 0 < first_s <= limit_s and jitter >= 0")

    @property
    def reset_s(self) -> float:
        return (self.first_s + self.limit_s) / 2 if self.reset_after_s is None else self.reset_after_s

    def delay_s(self, restarts: int, chance: float) -> float:
        """Before restart number `restarts` (from 0); `chance` is 0 to 1."""
        delay = min(self.limit_s, self.first_s * 2.0 ** min(restarts, 60))
        return delay * (1 + self.jitter * chance)


@record
class OneForOne:
    """Applies to the failed child alone. At most `max_restarts` within `within_s` seconds (None: no limit).

    With `back_off` a restart waits; `within_s` then counts from the last reset.
    """

    decider: Decider = default_decider
    max_restarts: int | None = None
    within_s: float | None = None
    back_off: BackOff | None = None
    all_children = False


@record
class AllForOne(OneForOne):
    """The directive for one child holds for all of them."""

    all_children = True


@record
class SupervisorStrategy:
    """Of a functional behavior: what happens on exceptions of a type. `stop_children` in a restart."""

    directive: Directive
    max_restarts: int | None = None
    within_s: float | None = None
    back_off: BackOff | None = None
    stop_children: bool = True

    @classmethod
    def restart(cls) -> SupervisorStrategy:
        return cls(Directive.RESTART)

    @classmethod
    def resume(cls) -> SupervisorStrategy:
        return cls(Directive.RESUME)

    @classmethod
    def stop(cls) -> SupervisorStrategy:
        return cls(Directive.STOP)

    @classmethod
    def restart_with_back_off(
        cls, first_s: float, limit_s: float, jitter: float = 0.2, *, max_restarts: int | None = None
    ) -> SupervisorStrategy:
        return cls(Directive.RESTART, max_restarts, back_off=BackOff(first_s, limit_s, jitter))

    def with_limit(self, max_restarts: int, within_s: float) -> SupervisorStrategy:
        """At most this many restarts within that time; then the actor stops."""
        return SupervisorStrategy(self.directive, max_restarts, within_s, self.back_off, self.stop_children)

    def with_stop_children(self, stop_children: bool) -> SupervisorStrategy:
        """Whether children are stopped in a restart; else they live on, and `setup` may make others."""
        return SupervisorStrategy(self.directive, self.max_restarts, self.within_s, self.back_off, stop_children)


class RestartCount:
    """The restarts of one child: whether another is within its strategy's limits, and its delay."""

    __slots__ = ("_began_s", "_moments", "restarts")

    def __init__(self) -> None:
        self._moments: deque[float] = deque()
        self._began_s = 0.0
        self.restarts = 0

    def begun(self, now_s: float) -> None:
        """A restart is done: the time without a failure counts from here."""
        self._began_s = now_s

    def allows(self, max_restarts: int | None, within_s: float | None, back_off: BackOff | None, now_s: float) -> bool:
        """Count one more restart at `now_s`. False when it is one too many."""
        if back_off is not None and self.restarts and now_s - self._began_s > back_off.reset_s:
            self.restarts = 0
            self._moments.clear()
        self.restarts += 1
        if max_restarts is None:
            return True
        if within_s is None:
            return self.restarts <= max_restarts
        while self._moments and now_s - self._moments[0] > within_s:
            self._moments.popleft()
        self._moments.append(now_s)
        return len(self._moments) <= max_restarts
