"""What a value of a topic's configuration may be (Kafka's `ConfigDef.parseType` and its validators)."""

from __future__ import annotations

import pytest

from smackbox.kafka.settings import KafkaSettings
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.topic_config import (
    DOUBLE,
    EFFECTIVE,
    KEYS,
    SHORT,
    ConfigKey,
    broker_defaults,
    check,
    check_value,
    resolve,
)
from smackbox.kafka.wire import error_codes as errors


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("retention.ms", "-1", "-1"),
        ("retention.ms", " 0100 ", "100"),
        ("retention.bytes", str(-(2**63)), str(-(2**63))),
        ("retention.bytes", str(2**63 - 1), str(2**63 - 1)),
        ("segment.bytes", "1048576", "1048576"),
        ("segment.bytes", str(2**31 - 1), str(2**31 - 1)),
        ("compression.gzip.level", "-1", "-1"),
        ("compression.gzip.level", "9", "9"),
        ("min.cleanable.dirty.ratio", "0", "0.0"),
        ("min.cleanable.dirty.ratio", "1", "1.0"),
        ("min.cleanable.dirty.ratio", "0.00001", "1.0E-5"),
        ("min.cleanable.dirty.ratio", "1.5e-7", "1.5E-7"),
        ("min.cleanable.dirty.ratio", "nan", "NaN"),
        ("preallocate", "TRUE", "true"),
        ("cleanup.policy", "compact, delete,compact", "compact,delete"),
        ("cleanup.policy", "", ""),
        ("compression.type", "zstd", "zstd"),
        ("leader.replication.throttled.replicas", "*", "*"),
        ("leader.replication.throttled.replicas", "", ""),
        ("leader.replication.throttled.replicas", "0:1,,12:3", "0:1,,12:3"),
    ],
)
def test_values_as_they_are_stored(name: str, value: str, stored: str) -> None:
    assert check(name, value) == stored


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("nonsense", "1", "Unknown topic config name: nonsense"),
        ("retention.ms", None, "Null value not supported for topic configs: retention.ms"),
        ("retention.ms", "-2", "at least -1"),
        ("retention.ms", "1_000", "Not a number of type LONG"),
        ("retention.ms", "1.5", "Not a number of type LONG"),
        ("retention.bytes", str(2**63), "Not a number of type LONG"),
        ("retention.bytes", str(-(2**63) - 1), "Not a number of type LONG"),
        ("segment.bytes", str(2**31), "Not a number of type INT"),
        ("segment.bytes", "1048575", "at least 1048576"[:8]),
        ("compression.gzip.level", "0", "must be -1 or at least 1"),
        ("compression.gzip.level", "10", "no more than 9"),
        ("compression.zstd.level", "23", "no more than 22"),
        ("min.cleanable.dirty.ratio", "1.1", "no more than 1"),
        ("min.cleanable.dirty.ratio", "-0.1", "at least 0"),
        ("min.cleanable.dirty.ratio", "x", "Not a number of type DOUBLE"),
        ("min.cleanable.dirty.ratio", "\u0661", "Not a number of type DOUBLE"),
        ("min.cleanable.dirty.ratio", "0_1", "Not a number of type DOUBLE"),
        ("preallocate", "yes", "either true or false"),
        ("cleanup.policy", "delete,,compact", "must not be empty"),
        ("cleanup.policy", "shred", "String must be one of: compact, delete"),
        ("compression.type", "", "String must be one of"),
        ("compression.type", "lzma", "gzip, lz4, producer, snappy, uncompressed, zstd"),
        ("leader.replication.throttled.replicas", "0:1,*", "literal"),
        ("follower.replication.throttled.replicas", "1", "literal"),
    ],
)
def test_values_that_are_refused(name: str, value: str | None, reason: str) -> None:
    with pytest.raises(KafkaError, match=reason) as raised:
        check(name, value)
    assert raised.value.code == errors.INVALID_CONFIG


def test_numbers_of_16_bits() -> None:
    key = ConfigKey("x", SHORT, "1")
    assert check_value(key, "32767") == "32767"
    with pytest.raises(KafkaError, match="type SHORT"):
        check_value(key, "32768")


@pytest.mark.parametrize(("value", "stored"), [("inf", "Infinity"), ("-inf", "-Infinity"), ("1e300", "1.0E300")])
def test_doubles_as_java_writes_them(value: str, stored: str) -> None:
    assert check_value(ConfigKey("x", DOUBLE, "1"), value) == stored


def test_a_missing_value_is_a_wrong_request() -> None:
    with pytest.raises(KafkaError) as raised:
        check_value(KEYS["retention.ms"], None)
    assert raised.value.code == errors.INVALID_REQUEST


def test_every_default_is_a_value() -> None:
    for key in KEYS.values():
        assert check(key.name, key.default) in {key.default, key.default + ".0"}, key.name
    assert set(KEYS) >= EFFECTIVE


def test_overrides_win_over_the_brokers_defaults() -> None:
    defaults = broker_defaults(KafkaSettings(log_retention_ms=5, message_max_bytes=77))
    plain = resolve(defaults, {})
    assert (plain.retention_ms, plain.max_message_bytes, plain.compression) == (5, 77, None)
    assert (plain.deleted, plain.compacted, plain.log_append_time) == (True, False, False)
    own = resolve(defaults, {"retention.ms": "6", "cleanup.policy": "compact"})
    assert (own.retention_ms, own.max_message_bytes, own.deleted, own.compacted) == (6, 77, False, True)
    both = resolve(defaults, {"cleanup.policy": "compact,delete", "message.timestamp.type": "LogAppendTime"})
    assert (both.deleted, both.compacted, both.log_append_time) == (True, True, True)


@pytest.mark.parametrize(
    ("codec", "number", "level"),
    [("producer", None, None), ("uncompressed", 0, None), ("gzip", 1, -1), ("snappy", 2, None), ("lz4", 3, 9),
     ("zstd", 4, 3)],
)  # fmt: skip
def test_codecs_and_their_levels(codec: str, number: int | None, level: int | None) -> None:
    typed = resolve(broker_defaults(KafkaSettings()), {"compression.type": codec})
    assert (typed.compression, typed.compression_level) == (number, level)
