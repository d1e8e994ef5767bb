"""The configurations of groups (resource type 32): their types, bounds and defaults, as Kafka 4.4 has them.

Those in `EFFECTIVE` change this broker's behaviour. The others belong to share and streams groups, which it does not
support; they are stored and shown (`SKIPPED.md`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from smackbox.kafka.settings import KafkaSettings
from smackbox.kafka.state.config_source import DEFAULT, GROUP, STATIC_BROKER, ConfigValue, Synonym
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.topic_config import BOOLEAN, INT, LIST, STRING, ConfigKey, check_value
from smackbox.kafka.wire import error_codes as errors

CONSUMER_SESSION = "consumer.session.timeout.ms"
CONSUMER_HEARTBEAT = "consumer.heartbeat.interval.ms"
EFFECTIVE = frozenset({CONSUMER_SESSION, CONSUMER_HEARTBEAT})

_DLQ = "errors.deadletterqueue"
_KEYS = (
    ConfigKey("consumer.assignment.interval.ms", INT, "1000", "group.consumer.assignment.interval.ms", 0, 15_000),
    ConfigKey(CONSUMER_HEARTBEAT, INT, "5000", "group.consumer.heartbeat.interval.ms", 5_000, 15_000),
    ConfigKey(CONSUMER_SESSION, INT, "45000", "group.consumer.session.timeout.ms", 45_000, 60_000),
    ConfigKey(f"{_DLQ}.copy.record.enable", BOOLEAN, "false", f"{_DLQ}.copy.record.enable"),
    ConfigKey(f"{_DLQ}.topic.name", STRING, "", f"{_DLQ}.topic.name"),
    ConfigKey("share.assignment.interval.ms", INT, "1000", "group.share.assignment.interval.ms", 0, 15_000),
    ConfigKey("share.auto.offset.reset", STRING, "latest", "share.auto.offset.reset"),
    ConfigKey("share.delivery.count.limit", INT, "5", "group.share.delivery.count.limit", 2, 10),
    ConfigKey("share.heartbeat.interval.ms", INT, "5000", "group.share.heartbeat.interval.ms", 5_000, 15_000),
    ConfigKey(
        "share.isolation.level",
        STRING,
        "read_uncommitted",
        "share.isolation.level",
        choices=("read_committed", "read_uncommitted"),
    ),
    ConfigKey("share.partition.max.record.locks", INT, "2000", "group.share.partition.max.record.locks", 100, 4_000),
    ConfigKey("share.record.lock.duration.ms", INT, "30000", "group.share.record.lock.duration.ms", 15_000, 60_000),
    ConfigKey("share.renew.acknowledge.enable", BOOLEAN, "true", "share.renew.acknowledge.enable"),
    ConfigKey("share.session.timeout.ms", INT, "45000", "group.share.session.timeout.ms", 45_000, 60_000),
    ConfigKey("streams.assignment.interval.ms", INT, "1000", "group.streams.assignment.interval.ms", 0, 15_000),
    ConfigKey("streams.assignor.name", STRING, "sticky", "group.streams.assignors", choices=("sticky",)),
    ConfigKey("streams.heartbeat.interval.ms", INT, "5000", "group.streams.heartbeat.interval.ms", 5_000, 15_000),
    ConfigKey("streams.initial.rebalance.delay.ms", INT, "3000", "group.streams.initial.rebalance.delay.ms", 0),
    ConfigKey("streams.num.standby.replicas", INT, "0", "group.streams.num.standby.replicas", 0, 2),
    ConfigKey("streams.rack.aware.assignment.tags", LIST, "", "group.streams.rack.aware.assignment.tags"),
    ConfigKey("streams.session.timeout.ms", INT, "45000", "group.streams.session.timeout.ms", 45_000, 60_000),
)
KEYS: dict[str, ConfigKey] = {key.name: key for key in _KEYS}
DEFAULTS = {key.name: key.default for key in _KEYS}
_OFFSET_RESET = re.compile(r"earliest|latest|by_duration:P.+")


def check(name: str, value: str | None) -> str:
    """The value in stored form. Raises `KafkaError` INVALID_CONFIG."""
    key = KEYS.get(name)
    if key is None:
        raise KafkaError(errors.INVALID_CONFIG, f"Unknown group config name: {name}")
    stored = check_value(key, value)
    if name == "share.auto.offset.reset" and not _OFFSET_RESET.fullmatch(stored):
        raise KafkaError(errors.INVALID_CONFIG, f"Invalid value {stored} for configuration {name}")
    if name.endswith("topic.name") and stored.startswith("__"):
        raise KafkaError(errors.INVALID_CONFIG, f"{name}: DLQ topic name must not start with '__'")
    return stored


def effective_group_configs(settings: KafkaSettings, overrides: Mapping[str, str]) -> list[ConfigValue]:
    """Every configuration of a group with these overrides."""
    configs = []
    for key in _KEYS:
        assert key.broker_key is not None
        synonyms = []
        if key.name in overrides:
            synonyms.append(Synonym(key.name, overrides[key.name], GROUP))
        static = str(getattr(settings, key.broker_key.replace(".", "_"), key.default))
        if static != key.default:
            synonyms.append(Synonym(key.broker_key, static, STATIC_BROKER))
        synonyms.append(Synonym(key.broker_key, key.default, DEFAULT))
        configs.append(ConfigValue(key.name, synonyms[0].value, synonyms[0].source, key.kind, synonyms))
    return configs
