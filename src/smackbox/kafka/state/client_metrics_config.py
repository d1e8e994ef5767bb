"""The configurations of client metrics subscriptions (resource type 16), as Kafka 4.4 has them.

They are stored and shown. No client pushes metrics here, as the telemetry APIs are not advertised (`SKIPPED.md`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from smackbox.kafka.state.config_source import CLIENT_METRICS, DEFAULT, ConfigValue, Synonym
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.topic_config import INT, LIST, ConfigKey, check_value
from smackbox.kafka.wire import error_codes as errors

INTERVAL = "interval.ms"
MATCH = "match"
MIN_INTERVAL_MS, MAX_INTERVAL_MS = 100, 3_600_000
MATCHED = frozenset(
    {
        "client_instance_id",
        "client_id",
        "client_software_name",
        "client_software_version",
        "client_source_address",
        "client_source_port",
    }
)
KEYS = {
    key.name: key
    for key in (ConfigKey(INTERVAL, INT, "300000"), ConfigKey(MATCH, LIST, ""), ConfigKey("metrics", LIST, ""))
}
DEFAULTS = {key.name: key.default for key in KEYS.values()}


def checked(configs: Mapping[str, str]) -> dict[str, str]:
    """The configurations in stored form. Raises `KafkaError` INVALID_REQUEST or INVALID_CONFIG."""
    for name in configs:
        if name not in KEYS:
            raise KafkaError(errors.INVALID_REQUEST, f"Unknown client metrics configuration: {name}")
    stored = {name: check_value(KEYS[name], value) for name, value in configs.items()}
    for name in KEYS:
        if name in stored:
            _check(name, stored[name])
    return stored


def _check(name: str, stored: str) -> None:
    if name == INTERVAL and not MIN_INTERVAL_MS <= int(stored) <= MAX_INTERVAL_MS:
        raise KafkaError(
            errors.INVALID_REQUEST,
            f"Invalid value {stored} for {name}, interval must be between 100 and 3600000 (1 hour)",
        )
    if name == MATCH:
        for pattern in filter(None, stored.split(",")):
            _check_pattern(pattern)


def _check_pattern(pattern: str) -> None:
    parts = pattern.split("=")
    try:
        if len(parts) == 2 and parts[0].strip() in MATCHED:
            re.compile(parts[1].strip())
            return
    except re.error:
        pass
    raise KafkaError(errors.INVALID_CONFIG, f"Illegal client matching pattern: {pattern}")


def effective_client_metrics_configs(overrides: Mapping[str, str]) -> list[ConfigValue]:
    """Every configuration of a subscription; defaults have no synonyms."""
    configs = []
    for key in KEYS.values():
        if key.name in overrides:
            value = overrides[key.name]
            synonyms = [Synonym(key.name, value, CLIENT_METRICS)]
            configs.append(ConfigValue(key.name, value, CLIENT_METRICS, key.kind, synonyms))
        else:
            configs.append(ConfigValue(key.name, key.default, DEFAULT, key.kind, []))
    return configs
