"""What a broker refuses and corrects in a batch from a client (`LogValidator`, `DefaultRecordBatch.ensureValid`)."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from crc32c import crc32c

from smackbox.kafka.settings import KafkaSettings
from smackbox.kafka.state.batch_check import checked_header, prepared
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.topic_config import TopicConfig, broker_defaults, resolve
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.compression import compress, decompress
from smackbox.kafka.wire.record_batch import (
    HEADER_SIZE,
    BatchHeader,
    Record,
    build,
    crc_matches,
    encode_records,
    read_header,
    records,
    seal,
)

NOW = 1_700_000_000_000
GZIP, ZSTD = 1, 4
INVALID, CORRUPT, TIMESTAMP = errors.INVALID_RECORD, errors.CORRUPT_MESSAGE, errors.INVALID_TIMESTAMP


def config(**overrides: str) -> TopicConfig:
    return resolve(broker_defaults(KafkaSettings()), {k.replace("_", "."): v for k, v in overrides.items()})


def rows(count: int = 2, *, key: bytes | None = b"k", timestamp: int = NOW) -> list[Record]:
    return [Record(i, timestamp + i, key, b"value") for i in range(count)]


def sealed(entries: list[Record], **fields: Any) -> bytearray:
    """A batch whose header says what `fields` say, whatever the records say; its CRC is right."""
    codec = fields.get("attributes", 0) & 7
    body = bytes(encode_records(entries, 0, entries[0].timestamp))
    said: dict[str, Any] = {
        "base_offset": 0, "leader_epoch": 0, "attributes": 0, "last_offset_delta": len(entries) - 1,
        "base_timestamp": entries[0].timestamp, "max_timestamp": entries[-1].timestamp, "producer_id": -1,
        "producer_epoch": -1, "base_sequence": -1, "record_count": len(entries),
    }  # fmt: skip
    return seal(compress(codec, body) if 0 < codec <= ZSTD else body, **(said | fields))


def patched(batch: bytearray, offset: int, value: bytes) -> bytearray:
    """Other bytes at `offset`, under a CRC that is right."""
    batch[offset : offset + len(value)] = value
    struct.pack_into(">I", batch, 17, crc32c(bytes(batch[21:])))
    return batch


def check(batch: bytes | bytearray, *, allow_zstd: bool = True, **overrides: str) -> BatchHeader:
    return checked_header(memoryview(batch), config(**overrides), allow_zstd=allow_zstd)


def code_of(batch: bytes | bytearray, *, allow_zstd: bool = True, **overrides: str) -> int:
    with pytest.raises(KafkaError) as raised:
        check(batch, allow_zstd=allow_zstd, **overrides)
    return raised.value.code


def prepare(batch: bytearray, **overrides: str) -> tuple[bytes, BatchHeader]:
    view, header = prepared(memoryview(batch), read_header(batch), config(**overrides), NOW)
    assert crc_matches(view, header._replace(crc=read_header(view).crc)), "the CRC fits what was patched"
    assert read_header(view)._replace(crc=0) == header._replace(crc=0), "the header given is the one in the bytes"
    return bytes(view), header


def refused(batch: bytearray, **overrides: str) -> int:
    with pytest.raises(KafkaError) as raised:
        prepared(memoryview(batch), read_header(batch), config(**overrides), NOW)
    return raised.value.code


# --- the header


def test_a_good_batch_is_its_header() -> None:
    batch = build(rows(3), producer_id=5, producer_epoch=0, base_sequence=0)
    assert check(batch) == read_header(batch)


def test_a_cut_or_doubled_batch() -> None:
    whole = build(rows())
    assert code_of(b"") == INVALID
    assert code_of(whole[: HEADER_SIZE - 1]) == INVALID
    assert code_of(whole[:-1]) == INVALID
    assert code_of(whole + whole) == INVALID
    assert code_of(whole[:8] + struct.pack(">i", HEADER_SIZE - 12 - 1) + whole[12:]) == CORRUPT, "shorter than a header"
    assert code_of(whole[:8] + struct.pack(">i", HEADER_SIZE - 12) + whole[12:]) == INVALID, "a header, and more"


@pytest.mark.parametrize(("magic", "code"), [(0, INVALID), (1, INVALID), (3, CORRUPT), (-1, CORRUPT)])
def test_other_message_formats(magic: int, code: int) -> None:
    assert code_of(patched(build(rows()), 16, struct.pack(">b", magic))) == code


def test_the_size_limit_is_that_of_the_topic() -> None:
    batch = build(rows())
    check(batch, max_message_bytes=str(len(batch)))
    assert code_of(batch, max_message_bytes=str(len(batch) - 1)) == errors.MESSAGE_TOO_LARGE


def test_compressions() -> None:
    """KIP-110: zstd from Produce 7 on."""
    check(sealed(rows(), attributes=ZSTD))
    check(sealed(rows(), attributes=GZIP), allow_zstd=False)
    assert code_of(sealed(rows(), attributes=ZSTD), allow_zstd=False) == errors.UNSUPPORTED_COMPRESSION_TYPE
    assert code_of(sealed(rows(), attributes=5)) == CORRUPT


def test_a_wrong_crc() -> None:
    batch = build(rows())
    batch[-1] ^= 1
    assert code_of(batch) == CORRUPT


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"base_offset": 1}, id="a base offset"),
        pytest.param({"record_count": 0, "last_offset_delta": -1}, id="no records"),
        pytest.param({"record_count": 3}, id="a count that does not fit the offsets"),
        pytest.param({"attributes": 0x20}, id="a control batch"),
        pytest.param({"producer_id": 0, "base_sequence": -1}, id="a producer id without a sequence"),
    ],
)
def test_headers_that_no_client_may_write(fields: dict[str, int]) -> None:
    assert code_of(sealed(rows(), **fields)) == INVALID


def test_the_least_that_a_header_may_say() -> None:
    check(sealed(rows(1), producer_id=0, producer_epoch=0, base_sequence=0))
    check(sealed(rows(1), producer_id=-1, base_sequence=-1))


# --- the records


def test_a_batch_that_says_the_truth_is_left_as_it_is() -> None:
    batch = build(rows())
    assert prepare(bytearray(batch))[0] == batch


def test_the_largest_timestamp_is_read_from_the_records() -> None:
    _, header = prepare(sealed(rows(3), max_timestamp=-1))
    assert header.max_timestamp == NOW + 2


def test_a_batch_without_timestamps_keeps_none() -> None:
    _, header = prepare(sealed([Record(0, -1, b"k", b"v")], max_timestamp=5))
    assert header.max_timestamp == -1


def test_only_known_attributes_stay_where_a_header_is_corrected() -> None:
    _, header = prepare(sealed(rows(), attributes=0x108, max_timestamp=-1))
    assert header.attributes == 0


def test_log_append_time_is_the_brokers() -> None:
    _, header = prepare(build(rows(timestamp=5)), message_timestamp_type="LogAppendTime")
    assert (header.max_timestamp, header.attributes) == (NOW, 0x08)
    said = sealed(rows(), attributes=0x08)
    assert refused(said, message_timestamp_type="LogAppendTime") == TIMESTAMP
    _, header = prepare(said)
    assert header.attributes == 0, "a topic of CreateTime takes the attribute away"


def test_the_bounds_of_timestamps() -> None:
    """KIP-937: `message.timestamp.after.max.ms` and `message.timestamp.before.max.ms`, both inclusive."""
    bounds = {"message_timestamp_after_max_ms": "100", "message_timestamp_before_max_ms": "100"}
    for first, last in ((NOW - 100, NOW), (NOW, NOW + 100)):
        prepare(build([Record(0, first, b"k", b""), Record(1, last, b"k", b"")]), **bounds)
    for first, last in ((NOW - 101, NOW), (NOW, NOW + 101), (NOW + 101, NOW)):
        assert refused(build([Record(0, first, b"k", b""), Record(1, last, b"k", b"")]), **bounds) == TIMESTAMP
    prepare(build([Record(0, -1, b"k", b"")]), **bounds)


def test_a_compacted_topic_needs_keys() -> None:
    assert refused(build(rows(key=None)), cleanup_policy="compact") == INVALID
    prepare(build(rows(key=b"")), cleanup_policy="compact")
    prepare(build(rows(key=None)))


def test_the_limit_of_a_decompressed_record() -> None:
    """`max.decompressed.message.bytes` is a bound of compressed batches alone."""
    largest = len(encode_records(rows(1), 0, NOW)) - 1  # without the byte of its length
    prepare(sealed(rows(), attributes=GZIP), max_decompressed_message_bytes=str(largest))
    assert refused(sealed(rows(), attributes=GZIP), max_decompressed_message_bytes=str(largest - 1)) == INVALID
    prepare(build(rows()), max_decompressed_message_bytes="1")


def test_offsets_of_a_compressed_batch_are_those_of_their_places() -> None:
    """An uncompressed batch gets its offsets from the broker, and a recompressed one too."""
    shuffled = [Record(0, NOW, b"k", b"a"), Record(5, NOW, b"k", b"b")]
    assert refused(sealed(shuffled, attributes=GZIP)) == INVALID
    assert refused(sealed(shuffled, attributes=GZIP), compression_type="gzip") == INVALID
    for batch in (sealed(shuffled), sealed(shuffled, attributes=GZIP)):
        made, header = prepare(batch, compression_type="zstd")
        assert [row.offset for row in records(made, header)] == [0, 1]


def test_bytes_that_are_no_records() -> None:
    assert refused(sealed(rows(), record_count=3)) == INVALID
    batch = sealed(rows(), attributes=GZIP)
    assert refused(patched(batch, HEADER_SIZE, b"\0\0\0")) == CORRUPT


# --- compression.type


@pytest.mark.parametrize("name", ["gzip", "snappy", "lz4", "zstd"])
def test_a_batch_is_recompressed_to_the_topics_own_compression(name: str) -> None:
    codec = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}[name]
    batch = sealed(rows(3), producer_id=5, producer_epoch=2, base_sequence=9, attributes=0x10, max_timestamp=-1)
    made, header = prepare(batch, compression_type=name)
    assert header.attributes == 0x10 | codec
    assert decompress(codec, made[HEADER_SIZE:]) == bytes(batch[HEADER_SIZE:])
    assert header[6:] == (2, NOW, NOW + 2, 5, 2, 9, 3)
    assert (header.base_offset, header.partition_leader_epoch) == (0, 0)


def test_a_batch_that_has_the_compression_already_is_left_as_it_is() -> None:
    batch = sealed(rows(), attributes=GZIP)
    assert prepare(bytearray(batch), compression_type="gzip")[0] == batch
    assert prepare(bytearray(batch), compression_type="producer")[0] == batch


def test_uncompressed_is_a_compression_of_its_own() -> None:
    made, header = prepare(sealed(rows(), attributes=GZIP | 0x40), compression_type="uncompressed")
    assert header.attributes == 0
    assert records(made, header) == rows()


def test_a_recompressed_batch_of_log_append_time_starts_at_its_first_record() -> None:
    entries = [Record(0, NOW + 7, b"k", b"a"), Record(1, NOW + 9, b"k", b"b")]
    body = bytes(encode_records(entries, 0, NOW))
    batch = bytearray(seal(body, base_offset=0, leader_epoch=0, attributes=0x08, last_offset_delta=1,
                           base_timestamp=NOW, max_timestamp=NOW, producer_id=-1, producer_epoch=-1,
                           base_sequence=-1, record_count=2))  # fmt: skip
    _, header = prepare(batch, compression_type="gzip")
    assert header.base_timestamp == NOW


def test_what_a_recompressed_batch_cannot_be() -> None:
    without_epoch = sealed(rows(), producer_id=0, producer_epoch=-1, base_sequence=0)
    assert refused(without_epoch, compression_type="gzip") == INVALID
    prepare(sealed(rows(), producer_id=0, producer_epoch=0, base_sequence=0), compression_type="gzip")
    prepare(sealed(rows(), producer_id=-1, producer_epoch=-1), compression_type="gzip")
    assert refused(sealed([Record(0, -2, b"k", b"")]), compression_type="gzip") == TIMESTAMP
    prepare(sealed([Record(0, -1, b"k", b"")]), compression_type="gzip")


def test_the_level_of_the_topic_is_used() -> None:
    entries = [Record(0, NOW, b"k", bytes(range(256)) * 200)]
    low, _ = prepare(build(entries), compression_type="gzip", compression_gzip_level="1")
    high, _ = prepare(build(entries), compression_type="gzip", compression_gzip_level="9")
    assert len(high) < len(low)
