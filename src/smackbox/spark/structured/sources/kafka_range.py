"""The records of one offset range as they come in, turned into Arrow piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from smackbox.spark.kafka_source import record_batch

PIECE = 10_000
"""Records that are kept as messages of the client, which take several times the room of Arrow."""


class OffsetRange:
    """Records `start` up to and without `end` of a partition."""

    def __init__(self, start: int, end: int, columns: Sequence[str]) -> None:
        self.start = start
        self.end = end
        self.first: int | None = None
        self.next = start
        """The offset after the last record that has come."""
        self.size = 0
        self._columns = list(columns)
        self._messages: list[Any] = []
        self._pieces: list[pa.RecordBatch] = []

    def add(self, message: Any) -> None:
        """The next record, which belongs to the range."""
        offset = message.offset()
        if self.first is None:
            self.first = offset
        self.next = offset + 1
        self.size += len(message)
        self._messages.append(message)
        if len(self._messages) == PIECE:
            self._turn()

    @property
    def missing(self) -> int:
        """How many offsets are still to come, gaps among them."""
        return self.end - self.next

    def batches(self) -> list[pa.RecordBatch]:
        """All records that came."""
        if self._messages:
            self._turn()
        return self._pieces

    def _turn(self) -> None:
        self._pieces.append(record_batch(self._messages).select(self._columns))
        self._messages = []
