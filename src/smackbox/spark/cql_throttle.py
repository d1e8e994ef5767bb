"""At most so many bytes or reads a second, by waiting before one that would be too many."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

BURST_S = 0.1
"""What was not used is kept for this long."""


class Throttle:
    """`rate` units a second; None is without a limit. Threads may share one."""

    def __init__(
        self,
        rate: float | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at = clock()

    def take(self, units: float) -> None:
        """Return when `units` more fit into the rate."""
        if self._rate is None:
            return
        with self._lock:
            now = self._clock()
            start = max(self._free_at, now - BURST_S)
            self._free_at = start + units / self._rate
        if start > now:
            self._sleep(start - now)
