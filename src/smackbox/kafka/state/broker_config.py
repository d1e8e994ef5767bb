"""Broker configurations as DescribeConfigs shows them: this broker's settings under Kafka's names.

Those that topics fall back to may be changed while the broker runs (AlterConfigs on the broker); the others are
read-only. Configurations of Kafka's that this broker has no use for are not listed.
"""

from __future__ import annotations

import msgspec

from smackbox.kafka.settings import NODE_ID, KafkaSettings
from smackbox.kafka.state.catalog import Catalog
from smackbox.kafka.state.config_source import (
    DEFAULT,
    DYNAMIC_DEFAULT_BROKER,
    STATIC_BROKER,
    ConfigValue,
    Synonym,
)
from smackbox.kafka.state.topic_config import BOOLEAN, DOUBLE, INT, KEYS, LONG, STRING, ConfigKey, broker_defaults

# settings of smackbox's own, which have no name in Kafka
_NOT_KAFKAS = frozenset(
    {
        "host",
        "port",
        "dir",
        "sync",
        "insecure",
        "metrics_port",
        "advertised",
        "auto_create_topics",
        "max_partitions",
        "max_inflight_requests",
        "max_parked_fetches",
    }
)


def dynamic_keys() -> dict[str, ConfigKey]:
    """The broker configurations that may be changed while the broker runs, and the topic configuration of each."""
    return {key.broker_key: key for key in KEYS.values() if key.broker_key is not None}


def effective_broker_configs(catalog: Catalog, *, dynamic_default_only: bool = False) -> list[ConfigValue]:
    """All broker configurations; with `dynamic_default_only` those set for all brokers, as the empty name asks for."""
    dynamic = dynamic_keys()
    static = broker_defaults(catalog.settings)
    found = []
    for name, key in dynamic.items():
        synonyms = []
        if name in catalog.broker_overrides:
            synonyms.append(Synonym(name, catalog.broker_overrides[name], DYNAMIC_DEFAULT_BROKER))
        elif dynamic_default_only:
            continue
        if static[key.name] != key.default:
            synonyms.append(Synonym(name, static[key.name], STATIC_BROKER))
        synonyms.append(Synonym(name, key.default, DEFAULT))
        found.append(ConfigValue(name, synonyms[0].value, synonyms[0].source, key.kind, synonyms))
    if dynamic_default_only:
        return found
    return found + [config for config in _static(catalog.settings) if config.name not in dynamic]


def _static(settings: KafkaSettings) -> list[ConfigValue]:
    defaults = KafkaSettings()
    values = [_read_only("node.id", str(NODE_ID), INT), _read_only("broker.id", str(NODE_ID), INT)]
    values.append(
        _read_only(
            "auto.create.topics.enable", _text(settings.auto_create_topics), BOOLEAN, settings.auto_create_topics
        )
    )
    for field in msgspec.structs.fields(KafkaSettings):
        if field.name in _NOT_KAFKAS:
            continue
        value = getattr(settings, field.name)
        name = field.name.replace("_", ".")
        kind = {bool: BOOLEAN, int: LONG, float: DOUBLE}.get(type(value), STRING)
        values.append(_read_only(name, _text(value), kind, value == getattr(defaults, field.name)))
    return values


def _read_only(name: str, value: str, kind: int, default: bool = False) -> ConfigValue:
    source = DEFAULT if default else STATIC_BROKER
    return ConfigValue(name, value, source, kind, [Synonym(name, value, source)], read_only=True)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
