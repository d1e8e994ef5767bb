"""Broker configurations as DescribeConfigs shows them: all those of Kafka 4.4, and this broker's settings.

`broker_configs.tsv` is the table: name, type, whether it can change while the broker runs, and the default after a `=`
(or `null`). Settings of this broker that are not in the table are never shown, so that no secret is shown by oversight.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from smackbox.kafka.settings import NODE_ID, KafkaSettings
from smackbox.kafka.state import broker_bounds
from smackbox.kafka.state.catalog import Catalog
from smackbox.kafka.state.config_source import (
    DEFAULT,
    DYNAMIC_BROKER,
    DYNAMIC_DEFAULT_BROKER,
    STATIC_BROKER,
    ConfigValue,
    Synonym,
)
from smackbox.kafka.state.topic_config import (
    BOOLEAN,
    CLASS,
    DOUBLE,
    INT,
    KEYS,
    LIST,
    LONG,
    PASSWORD,
    SHORT,
    STRING,
    ConfigKey,
    broker_defaults,
)

MIN_INSYNC_REPLICAS = "min.insync.replicas"
MAX_CONNECTIONS = "max.connections"
SET_AT_START = ("ssl.", "sasl.", "listener", "advertised.listeners", "principal.builder.class")
_KINDS = {
    "boolean": BOOLEAN, "string": STRING, "int": INT, "short": SHORT, "long": LONG, "double": DOUBLE, "list": LIST,
    "class": CLASS, "password": PASSWORD,
}  # fmt: skip
# the settings shown whose names are not Kafka's with underscores instead of dots
_RENAMED = {"auto.create.topics.enable": "auto_create_topics"}


@dataclass(frozen=True, slots=True)
class BrokerKey:
    """One of Kafka's broker configurations."""

    name: str
    kind: int
    dynamic: bool
    default: str | None


@cache
def table() -> dict[str, BrokerKey]:
    """All broker configurations by name."""
    lines = (files("smackbox.kafka.state") / "broker_configs.tsv").read_text(encoding="utf-8").splitlines()[1:]
    keys = {}
    for line in lines:
        name, kind, dynamic, default = line.split("\t")
        value = default[1:] if default.startswith("=") else None
        keys[name] = BrokerKey(name, _KINDS[kind], dynamic == "yes", value)
    return keys


@cache
def dynamic_keys() -> dict[str, ConfigKey]:
    """The broker configurations that can change while the broker runs, with their bounds if topics have them."""
    bounds = {key.broker_key: key for key in KEYS.values() if key.broker_key is not None}
    keys = {}
    for key in table().values():
        if not key.dynamic or key.name.startswith(SET_AT_START):
            continue
        known = bounds.get(key.name)
        if known is not None:
            bounded = ConfigKey(key.name, key.kind, key.default or "", known.name, known.low, known.high, known.choices)
        else:
            low, high = broker_bounds.lowest(key.name), broker_bounds.highest(key.name)
            bounded = ConfigKey(key.name, key.kind, key.default or "", low=low, high=high)
        if key.name == broker_bounds.RETENTION:
            bounded = replace(bounded, low=broker_bounds.ANY)
        if key.name == "config.providers":
            bounded = replace(bounded, gaps=True)
        keys[key.name] = bounded
    return keys


def effective_broker_configs(catalog: Catalog, *, dynamic_default_only: bool = False) -> list[ConfigValue]:
    """All broker configurations; with `dynamic_default_only` only those set for all brokers, which the empty name
    selects.
    """
    static = _static(catalog)
    configs = []
    everywhere = catalog.default_overrides
    for key in table().values():
        synonyms = []
        if key.name in catalog.node_overrides and not dynamic_default_only:
            synonyms.append(Synonym(key.name, catalog.node_overrides[key.name], DYNAMIC_BROKER))
        if key.name in everywhere:
            synonyms.append(Synonym(key.name, everywhere[key.name], DYNAMIC_DEFAULT_BROKER))
        if dynamic_default_only:
            if synonyms:
                configs.append(_shown(key, synonyms))
            continue
        if key.name in static:
            synonyms.append(Synonym(key.name, static[key.name], STATIC_BROKER))
        if key.default is not None:
            synonyms.append(Synonym(key.name, key.default, DEFAULT))
        configs.append(_shown(key, synonyms))
    if catalog.settings.super_users and not dynamic_default_only:
        configs.append(ConfigValue("super.users", None, STATIC_BROKER, STRING, [], read_only=True, sensitive=True))
    return configs


def _shown(key: BrokerKey, synonyms: list[Synonym]) -> ConfigValue:
    value, source = (synonyms[0].value, synonyms[0].source) if synonyms else (None, DEFAULT)
    sensitive = key.kind == PASSWORD
    return ConfigValue(key.name, value, source, key.kind, synonyms, read_only=not key.dynamic, sensitive=sensitive)


def _static(catalog: Catalog) -> dict[str, str]:
    """The values that this broker was started with that are not Kafka's defaults."""
    settings = catalog.settings
    values = {
        "node.id": str(NODE_ID),
        "broker.id": str(NODE_ID),
        "process.roles": "broker,controller",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(catalog.directory),
        "listeners": catalog.listeners,
        "advertised.listeners": _advertised(settings, catalog.listeners),
    }
    if settings.authorizer:
        values["authorizer.class.name"] = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
    for name, key in table().items():
        value = getattr(settings, _RENAMED.get(name, name.replace(".", "_")), None)
        if name not in values and isinstance(value, bool | int | float | str) and _text(value) != key.default:
            values[name] = _text(value)
    fallbacks = broker_defaults(settings)
    for topic_key in KEYS.values():
        if topic_key.broker_key is not None and fallbacks[topic_key.name] != topic_key.default:
            values[topic_key.broker_key] = fallbacks[topic_key.name]
        elif topic_key.quiet and topic_key.broker_key is not None:
            values.pop(topic_key.broker_key, None)  # null there, and the setting in hours is the default
    return values


def _advertised(settings: KafkaSettings, listeners: str) -> str:
    if settings.advertised is None:
        return listeners
    first, _, others = listeners.partition(",")
    advertised = f"{first.partition('://')[0]}://{settings.advertised}"
    return f"{advertised},{others}" if others else advertised


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
