"""Timers of the agent's state machine, based on a `Clock` and run by the server when they are due."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from smackbox.base.clock import Clock


class Timer:
    """One deferred action; `cancel` disarms it."""

    __slots__ = ("act", "due_ms")

    def __init__(self, due_ms: int, act: Callable[[], None]) -> None:
        self.due_ms = due_ms
        self.act: Callable[[], None] | None = act

    def cancel(self) -> None:
        """Disarm it: it does not fire."""
        self.act = None


class Timers:
    """A heap of timers. `changed` is called when the next timer is due sooner than before."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.changed: Callable[[], None] = lambda: None
        self._heap: list[tuple[int, int, Timer]] = []
        self._count = 0

    def after(self, delay_ms: int, act: Callable[[], None]) -> Timer:
        """Call `act` after this many milliseconds."""
        timer = Timer(self.clock.monotonic_ms() + max(delay_ms, 0), act)
        self._count += 1
        first = not self._heap or timer.due_ms < self._heap[0][0]
        heapq.heappush(self._heap, (timer.due_ms, self._count, timer))
        if first:
            self.changed()
        return timer

    def next_ms(self) -> int | None:
        """Milliseconds until the next timer is due; None when there is none."""
        while self._heap and self._heap[0][2].act is None:
            heapq.heappop(self._heap)
        if not self._heap:
            return None
        return max(self._heap[0][0] - self.clock.monotonic_ms(), 0)

    def run_due(self) -> None:
        """Run the timers that are due. Timers that these set for the same moment run the next time."""
        now_ms = self.clock.monotonic_ms()
        due = []
        while self._heap and self._heap[0][0] <= now_ms:
            due.append(heapq.heappop(self._heap)[2])
        for timer in due:
            act, timer.act = timer.act, None
            if act is not None:
                act()
