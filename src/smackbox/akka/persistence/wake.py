"""Wakes those that wait for something new to read."""

from __future__ import annotations

import asyncio


class Wake:
    """On the running loop."""

    __slots__ = ("_waiting", "version")

    def __init__(self) -> None:
        self.version = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def set(self) -> None:
        """Something is new."""
        self.version += 1
        if self._waiting:
            waiting, self._waiting = self._waiting, set()
            for future in waiting:
                if not future.done():
                    future.set_result(None)

    async def wait(self, seen: int, limit_s: float) -> None:
        """Until the version is not `seen`, at most `limit_s`."""
        if self.version != seen:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            async with asyncio.timeout(limit_s):
                await future
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(future)
