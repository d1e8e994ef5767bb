"""Time as an argument: state machines read a `Clock`, and a test's clock moves only on request."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A source of time. Wall time is for data, monotonic time for timeouts."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        ...

    def wall_us(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        ...

    def monotonic_ms(self) -> int:
        """Milliseconds since some fixed point; never goes back."""
        ...


class SystemClock:
    """The machine's clock."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970, by the system clock, which may be set back."""
        return time.time_ns() // 1_000_000

    def wall_us(self) -> int:
        """Microseconds since 1970, by the system clock."""
        return time.time_ns() // 1_000

    def monotonic_ms(self) -> int:
        """Milliseconds since some fixed point; never goes back."""
        return time.monotonic_ns() // 1_000_000


class FakeClock:
    """A clock for tests and simulations: it stands still until `advance_ms` moves it."""

    def __init__(self, start_wall_ms: int = 1_700_000_000_000) -> None:
        self._start_wall_ms = start_wall_ms
        self._elapsed_ms = 0

    def wall_ms(self) -> int:
        """Milliseconds since 1970: the start and what `advance_ms` added."""
        return self._start_wall_ms + self._elapsed_ms

    def wall_us(self) -> int:
        """The same in microseconds; always a whole millisecond."""
        return self.wall_ms() * 1_000

    def monotonic_ms(self) -> int:
        """Milliseconds since this clock was made."""
        return self._elapsed_ms

    def advance_ms(self, duration_ms: int) -> None:
        """Advance the time by this much. It never goes back."""
        assert duration_ms >= 0, "time does not go back"
        self._elapsed_ms += duration_ms
