"""Deadlines: in order, once, cancelled, and not too many at a time."""

from __future__ import annotations

from smackbox.kafka.state.timers import TICK_LIMIT, Timers


def test_what_is_due_goes_off_in_order_and_once() -> None:
    timers, seen = Timers(), []
    for deadline in (30, 10, 20, 10):
        timers.at(deadline, lambda deadline=deadline: seen.append(deadline))
    timers.tick(20)
    assert seen == [10, 10, 20]
    timers.tick(20)
    timers.tick(30)
    assert seen == [10, 10, 20, 30]
    assert timers.next_deadline_ms() is None


def test_a_cancelled_timer_is_neither_waited_for_nor_goes_off() -> None:
    timers, seen = Timers(), []
    first = timers.at(10, lambda: seen.append(1))
    timers.at(20, lambda: seen.append(2))
    first.cancel()
    assert timers.next_deadline_ms() == 20
    timers.tick(20)
    assert seen == [2]


def test_an_earlier_deadline_is_told() -> None:
    timers, told = Timers(), []
    timers.changed = lambda: told.append(timers.next_deadline_ms())
    for deadline in (20, 30, 10):
        timers.at(deadline, lambda: None)
    assert told == [20, 10]


def test_a_tick_does_so_much_and_no_more() -> None:
    timers, seen = Timers(), []
    for i in range(TICK_LIMIT + 5):
        timers.at(10, lambda i=i: seen.append(i))
    timers.tick(10)
    assert len(seen) == TICK_LIMIT
    assert timers.next_deadline_ms() == 10
    timers.tick(10)
    assert seen == list(range(TICK_LIMIT + 5))
