"""Blocking work in threads, one piece after another, also when whoever asked for a piece waits no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class ThreadTurns:
    """A piece that was cancelled has begun and cannot be called back: the next one begins when it is over."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def run(self, work: Callable[[], T]) -> T:
        await self._turn.acquire()
        running = asyncio.get_running_loop().run_in_executor(None, work)
        running.add_done_callback(self._over)
        return await asyncio.shield(running)

    def _over(self, running: asyncio.Future[T]) -> None:
        self._turn.release()
        if not running.cancelled():
            running.exception()  # a piece that nobody waits for may fail
