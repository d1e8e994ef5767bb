"""A circuit breaker: who failed often is left alone for a while, so that callers fail at once instead of waiting.

CLOSED --max_failures in a row--> OPEN --reset_s--> HALF OPEN --one call succeeds--> CLOSED
                                   ^---------------- one call fails -------------|
"""

from __future__ import annotations

from smackbox.akka.persistence.errors import CircuitOpenError


class CircuitBreaker:
    """Pekko's defaults for a journal. Time is an argument, in seconds."""

    def __init__(self, max_failures: int = 10, call_timeout_s: float = 10.0, reset_s: float = 30.0) -> None:
        if max_failures < 1 or call_timeout_s <= 0 or reset_s <= 0:
            raise ValueError("a breaker needs max_failures >= 1 and times above 0")
        self.max_failures = max_failures
        self.call_timeout_s = call_timeout_s
        self.reset_s = reset_s
        self.failures = 0
        self._opened_s: float | None = None
        self._trying = False

    def enter(self, now_s: float) -> None:
        """A call begins. Raises `CircuitOpenError` where it must not."""
        if self._opened_s is None:
            return
        left_s = self._opened_s + self.reset_s - now_s
        if left_s > 0 or self._trying:
            raise CircuitOpenError(
                f"the journal failed {self.failures} times in a row, and is tried again in {max(0.0, left_s):.1f} s"
            )
        self._trying = True

    def succeeded(self) -> None:
        """A call has ended well."""
        if self.failures:
            self.failures = 0
            self._opened_s = None
            self._trying = False

    def failed(self, now_s: float) -> None:
        """A call has failed."""
        self.failures += 1
        self._trying = False
        if self.failures >= self.max_failures:
            self._opened_s = now_s

    @property
    def is_open(self) -> bool:
        """Whether calls are refused, or one is on trial."""
        return self._opened_s is not None
