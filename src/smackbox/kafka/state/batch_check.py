"""The checks, corrections and rewrites of a client's batch before it is appended.

The header is not trusted: the count, offsets and timestamps of the records are read from the records themselves. The
largest timestamp is written into the header if the producer omitted it or got it wrong, as Kafka does. If the topic
sets `compression.type`, its batches are recompressed.
"""

from __future__ import annotations

from smackbox.base.errors import ProtocolError
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.topic_config import TopicConfig
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.compression import NO_COMPRESSION, ZSTD, compress, decompress
from smackbox.kafka.wire.record_batch import (
    COMPRESSION_MASK,
    CONTROL,
    HEADER_SIZE,
    LOG_APPEND_TIME,
    NO_TIMESTAMP,
    BatchHeader,
    crc_matches,
    encode_records,
    parse_records,
    read_header,
    restamp,
    seal,
)
from smackbox.kafka.wire.record_scan import InvalidRecordsError, Scan, scan

_KNOWN_ATTRIBUTES = 0x7F


def checked_header(batch: memoryview, config: TopicConfig, *, allow_zstd: bool) -> BatchHeader:
    """The header of a batch that is complete and that clients may write. Raises `KafkaError`."""
    if len(batch) < HEADER_SIZE:
        raise KafkaError(errors.INVALID_RECORD, "a produce request must hold exactly one whole record batch")
    header = read_header(batch)
    if header.magic != 2:
        code = errors.INVALID_RECORD if header.magic in {0, 1} else errors.CORRUPT_MESSAGE
        raise KafkaError(code, f"record batches of magic {header.magic} are not supported, only 2")
    if header.size != len(batch):
        if header.size < HEADER_SIZE:
            raise KafkaError(errors.CORRUPT_MESSAGE, "the record batch's length does not match its bytes")
        raise KafkaError(errors.INVALID_RECORD, "a produce request must hold exactly one whole record batch")
    if len(batch) > config.max_message_bytes:
        raise KafkaError(
            errors.MESSAGE_TOO_LARGE,
            f"the record batch of {len(batch)} bytes is over max.message.bytes, {config.max_message_bytes}",
        )
    if header.compression > ZSTD:
        raise KafkaError(errors.CORRUPT_MESSAGE, f"unknown compression {header.compression}")
    if header.compression == ZSTD and not allow_zstd:
        raise KafkaError(errors.UNSUPPORTED_COMPRESSION_TYPE, "zstd needs Produce 7")
    if not crc_matches(batch, header):
        raise KafkaError(errors.CORRUPT_MESSAGE, "the record batch's CRC does not match its bytes")
    if header.base_offset != 0:
        raise KafkaError(errors.INVALID_RECORD, f"the record batch's base offset is {header.base_offset}, not 0")
    if header.record_count <= 0 or header.record_count != header.last_offset_delta + 1:
        raise KafkaError(errors.INVALID_RECORD, "the record batch's count does not match its offsets")
    if header.attributes & CONTROL:
        raise KafkaError(errors.INVALID_RECORD, "clients must not write control records")
    if header.producer_id >= 0 and header.base_sequence < 0:
        raise KafkaError(errors.INVALID_RECORD, "a producer id without a sequence")
    return header


def prepared(
    batch: memoryview, header: BatchHeader, config: TopicConfig, now_ms: int
) -> tuple[memoryview, BatchHeader]:
    """The batch to append: patched in place, or rewritten. Raises `KafkaError`."""
    body = _body(batch, header)
    scan_result = _scanned(body, header)
    if header.compression and scan_result.largest > config.max_decompressed_bytes:
        raise KafkaError(
            errors.INVALID_RECORD,
            f"a record of {scan_result.largest} bytes is over max.decompressed.message.bytes, "
            f"{config.max_decompressed_bytes}",
        )
    if header.compression and config.compression in {None, header.compression} and not scan_result.sequential:
        raise KafkaError(errors.INVALID_RECORD, "a record's offset does not match its position in the batch")
    if config.compacted and not scan_result.keyed:
        raise KafkaError(errors.INVALID_RECORD, "a compacted topic does not accept records without a key")
    if config.log_append_time:
        if header.attributes & LOG_APPEND_TIME:
            raise KafkaError(errors.INVALID_TIMESTAMP, "a producer must not set the log append time flag")
        attributes, max_timestamp = header.attributes | LOG_APPEND_TIME, now_ms
    else:
        _check_timestamps(scan_result, config, now_ms)
        attributes, max_timestamp = header.attributes & ~LOG_APPEND_TIME, scan_result.max_timestamp
    if config.compression not in {None, header.compression}:
        return _recompressed(body, header, scan_result, config, attributes, max_timestamp)
    if (attributes, max_timestamp) != (header.attributes, header.max_timestamp):
        attributes &= _KNOWN_ATTRIBUTES
        restamp(batch, attributes, max_timestamp)
        header = header._replace(attributes=attributes, max_timestamp=max_timestamp)
    return batch, header


def _body(batch: memoryview, header: BatchHeader) -> bytes:
    """The uncompressed records. Raises `KafkaError`."""
    body = bytes(batch[HEADER_SIZE:])
    if not header.compression:
        return body
    try:
        return decompress(header.compression, body)
    except ProtocolError as error:
        raise KafkaError(errors.CORRUPT_MESSAGE, str(error)) from error


def _scanned(body: bytes, header: BatchHeader) -> Scan:
    try:
        return scan(body, header.record_count, header.base_timestamp)
    except InvalidRecordsError as error:
        raise KafkaError(errors.INVALID_RECORD, str(error)) from error


def _check_timestamps(found: Scan, config: TopicConfig, now_ms: int) -> None:
    if found.max_timestamp - now_ms > config.timestamp_after_max_ms and found.max_timestamp != NO_TIMESTAMP:
        raise KafkaError(
            errors.INVALID_TIMESTAMP,
            f"timestamp {found.max_timestamp} is more than {config.timestamp_after_max_ms} ms in the future",
        )
    if found.min_timestamp is not None and now_ms - found.min_timestamp > config.timestamp_before_max_ms:
        raise KafkaError(
            errors.INVALID_TIMESTAMP,
            f"timestamp {found.min_timestamp} is more than {config.timestamp_before_max_ms} ms in the past",
        )


def _recompressed(
    body: bytes, header: BatchHeader, found: Scan, config: TopicConfig, attributes: int, max_timestamp: int
) -> tuple[memoryview, BatchHeader]:
    """The same records under the topic's own compression, each with the offset that its position implies."""
    codec = config.compression or NO_COMPRESSION
    if header.producer_id >= 0 > header.producer_epoch:
        raise KafkaError(errors.INVALID_RECORD, "a producer id without an epoch")
    if header.base_timestamp < NO_TIMESTAMP:
        raise KafkaError(errors.INVALID_TIMESTAMP, f"the base timestamp is {header.base_timestamp}")
    base_timestamp = header.base_timestamp
    if not found.sequential or header.attributes & LOG_APPEND_TIME:
        rows = [row._replace(offset=i) for i, row in enumerate(parse_records(body, header))]
        base_timestamp = rows[0].timestamp
        body = bytes(encode_records(rows, 0, base_timestamp))
    packed = body if codec == NO_COMPRESSION else compress(codec, body, config.compression_level)
    batch = seal(
        packed,
        base_offset=0,
        leader_epoch=0,
        attributes=attributes & _KNOWN_ATTRIBUTES & ~COMPRESSION_MASK & ~0x40 | codec,
        last_offset_delta=header.last_offset_delta,
        base_timestamp=base_timestamp,
        max_timestamp=max_timestamp,
        producer_id=header.producer_id,
        producer_epoch=header.producer_epoch,
        base_sequence=header.base_sequence,
        record_count=header.record_count,
    )
    return memoryview(batch), read_header(batch)
