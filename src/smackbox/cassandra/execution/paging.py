"""Paging states: `[version: 1][rows left: 4][rows left in the partition: 4][key of the last row]`.

A state holds everything that the next page needs, so it stays valid across restarts.
"""

from __future__ import annotations

import struct

from smackbox.cassandra.state.keys import partition_of
from smackbox.cassandra.wire.errors import ProtocolViolation

NO_LIMIT = 2**31 - 1
_HEAD = struct.Struct(">Bii")
_VERSION = 1
# token, length of the partition key, section
_SHORTEST_KEY = 15


class Page:
    """The position of a SELECT: what remains of its limits, and the key of the last row returned."""

    __slots__ = ("key", "left", "left_in_partition")

    def __init__(self, left: int, left_in_partition: int, key: bytes) -> None:
        self.left = left
        self.left_in_partition = left_in_partition
        self.key = key

    def state(self) -> bytes:
        """The paging state to send to the client."""
        return _HEAD.pack(_VERSION, self.left, max(self.left_in_partition, 0)) + self.key


def read_state(state: bytes) -> Page:
    """Decode a paging state. Raises `ProtocolViolation` for invalid bytes."""
    if len(state) < _HEAD.size + _SHORTEST_KEY or state[0] != _VERSION:
        raise ProtocolViolation("Invalid value for the paging state")
    _, left, left_in_partition = _HEAD.unpack_from(state)
    key = state[_HEAD.size :]
    if len(partition_of(key)) >= len(key):
        raise ProtocolViolation("Invalid value for the paging state")
    return Page(left, left_in_partition, key)
