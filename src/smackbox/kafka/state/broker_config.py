"""Broker configurations as DescribeConfigs shows them: this broker's settings under Kafka's names.

Those that topics fall back to may be changed while the broker runs (AlterConfigs on the broker); the others are
read-only. Configurations of Kafka's that this broker has no use for are not listed.
"""

from __future__ import annotations

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

# the settings that are shown, under Kafka's names: the setting's own with dots for underscores where none is given.
# A setting that is not named here is never shown, so that no secret can be by oversight.
_SHOWN: dict[str, str | None] = {
    "auto_create_topics": "auto.create.topics.enable",
    "num_partitions": None,
    "delete_topic_enable": None,
    "listeners": None,
    "sasl_enabled_mechanisms": None,
    "ssl_client_auth": None,
    "super_users": "super.users",
    "log_retention_check_interval_ms": None,
    "log_cleaner_backoff_ms": None,
    "offsets_topic_num_partitions": None,
    "offsets_retention_minutes": None,
    "offsets_retention_check_interval_ms": None,
    "offset_metadata_max_bytes": None,
    "group_initial_rebalance_delay_ms": None,
    "group_min_session_timeout_ms": None,
    "group_max_session_timeout_ms": None,
    "group_max_size": None,
    "group_consumer_session_timeout_ms": None,
    "group_consumer_heartbeat_interval_ms": None,
    "group_consumer_max_size": None,
    "transaction_state_log_num_partitions": None,
    "transaction_max_timeout_ms": None,
    "transactional_id_expiration_ms": "transactional.id.expiration.ms",
    "producer_id_expiration_ms": None,
    "socket_request_max_bytes": None,
    "fetch_max_bytes": None,
    "max_connections": None,
}


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
    for setting, kafka_name in _SHOWN.items():
        value = getattr(settings, setting)
        kind = {bool: BOOLEAN, int: LONG, float: DOUBLE}.get(type(value), STRING)
        name = kafka_name or setting.replace("_", ".")
        values.append(_read_only(name, _text(value), kind, value == getattr(defaults, setting)))
    return values


def _read_only(name: str, value: str, kind: int, default: bool = False) -> ConfigValue:
    source = DEFAULT if default else STATIC_BROKER
    return ConfigValue(name, value, source, kind, [Synonym(name, value, source)], read_only=True)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
