"""Which windows an event belongs to. Windows are half-open, in ms since 1970, and aligned to 1970 as Spark's are.

A tumbling window is a hopping one whose step is its size. A session is not known from one event: each event begins as
`[time, time + gap)`, and sessions that overlap or touch become one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from smackbox.base.errors import SettingError

MAX_WINDOWS_OF_AN_EVENT = 1_000


class Window(msgspec.Struct, frozen=True):
    """A window of `size_ms`, one each `step_ms`."""

    size_ms: int
    step_ms: int

    def check(self) -> None:
        """Raises `SettingError` for sizes that make no windows, or too many of one event."""
        if self.size_ms <= 0 or self.step_ms <= 0:
            raise SettingError("a window's size and step must be at least 1 ms")
        if self.step_ms > self.size_ms:
            raise SettingError("a hopping window's step must not be larger than its size: events would fall between")
        if self.size_ms // self.step_ms > MAX_WINDOWS_OF_AN_EVENT:
            raise SettingError(f"an event would be in more than {MAX_WINDOWS_OF_AN_EVENT} windows: use a larger step")

    def starts(self, time_ms: int) -> range:
        """The starts of the windows that hold a moment, the earliest first."""
        last = time_ms - time_ms % self.step_ms
        first = (time_ms - self.size_ms) // self.step_ms * self.step_ms + self.step_ms
        return range(first, last + 1, self.step_ms)


class SessionGap(msgspec.Struct, frozen=True):
    """A session ends when nothing came for `gap_ms`."""

    gap_ms: int

    def check(self) -> None:
        """Raises `SettingError` for a gap that makes no sessions."""
        if self.gap_ms <= 0:
            raise SettingError("a session's gap must be at least 1 ms")


Session = tuple[int, int, Any]
"""Start, end, and what it holds."""


def joined_sessions(sessions: Sequence[Session], merge: Any) -> list[Session]:
    """The sessions by their starts, those that overlap or touch made one by `merge(earlier, later)`."""
    joined: list[Session] = []
    for start, end, content in sorted(sessions, key=lambda session: session[0]):
        if joined and start <= joined[-1][1]:
            first, last, former = joined[-1]
            joined[-1] = (first, max(last, end), merge(former, content))
        else:
            joined.append((start, end, content))
    return joined
