"""Fetch (key 1), versions 4 to 18, hand-written: records read from the log are sent unchanged, between pieces of
framing.

Request: replica id (to v14), max wait, min bytes, max bytes, isolation level, session id and epoch (from v7), topics
(name to v12, id from v13) of partitions (index, leader epoch from v9, offset, last fetched epoch from v12, log start
offset from v5, max bytes), forgotten topics (from v7), rack (from v11). Flexible from v12.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from smackbox.base.errors import ProtocolError
from smackbox.kafka.wire.produce import skip_tags
from smackbox.kafka.wire.schema import read_varint, write_varint
from smackbox.kafka.wire.topic_head import write_count, write_topic_head

KEY = 1
VERSIONS = (4, 18)
FLEXIBLE = 12
TOPIC_IDS = 13
READ_COMMITTED = 1

_INT16 = struct.Struct(">h")
_INT32 = struct.Struct(">i")
_HEAD = struct.Struct(">iiiib")  # replica id, max wait, min bytes, max bytes, isolation level
_HEAD_15 = struct.Struct(">iiib")
_SESSION = struct.Struct(">ii")
_PARTITION_4 = struct.Struct(">iqi")  # index, offset, max bytes
_PARTITION_5 = struct.Struct(">iqqi")  # index, offset, log start offset, max bytes
_PARTITION_9 = struct.Struct(">iiqqi")  # index, leader epoch, offset, log start offset, max bytes
_PARTITION_12 = struct.Struct(">iiqiqi")  # index, leader epoch, offset, last epoch, log start offset, max bytes
_ANSWER_4 = struct.Struct(">ihqq")  # index, error, high watermark, last stable offset
_ANSWER_5 = struct.Struct(">ihqqq")  # … and log start offset
_ABORTED = struct.Struct(">qq")


class FetchPartition(NamedTuple):
    """The request for one partition."""

    partition: int
    leader_epoch: int
    offset: int
    max_bytes: int


class FetchRequest(NamedTuple):
    """`topics` and `forgotten` hold (name, or from v13 on id; partitions)."""

    max_wait_ms: int
    min_bytes: int
    max_bytes: int
    committed: bool
    session_id: int
    session_epoch: int
    topics: list[tuple[bytes, list[FetchPartition]]]
    forgotten: list[tuple[bytes, list[int]]]


class FetchedPartition(NamedTuple):
    """The answer for one partition; `aborted` is None for null."""

    partition: int
    error_code: int
    high_watermark: int
    last_stable_offset: int
    log_start_offset: int
    aborted: list[tuple[int, int]] | None
    records: bytes


FetchedTopics = list[tuple[bytes, list[FetchedPartition]]]


def read_request(buffer: memoryview, offset: int, version: int) -> FetchRequest:
    """The request in `buffer` from `offset` on. Raises `ProtocolError`."""
    try:
        return _read(buffer, offset, version)
    except (struct.error, IndexError, ValueError) as error:
        raise ProtocolError(f"not a FetchRequest v{version}: {error}") from error


def _read(buffer: memoryview, offset: int, version: int) -> FetchRequest:
    if version >= 15:
        max_wait_ms, min_bytes, max_bytes, isolation = _HEAD_15.unpack_from(buffer, offset)
        offset += _HEAD_15.size
    else:
        _, max_wait_ms, min_bytes, max_bytes, isolation = _HEAD.unpack_from(buffer, offset)
        offset += _HEAD.size
    session_id, session_epoch = 0, -1
    if version >= 7:
        session_id, session_epoch = _SESSION.unpack_from(buffer, offset)
        offset += _SESSION.size
    flexible = version >= FLEXIBLE
    topic_count, offset = _count(buffer, offset, flexible)
    topics = []
    for _ in range(topic_count):
        name, offset = _topic(buffer, offset, version)
        partition_count, offset = _count(buffer, offset, flexible)
        partitions = []
        for _ in range(partition_count):
            leader_epoch = -1
            if version >= 12:
                index, leader_epoch, at, _, _, limit = _PARTITION_12.unpack_from(buffer, offset)
                offset = skip_tags(buffer, offset + _PARTITION_12.size)
            elif version >= 9:
                index, leader_epoch, at, _, limit = _PARTITION_9.unpack_from(buffer, offset)
                offset += _PARTITION_9.size
            elif version >= 5:
                index, at, _, limit = _PARTITION_5.unpack_from(buffer, offset)
                offset += _PARTITION_5.size
            else:
                index, at, limit = _PARTITION_4.unpack_from(buffer, offset)
                offset += _PARTITION_4.size
            partitions.append(FetchPartition(index, leader_epoch, at, limit))
        topics.append((name, partitions))
        if flexible:
            offset = skip_tags(buffer, offset)
    forgotten = _forgotten(buffer, offset, version) if version >= 7 else []
    return FetchRequest(
        max_wait_ms, min_bytes, max_bytes, isolation == READ_COMMITTED, session_id, session_epoch, topics, forgotten
    )


def _topic(buffer: memoryview, offset: int, version: int) -> tuple[bytes, int]:
    if version >= TOPIC_IDS:
        length = 16
    elif version >= FLEXIBLE:
        length, offset = read_varint(buffer, offset)
        length -= 1
    else:
        (length,) = _INT16.unpack_from(buffer, offset)
        offset += 2
    return bytes(buffer[offset : offset + length]), offset + length


def _forgotten(buffer: memoryview, offset: int, version: int) -> list[tuple[bytes, list[int]]]:
    flexible = version >= FLEXIBLE
    count, offset = _count(buffer, offset, flexible)
    topics = []
    for _ in range(count):
        name, offset = _topic(buffer, offset, version)
        partitions, offset = _count(buffer, offset, flexible)
        topics.append((name, list(struct.unpack_from(f">{partitions}i", buffer, offset))))
        offset += 4 * partitions
        if flexible:
            offset = skip_tags(buffer, offset)
    return topics


def _count(buffer: memoryview, offset: int, flexible: bool) -> tuple[int, int]:
    if flexible:
        count, offset = read_varint(buffer, offset)
        count -= 1
    else:
        (count,) = _INT32.unpack_from(buffer, offset)
        offset += 4
    if count > len(buffer) - offset:
        raise ValueError(f"an array of {count} elements does not fit into the request")
    return count, offset


def write_response(
    topics: FetchedTopics, version: int, error_code: int = 0, session_id: int = 0
) -> list[bytes | bytearray]:
    """The body of the response, in pieces that alternate between framing and records."""
    pieces: list[bytes | bytearray] = []
    flexible = version >= FLEXIBLE
    out = bytearray(b"\0\0\0\0")
    if version >= 7:
        out += _INT16.pack(error_code)
        out += _INT32.pack(session_id)
    write_count(out, len(topics), flexible=flexible)
    for name, partitions in topics:
        write_topic_head(out, name, len(partitions), flexible=flexible, is_id=version >= TOPIC_IDS)
        for partition in partitions:
            if version >= 5:
                out += _ANSWER_5.pack(*partition[:5])
            else:
                out += _ANSWER_4.pack(*partition[:4])
            aborted = partition.aborted
            if flexible:
                write_varint(out, 0 if aborted is None else len(aborted) + 1)
            else:
                out += _INT32.pack(-1 if aborted is None else len(aborted))
            if aborted:
                for entry in aborted:
                    out += _ABORTED.pack(*entry)
                    if flexible:
                        out.append(0)
            if version >= 11:
                out += b"\xff\xff\xff\xff"  # no preferred read replica
            data = partition.records
            if flexible:
                write_varint(out, len(data) + 1)
            else:
                out += _INT32.pack(len(data))
            if data:
                pieces.append(out)
                pieces.append(data)
                out = bytearray()
            if flexible:
                out.append(0)
        if flexible:
            out.append(0)
    if flexible:
        out.append(0)
    if out:
        pieces.append(out)
    return pieces
