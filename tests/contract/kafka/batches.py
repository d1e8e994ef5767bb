"""Record batches with one thing wrong or unusual, for comparing what a broker checks, corrects and keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smackbox.kafka.wire.compression import compress
from smackbox.kafka.wire.record_batch import HEADER_SIZE, Record, encode_records, read_header, seal

NOW = "now"  # a timestamp that is replaced by the clock's
DAY_MS = 86_400_000
Make = Callable[[int], bytearray]


def made(
    now_ms: int,
    stamps: tuple[int, ...] = (0, 1, 2),
    *,
    offsets: tuple[int, ...] | None = None,
    key: bytes | None = b"k",
    attributes: int = 0,
    body: bytes | None = None,
    **fields: Any,
) -> bytearray:
    """Three records at `now_ms` + each of `stamps`, and header fields as `seal` takes them."""
    rows = [
        Record(i if offsets is None else offsets[i], now_ms + stamp, key, b"v%d" % i) for i, stamp in enumerate(stamps)
    ]
    plain = bytes(encode_records(rows, 0, now_ms + stamps[0])) if body is None else body
    codec = attributes & 7
    header = {
        "base_offset": 0, "leader_epoch": 0, "last_offset_delta": len(rows) - 1,
        "base_timestamp": now_ms + stamps[0], "max_timestamp": now_ms + max(stamps),
        "producer_id": -1, "producer_epoch": -1, "base_sequence": -1, "record_count": len(rows),
    } | fields  # fmt: skip
    return seal(compress(codec, plain) if 0 < codec <= 4 else plain, attributes=attributes, **header)


def patched(batch: bytearray, position: int, value: bytes) -> bytearray:
    """Bytes overwritten behind the CRC's back."""
    batch[position : position + len(value)] = value
    return batch


def records_of(now_ms: int, count: int = 3) -> bytes:
    return bytes(encode_records([Record(i, now_ms + i, b"k", b"v%d" % i) for i in range(count)], 0, now_ms))


def _record(body: bytes) -> bytes:
    """One record of these bytes behind its length."""
    return bytes([len(body) * 2]) + body


EMPTY_RECORD = b"\0\0\0\x01\x01\0"  # attributes, deltas, null key, null value, no headers

CASES: dict[str, Make] = {
    "whole": made,
    "max timestamp -1": lambda now: made(now, max_timestamp=-1),
    "max timestamp too small": lambda now: made(now, max_timestamp=now),
    "max timestamp too large": lambda now: made(now, max_timestamp=now + 50),
    "max timestamp in the far future": lambda now: made(now, max_timestamp=now + 10 * DAY_MS),
    "records in the far future, header not": lambda now: made(now, (0, 10 * DAY_MS, 1), max_timestamp=now),
    "first record is the latest": lambda now: made(now, (5, 1, 0)),
    "timestamps -1": lambda now: made(-1, (0, 0, 0)),
    "timestamps -2": lambda now: made(-2, (0, 0, 0)),
    "base timestamp -1": lambda now: made(now, base_timestamp=-1),
    "record count 0": lambda now: made(now, record_count=0),
    "record count too small": lambda now: made(now, record_count=2),
    "record count too large": lambda now: made(now, record_count=4),
    "record count -1": lambda now: made(now, record_count=-1),
    "last offset delta too small": lambda now: made(now, last_offset_delta=1),
    "last offset delta too large": lambda now: made(now, last_offset_delta=3),
    "count and delta too large": lambda now: made(now, last_offset_delta=3, record_count=4),
    "count and delta too small": lambda now: made(now, last_offset_delta=1, record_count=2),
    "last offset delta -1": lambda now: made(now, last_offset_delta=-1),
    "base offset 100": lambda now: made(now, base_offset=100),
    "base offset -1": lambda now: made(now, base_offset=-1),
    "leader epoch 7": lambda now: made(now, leader_epoch=7),
    "record offsets with a gap": lambda now: made(now, offsets=(0, 2, 3)),
    "record offsets not from 0": lambda now: made(now, offsets=(1, 2, 3)),
    "record offsets backwards": lambda now: made(now, offsets=(2, 1, 0)),
    "log append time bit": lambda now: made(now, attributes=0x08),
    "control bit": lambda now: made(now, attributes=0x20),
    "transactional bit without id": lambda now: made(now, attributes=0x10),
    "delete horizon bit": lambda now: made(now, attributes=0x40),
    "unused attribute bit": lambda now: made(now, attributes=0x80),
    "high attribute bit": lambda now: made(now, attributes=0x4000),
    "compression 5": lambda now: made(now, attributes=5),
    "compression 7": lambda now: made(now, attributes=7),
    "gzip": lambda now: made(now, attributes=1),
    "gzip, max timestamp -1": lambda now: made(now, attributes=1, max_timestamp=-1),
    "gzip, record offsets with a gap": lambda now: made(now, attributes=1, offsets=(0, 2, 3)),
    "gzip, record count too large": lambda now: made(now, attributes=1, record_count=4, last_offset_delta=3),
    "gzip, no key": lambda now: made(now, attributes=1, key=None),
    "lz4, max timestamp -1": lambda now: made(now, attributes=3, max_timestamp=-1),
    "says gzip, is not": lambda now: patched_attributes(made(now), 1),
    "says snappy, is not": lambda now: patched_attributes(made(now), 2),
    "says lz4, is not": lambda now: patched_attributes(made(now), 3),
    "no key": lambda now: made(now, key=None),
    "bytes behind the records": lambda now: made(now, body=records_of(now) + b"\0\0"),
    "a record's length too large": lambda now: made(now, body=patched(bytearray(records_of(now)), 0, b"\x7e")),
    "a record's length too small": lambda now: made(now, body=patched(bytearray(records_of(now)), 0, b"\x08")),
    "a record's length negative": lambda now: made(now, body=patched(bytearray(records_of(now)), 0, b"\x01")),
    "record attributes set": lambda now: made(now, body=patched(bytearray(records_of(now)), 1, b"\x07")),
    "key length over the end": lambda now: made(now, body=patched(bytearray(records_of(now)), 4, b"\x7e")),
    "header count over the end": lambda now: made(now, (0,), body=_record(EMPTY_RECORD[:5] + b"\x7e")),
    "negative header count": lambda now: made(now, (0,), body=_record(EMPTY_RECORD[:5] + b"\x01")),
    "null header key": lambda now: made(now, (0,), body=_record(EMPTY_RECORD[:5] + b"\x02\x01\x01")),
    "empty record": lambda now: made(now, (0,), body=_record(EMPTY_RECORD)),
    "no records at all": lambda now: made(now, body=b""),
    "crc wrong": lambda now: patched(made(now), 17, b"\0\0\0\0"),
    "magic 1": lambda now: patched(made(now), 16, b"\x01"),
    "magic 3": lambda now: patched(made(now), 16, b"\x03"),
    "batch length too small": lambda now: patched(made(now), 8, b"\0\0\0\x20"),
    "batch length too large": lambda now: patched(made(now), 8, b"\0\0\x10\0"),
    "batch length negative": lambda now: patched(made(now), 8, b"\xff\xff\xff\xff"),
    "two batches": lambda now: made(now) + made(now),
    "cut in the header": lambda now: made(now)[: HEADER_SIZE - 5],
    "cut in the records": lambda now: made(now)[:-3],
    "one byte": lambda now: made(now)[:1],
    "producer id without epoch": lambda now: made(now, producer_id=99, base_sequence=0),
    "producer id without sequence": lambda now: made(now, producer_id=98, producer_epoch=0),
    "producer epoch without id": lambda now: made(now, producer_epoch=0, base_sequence=0),
    "sequence without id": lambda now: made(now, base_sequence=3),
    "producer id -2": lambda now: made(now, producer_id=-2, producer_epoch=0, base_sequence=0),
    "sequence -2": lambda now: made(now, producer_id=97, producer_epoch=0, base_sequence=-2),
    "a new producer at sequence 5": lambda now: made(now, producer_id=96, producer_epoch=0, base_sequence=5),
    "a new producer at epoch 3": lambda now: made(now, producer_id=95, producer_epoch=3, base_sequence=0),
    "an hour and a bit ahead": lambda now: made(now + 3_700_000),
    "a day old": lambda now: made(now - DAY_MS),
    "ten years old": lambda now: made(now - 3650 * DAY_MS),
}


def patched_attributes(batch: bytearray, attributes: int) -> bytearray:
    header = read_header(batch)
    return seal(
        batch[HEADER_SIZE:], base_offset=0, leader_epoch=0, attributes=attributes,
        last_offset_delta=header.last_offset_delta, base_timestamp=header.base_timestamp,
        max_timestamp=header.max_timestamp, producer_id=-1, producer_epoch=-1, base_sequence=-1,
        record_count=header.record_count,
    )  # fmt: skip
