"""Records aggregated by the Kinesis Producer Library: one record of the service holds many user records.

    magic F3 89 9A C2 | AggregatedRecord (protobuf) | MD5 of the message, 16 bytes

A record without the magic, or with a wrong digest, counts as a single user record, as in Amazon's own library.
Source: KPL's aggregation format (github.com/awslabs/amazon-kinesis-producer, aggregation-format.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from smackbox.base.protobuf.wire import LENGTH, VARINT, WireError, bounds, key, read_varint, text, varint

MAGIC = b"\xf3\x89\x9a\xc2"
DIGEST_BYTES = 16
_KEYS, _HASH_KEYS, _RECORDS = 1, 2, 3
_KEY_INDEX, _DATA = 1, 3


class UserRecord(NamedTuple):
    """A user record: its partition key and its bytes."""

    key: str
    data: bytes


def user_records(partition_key: str, data: bytes) -> list[UserRecord]:
    """The user records in one record of the service, in order; just that record if it is not aggregated."""
    if not data.startswith(MAGIC) or len(data) < len(MAGIC) + DIGEST_BYTES:
        return [UserRecord(partition_key, data)]
    message, digest = data[len(MAGIC) : -DIGEST_BYTES], data[-DIGEST_BYTES:]
    if hashlib.md5(message, usedforsecurity=False).digest() != digest:
        return [UserRecord(partition_key, data)]
    try:
        return _read(message)
    except (WireError, IndexError):
        return [UserRecord(partition_key, data)]


def aggregate(records: Sequence[UserRecord]) -> bytes:
    """Aggregates several records into one, in the format of the producer library."""
    keys = list(dict.fromkeys(record.key for record in records))
    message = b"".join(_field(_KEYS, name.encode()) for name in keys)
    for record in records:
        inner = key(_KEY_INDEX, VARINT) + varint(keys.index(record.key)) + _field(_DATA, record.data)
        message += _field(_RECORDS, inner)
    return MAGIC + message + hashlib.md5(message, usedforsecurity=False).digest()


def _field(number: int, value: bytes) -> bytes:
    return key(number, LENGTH) + varint(len(value)) + value


def _read(message: bytes) -> list[UserRecord]:
    keys: list[str] = []
    found: list[tuple[int, bytes]] = []
    for number, begin, end, _ in _fields(message, 0, len(message)):
        if number == _KEYS:
            keys.append(text(message, begin, end))
        elif number == _RECORDS:
            found.append(_record(message, begin, end))
    return [UserRecord(keys[index], data) for index, data in found]


def _record(message: bytes, begin: int, end: int) -> tuple[int, bytes]:
    index, data = 0, b""
    for number, start, stop, wire_type in _fields(message, begin, end):
        if number == _KEY_INDEX and wire_type == VARINT:
            index, _ = read_varint(message, start, stop)
        elif number == _DATA:
            data = message[start:stop]
    return index, data


def _fields(message: bytes, position: int, end: int) -> list[tuple[int, int, int, int]]:
    """For each field: its number, the start and end of its value, and its wire type."""
    found = []
    while position < end:
        tag, position = read_varint(message, position, end)
        begin, stop = bounds(message, position, end, tag & 7)
        found.append((tag >> 3, begin, stop, tag & 7))
        position = stop
    return found
