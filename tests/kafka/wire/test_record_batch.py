"""Record batches against aiokafka's builder and reader, and what may be patched in them."""

from __future__ import annotations

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from smackbox.base.errors import ProtocolError
from smackbox.kafka.wire import control_record
from smackbox.kafka.wire.compression import GZIP, LZ4, SNAPPY, ZSTD, compress, decompress
from smackbox.kafka.wire.record_batch import (
    HEADER_SIZE,
    Record,
    assign,
    build,
    crc_matches,
    increment_sequence,
    read_header,
    read_varlong,
    records,
    restamp,
    write_varlong,
)


def theirs(count: int = 3, compression: int = 0) -> bytearray:
    builder = DefaultRecordBatchBuilder(2, compression, 1, 5, 6, 7, 1_000_000)
    for i in range(count):
        builder.append(i, 1000 + i, b"key", b"value %d" % i, [("header", b"content")])
    return bytearray(builder.build())


@pytest.mark.parametrize("compression", [0, GZIP, SNAPPY, LZ4, ZSTD])
def test_a_clients_batch_is_understood(compression: int) -> None:
    batch = theirs(compression=compression)
    header = read_header(batch)
    assert (header.size, header.magic, header.record_count, header.last_offset_delta) == (len(batch), 2, 3, 2)
    assert (header.producer_id, header.producer_epoch, header.base_sequence, header.last_sequence) == (5, 6, 7, 9)
    assert header.transactional
    assert header.compression == compression
    assert crc_matches(batch, header)
    assert records(batch, header) == [
        Record(i, 1000 + i, b"key", b"value %d" % i, (("header", b"content"),)) for i in range(3)
    ]


def test_a_batch_of_ours_is_understood_by_a_client() -> None:
    entries = [Record(10, 5, b"k", None), Record(12, 9, None, b"v", (("h", None),))]
    batch = DefaultRecordBatch(bytes(build(entries)))
    assert batch.validate_crc()
    assert [(r.offset, r.timestamp, r.key, r.value, r.headers) for r in batch] == [
        (10, 5, b"k", None, []),
        (12, 9, None, b"v", [("h", None)]),
    ]


def test_offset_and_epoch_are_patched_without_the_crc() -> None:
    batch = theirs()
    assign(batch, 0, 1 << 40, 3)
    header = read_header(batch)
    assert (header.base_offset, header.partition_leader_epoch, header.last_offset) == (1 << 40, 3, (1 << 40) + 2)
    assert crc_matches(batch, header)


def test_append_time_is_stamped_with_a_new_crc() -> None:
    batch = theirs()
    restamp(batch, read_header(batch).attributes | 0x08, 77)
    header = read_header(batch)
    assert crc_matches(batch, header)
    assert {record.timestamp for record in records(batch, header)} == {77}


def test_every_flipped_bit_behind_the_crc_is_seen() -> None:
    batch = theirs(1)
    header = read_header(batch)
    for position in range(21, len(batch)):
        batch[position] ^= 1
        assert not crc_matches(batch, header)
        batch[position] ^= 1


@given(st.binary(max_size=100))
def test_any_records_parse_or_are_a_protocol_error(body: bytes) -> None:
    batch = build([Record(0, 0, None, None)])[:HEADER_SIZE] + body
    header = read_header(batch)._replace(batch_length=len(batch) - 12, record_count=3)
    try:
        records(batch, header)
    except ProtocolError:
        pass


@pytest.mark.parametrize("codec", [GZIP, SNAPPY, LZ4, ZSTD])
def test_compression_both_ways_and_garbage(codec: int) -> None:
    assert decompress(codec, compress(codec, b"text " * 1000)) == b"text " * 1000
    with pytest.raises(ProtocolError):
        decompress(codec, b"certainly not compressed")


@given(st.integers(-(2**63), 2**63 - 1))
def test_varlongs(value: int) -> None:
    out = bytearray()
    write_varlong(out, value)
    assert read_varlong(out, 0) == (value, len(out))


def test_sequences_wrap() -> None:
    assert increment_sequence(2**31 - 1, 1) == 0
    assert increment_sequence(2**31 - 2, 3) == 1


@pytest.mark.parametrize("commit", [True, False])
def test_markers(commit: bool) -> None:
    marker = control_record.Marker(commit, 4)
    batch = control_record.build_marker(9, 2, marker, 1000)
    header = read_header(batch)
    assert header.control
    assert header.transactional
    assert (header.producer_id, header.producer_epoch, header.base_sequence) == (9, 2, -1)
    assert control_record.parse(records(batch, header)[0]) == marker
