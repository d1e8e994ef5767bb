"""Where a configuration's value comes from: DescribeConfigs' sources and synonyms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from smackbox.kafka.state.catalog import Catalog
from smackbox.kafka.state.topic_config import KEYS, broker_defaults

DYNAMIC_TOPIC, DYNAMIC_BROKER, DYNAMIC_DEFAULT_BROKER, STATIC_BROKER, DEFAULT = 1, 2, 3, 4, 5
CLIENT_METRICS, GROUP = 7, 8


class Synonym(NamedTuple):
    """One of the sources of a value, nearest first."""

    name: str
    value: str | None
    source: int


class ConfigValue(NamedTuple):
    """An effective configuration."""

    name: str
    value: str | None
    source: int
    kind: int
    synonyms: list[Synonym]
    read_only: bool = False
    sensitive: bool = False


def effective_topic_configs(catalog: Catalog, overrides: Mapping[str, str]) -> list[ConfigValue]:
    """Every topic configuration of a topic with these overrides."""
    static = broker_defaults(catalog.settings)
    configs = []
    for key in KEYS.values():
        synonyms = []
        if key.name in overrides:
            synonyms.append(Synonym(key.name, overrides[key.name], DYNAMIC_TOPIC))
        if key.broker_key is not None:
            for overridden, source in (
                (catalog.node_overrides, DYNAMIC_BROKER),
                (catalog.default_overrides, DYNAMIC_DEFAULT_BROKER),
            ):
                if key.broker_key in overridden:
                    synonyms.append(Synonym(key.broker_key, overridden[key.broker_key], source))
            if static[key.name] != key.default:
                synonyms.append(Synonym(key.broker_key, static[key.name], STATIC_BROKER))
            if not key.quiet or any(synonym.source != DYNAMIC_TOPIC for synonym in synonyms):
                synonyms.append(Synonym(key.broker_key, key.default, DEFAULT))
        value = synonyms[0].value if synonyms else static[key.name]
        source = synonyms[0].source if synonyms else DEFAULT
        configs.append(ConfigValue(key.name, value, source, key.kind, synonyms))
    return configs
