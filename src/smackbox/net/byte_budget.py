"""A limit on the bytes kept for clients: for all connections together, and for those from one address.

It counts incomplete requests, by the length in their headers, and unsent answers. A connection that would exceed the
limit waits: nothing is read from it until there is room, first come, first served.

Only the transport knows how much of its output is unsent, so the sums are upper bounds; before a connection must wait,
all transports are queried. Each connection may exceed the limits by the data of one read, which is needed to see a
request, and by one answer, whose length is not known before it is built.
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
        """The number of bytes currently kept for it."""
        ...

    def try_again(self) -> None:
        """There may be room for more."""
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
        """Set the number of bytes kept for that connection."""
        change = size - self._kept.get(connection, 0)
        if not change:
            return
        ip = connection.peer[0]
        self._kept[connection] = size
        self.used += change
        self._by_ip[ip] = self._by_ip.get(ip, 0) + change
        self.highest = max(self.highest, self.used)

    def forget(self, connection: Keeper) -> None:
        """That connection is closed, and nothing is kept for it."""
        self.keep(connection, 0)
        self._kept.pop(connection, None)
        if not self._by_ip.get(connection.peer[0]):
            self._by_ip.pop(connection.peer[0], None)

    def has_room(self, connection: Keeper, size: int) -> bool:
        """Whether the connection may keep this many bytes in total. A connection that is alone always may."""
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
        """Stop waking connections."""
        if self._retry is not None:
            self._retry.cancel()

    def used_by(self, ip: str) -> int:
        """The bytes kept for the connections from that address."""
        return self._by_ip.get(ip, 0)

    def _fits(self, connection: Keeper, size: int) -> bool:
        own = self._kept.get(connection, 0)
        others = self.used - own
        of_ip = self._by_ip.get(connection.peer[0], 0) - own
        if not others:
            return True
        return others + size <= self.limit and (not of_ip or of_ip + size <= self.limit_per_ip)

    def _wake(self) -> None:
        """Let each waiting connection try once, in order; those that must wait again keep that order."""
        self._retry = None
        waiting, self._waiting = self._waiting, deque()
        for connection in waiting:
            connection.try_again()
