"""A lease: at most one owner at a time, in something that all nodes of a cluster reach.

Source: `pekko.coordination.lease`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

TIMEOUT_S = 5.0

log = logging.getLogger("smackbox.akka.cluster")


class Lease(Protocol):
    """For one name and one owner."""

    async def acquire(self) -> bool:
        """Whether it is held after this. May raise where nothing is known; then it is not."""

    async def release(self) -> bool:
        """Whether it is free of this owner after this."""

    def is_held(self) -> bool:
        """Without a round trip: False as soon as it may be lost."""


class LeaseTasks:
    """Asks for a lease and releases it beside the caller; `result` gets whether it is held. `keep` holds the tasks."""

    def __init__(
        self, lease: Lease, result: Callable[[bool], None], keep: Callable[[asyncio.Future[None]], None]
    ) -> None:
        self._lease = lease
        self._result = result
        self._keep = keep

    def is_held(self) -> bool:
        """Whether the lease is held, without a round trip."""
        return self._lease.is_held()

    def ask(self) -> None:
        """Begin to take it."""

        async def ask() -> None:
            self._result(await self._try(self._lease.acquire(), "taken"))

        self._keep(asyncio.ensure_future(ask()))

    def release(self) -> None:
        """Begin to give it back."""

        async def release() -> None:
            await self._try(self._lease.release(), "released")

        self._keep(asyncio.ensure_future(release()))

    async def _try(self, work: Awaitable[bool], what: str) -> bool:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await work
        except Exception:
            log.exception("a lease could not be %s", what)
            return False
