"""When an offset is to be saved: after so many events, or so long after the first that is not saved."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Progress(Generic[T]):
    """What was handled and is not saved. Time is an argument, in seconds."""

    def __init__(self, after: int, after_s: float) -> None:
        self._after = after
        self._after_s = after_s
        self._due_s = 0.0
        self.pending: list[T] = []

    def add(self, item: T, now_s: float) -> bool:
        """Whether it is time to save."""
        if not self.pending:
            self._due_s = now_s + self._after_s
        self.pending.append(item)
        return self.is_due(now_s)

    def is_due(self, now_s: float) -> bool:
        """Whether it is time to save."""
        return bool(self.pending) and (len(self.pending) >= self._after or now_s >= self._due_s)

    def wait_s(self, now_s: float) -> float | None:
        """How long the next event may be waited for; None: as long as it takes."""
        return max(0.0, self._due_s - now_s) if self.pending else None

    def take(self) -> list[T]:
        """What is saved."""
        taken, self.pending = self.pending, []
        return taken
