"""The destination of accepted events. The endpoint knows only this interface; `KafkaSink` is the one in use."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

Headers: TypeAlias = list[tuple[str, bytes]]

Record: TypeAlias = tuple[str, bytes, bytes | None, Headers | None]
"""Topic, value, key, headers."""


class Failure(enum.Enum):
    """Why records were not acknowledged."""

    FULL = "the queue to the broker is full"
    AWAY = "the broker does not answer"
    TOO_LARGE = "the broker rejects a record of this size"


Done: TypeAlias = Callable[[Failure | None], None]


class Sink(Protocol):
    """Accepts records and reports when they are safe. All methods are called on the server's loop."""

    @property
    def away(self) -> str | None:
        """Why records cannot be accepted at the moment, or None."""
        ...

    @property
    def queued_events(self) -> int:
        """How many events were accepted and are not yet delivered."""
        ...

    @property
    def queued_bytes(self) -> int:
        """Their size in bytes."""
        ...

    async def start(self, topics: dict[str, int]) -> None:
        """Open it; missing `topics` (name: partitions) are created. Does not wait without limit for a broker."""
        ...

    def offer(self, records: Sequence[Record], done: Done) -> Failure | None:
        """Queue all the records, or none and return why.

        For an accepted offer `done` is called once, perhaps before this returns: with None when every record is
        acknowledged, otherwise with the first failure.
        """
        ...

    async def stop(self, timeout_s: float) -> None:
        """Wait until all queued records are answered, at most `timeout_s`, and close."""
        ...


class NullSink:
    """Acknowledges everything at once and stores nothing: for measuring the endpoint alone."""

    away = None
    queued_events = 0
    queued_bytes = 0

    async def start(self, topics: dict[str, int]) -> None:
        """Does nothing."""
        del topics

    def offer(self, records: Sequence[Record], done: Done) -> Failure | None:
        """Call `done` at once."""
        del records
        done(None)
        return None

    async def stop(self, timeout_s: float) -> None:
        """Does nothing."""
        del timeout_s
