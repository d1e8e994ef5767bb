"""Numbered events at a steady rate, as Spark's `rate` source: {"timestamp": …, "value": 0} and so on.

State: {"start_ms": of the first start, "next": number}. An event's time is the moment at which it was due, so a
repeated batch is the same. What was not taken in time waits; nothing is skipped.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from smackbox.spark.streaming.inputs.input import Bounds, Done, Known, OwnRecord, Stopped, Taken

PAUSE_S = 0.05
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RateInput:
    """`rows_per_second` events, at most `limit` in all where that is given."""

    strict = True

    def __init__(
        self,
        name: str,
        rows_per_second: float,
        limit: int | None = None,
        *,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self._rate = rows_per_second
        self._limit = limit
        self._wall_ms = wall_ms
        self._pause = pause
        self._start_ms = 0
        self._next = 0

    def open(self, saved: Any, known: Known) -> Any:
        state = saved or {"start_ms": self._wall_ms(), "next": 0}
        self._start_ms, self._next = state["start_ms"], state["next"]
        return state

    def take(self, bounds: Bounds, stopped: Stopped) -> Taken | None:
        while True:
            end = min(self._due(), self._next + bounds.rows)
            left_s = bounds.deadline - time.monotonic()
            if left_s <= 0 or end - self._next >= (1 if bounds.eager else bounds.rows) or stopped():
                break
            self._pause(min(PAUSE_S, left_s))
        if end <= self._next:
            return None
        plan = [self._next, end]
        self._next = end
        return Taken(self.again(plan, stopped), plan)

    def again(self, plan: Any, stopped: Stopped) -> list[Any]:
        return [OwnRecord(self._event(number), self.name, 0, number) for number in range(*plan)]

    def done(self, plan: Any) -> Done:
        self._next = plan[1]
        return Done({"start_ms": self._start_ms, "next": plan[1]})

    def lag(self) -> int | None:
        return max(0, self._due() - self._next)

    def close(self) -> None: ...

    def _due(self) -> int:
        due = int((self._wall_ms() - self._start_ms) * self._rate / 1000)
        return due if self._limit is None else min(due, self._limit)

    def _event(self, number: int) -> bytes:
        moment = _EPOCH + timedelta(milliseconds=self._start_ms + number * 1000 / self._rate)
        return msgspec.json.encode({"timestamp": moment, "value": number})
