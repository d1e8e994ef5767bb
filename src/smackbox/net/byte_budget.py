"""How many bytes are kept for clients: of all connections together, and of those from one address.

What counts is requests that have not come to their end, by the length that their heads name, and answers that have not
been taken. A connection that would go over the limit waits: nothing is read from it until there is room, first come,
first served.

What a connection's transport still holds is known for certain only by asking it, so the sums are upper bounds; before
somebody has to wait all are asked. Beyond the limits go, for each connection, what one read of its socket brings and
one answer: the first tells that there is a request, the second is made before its length is known.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

RETRY_S = 0.01


class Keeper(Protocol):
    """A connection for which bytes are kept."""

    peer: tuple[str, int]

    def owed_bytes(self) -> int:
        """How many are kept for it at this moment."""
        ...

    def try_again(self) -> None:
        """There may be room for more now."""
        ...


class ByteBudget:
    """The bytes of one server's connections: at most `limit` in all, and `limit_per_ip` from one address."""

    def __init__(self, limit: int, limit_per_ip: int) -> None:
        self.limit = limit
        self.limit_per_ip = limit_per_ip
        self.used = 0
        self.highest = 0
        self._by_ip: dict[str, int] = {}
        self._kept: dict[Keeper, int] = {}
        self._waiting: deque[Keeper] = deque()
        self._retry: asyncio.TimerHandle | None = None
        self._asked_at = 0.0

    def keep(self, connection: Keeper, size: int) -> None:
        """So many bytes are kept for that connection."""
        change = size - self._kept.get(connection, 0)
        if not change:
            return
        ip = connection.peer[0]
        self._kept[connection] = size
        self.used += change
        self._by_ip[ip] = self._by_ip.get(ip, 0) + change
        self.highest = max(self.highest, self.used)

    def forget(self, connection: Keeper) -> None:
        """That connection is gone, and nothing is kept for it."""
        self.keep(connection, 0)
        self._kept.pop(connection, None)
        if not self._by_ip.get(connection.peer[0]):
            self._by_ip.pop(connection.peer[0], None)

    def has_room(self, connection: Keeper, size: int) -> bool:
        """Whether the connection may keep so many bytes in all. One that is alone may always."""
        if self._fits(connection, size):
            return True
        now = asyncio.get_running_loop().time()
        if now - self._asked_at < RETRY_S:
            return False
        self._asked_at = now
        for other in list(self._kept):
            self.keep(other, other.owed_bytes())
        return self._fits(connection, size)

    def wait(self, connection: Keeper) -> None:
        """Call the connection's `try_again` when there may be room."""
        if connection not in self._waiting:
            self._waiting.append(connection)
        if self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(RETRY_S, self._wake)

    def close(self) -> None:
        """Wake nobody any more."""
        if self._retry is not None:
            self._retry.cancel()

    def used_by(self, ip: str) -> int:
        """The bytes that are kept for the connections from that address."""
        return self._by_ip.get(ip, 0)

    def _fits(self, connection: Keeper, size: int) -> bool:
        own = self._kept.get(connection, 0)
        others = self.used - own
        of_ip = self._by_ip.get(connection.peer[0], 0) - own
        if not others:
            return True
        return others + size <= self.limit and (not of_ip or of_ip + size <= self.limit_per_ip)

    def _wake(self) -> None:
        """Let each that waits try once, in their order; those that have to wait again do so in that order."""
        self._retry = None
        waiting, self._waiting = self._waiting, deque()
        for connection in waiting:
            connection.try_again()
