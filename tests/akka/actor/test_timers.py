"""An actor's timers on a clock that moves when told: periods, replacement, and messages that are late."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from smackbox.akka.actor.timers import TimerItem, Timers


class Handle:
    def __init__(self) -> None:
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Clock:
    """As much of a dispatcher as timers use, and the mailbox that they send to."""

    def __init__(self) -> None:
        self.moment_s = 0.0
        self._order = count()
        self._due: list[tuple[float, int, Handle, Callable[..., None], tuple[Any, ...]]] = []
        self.items: list[TimerItem] = []
        self.timers = Timers(self, self.items.append)  # type: ignore[arg-type]

    def now_s(self) -> float:
        return self.moment_s

    def call_later(self, delay_s: float, action: Callable[..., None], *arguments: Any) -> Handle:
        assert delay_s >= 0
        handle = Handle()
        heapq.heappush(self._due, (self.moment_s + delay_s, next(self._order), handle, action, arguments))
        return handle

    def advance(self, duration_s: float) -> list[tuple[float, Any]]:
        """Let time pass; the moments and the messages that are handled at once."""
        end, handled = self.moment_s + duration_s, []
        while self._due and self._due[0][0] <= end:
            due_s, _, handle, action, arguments = heapq.heappop(self._due)
            self.moment_s = max(self.moment_s, due_s)
            if not handle.is_cancelled:
                action(*arguments)
            handled += [(self.moment_s, item.message) for item in self.taken()]
        self.moment_s = end
        return handled

    def taken(self) -> list[TimerItem]:
        """What of the mailbox is handled."""
        items, self.items[:] = self.items[:], []
        return [item for item in items if self.timers.accepts(item)]

    @property
    def pending(self) -> int:
        """How many calls are still to come."""
        return sum(not handle.is_cancelled for _, _, handle, _, _ in self._due)

    def pause(self, duration_s: float) -> None:
        """Time passes and nothing runs."""
        self.moment_s += duration_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_single_timer_fires_once(clock: Clock) -> None:
    clock.timers.start_single("k", "m", 2.0)
    assert clock.timers.is_active("k")
    assert clock.advance(1.9) == []
    assert clock.advance(10.0) == [(2.0, "m")]
    assert not clock.timers.is_active("k")


@pytest.mark.parametrize("start", ["start_with_fixed_delay", "start_at_fixed_rate"])
def test_a_period_and_its_first_time(clock: Clock, start: str) -> None:
    getattr(clock.timers, start)("k", "m", 2.0)
    assert clock.advance(6.0) == [(2.0, "m"), (4.0, "m"), (6.0, "m")]
    getattr(clock.timers, start)("k", "n", 2.0, 0.0)
    assert clock.advance(3.0) == [(6.0, "n"), (8.0, "n")]
    assert clock.timers.is_active("k")
    for every_s in (0.0, -1.0):
        with pytest.raises(ValueError, match="must be positive"):
            getattr(clock.timers, start)("k", "m", every_s)


def test_what_a_pause_missed(clock: Clock) -> None:
    """A rate makes up for it, a delay counts from where it went on."""
    clock.timers.start_at_fixed_rate("rate", "r", 1.0)
    clock.timers.start_with_fixed_delay("delay", "d", 1.0)
    clock.pause(3.5)
    handled = clock.advance(1.0)
    assert sorted(handled) == [(3.5, "d"), (3.5, "r"), (3.5, "r"), (3.5, "r"), (4.0, "r"), (4.5, "d")]


def test_a_key_that_is_started_again_is_replaced(clock: Clock) -> None:
    clock.timers.start_single("k", "old", 1.0)
    clock.timers.start_single("k", "new", 3.0)
    clock.timers.start_single("other", "o", 1.0)
    assert clock.advance(5.0) == [(1.0, "o"), (3.0, "new")]


def test_a_message_that_waits_in_the_mailbox_is_not_handled_after_a_cancel(clock: Clock) -> None:
    clock.timers.start_single("cancelled", "c", 0.0)
    clock.timers.start_single("replaced", "old", 0.0)
    for _ in range(2):
        _, _, _, action, arguments = heapq.heappop(clock._due)
        action(*arguments)
    assert [item.message for item in clock.items] == ["c", "old"]
    clock.timers.cancel("cancelled")
    clock.timers.start_single("replaced", "new", 1.0)
    assert clock.taken() == []
    assert clock.timers.is_active("replaced"), "the old message does not end the new timer"
    assert clock.advance(1.0) == [(1.0, "new")]


def test_all_are_cancelled(clock: Clock) -> None:
    clock.timers.start_single("a", "a", 1.0)
    clock.timers.start_at_fixed_rate("b", "b", 1.0)
    clock.timers.cancel("nobody")
    clock.timers.cancel_all()
    assert clock.advance(5.0) == []
    assert not clock.timers.is_active("b")


def test_a_timer_that_is_cancelled_or_replaced_leaves_nothing_with_the_clock(clock: Clock) -> None:
    """Else each restart of a timer of an hour would stay for that hour."""
    clock.timers.start_single("key", "first", 3600)
    clock.timers.start_single("key", "second", 3600)
    clock.timers.start_with_fixed_delay("other", "tick", 3600)
    assert clock.pending == 2
    clock.timers.cancel("other")
    clock.timers.cancel("never started")
    assert clock.pending == 1
    clock.timers.cancel_all()
    assert clock.pending == 0
