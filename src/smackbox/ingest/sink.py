"""Where accepted events go. The endpoint knows only this; `KafkaSink` is the one that it is run with."""

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
    TOO_LARGE = "the broker refuses a record of this size"


Done: TypeAlias = Callable[[Failure | None], None]


class Sink(Protocol):
    """Takes records and says when they are safe. All methods are called on the server's loop."""

    @property
    def away(self) -> str | None:
        """Why records cannot be taken just now, or None."""
        ...

    @property
    def queued_events(self) -> int:
        """How many events were accepted and are not delivered yet."""
        ...

    @property
    def queued_bytes(self) -> int:
        """Their size in bytes."""
        ...

    async def start(self, topics: dict[str, int]) -> None:
        """Open it; `topics` (name: partitions) are made where they are missing. Does not wait forever for a broker."""
        ...

    def offer(self, records: Sequence[Record], done: Done) -> Failure | None:
        """Queue all the records, or none and say why.

        Of a taken offer `done` is called once, perhaps before this returns: with None when every record is
        acknowledged, else with the first failure.
        """
        ...

    async def stop(self, timeout_s: float) -> None:
        """Wait until what is queued has been answered, at most `timeout_s`, and close."""
        ...


class NullSink:
    """Acknowledges everything at once and keeps nothing: for measuring the endpoint alone."""

    away = None
    queued_events = 0
    queued_bytes = 0

    async def start(self, topics: dict[str, int]) -> None:
        """Nothing is connected."""
        del topics

    def offer(self, records: Sequence[Record], done: Done) -> Failure | None:
        """Call `done` at once."""
        del records
        done(None)
        return None

    async def stop(self, timeout_s: float) -> None:
        """Nothing waits."""
        del timeout_s
