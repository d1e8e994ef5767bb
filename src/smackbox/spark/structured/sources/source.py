"""What a source of a stream is to a query.

Offsets are values of JSON, as they stand in the checkpoint and in a query's progress. A query asks for the end of the
next batch, records it, and reads what is between; after a crash it reads the same again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from smackbox.spark.front.errors import ILLEGAL_ARGUMENT, SparkError


@dataclass
class Batch:
    """The rows between two offsets: as Arrow, or as a relation that Sail reads. `rows` None: not known yet."""

    table: pa.Table | None = None
    relation: Any = None
    rows: int | None = None


class Source(Protocol):
    """`description` is what progress shows, in Spark's words."""

    description: str

    def initial(self) -> Any:
        """Where a query without a checkpoint begins."""

    def latest(self, start: Any, *, limited: bool) -> Any:
        """The end of the next batch after `start`; `start` when there is nothing. `limited`: by the options."""

    def freeze(self) -> None:
        """From now on `latest` does not go beyond what is there at this moment (`availableNow`)."""

    def batch(self, start: Any, end: Any) -> Batch:
        """What is between two offsets. Raises `SparkError` when it is lost."""

    def commit(self, end: Any) -> None:
        """Everything up to `end` is committed."""

    def stop(self) -> None:
        """The query has ended."""


def lower_case(options: Mapping[str, str]) -> dict[str, str]:
    """Options of Spark are case-insensitive."""
    return {key.lower(): value for key, value in options.items()}


def positive(options: Mapping[str, str], key: str, default: int) -> int:
    """A number of at least 1. Raises `SparkError` in the words of Spark's sources."""
    text = options.get(key.lower(), str(default))
    if not text.strip().isdecimal() or int(text) < 1:
        raise SparkError(f"Invalid value '{text}'. The option '{key}' must be positive", classes=ILLEGAL_ARGUMENT)
    return int(text)
