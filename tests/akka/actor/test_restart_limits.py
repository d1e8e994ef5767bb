"""When a supervisor gives up, and how long it waits: the rules of `supervision` without actors or a clock."""

from __future__ import annotations

import pytest

from smackbox.akka.actor.errors import ActorInitializationError, ActorKilledError
from smackbox.akka.actor.messages import DeathPactError
from smackbox.akka.actor.supervision import (
    AllForOne,
    BackOff,
    Directive,
    OneForOne,
    RestartCount,
    SupervisorStrategy,
    default_decider,
    stopping_decider,
)


@pytest.mark.parametrize(
    ("cause", "directive"),
    [
        (ValueError(), Directive.RESTART),
        (KeyboardInterrupt(), Directive.ESCALATE),
        (ActorKilledError.__new__(ActorKilledError), Directive.STOP),
        (DeathPactError.__new__(DeathPactError), Directive.STOP),
        (ActorInitializationError.__new__(ActorInitializationError), Directive.STOP),
    ],
)
def test_the_default_decider(cause: BaseException, directive: Directive) -> None:
    assert default_decider(cause) is directive
    assert stopping_decider(cause) is (Directive.STOP if isinstance(cause, Exception) else Directive.ESCALATE)


def test_a_back_off_doubles_up_to_its_limit() -> None:
    back_off = BackOff(1.0, 10.0, jitter=0.5)
    assert [back_off.delay_s(restarts, 0.0) for restarts in (0, 1, 2, 3, 4, 5_000)] == [1, 2, 4, 8, 10, 10]
    assert back_off.delay_s(1, 1.0) == 3.0
    assert back_off.delay_s(9, 1.0) == 15.0, "the limit is before the jitter, as in Akka's BackoffSupervisor"
    assert (back_off.reset_s, BackOff(1.0, 10.0, reset_after_s=0.5).reset_s) == (5.5, 0.5)
    assert BackOff(1.0, 1.0, 0.0).delay_s(3, 1.0) == 1.0


@pytest.mark.parametrize("wrong", [(0.0, 1.0, 0.2), (-1.0, 1.0, 0.2), (2.0, 1.0, 0.2), (1.0, 2.0, -0.1)])
def test_what_is_no_back_off(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="back-off needs"):
        BackOff(*wrong)


def allowed(count: RestartCount, moments: list[float], limit: int | None, within_s: float | None) -> list[bool]:
    return [count.allows(limit, within_s, None, moment) for moment in moments]


def test_limits_of_restarts() -> None:
    assert allowed(RestartCount(), [0.0] * 3, None, None) == [True] * 3
    assert allowed(RestartCount(), [0.0] * 3, None, 1.0) == [True] * 3
    assert allowed(RestartCount(), [0.0, 1e9, 2e9], 2, None) == [True, True, False]
    assert allowed(RestartCount(), [0.0], 0, None) == [False]


def test_restarts_within_a_time() -> None:
    """The window slides: what is longer ago than `within_s` does not count, what is exactly so long ago does."""
    assert allowed(RestartCount(), [0.0, 1.0, 10.0], 2, 10.0) == [True, True, False]
    assert allowed(RestartCount(), [0.0, 1.0, 10.1, 10.2, 12.0], 2, 10.0) == [True, True, True, False, False]


def test_a_back_off_forgets_after_a_time_without_a_failure() -> None:
    back_off, count = BackOff(1.0, 9.0), RestartCount()
    assert count.allows(2, None, back_off, 100.0)
    count.begun(101.0)
    assert count.allows(2, None, back_off, 106.0), "not yet: 5 s is the reset, and it must be more"
    assert count.restarts == 2
    count.begun(107.0)
    assert count.allows(2, None, back_off, 112.1)
    assert count.restarts == 1
    count.begun(113.0)
    assert count.allows(1, 50.0, back_off, 118.1)
    count.begun(119.0)
    assert count.allows(1, 50.0, back_off, 124.1), "the moments are forgotten with the count"
    count.begun(124.1)
    assert not count.allows(1, 50.0, back_off, 124.2)


def test_strategies() -> None:
    assert (OneForOne().all_children, AllForOne().all_children) == (False, True)
    made = SupervisorStrategy.restart_with_back_off(1.0, 9.0, 0.5, max_restarts=4).with_limit(3, 7.0)
    assert made == SupervisorStrategy(Directive.RESTART, 3, 7.0, BackOff(1.0, 9.0, 0.5), True)
    assert made.with_stop_children(False) == SupervisorStrategy(Directive.RESTART, 3, 7.0, made.back_off, False)
    assert [each.directive for each in (SupervisorStrategy.resume(), SupervisorStrategy.stop())] == [
        Directive.RESUME,
        Directive.STOP,
    ]
    assert SupervisorStrategy.restart() == SupervisorStrategy(Directive.RESTART, None, None, None, True)
