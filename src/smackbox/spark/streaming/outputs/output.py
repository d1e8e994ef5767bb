"""What a target does that is no table: it takes the rows of a batch under the batch's number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import msgspec


class OutputBatch(NamedTuple):
    """Rows of one batch: structs, or (of a function on DataFrames) dictionaries.

    A batch that is repeated has the same number and the same rows. `checkpoint` is another one when a stream begins
    again without its checkpoint: then the numbers begin again, and are others' numbers.
    """

    number: int
    checkpoint: str
    rows: Sequence[Any]


class Output(Protocol):
    """One target. Raises `AwayError` for what is worth another attempt, `StreamError` for what is not."""

    def open(self, checkpoint: str) -> None:
        """Connect; the checkpoint's id."""
        ...

    def put(self, batch: OutputBatch) -> None:
        """Take a batch. It may be one that was taken before."""
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...


def as_dict(row: Any) -> dict[str, Any]:
    """The fields of a row by their names."""
    return row if isinstance(row, dict) else msgspec.structs.asdict(row)


def as_json(row: Any) -> bytes:
    """A row as JSON, a struct's fields by the names that its type gives them there."""
    return msgspec.json.encode(row)
