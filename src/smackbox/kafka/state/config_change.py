"""Changing configurations of topics and of the broker: set, delete, append, subtract, or replace all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from smackbox.kafka.settings import NODE_ID
from smackbox.kafka.state import topic_config
from smackbox.kafka.state.broker_config import dynamic_keys
from smackbox.kafka.state.catalog import Catalog
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.topic_config import KEYS, LIST, ConfigKey
from smackbox.kafka.wire import error_codes as errors

TOPIC, BROKER = 2, 4
SET, DELETE, APPEND, SUBTRACT = range(4)


class Change(NamedTuple):
    """One configuration and what happens to it."""

    name: str
    operation: int
    value: str | None


def change(
    catalog: Catalog, resource_type: int, name: str, changes: Sequence[Change], *, replace: bool, validate_only: bool
) -> None:
    """Apply `changes` to a topic or to the broker; with `replace` all other overrides go. Raises `KafkaError`."""
    names = [entry.name for entry in changes]
    if len(set(names)) != len(names):
        raise KafkaError(errors.INVALID_REQUEST, "Error due to duplicate config keys")
    if resource_type == TOPIC:
        topic = catalog.topics.get(name)
        if topic is None:
            raise KafkaError(errors.UNKNOWN_TOPIC_OR_PARTITION, f"The topic '{name}' does not exist.")
        overrides = _changed({} if replace else topic.overrides, changes, catalog.defaults, KEYS)
        if not validate_only:
            catalog.configure(topic, overrides)
    elif resource_type == BROKER:
        if name not in {"", str(NODE_ID)}:
            raise KafkaError(errors.INVALID_REQUEST, f"Unexpected broker id, expected {NODE_ID}, but received {name}")
        dynamic = dynamic_keys()
        defaults = {name: catalog.defaults[key.name] for name, key in dynamic.items()}
        overrides = _changed({} if replace else catalog.broker_overrides, changes, defaults, dynamic)
        if not validate_only:
            catalog.configure_broker(overrides)
    else:
        raise KafkaError(errors.INVALID_REQUEST, f"Unknown resource type {resource_type}")


def _changed(
    overrides: dict[str, str], changes: Sequence[Change], defaults: dict[str, str], keys: dict[str, ConfigKey]
) -> dict[str, str]:
    changed = dict(overrides)
    for name, operation, value in changes:
        key = keys.get(name)
        if key is None:
            raise KafkaError(errors.INVALID_CONFIG, f"Unknown topic config name: {name}")
        if operation == DELETE:
            changed.pop(name, None)
            continue
        if operation in {APPEND, SUBTRACT}:
            if key.kind != LIST:
                verb = "APPEND to" if operation == APPEND else "SUBTRACT from"
                raise KafkaError(errors.INVALID_CONFIG, f"Can't {verb} key {name} because its type is not LIST.")
            value = _list_changed(changed.get(name, defaults[name]), operation, value or "")
        elif operation != SET:
            raise KafkaError(errors.INVALID_REQUEST, f"Unknown operation {operation}")
        changed[name] = topic_config.check(key.name, value)
    return changed


def _list_changed(current: str, operation: int, value: str) -> str:
    parts = [part for part in current.split(",") if part]
    for part in value.split(","):
        if operation == APPEND and part not in parts:
            parts.append(part)
        elif operation == SUBTRACT and part in parts:
            parts.remove(part)
    return ",".join(parts)
