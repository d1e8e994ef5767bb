"""The clock that statements use."""

from __future__ import annotations

from smackbox.base.clock import Clock


class ServerClock:
    """Wall time that never returns the same microsecond twice: it orders the writes of one server."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_us = 0

    def now_us(self) -> int:
        """Microseconds since 1970, later than all values returned before."""
        now = self._clock.wall_us()
        if now <= self._last_us:
            now = self._last_us + 1
        self._last_us = now
        return now

    def now_s(self) -> int:
        """Seconds since 1970."""
        return self._clock.wall_ms() // 1000
