"""Keys of the store: order-preserving, so that a partition, a slice of it and a range of tokens are ranges of bytes.

    [table number: 4][token: 8, sign flipped][length of partition key: 2][partition key]
    [section: 1][order keys of the clustering columns][2**63-1 - timestamp: 8][sequence: 4]

Sections: 1 partition deletions, 2 range tombstones, 3 the static row, 4 rows. The last twelve bytes give every write
its own key, latest first: writes are blind, and reads merge the fragments under one row key.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from smackbox.cassandra.state.schema import Table
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.murmur3 import token_of
from smackbox.cassandra.wire.types import invert

PARTITION_DELETION = b"\x01"
RANGE_TOMBSTONE = b"\x02"
STATIC_ROW = b"\x03"
ROW = b"\x04"
SECTION_ROW = 4
SECTION_STATIC = 3
SUFFIX = struct.Struct(">QI")
SUFFIX_LENGTH = SUFFIX.size
PARTITION_KEY_LIMIT = 65_535
MAX_TIMESTAMP = 2**63 - 1
MIN_TIMESTAMP = -(2**63)
MIN_TOKEN = -(2**63)
MAX_TOKEN = 2**63 - 1
_HEAD = struct.Struct(">QH")
_BIAS = 1 << 63


def compose_partition_key(components: Sequence[bytes]) -> bytes:
    """Cassandra's serialised partition key: a single component as it is, several each as `[short][bytes]0`."""
    if len(components) == 1:
        return components[0]
    length = sum(map(len, components))
    if length > PARTITION_KEY_LIMIT:
        raise Invalid(f"Key length of {length} is longer than maximum of {PARTITION_KEY_LIMIT}")
    return b"".join(b"%b%b\x00" % (len(part).to_bytes(2, "big"), part) for part in components)


def split_partition_key(key: bytes, count: int) -> list[bytes]:
    """The values of a partition key of `count` columns."""
    if count == 1:
        return [key]
    parts = []
    offset = 0
    for _ in range(count):
        length = int.from_bytes(key[offset : offset + 2], "big")
        parts.append(key[offset + 2 : offset + 2 + length])
        offset += length + 3
    return parts


def partition_prefix(table: Table, key: bytes) -> bytes:
    """The prefix of all keys in the partition. Raises `Invalid` for a key over the limit."""
    if len(key) > PARTITION_KEY_LIMIT:
        raise Invalid(f"Key length of {len(key)} is longer than maximum of {PARTITION_KEY_LIMIT}")
    return table.prefix + _HEAD.pack(token_of(key) + _BIAS, len(key)) + key


def token_prefix(table: Table, token: int) -> bytes:
    """The key before every partition with that token or a larger one."""
    return table.prefix + (token + _BIAS).to_bytes(8, "big")


def clustering_key(table: Table, components: Sequence[bytes]) -> bytes:
    """The order keys of the first clustering columns."""
    key = b""
    for column, value in zip(table.clustering, components, strict=False):
        part = column.type.order_key(value)
        key += invert(part) if column.descending else part
    return key


def written_clustering_key(table: Table, components: Sequence[bytes]) -> bytes:
    """The same for a row to be written. Raises `Invalid` if the values together exceed the limit."""
    length = sum(map(len, components))
    if length > PARTITION_KEY_LIMIT:
        raise Invalid(f"Key length of {length} is longer than maximum of {PARTITION_KEY_LIMIT}")
    return clustering_key(table, components)


def suffix(timestamp: int, sequence: int) -> bytes:
    """The suffix of a fragment's key: a later timestamp sorts first."""
    return SUFFIX.pack(MAX_TIMESTAMP - timestamp, sequence & 0xFFFFFFFF)


def timestamp_of(key: bytes) -> int:
    """The timestamp of a fragment, in microseconds."""
    return MAX_TIMESTAMP - int.from_bytes(key[-12:-4], "big")


def partition_of(key: bytes) -> bytes:
    """The partition prefix of any key of a partition."""
    return key[: 14 + ((key[12] << 8) | key[13])]


def successor(prefix: bytes) -> bytes:
    """The smallest bytes larger than everything that starts with `prefix`."""
    trimmed = prefix.rstrip(b"\xff")
    if not trimmed:
        return b"\xff" * (len(prefix) + 1)
    return trimmed[:-1] + bytes([trimmed[-1] + 1])
