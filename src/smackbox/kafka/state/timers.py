"""Deadlines of parked requests, sessions and periodic work: a heap that only `tick` advances."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from smackbox.kafka.state.errors import KafkaError

TICK_LIMIT = 200  # so that a thousand long polls that time out together do not block all others

log = logging.getLogger(__name__)


@dataclass(slots=True, order=True)
class Timer:
    """A deadline and its action; `cancel` disarms it."""

    deadline_ms: int
    order: int
    action: Callable[[], None] | None = field(compare=False)

    def cancel(self) -> None:
        """Disarm it: it does not fire."""
        self.action = None


class Timers:
    """All deadlines of one broker, in monotonic milliseconds."""

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._order = 0
        self.changed: Callable[[], None] | None = None

    def at(self, deadline_ms: int, action: Callable[[], None]) -> Timer:
        """Call `action` at the first tick at or after `deadline_ms`."""
        self._order += 1
        timer = Timer(deadline_ms, self._order, action)
        heapq.heappush(self._heap, timer)
        if self._heap[0] is timer and self.changed is not None:
            self.changed()
        return timer

    def next_deadline_ms(self) -> int | None:
        """When the next tick is due; None when there is no deadline."""
        while self._heap and self._heap[0].action is None:
            heapq.heappop(self._heap)
        return self._heap[0].deadline_ms if self._heap else None

    def tick(self, now_ms: int) -> None:
        """Run what is due, `TICK_LIMIT` actions at most; the rest is due at the next tick, which comes at once."""
        remaining = TICK_LIMIT
        while remaining and self._heap and self._heap[0].deadline_ms <= now_ms:
            timer = heapq.heappop(self._heap)
            action, timer.action = timer.action, None
            if action is not None:
                remaining -= 1
                try:
                    action()
                except KafkaError as error:  # no one waits for an answer
                    log.error("kafka: %s", error.message)

    def clear(self) -> None:
        """Disarm all timers."""
        self._heap.clear()
