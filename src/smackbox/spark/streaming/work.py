"""What a stream does with the events of a batch, between reading and committing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from smackbox.spark.streaming.checkpoint import Checkpoint, Plan


@dataclass(slots=True)
class Outcome:
    """What a batch wrote, what is committed with it, and events that could not be processed, with the reason."""

    written: int = 0
    totals: Mapping[bytes, bytes] = field(default_factory=dict)
    changes: Mapping[bytes, bytes | None] = field(default_factory=dict)
    unfit: list[tuple[Any, str]] = field(default_factory=list)
    late: int = 0
    duplicates: int = 0
    watermark_ms: int | None = None


class Work(Protocol):
    """One kind of processing. Raises `StreamError` for what a person has to mend."""

    required: Sequence[str]
    """Fields of an event that must not be None."""

    def prepare(self, checkpoint: Checkpoint) -> None:
        """The targets are connected: check what is to be done against them, and against the saved state."""
        ...

    def run(self, events: Mapping[str, list[Any]], plan: Plan, checkpoint: Checkpoint) -> Outcome:
        """Process the events of each source, and write what comes of them. The same batch may come again."""
        ...

    def is_behind(self, checkpoint: Checkpoint, now_ms: int) -> bool:
        """Whether the next batch must come without events, to do what the ones before left. Known after `prepare`."""
        ...

    def is_due(self, checkpoint: Checkpoint, now_ms: int) -> bool:
        """Whether a batch without events would do something."""
        ...
