"""Topic configurations: their names, types and defaults, and the typed values that a partition uses.

The table has the configurations that Kafka 4.4 returns to DescribeConfigs. `EFFECTIVE` names those that change this
broker's behaviour. The others are stored and shown, as on a real cluster; they concern replicas, tiers or buffers that
a single embedded broker does not have (`SKIPPED.md`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from smackbox.kafka.settings import KafkaSettings
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors

BOOLEAN, STRING, INT, SHORT, LONG, DOUBLE, LIST, CLASS, PASSWORD = range(1, 10)
THROTTLED = ("leader.replication.throttled.replicas", "follower.replication.throttled.replicas")
_REPLICAS = re.compile(r"\d+:\d+(,\d+:\d+)*")
MAX_LONG = 2**63 - 1
MAX_INT = 2**31 - 1
MAX_SHORT = 2**15 - 1
COMPRESSION_TYPES = ("producer", "uncompressed", "zstd", "lz4", "snappy", "gzip")
_WITH_LEVELS = {"gzip", "lz4", "zstd"}
CODECS = {"uncompressed": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


@dataclass(frozen=True, slots=True)
class ConfigKey:
    """One configuration: its type, its default, and the broker config that it falls back to."""

    name: str
    kind: int
    default: str
    broker_key: str | None = None
    low: float = -float("inf")
    high: float = float("inf")
    choices: tuple[str, ...] = ()
    gaps: bool = False  # a list may have empty entries, and is stored as given
    quiet: bool = False  # the broker configuration is a synonym only when it is set


_KEYS = (
    ConfigKey("cleanup.policy", LIST, "delete", "log.cleanup.policy", choices=("delete", "compact")),
    ConfigKey("compression.gzip.level", INT, "-1", "compression.gzip.level", -1, 9),
    ConfigKey("compression.lz4.level", INT, "9", "compression.lz4.level", 1, 17),
    ConfigKey("compression.type", STRING, "producer", "compression.type", choices=COMPRESSION_TYPES),
    ConfigKey("compression.zstd.level", INT, "3", "compression.zstd.level", -131072, 22),
    ConfigKey("delete.retention.ms", LONG, "86400000", "log.cleaner.delete.retention.ms", 0),
    ConfigKey("errors.deadletterqueue.group.enable", BOOLEAN, "false"),
    ConfigKey("file.delete.delay.ms", LONG, "60000", "log.segment.delete.delay.ms", 0),
    ConfigKey("flush.messages", LONG, str(MAX_LONG), "log.flush.interval.messages", 1),
    ConfigKey("flush.ms", LONG, str(MAX_LONG), None, 0),
    ConfigKey("follower.replication.throttled.replicas", LIST, "", gaps=True),
    ConfigKey("index.interval.bytes", INT, "4096", "log.index.interval.bytes", 0),
    ConfigKey("leader.replication.throttled.replicas", LIST, "", gaps=True),
    ConfigKey("local.retention.bytes", LONG, "-2", "log.local.retention.bytes", -2),
    ConfigKey("local.retention.ms", LONG, "-2", "log.local.retention.ms", -2),
    ConfigKey("max.compaction.lag.ms", LONG, str(MAX_LONG), "log.cleaner.max.compaction.lag.ms", 1),
    ConfigKey("max.decompressed.message.bytes", INT, "2147483639", "max.decompressed.message.bytes", 1, 2147483639),
    ConfigKey("max.message.bytes", INT, "1048588", "message.max.bytes", 0),
    ConfigKey("message.timestamp.after.max.ms", LONG, "3600000", "log.message.timestamp.after.max.ms", 0),
    ConfigKey("message.timestamp.before.max.ms", LONG, str(MAX_LONG), "log.message.timestamp.before.max.ms", 0),
    ConfigKey(
        "message.timestamp.type",
        STRING,
        "CreateTime",
        "log.message.timestamp.type",
        choices=("CreateTime", "LogAppendTime"),
    ),
    ConfigKey("min.cleanable.dirty.ratio", DOUBLE, "0.5", "log.cleaner.min.cleanable.ratio", 0, 1),
    ConfigKey("min.compaction.lag.ms", LONG, "0", "log.cleaner.min.compaction.lag.ms", 0),
    ConfigKey("min.insync.replicas", INT, "1", "min.insync.replicas", 1),
    ConfigKey("preallocate", BOOLEAN, "false", "log.preallocate"),
    ConfigKey("remote.copy.lag.bytes", LONG, "-1", "log.remote.copy.lag.bytes", -1),
    ConfigKey("remote.copy.lag.ms", LONG, "0", "log.remote.copy.lag.ms", -1),
    ConfigKey("remote.log.copy.disable", BOOLEAN, "false"),
    ConfigKey("remote.log.delete.on.disable", BOOLEAN, "false"),
    ConfigKey("remote.storage.enable", BOOLEAN, "false"),
    ConfigKey("retention.bytes", LONG, "-1", "log.retention.bytes"),
    ConfigKey("retention.ms", LONG, "604800000", "log.retention.ms", -1, quiet=True),
    ConfigKey("segment.bytes", INT, "1073741824", "log.segment.bytes", 1048576),
    ConfigKey("segment.index.bytes", INT, "10485760", "log.index.size.max.bytes", 4),
    ConfigKey("segment.jitter.ms", LONG, "0", None, 0),
    ConfigKey("segment.ms", LONG, "604800000", "log.roll.ms", 1, quiet=True),
    ConfigKey("unclean.leader.election.enable", BOOLEAN, "false", "unclean.leader.election.enable"),
)

KEYS: dict[str, ConfigKey] = {key.name: key for key in _KEYS}

EFFECTIVE = frozenset(
    {
        "cleanup.policy",
        "compression.gzip.level",
        "compression.lz4.level",
        "compression.type",
        "compression.zstd.level",
        "delete.retention.ms",
        "index.interval.bytes",
        "max.decompressed.message.bytes",
        "max.message.bytes",
        "message.timestamp.after.max.ms",
        "message.timestamp.before.max.ms",
        "message.timestamp.type",
        "min.cleanable.dirty.ratio",
        "min.compaction.lag.ms",
        "max.compaction.lag.ms",
        "retention.bytes",
        "retention.ms",
        "segment.bytes",
        "segment.ms",
    }
)


@dataclass(frozen=True, slots=True)
class TopicConfig:
    """The typed values that a partition uses."""

    segment_bytes: int
    segment_ms: int
    index_interval_bytes: int
    max_message_bytes: int
    retention_ms: int
    retention_bytes: int
    delete_retention_ms: int
    min_cleanable_ratio: float
    min_compaction_lag_ms: int
    max_compaction_lag_ms: int
    timestamp_before_max_ms: int
    timestamp_after_max_ms: int
    log_append_time: bool
    compacted: bool
    deleted: bool
    compression: int | None  # None: keep the producer's compression
    compression_level: int | None
    max_decompressed_bytes: int


def broker_defaults(settings: KafkaSettings) -> dict[str, str]:
    """Every topic configuration with this broker's settings as defaults."""
    values = {key.name: key.default for key in _KEYS}
    values.update(
        {
            "segment.bytes": str(settings.log_segment_bytes),
            "segment.ms": str(settings.log_roll_ms),
            "index.interval.bytes": str(settings.log_index_interval_bytes),
            "max.message.bytes": str(settings.message_max_bytes),
            "retention.ms": str(settings.log_retention_ms),
            "retention.bytes": str(settings.log_retention_bytes),
            "delete.retention.ms": str(settings.log_cleaner_delete_retention_ms),
            "min.cleanable.dirty.ratio": str(settings.log_cleaner_min_cleanable_ratio),
            "cleanup.policy": settings.log_cleanup_policy,
            "message.timestamp.type": settings.log_message_timestamp_type,
            "message.timestamp.after.max.ms": str(settings.log_message_timestamp_after_max_ms),
        }
    )
    return values


def resolve(defaults: Mapping[str, str], overrides: Mapping[str, str]) -> TopicConfig:
    """The typed values of a topic with these overrides."""

    def text(name: str) -> str:
        return overrides.get(name, defaults[name])

    def number(name: str) -> int:
        return int(text(name))

    policies = text("cleanup.policy").split(",")
    codec = text("compression.type")
    return TopicConfig(
        segment_bytes=number("segment.bytes"),
        segment_ms=number("segment.ms"),
        index_interval_bytes=number("index.interval.bytes"),
        max_message_bytes=number("max.message.bytes"),
        retention_ms=number("retention.ms"),
        retention_bytes=number("retention.bytes"),
        delete_retention_ms=number("delete.retention.ms"),
        min_cleanable_ratio=float(text("min.cleanable.dirty.ratio")),
        min_compaction_lag_ms=number("min.compaction.lag.ms"),
        max_compaction_lag_ms=number("max.compaction.lag.ms"),
        timestamp_before_max_ms=number("message.timestamp.before.max.ms"),
        timestamp_after_max_ms=number("message.timestamp.after.max.ms"),
        log_append_time=text("message.timestamp.type") == "LogAppendTime",
        compacted="compact" in policies,
        deleted="delete" in policies,
        compression=CODECS.get(codec),
        compression_level=number(f"compression.{codec}.level") if codec in _WITH_LEVELS else None,
        max_decompressed_bytes=number("max.decompressed.message.bytes"),
    )


def check(name: str, value: str | None) -> str:
    """The value in stored form. Raises `KafkaError` INVALID_CONFIG with Kafka's own error text."""
    key = KEYS.get(name)
    if key is None:
        raise KafkaError(errors.INVALID_CONFIG, f"Unknown topic config name: {name}")
    if value is None:
        raise KafkaError(errors.INVALID_CONFIG, f"Null value not supported for topic configs: {name}")
    value = check_value(key, value)
    listed = ",".join(part for part in value.split(",") if part)
    if name in THROTTLED and listed not in {"", "*"} and not _REPLICAS.fullmatch(listed):
        raise _invalid(key, f"[{value}]", f"{name} must be the literal '*' or a list of replicas, [partition]:[broker]")
    return value


def check_value(key: ConfigKey, value: str | None) -> str:
    """The value in stored form, checked against its type and bounds. Raises `KafkaError` INVALID_CONFIG."""
    if value is None:
        raise KafkaError(errors.INVALID_REQUEST, f"Null value not supported for : {key.name}")
    value = value.strip()
    if key.kind in {INT, LONG, DOUBLE, SHORT}:
        number = _check_number(key, value)
        value = _shown(number) if isinstance(number, float) else str(number)
    elif key.kind == BOOLEAN:
        if value.lower() not in {"true", "false"}:
            raise _invalid(key, value, "Expected value to be either true or false")
        value = value.lower()
    elif key.kind == LIST:
        parts = [part.strip() for part in value.split(",")] if value else []
        if "" in parts and not key.gaps:
            raise KafkaError(errors.INVALID_CONFIG, f"Configuration '{key.name}' values must not be empty.")
        for part in parts:
            _check_choice(key, part)
        value = value if key.gaps else ",".join(dict.fromkeys(parts))
    else:
        _check_choice(key, value)
    return value


def _check_choice(key: ConfigKey, value: str) -> None:
    if key.choices and value not in key.choices:
        raise _invalid(key, value, f"String must be one of: {', '.join(sorted(key.choices))}")


def _check_number(key: ConfigKey, value: str) -> int | float:
    """The number in the text, checked against its bounds. Raises `KafkaError` INVALID_CONFIG."""
    kind = {INT: "INT", LONG: "LONG", DOUBLE: "DOUBLE", SHORT: "SHORT"}[key.kind]
    try:
        if "_" in value or (key.kind == DOUBLE and not value.isascii()):
            raise ValueError(value)
        number = float(value) if key.kind == DOUBLE else int(value)
    except ValueError as error:
        raise _invalid(key, value, f"Not a number of type {kind}") from error
    limit = {INT: MAX_INT, SHORT: MAX_SHORT}.get(key.kind, MAX_LONG)
    if key.kind != DOUBLE and not -limit - 1 <= number <= limit:
        raise _invalid(key, value, f"Not a number of type {kind}")
    if key.name == "compression.gzip.level" and number == 0:
        raise _invalid(key, value, "Value must be -1 or at least 1")
    if number < key.low:
        raise _invalid(key, value, f"Value must be at least {key.low:g}")
    if number > key.high:
        raise _invalid(key, value, f"Value must be no more than {key.high:g}")
    return number


def _shown(number: float) -> str:
    """The number as Java prints a double."""
    if number != number:  # noqa: PLR0124 - not a number
        return "NaN"
    if number in {float("inf"), -float("inf")}:
        return "Infinity" if number > 0 else "-Infinity"
    mantissa, _, exponent = repr(number).partition("e")
    if not exponent:
        return mantissa
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{int(exponent)}"


def _invalid(key: ConfigKey, value: str, reason: str) -> KafkaError:
    return KafkaError(errors.INVALID_CONFIG, f"Invalid value {value} for configuration {key.name}: {reason}")
