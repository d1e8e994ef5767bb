"""An asyncio loop whose clock stands still until it is moved: tests of time that take none.

Timers, `asyncio.sleep` and `asyncio.timeout` go by this clock. Sockets and threads go by their own, so what waits for
those needs `run`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

TURNS_LIMIT = 100_000
"""Turns of the loop within which everything must have come to rest."""


class ManualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0

    def time(self) -> float:
        return self._now_s

    def settle(self) -> None:
        """Run what is ready, and what becomes ready by it, without moving the clock."""
        self.run_until_complete(self._until_idle())

    def advance(self, seconds: float) -> None:
        """Move the clock, stopping at every timer that is due on the way."""
        target_s = self._now_s + seconds
        self.settle()
        while (due_s := self._next_timer_s()) is not None and due_s <= target_s:
            self._now_s = max(self._now_s, due_s)
            self.settle()
        self._now_s = target_s
        self.settle()

    def run(self, work: Coroutine[Any, Any, T], limit_s: float = 3_600.0) -> T:
        """The result of `work`. Whenever everything waits, the clock jumps to the next timer, at most by `limit_s`."""
        task = self.create_task(work)
        end_s = self._now_s + limit_s
        self.settle()
        while not task.done():
            due_s = self._next_timer_s()
            if due_s is None or due_s > end_s:
                task.cancel()
                self.settle()
                raise TimeoutError(f"the work waits for what does not happen within {limit_s} s")
            self._now_s = max(self._now_s, due_s)
            self.settle()
        return task.result()

    def _next_timer_s(self) -> float | None:
        timers = [handle.when() for handle in self._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
        return min(timers, default=None)

    async def _until_idle(self) -> None:
        for _ in range(TURNS_LIMIT):
            await asyncio.sleep(0)
            if not self._ready:  # type: ignore[attr-defined]
                return
        raise AssertionError(
            f"actors did not come to rest within {TURNS_LIMIT} turns: a timer of 0 s, or an endless chain?"
        )
