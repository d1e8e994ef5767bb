"""The aborted transactions of a partition, for `read_committed` consumers.

In memory they are a list sorted by last offset. On disk they are in the segment's `.txnindex`, in Kafka's format:
version i16 = 0, producer id i64, first offset i64, last offset i64, last stable offset i64.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from typing import NamedTuple

ENTRY = struct.Struct(">hqqqq")
_VERSION = 0


class AbortedTransaction(NamedTuple):
    """Records of `producer_id` in `first_offset`..`last_offset` (the offset of its abort marker) are hidden."""

    producer_id: int
    first_offset: int
    last_offset: int
    last_stable_offset: int

    def pack(self) -> bytes:
        """An entry of Kafka's `.txnindex`."""
        return ENTRY.pack(_VERSION, *self)


class AbortedTransactions:
    """All aborted transactions of one partition, in the order of their markers."""

    __slots__ = ("_entries", "_lasts")

    def __init__(self) -> None:
        self._entries: list[AbortedTransaction] = []
        self._lasts: list[int] = []

    def add(self, entry: AbortedTransaction) -> None:
        """Add one; markers arrive in order."""
        assert not self._lasts or entry.last_offset > self._lasts[-1], "markers come in order"
        self._entries.append(entry)
        self._lasts.append(entry.last_offset)

    def load(self, data: bytes) -> None:
        """Add the entries of a `.txnindex` file; a truncated last entry is ignored."""
        for _, *values in ENTRY.iter_unpack(data[: len(data) // ENTRY.size * ENTRY.size]):
            entry = AbortedTransaction(*values)
            if not self._lasts or entry.last_offset > self._lasts[-1]:
                self.add(entry)

    def between(self, offset: int, end_offset: int) -> list[AbortedTransaction]:
        """The transactions that overlap `offset`..`end_offset`."""
        first = bisect_left(self._lasts, offset)
        return [entry for entry in self._entries[first:] if entry.first_offset < end_offset]

    def forget_before(self, offset: int) -> None:
        """Remove those that ended before `offset`."""
        first = bisect_left(self._lasts, offset)
        del self._entries[:first]
        del self._lasts[:first]

    def __bool__(self) -> bool:
        return bool(self._entries)
