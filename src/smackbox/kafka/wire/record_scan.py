"""Checks the records of a batch without building objects: what a broker must know before it accepts a batch.

    length varint | attributes i8 | timestamp delta varint | offset delta varint
    | key length varint | key | value length varint | value | header count varint | headers

Consecutive records of a client often have the same size. Such a run is checked column by column: the bytes at one
position of all its records are one slice of the body, and slices are compared, searched and reduced at C speed. A
record that breaks a run (another length, a longer varint) is read on its own, as are all records when sizes vary.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from smackbox.kafka.wire.record_batch import read_varlong, write_varlong

NO_TIMESTAMP = -1
SHORTEST_RUN = 4  # records of one size in a row, before the following ones are tried as a run
TABLED_BYTES = 2  # of varints of offsets: up to 8,191 records
_INVERTED = bytes(byte ^ 0x80 for byte in range(256))
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


class InvalidRecordsError(Exception):
    """The records contradict the batch's header or are malformed; the message says how."""


@dataclass(slots=True)
class Scan:
    """What the records contain: their largest and smallest timestamps (-1 for none), whether each offset matches its
    position, whether each has a key, and the size of the largest in bytes.
    """

    max_timestamp: int
    min_timestamp: int | None
    sequential: bool
    keyed: bool
    largest: int


# where a record's timestamp, offset, key length, value length and header count start
_Layout = tuple[int, int, int, int, int]


def scan(body: bytes, count: int, base_timestamp: int) -> Scan:
    """Read all records of an uncompressed body. Raises `InvalidRecordsError`."""
    scan_result = Scan(NO_TIMESTAMP, None, sequential=True, keyed=True, largest=0)
    deltas: set[int] = set()
    position = number = alike = 0
    last_size = -1
    try:
        while number < count:
            end, timestamp, offset, keyed, layout = _read(body, position)
            size = end - position
            if size != last_size:
                alike, last_size = 0, size
                scan_result.largest = max(scan_result.largest, end - layout[0] + 1)
            elif (alike := alike + 1) >= SHORTEST_RUN and not body[layout[4]]:
                length = _run(body, position, size, layout, number, count - number, deltas, scan_result)
                if length > 1:
                    scan_result.keyed = scan_result.keyed and keyed
                    number += length
                    position += length * size
                    continue
            deltas.add(timestamp)
            if offset != number:
                scan_result.sequential = False
            if not keyed:
                scan_result.keyed = False
            number += 1
            position = end
    except (IndexError, ValueError) as error:
        raise InvalidRecordsError(f"record {number} of the batch is malformed: {error}") from error
    if position != len(body):
        raise InvalidRecordsError(f"{len(body) - position} bytes follow the last of {count} records")
    timestamps = {base_timestamp + delta for delta in deltas}
    scan_result.max_timestamp = max(NO_TIMESTAMP, *timestamps)
    timestamps.discard(NO_TIMESTAMP)
    scan_result.min_timestamp = min(timestamps, default=None)
    return scan_result


def _read(body: bytes, position: int) -> tuple[int, int, int, bool, _Layout]:
    """A record's end, its timestamp and offset deltas, whether it has a key, and its layout.

    Varints of one byte are decoded inline, as this is the hot path.
    """
    at = position
    value = body[at]
    if value < 0x80:
        at += 1
    else:
        value, at = _long(body, at)
    end = at + (value >> 1)
    if value & 1 or end > len(body):
        raise ValueError(f"its length is {(value >> 1) ^ -(value & 1)}")
    timestamp_at = at = at + 1
    timestamp = body[at]
    if timestamp < 0x80:
        at += 1
    else:
        timestamp, at = _long(body, at)
    offset_at = at
    offset = body[at]
    if offset < 0x80:
        at += 1
    else:
        offset, at = _long(body, at)
    key_at = at
    key_length = body[at]
    if key_length < 0x80:
        at += 1
    else:
        key_length, at = _long(body, at)
    if not key_length & 1:
        at += key_length >> 1
    value_at = at
    value = body[at]
    if value < 0x80:
        at += 1
    else:
        value, at = _long(body, at)
    if not value & 1:
        at += value >> 1
    headers_at = at
    at += 1
    if body[headers_at]:
        at = _after_headers(body, headers_at, end)
    if at != end:
        raise ValueError("its fields do not fill it")
    timestamp = (timestamp >> 1) ^ -(timestamp & 1)
    offset = (offset >> 1) ^ -(offset & 1)
    return end, timestamp, offset, not key_length & 1, (timestamp_at, offset_at, key_at, value_at, headers_at)


def _long(body: bytes, at: int) -> tuple[int, int]:
    """A varint of two bytes or more, still in zigzag, and its end."""
    second = body[at + 1]
    if second < 0x80:
        return body[at] & 0x7F | second << 7, at + 2
    value, end = read_varlong(body, at)
    return (value << 1) ^ (value >> 63), end


def _after_headers(body: bytes, at: int, end: int) -> int:
    count, at = read_varlong(body, at)
    if count < 0:
        raise ValueError(f"it has {count} headers")
    for _ in range(count):
        name_length, at = read_varlong(body, at)
        if name_length < 0:
            raise ValueError("a header has no name")
        content_length, at = read_varlong(body, at + name_length)
        at += max(content_length, 0)
        if at > end:
            raise ValueError("its headers extend beyond its end")
    return at


def _run(
    body: bytes, position: int, size: int, layout: _Layout, number: int, left: int, deltas: set[int], found: Scan
) -> int:
    """Check the run of records at `position` that share one layout; returns their number. If it is 1, nothing was
    checked.
    """
    timestamp_at, offset_at, key_at, value_at, headers_at = layout
    run = min(left, (len(body) - position) // size)
    end = position + run * size
    constant = [*range(position, timestamp_at - 1), *range(key_at, _after_varint(body, key_at))]
    constant += [*range(value_at, _after_varint(body, value_at)), headers_at]
    for at in constant:
        column = body[at:end:size][:run]
        run = len(column) - len(column.lstrip(column[:1]))
    stamps, run = _column(body, end, size, timestamp_at, offset_at - timestamp_at, run)
    offsets, run = _column(body, end, size, offset_at, key_at - offset_at, run)
    if run <= 1:
        return 1
    deltas.update(_decoded(value) for value in set(stamps[:run]))
    if found.sequential:
        found.sequential = _are_from(offsets[:run], key_at - offset_at, number)
    return run


def _after_varint(body: bytes, at: int) -> int:
    while body[at] >= 0x80:
        at += 1
    return at + 1


def _column(body: bytes, end: int, size: int, at: int, width: int, run: int) -> tuple[memoryview, int]:
    """The varints of `width` bytes at one position of each record up to `end`, as little-endian numbers, and how many
    have that length.
    """
    columns = [body[at + byte : end : size][:run] for byte in range(width)]
    for byte, column in enumerate(columns):
        last = column if byte == width - 1 else column.translate(_INVERTED)  # all other bytes have the highest bit set
        if not last.isascii():
            run = min(run, _ascii_length(last))
    padded = next((code for code in _CODES if code >= width), 0)
    if not padded or not run:
        return memoryview(b"\0"), 0
    packed = bytearray(padded * run)
    for byte, column in enumerate(columns):
        packed[byte::padded] = column[:run]
    return memoryview(packed).cast(_CODES[padded]), run  # type: ignore[call-overload]


def _ascii_length(data: bytes) -> int:
    try:
        data.decode("ascii")
    except UnicodeDecodeError as error:
        return error.start
    return len(data)


def _decoded(packed: int) -> int:
    """The zigzag number in the bytes of a varint, the first byte lowest."""
    value = shift = 0
    while packed:
        value |= (packed & 0x7F) << shift
        packed >>= 8
        shift += 7
    return (value >> 1) ^ -(value & 1)


def _are_from(offsets: memoryview, width: int, number: int) -> bool:
    """Whether these varints of `width` bytes count up from `number`."""
    if width > TABLED_BYTES:
        return all(_decoded(packed) == number + i for i, packed in enumerate(offsets))
    first, table = _offsets(width)
    low = (number - first) * width
    return low >= 0 and offsets.tobytes() == table[low : low + len(offsets) * width]


@lru_cache
def _offsets(width: int) -> tuple[int, bytes]:
    """All offsets whose varint has `width` bytes, packed like a column, and the first of them."""
    first = 1 << 7 * (width - 1) - 1 if width > 1 else 0
    packed = bytearray()
    for offset in range(first, 1 << 7 * width - 1):
        varint = bytearray()
        write_varlong(varint, offset)
        packed += varint
    return first, bytes(packed)
