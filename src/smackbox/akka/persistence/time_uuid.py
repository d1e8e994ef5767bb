"""Version 1 UUIDs whose time never stands still: each is later than the one before (RFC 9562, 5.1)."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

TICKS_A_MS = 10_000
GREGORIAN_TICKS = 0x01B21DD213814000
"""From 1582-10-15 to 1970-01-01, in units of 100 ns."""

LEAST_CLOCK_AND_NODE = 0x8080_8080_8080_8080
GREATEST_CLOCK_AND_NODE = 0x7F7F_7F7F_7F7F_7F7F


class TimeUuids:
    """Of one process. `wall_us` gives microseconds since 1970; `node` (62 bits) tells processes apart."""

    def __init__(self, wall_us: Callable[[], int], node: int) -> None:
        self._wall_us = wall_us
        self._low = (node & (2**62 - 1)) | 1 << 63
        self._last = 0

    def next(self) -> UUID:
        """Later than all before it."""
        self._last = max(self._last + 1, self._wall_us() * 10 + GREGORIAN_TICKS)
        return _uuid(self._last, self._low)


def start_of(ms: int) -> UUID:
    """Not later than any UUID of that millisecond, by Cassandra's order."""
    return _uuid(ms * TICKS_A_MS + GREGORIAN_TICKS, LEAST_CLOCK_AND_NODE)


def end_of(ms: int) -> UUID:
    """Not earlier than any UUID of that millisecond, by Cassandra's order."""
    return _uuid((ms + 1) * TICKS_A_MS - 1 + GREGORIAN_TICKS, GREATEST_CLOCK_AND_NODE)


def unix_ms(uuid: UUID) -> int:
    """Milliseconds since 1970 of a version 1 UUID."""
    return (uuid.time - GREGORIAN_TICKS) // TICKS_A_MS


def _uuid(ticks: int, low: int) -> UUID:
    high = (ticks & 0xFFFF_FFFF) << 32 | (ticks >> 32 & 0xFFFF) << 16 | 0x1000 | ticks >> 48 & 0x0FFF
    return UUID(int=high << 64 | low)
