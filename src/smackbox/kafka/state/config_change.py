"""Changing configurations of topics and of the broker: set, delete, append, subtract, or replace all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from smackbox.kafka.settings import NODE_ID
from smackbox.kafka.state import group_config, topic_config
from smackbox.kafka.state.broker_config import MIN_INSYNC_REPLICAS, dynamic_keys
from smackbox.kafka.state.catalog import Catalog
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.topic_config import KEYS, LIST, ConfigKey, check_value
from smackbox.kafka.wire import error_codes as errors

TOPIC, BROKER, GROUP = 2, 4, 32
SET, DELETE, APPEND, SUBTRACT = range(4)


class Change(NamedTuple):
    """One configuration and what happens to it."""

    name: str
    operation: int
    value: str | None


def change(
    catalog: Catalog, resource_type: int, name: str, changes: Sequence[Change], *, replace: bool, validate_only: bool
) -> None:
    """Apply `changes` to a topic, a group or the broker; with `replace` all other overrides go. Raises `KafkaError`."""
    names = [entry.name for entry in changes]
    if len(set(names)) != len(names):
        raise KafkaError(errors.INVALID_REQUEST, "Error due to duplicate config keys")
    if resource_type == TOPIC:
        if not name:
            raise KafkaError(errors.INVALID_REQUEST, "Default topic resources are not allowed.")
        topic = catalog.topics.get(name)
        if topic is None:
            raise KafkaError(errors.UNKNOWN_TOPIC_OR_PARTITION, f"The topic '{name}' does not exist.")
        overrides = _changed({} if replace else topic.overrides, changes, catalog.defaults, KEYS, topic_config.check)
        if not validate_only:
            catalog.configure(topic, overrides)
    elif resource_type == BROKER:
        _change_broker(catalog, name, changes, replace=replace, validate_only=validate_only)
    elif resource_type == GROUP:
        if not name:
            raise KafkaError(errors.INVALID_REQUEST, "Default group resources are not allowed.")
        before = {} if replace else catalog.group_overrides.get(name, {})
        overrides = _changed(before, changes, group_config.DEFAULTS, {}, group_config.check)  # none is a list there
        if not validate_only:
            catalog.configure_group(name, overrides)
    else:
        raise KafkaError(errors.INVALID_REQUEST, f"Unknown resource type {resource_type}")


def _change_broker(
    catalog: Catalog, name: str, changes: Sequence[Change], *, replace: bool, validate_only: bool
) -> None:
    if name not in {"", str(NODE_ID)}:
        raise KafkaError(errors.INVALID_REQUEST, f"Unexpected broker id, expected {NODE_ID}, but received {name}")
    node = bool(name)
    keys = dynamic_keys()
    fixed = [entry.name for entry in changes if entry.name not in keys and entry.operation != DELETE]
    if fixed:
        raise KafkaError(errors.INVALID_REQUEST, f"Cannot update these configs dynamically: [{', '.join(fixed)}]")
    if node and any(entry.name == MIN_INSYNC_REPLICAS for entry in changes):
        raise KafkaError(
            errors.INVALID_CONFIG, "Broker-level min.insync.replicas cannot be altered while ELR is enabled."
        )

    def check(key: str, value: str | None) -> str:
        try:
            return check_value(keys[key], value)
        except KafkaError as error:
            raise KafkaError(errors.INVALID_REQUEST, error.message) from error

    current = catalog.node_overrides if node else catalog.broker_overrides
    defaults = {key.name: key.default for key in keys.values()}
    overrides = _changed({} if replace else current, changes, defaults, keys, check)
    if not validate_only:
        catalog.configure_broker(overrides, node=node)


def _changed(
    overrides: dict[str, str],
    changes: Sequence[Change],
    defaults: dict[str, str],
    keys: dict[str, ConfigKey],
    check: Callable[[str, str | None], str],
) -> dict[str, str]:
    changed = dict(overrides)
    for name, operation, value in changes:
        if operation == DELETE:
            changed.pop(name, None)
            continue
        if value is None:
            raise KafkaError(errors.INVALID_REQUEST, f"Null value not supported for : {name}")
        if operation in {APPEND, SUBTRACT}:
            key = keys.get(name)
            if key is None or key.kind != LIST:
                verb = "APPEND to" if operation == APPEND else "SUBTRACT from"
                raise KafkaError(errors.INVALID_CONFIG, f"Can't {verb} key {name} because its type is not LIST.")
            value = _list_changed(changed.get(name, defaults[name]), operation, value)
        elif operation != SET:
            raise KafkaError(errors.INVALID_REQUEST, f"Unknown operation {operation}")
        changed[name] = check(name, value)
    return changed


def _list_changed(current: str, operation: int, value: str) -> str:
    parts = [part for part in current.split(",") if part]
    for part in value.split(","):
        if operation == APPEND and part not in parts:
            parts.append(part)
        elif operation == SUBTRACT and part in parts:
            parts.remove(part)
    return ",".join(parts)
