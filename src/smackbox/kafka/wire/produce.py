"""Produce (key 0), versions 3 to 13, hand-written: record batches are slices of the receive buffer, nothing is copied.

Request: transactional id, acks i16, timeout i32, topics (name to v12, id from v13) of partitions (index i32, records).
Response: topics of partitions (index, error, base offset, log append time, log start offset from v5, record errors and
message from v8), throttle time. Flexible from v9.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from smackbox.base.errors import ProtocolError
from smackbox.kafka.wire.schema import read_varint, write_varint
from smackbox.kafka.wire.topic_head import write_count, write_topic_head

KEY = 0
VERSIONS = (3, 13)
FLEXIBLE = 9
TOPIC_IDS = 13

_INT16 = struct.Struct(">h")
_INT32 = struct.Struct(">i")
_ACKS_TIMEOUT = struct.Struct(">hi")
_PARTITION = struct.Struct(">ihqq")
_INT64 = struct.Struct(">q")


class ProduceRequest(NamedTuple):
    """`topics` holds (name, or from v13 on id; [(partition, records)]); null records are None."""

    transactional_id: str | None
    acks: int
    timeout_ms: int
    topics: list[tuple[bytes, list[tuple[int, memoryview | None]]]]


class ProducedPartition(NamedTuple):
    """The answer for one partition."""

    partition: int
    error_code: int = 0
    base_offset: int = -1
    log_append_time: int = -1
    log_start_offset: int = -1
    error_message: str | None = None


ProducedTopics = list[tuple[bytes, list[ProducedPartition]]]


def read_request(buffer: memoryview, offset: int, version: int) -> ProduceRequest:
    """The request in `buffer` from `offset` on. Raises `ProtocolError`."""
    try:
        return _read_flexible(buffer, offset, version) if version >= FLEXIBLE else _read_legacy(buffer, offset)
    except (struct.error, IndexError, ValueError) as error:
        raise ProtocolError(f"not a ProduceRequest v{version}: {error}") from error


def _read_legacy(buffer: memoryview, offset: int) -> ProduceRequest:
    (length,) = _INT16.unpack_from(buffer, offset)
    offset += 2
    transactional_id = None
    if length >= 0:
        transactional_id = bytes(buffer[offset : offset + length]).decode()
        offset += length
    acks, timeout_ms = _ACKS_TIMEOUT.unpack_from(buffer, offset)
    (topic_count,) = _INT32.unpack_from(buffer, offset + 6)
    offset += 10
    topics = []
    for _ in range(topic_count):
        (length,) = _INT16.unpack_from(buffer, offset)
        offset += 2
        name = bytes(buffer[offset : offset + length])
        offset += length
        (partition_count,) = _INT32.unpack_from(buffer, offset)
        offset += 4
        partitions: list[tuple[int, memoryview | None]] = []
        for _ in range(partition_count):
            index, size = _TWO_INT32.unpack_from(buffer, offset)
            offset += 8
            if size < 0:
                partitions.append((index, None))
                continue
            partitions.append((index, _slice(buffer, offset, size)))
            offset += size
        topics.append((name, partitions))
    return ProduceRequest(transactional_id, acks, timeout_ms, topics)


def _read_flexible(buffer: memoryview, offset: int, version: int) -> ProduceRequest:
    length, offset = read_varint(buffer, offset)
    transactional_id = None
    if length:
        transactional_id = bytes(buffer[offset : offset + length - 1]).decode()
        offset += length - 1
    acks, timeout_ms = _ACKS_TIMEOUT.unpack_from(buffer, offset)
    topic_count, offset = read_varint(buffer, offset + 6)
    topics = []
    for _ in range(topic_count - 1):
        if version >= TOPIC_IDS:
            length = 17
        else:
            length, offset = read_varint(buffer, offset)
        name = bytes(buffer[offset : offset + length - 1])
        partition_count, offset = read_varint(buffer, offset + length - 1)
        partitions: list[tuple[int, memoryview | None]] = []
        for _ in range(partition_count - 1):
            (index,) = _INT32.unpack_from(buffer, offset)
            size, offset = read_varint(buffer, offset + 4)
            if size:
                partitions.append((index, _slice(buffer, offset, size - 1)))
                offset += size - 1
            else:
                partitions.append((index, None))
            offset = skip_tags(buffer, offset)
        topics.append((name, partitions))
        offset = skip_tags(buffer, offset)
    skip_tags(buffer, offset)
    return ProduceRequest(transactional_id, acks, timeout_ms, topics)


def _slice(buffer: memoryview, offset: int, size: int) -> memoryview:
    if offset + size > len(buffer):
        raise ValueError(f"{size} bytes of records do not fit into the request")
    return buffer[offset : offset + size]


def skip_tags(buffer: memoryview, offset: int) -> int:
    """The offset after a struct's tagged fields."""
    count = buffer[offset]
    offset += 1
    if count == 0:
        return offset
    if count & 0x80:
        count, offset = read_varint(buffer, offset - 1)
    for _ in range(count):
        _, offset = read_varint(buffer, offset)
        size, offset = read_varint(buffer, offset)
        offset += size
    return offset


def write_response(topics: ProducedTopics, version: int) -> bytearray:
    """The body of the response."""
    out = bytearray()
    flexible = version >= FLEXIBLE
    write_count(out, len(topics), flexible=flexible)
    for name, partitions in topics:
        write_topic_head(out, name, len(partitions), flexible=flexible, is_id=version >= TOPIC_IDS)
        for partition in partitions:
            out += _PARTITION.pack(partition[0], partition[1], partition[2], partition[3])
            if version >= 5:
                out += _INT64.pack(partition.log_start_offset)
            if flexible:
                out.append(1)  # no record errors
                message = partition.error_message
                if message is None:
                    out += b"\0\0"
                else:
                    encoded = message.encode()
                    write_varint(out, len(encoded) + 1)
                    out += encoded
                    out.append(0)
            elif version >= 8:
                out += b"\0\0\0\0"
                message = partition.error_message
                encoded = (message or "").encode()
                out += _INT16.pack(-1 if message is None else len(encoded))
                out += encoded
        if flexible:
            out.append(0)
    out += b"\0\0\0\0"
    if flexible:
        out.append(0)
    return out


_TWO_INT32 = struct.Struct(">ii")
