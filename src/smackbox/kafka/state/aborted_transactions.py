"""The aborted transactions of a partition, for consumers that read committed records only.

In memory a list by last offset; on disk in the segment's `.txnindex`, entries of version i16 = 0, producer id i64,
first offset i64, last offset i64, last stable offset i64, as Kafka has them.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from typing import NamedTuple

ENTRY = struct.Struct(">hqqqq")
_VERSION = 0


class AbortedTransaction(NamedTuple):
    """Records of `producer_id` in `first_offset`..`last_offset` (its abort marker) are not to be seen."""

    producer_id: int
    first_offset: int
    last_offset: int
    last_stable_offset: int

    def pack(self) -> bytes:
        """As Kafka's `.txnindex` has it."""
        return ENTRY.pack(_VERSION, *self)


class AbortedTransactions:
    """All of one partition, in the order of their markers."""

    __slots__ = ("_entries", "_lasts")

    def __init__(self) -> None:
        self._entries: list[AbortedTransaction] = []
        self._lasts: list[int] = []

    def add(self, entry: AbortedTransaction) -> None:
        """Add one; markers come in order."""
        assert not self._lasts or entry.last_offset > self._lasts[-1], "markers come in order"
        self._entries.append(entry)
        self._lasts.append(entry.last_offset)

    def load(self, data: bytes) -> None:
        """Add the entries of a `.txnindex` file; a torn last one is left out."""
        for _, *values in ENTRY.iter_unpack(data[: len(data) // ENTRY.size * ENTRY.size]):
            entry = AbortedTransaction(*values)
            if not self._lasts or entry.last_offset > self._lasts[-1]:
                self.add(entry)

    def between(self, offset: int, end_offset: int) -> list[AbortedTransaction]:
        """Those that touch `offset`..`end_offset`."""
        first = bisect_left(self._lasts, offset)
        return [entry for entry in self._entries[first:] if entry.first_offset < end_offset]

    def forget_before(self, offset: int) -> None:
        """Drop those that ended before `offset`."""
        first = bisect_left(self._lasts, offset)
        del self._entries[:first]
        del self._lasts[:first]

    def __bool__(self) -> bool:
        return bool(self._entries)
