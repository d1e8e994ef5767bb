"""The record batch, message format v2: 61 bytes of header, then records that stay opaque to the broker.

    base_offset i64 | batch_length i32 (of what follows) | partition_leader_epoch i32 | magic i8 | crc u32
    | attributes i16 | last_offset_delta i32 | base_timestamp i64 | max_timestamp i64 | producer_id i64
    | producer_epoch i16 | base_sequence i32 | record_count i32 | records

The CRC-32C covers everything from `attributes` on, so the base offset and leader epoch can be patched without
recomputing it. Attributes: bits 0-2 compression, 3 timestamp type (1: log append time), 4 transactional, 5 control.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from crc32c import crc32c

from smackbox.base.errors import ProtocolError
from smackbox.kafka.wire.compression import decompress

Buffer = bytes | bytearray | memoryview

HEADER = struct.Struct(">qiibIhiqqqhii")
HEADER_SIZE = HEADER.size
LOG_OVERHEAD = 12
LENGTH_OFFSET = 8
LEADER_EPOCH_OFFSET = 12
MAGIC_OFFSET = 16
CRC_OFFSET = 17
ATTRIBUTES_OFFSET = 21
MAX_TIMESTAMP_OFFSET = 35

COMPRESSION_MASK = 0x07
LOG_APPEND_TIME = 0x08
TRANSACTIONAL = 0x10
CONTROL = 0x20

NO_PRODUCER_ID = -1
NO_SEQUENCE = -1
NO_TIMESTAMP = -1

_BASE = struct.Struct(">qi")
_INT64 = struct.Struct(">q")
_INT32 = struct.Struct(">i")
_INT16 = struct.Struct(">h")
_UINT32 = struct.Struct(">I")


class BatchHeader(NamedTuple):
    """The header, decoded."""

    base_offset: int
    batch_length: int
    partition_leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def size(self) -> int:
        """The whole batch in bytes."""
        return self.batch_length + LOG_OVERHEAD

    @property
    def last_offset(self) -> int:
        """The offset of its last record."""
        return self.base_offset + self.last_offset_delta

    @property
    def next_offset(self) -> int:
        """The offset after its last record."""
        return self.base_offset + self.last_offset_delta + 1

    @property
    def compression(self) -> int:
        """Its compression codec, 0 for none."""
        return self.attributes & COMPRESSION_MASK

    @property
    def transactional(self) -> bool:
        """Whether it belongs to a transaction."""
        return bool(self.attributes & TRANSACTIONAL)

    @property
    def control(self) -> bool:
        """Whether it is a control batch."""
        return bool(self.attributes & CONTROL)

    @property
    def last_sequence(self) -> int:
        """The sequence of its last record; it wraps to 0 after 2^31 - 1."""
        return increment_sequence(self.base_sequence, self.last_offset_delta)


def read_header(buffer: Buffer, offset: int = 0) -> BatchHeader:
    """The header at `offset`; `struct.error` when it is cut short."""
    return BatchHeader._make(HEADER.unpack_from(buffer, offset))


def is_transactional(batch: Buffer) -> bool:
    """Whether the batch is transactional; False when it is too short to tell."""
    return len(batch) >= HEADER_SIZE and bool(batch[ATTRIBUTES_OFFSET + 1] & TRANSACTIONAL)


def crc_matches(buffer: Buffer, header: BatchHeader, offset: int = 0) -> bool:
    """Whether the CRC in the header matches the batch, all of which must be in the buffer."""
    with memoryview(buffer) as view:
        return bool(crc32c(view[offset + ATTRIBUTES_OFFSET : offset + header.size]) == header.crc)


def assign(buffer: bytearray | memoryview, offset: int, base_offset: int, leader_epoch: int) -> None:
    """Patch the base offset and leader epoch of the batch at `offset`; the CRC does not cover them."""
    _INT64.pack_into(buffer, offset, base_offset)
    _INT32.pack_into(buffer, offset + LEADER_EPOCH_OFFSET, leader_epoch)


def restamp(buffer: bytearray | memoryview, attributes: int, max_timestamp: int) -> None:
    """Set the attributes and the largest timestamp of the batch that fills the buffer, and its new CRC."""
    _INT16.pack_into(buffer, ATTRIBUTES_OFFSET, attributes)
    _INT64.pack_into(buffer, MAX_TIMESTAMP_OFFSET, max_timestamp)
    with memoryview(buffer) as view:
        crc = crc32c(view[ATTRIBUTES_OFFSET:])
    _UINT32.pack_into(buffer, CRC_OFFSET, crc)


def increment_sequence(sequence: int, by: int) -> int:
    """The next sequence; it wraps from 2^31 - 1 to 0."""
    return (sequence + by) & 0x7FFFFFFF


# --- records: read for look-ups by time, compaction and the coordinators' own topics; written for those topics


class Record(NamedTuple):
    """One record; a null key or value is None."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def records(batch: Buffer, header: BatchHeader, offset: int = 0) -> list[Record]:
    """All records of an uncompressed or compressed batch. Raises `ProtocolError` when they do not parse."""
    with memoryview(batch) as view:
        body: Buffer = bytes(view[offset + HEADER_SIZE : offset + header.size])
    if header.compression:
        body = decompress(header.compression, bytes(body))
    try:
        return parse_records(body, header)
    except (IndexError, UnicodeDecodeError, ValueError) as error:
        raise ProtocolError(f"the records of the batch at offset {header.base_offset} do not parse: {error}") from error


def parse_records(body: Buffer, header: BatchHeader) -> list[Record]:
    """The records of an uncompressed body. Raises `IndexError` or `ValueError` when they do not parse."""
    records = []
    position = 0
    append_time = header.max_timestamp if header.attributes & LOG_APPEND_TIME else None
    for _ in range(header.record_count):
        length, position = read_varlong(body, position)
        end = position + length
        position += 1
        timestamp_delta, position = read_varlong(body, position)
        offset_delta, position = read_varlong(body, position)
        key, position = _read_bytes(body, position)
        value, position = _read_bytes(body, position)
        header_count, position = read_varlong(body, position)
        headers = []
        for _ in range(header_count):
            name, position = _read_bytes(body, position)
            content, position = _read_bytes(body, position)
            headers.append(((name or b"").decode(), content))
        if position != end:
            raise ValueError(f"a record's length says {length} bytes")
        timestamp = header.base_timestamp + timestamp_delta if append_time is None else append_time
        records.append(Record(header.base_offset + offset_delta, timestamp, key, value, tuple(headers)))
    return records


def _read_bytes(body: Buffer, position: int) -> tuple[bytes | None, int]:
    length, position = read_varlong(body, position)
    if length < 0:
        return None, position
    if position + length > len(body):
        raise ValueError("a field extends beyond the end of the batch")
    return bytes(body[position : position + length]), position + length


def build(
    entries: list[Record],
    *,
    producer_id: int = NO_PRODUCER_ID,
    producer_epoch: int = -1,
    base_sequence: int = NO_SEQUENCE,
    attributes: int = 0,
    base_offset: int | None = None,
    leader_epoch: int = 0,
    last_offset_delta: int | None = None,
) -> bytearray:
    """An uncompressed batch of `entries`. Offsets are stored relative to the first entry's (or to `base_offset`),
    timestamps unchanged.
    """
    first_offset = entries[0].offset if base_offset is None else base_offset
    base_timestamp = entries[0].timestamp
    body = encode_records(entries, first_offset, base_timestamp)
    return seal(
        body,
        base_offset=first_offset,
        leader_epoch=leader_epoch,
        attributes=attributes,
        last_offset_delta=entries[-1].offset - first_offset if last_offset_delta is None else last_offset_delta,
        base_timestamp=base_timestamp,
        max_timestamp=max(entry.timestamp for entry in entries),
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        base_sequence=base_sequence,
        record_count=len(entries),
    )


def encode_records(entries: list[Record], base_offset: int, base_timestamp: int) -> bytearray:
    """The bytes of these records for a header with this base offset and timestamp."""
    body = bytearray()
    for entry in entries:
        record = bytearray(b"\0")
        write_varlong(record, entry.timestamp - base_timestamp)
        write_varlong(record, entry.offset - base_offset)
        _write_bytes(record, entry.key)
        _write_bytes(record, entry.value)
        write_varlong(record, len(entry.headers))
        for name, content in entry.headers:
            _write_bytes(record, name.encode())
            _write_bytes(record, content)
        write_varlong(body, len(record))
        body += record
    return body


def seal(
    body: Buffer,
    *,
    base_offset: int,
    leader_epoch: int,
    attributes: int,
    last_offset_delta: int,
    base_timestamp: int,
    max_timestamp: int,
    producer_id: int,
    producer_epoch: int,
    base_sequence: int,
    record_count: int,
) -> bytearray:
    """A whole batch around its records (compressed according to `attributes`), with its length and CRC."""
    batch = bytearray(
        HEADER.pack(
            base_offset,
            HEADER_SIZE - LOG_OVERHEAD + len(body),
            leader_epoch,
            2,
            0,
            attributes,
            last_offset_delta,
            base_timestamp,
            max_timestamp,
            producer_id,
            producer_epoch,
            base_sequence,
            record_count,
        )
    )
    batch += body
    _UINT32.pack_into(batch, CRC_OFFSET, crc32c(memoryview(batch)[ATTRIBUTES_OFFSET:]))
    return batch


def read_varlong(buffer: Buffer, position: int) -> tuple[int, int]:
    """A zigzag varint of up to 64 bits."""
    value = shift = 0
    while True:
        byte = buffer[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), position
        shift += 7
        if shift > 63:
            raise ValueError("a varint is longer than 10 bytes")


def write_varlong(out: bytearray, value: int) -> None:
    """A signed number of up to 64 bits as a zigzag varint, seven bits a byte."""
    value = (value << 1) ^ (value >> 63)
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _write_bytes(out: bytearray, value: bytes | None) -> None:
    if value is None:
        write_varlong(out, -1)
    else:
        write_varlong(out, len(value))
        out += value
