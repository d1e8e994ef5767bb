"""Timers of an actor: messages to itself, by key. Starting a key again replaces it; a restart or stop cancels all.

A message of a timer that was cancelled or replaced is never handled, even if it waits in the mailbox already.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from smackbox.akka.actor.dispatcher import Cancellable, Dispatcher


class TimerItem:
    """In the mailbox: a timer's message, handled only while its timer is still the current one of its key."""

    __slots__ = ("message", "timer")

    def __init__(self, timer: _Timer, message: Any) -> None:
        self.timer = timer
        self.message = message


class _Timer:
    __slots__ = ("due_s", "every_s", "fixed_rate", "handle", "key", "message")

    def __init__(self, key: Hashable, message: Any, every_s: float | None, fixed_rate: bool, due_s: float) -> None:
        self.key = key
        self.message = message
        self.every_s = every_s
        self.fixed_rate = fixed_rate
        self.due_s = due_s
        self.handle: Cancellable | None = None


class Timers:
    """`deliver` puts an item into the actor's mailbox."""

    __slots__ = ("_deliver", "_dispatcher", "_timers")

    def __init__(self, dispatcher: Dispatcher, deliver: Callable[[TimerItem], None]) -> None:
        self._dispatcher = dispatcher
        self._deliver = deliver
        self._timers: dict[Hashable, _Timer] = {}

    def start_single(self, key: Hashable, message: Any, delay_s: float) -> None:
        """Once, after `delay_s`."""
        self._start(_Timer(key, message, None, False, self._dispatcher.now_s() + delay_s))

    def start_with_fixed_delay(
        self, key: Hashable, message: Any, every_s: float, first_after_s: float | None = None
    ) -> None:
        """Repeat, each `every_s` after the previous one was sent."""
        self._start_repeated(key, message, every_s, first_after_s, fixed_rate=False)

    def start_at_fixed_rate(
        self, key: Hashable, message: Any, every_s: float, first_after_s: float | None = None
    ) -> None:
        """Repeat, on average each `every_s`: messages missed in a pause are sent afterwards."""
        self._start_repeated(key, message, every_s, first_after_s, fixed_rate=True)

    def is_active(self, key: Hashable) -> bool:
        return key in self._timers

    def cancel(self, key: Hashable) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None and timer.handle is not None:
            timer.handle.cancel()

    def cancel_all(self) -> None:
        for key in list(self._timers):
            self.cancel(key)

    def accepts(self, item: TimerItem) -> bool:
        """Whether to handle an item from the mailbox; a single timer ends with it."""
        if self._timers.get(item.timer.key) is not item.timer:
            return False
        if item.timer.every_s is None:
            del self._timers[item.timer.key]
        return True

    def _start_repeated(
        self, key: Hashable, message: Any, every_s: float, first_after_s: float | None, *, fixed_rate: bool
    ) -> None:
        if every_s <= 0:
            raise ValueError(f"a timer's period must be positive, not {every_s}")
        delay_s = every_s if first_after_s is None else first_after_s
        self._start(_Timer(key, message, every_s, fixed_rate, self._dispatcher.now_s() + delay_s))

    def _start(self, timer: _Timer) -> None:
        self.cancel(timer.key)
        self._timers[timer.key] = timer
        self._schedule(timer)

    def _schedule(self, timer: _Timer) -> None:
        delay_s = max(0.0, timer.due_s - self._dispatcher.now_s())
        timer.handle = self._dispatcher.call_later(delay_s, self._fire, timer)

    def _fire(self, timer: _Timer) -> None:
        if self._timers.get(timer.key) is not timer:
            return
        self._deliver(TimerItem(timer, timer.message))
        if timer.every_s is not None:
            base_s = timer.due_s if timer.fixed_rate else self._dispatcher.now_s()
            timer.due_s = base_s + timer.every_s
            self._schedule(timer)
