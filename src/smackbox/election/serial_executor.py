"""Blocking work in threads, one call at a time, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class SerialExecutor:
    """Runs blocking calls on the loop's thread pool, at most one at a time.

    A call whose caller is cancelled runs to completion, and the next call waits for it.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work()`. Raises what `work` raises."""
        await self._lock.acquire()
        running = asyncio.get_running_loop().run_in_executor(None, work)
        running.add_done_callback(self._release)
        return await asyncio.shield(running)

    def _release(self, running: asyncio.Future[T]) -> None:
        self._lock.release()
        if not running.cancelled():
            running.exception()  # retrieved, so that asyncio does not warn when the caller was cancelled
