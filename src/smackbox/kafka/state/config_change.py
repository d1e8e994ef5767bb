"""Changing configurations of topics and of the broker: set, delete, append, subtract, or replace all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from smackbox.kafka.settings import NODE_ID
from smackbox.kafka.state import broker_bounds, client_metrics_config, group_config, topic_config
from smackbox.kafka.state.broker_config import MIN_INSYNC_REPLICAS, dynamic_keys, table
from smackbox.kafka.state.catalog import Catalog
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.topic_config import KEYS, LIST, ConfigKey, check_value
from smackbox.kafka.wire import error_codes as errors

TOPIC, BROKER, CLIENT_METRICS, GROUP = 2, 4, 16, 32
SET, DELETE, APPEND, SUBTRACT = range(4)


class Change(NamedTuple):
    """One configuration and the operation on it."""

    name: str
    operation: int
    value: str | None


def change(
    catalog: Catalog, resource_type: int, name: str, changes: Sequence[Change], *, replace: bool, validate_only: bool
) -> None:
    """Apply `changes` to a resource; with `replace` all other overrides are removed. Raises `KafkaError`."""
    _check_form(changes)
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
        overrides = _changed(before, changes, group_config.DEFAULTS, {}, group_config.check)  # none is a list
        if not validate_only:
            catalog.configure_group(name, overrides)
    elif resource_type == CLIENT_METRICS:
        if not name:
            raise KafkaError(errors.INVALID_REQUEST, "Subscription name can't be empty")
        before = {} if replace else catalog.metrics_overrides.get(name, {})
        requested = _changed(before, changes, client_metrics_config.DEFAULTS, {}, lambda _, value: value or "")
        overrides = client_metrics_config.checked(requested)
        if not validate_only:
            catalog.configure_client_metrics(name, overrides)
    else:
        raise KafkaError(errors.INVALID_REQUEST, f"Unknown resource type {resource_type}")


def _check_form(changes: Sequence[Change]) -> None:
    """Checks on all changes before any is applied. Raises `KafkaError`."""
    names = [entry.name for entry in changes]
    if len(set(names)) != len(names):
        raise KafkaError(errors.INVALID_REQUEST, "Error due to duplicate config keys")
    missing = [entry.name for entry in changes if entry.value is None and entry.operation != DELETE]
    if missing:
        raise KafkaError(errors.INVALID_REQUEST, f"Null value not supported for : {','.join(missing)}")
    for entry in changes:
        if entry.operation not in {SET, DELETE, APPEND, SUBTRACT}:
            raise KafkaError(errors.INVALID_REQUEST, f"Unknown operation {entry.operation}")


def _change_broker(
    catalog: Catalog, name: str, changes: Sequence[Change], *, replace: bool, validate_only: bool
) -> None:
    if name not in {"", str(NODE_ID)}:
        raise KafkaError(errors.INVALID_REQUEST, f"Unexpected broker id, expected {NODE_ID}, but received {name}")
    node = bool(name)
    keys = dynamic_keys()
    for entry in changes:
        known = table().get(entry.name)
        if entry.operation in {APPEND, SUBTRACT} and known is not None and known.kind != LIST:
            verb = "append" if entry.operation == APPEND else "subtract"
            raise KafkaError(errors.INVALID_CONFIG, f"Config value {verb} is not allowed for config key: {entry.name}")
    fixed = [entry.name for entry in changes if entry.name not in keys and entry.operation != DELETE]
    if fixed:
        raise KafkaError(errors.INVALID_REQUEST, f"Cannot update these configs dynamically: [{', '.join(fixed)}]")

    def check(key: str, value: str | None) -> str:
        try:
            stored = check_value(keys[key], value)
        except KafkaError as error:
            raise KafkaError(errors.INVALID_REQUEST, error.message) from error
        broker_bounds.check(key, stored, in_force, str(catalog.directory), node=node)
        return stored

    current = catalog.node_overrides if node else catalog.broker_overrides
    defaults = {key.name: key.default for key in keys.values()}
    retention = {broker_bounds.RETENTION: catalog.defaults["retention.ms"]}
    in_force = defaults | retention | catalog.default_overrides | catalog.node_overrides
    overrides = _changed({} if replace else current, changes, defaults, keys, check)
    if node and any(entry.name == MIN_INSYNC_REPLICAS for entry in changes):
        raise KafkaError(
            errors.INVALID_CONFIG, "Broker-level min.insync.replicas cannot be altered while ELR is enabled."
        )
    if any(entry.name == MIN_INSYNC_REPLICAS and entry.operation == DELETE for entry in changes):
        raise KafkaError(
            errors.INVALID_CONFIG, "Cluster-level min.insync.replicas cannot be removed while ELR is enabled."
        )
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
        assert value is not None, "the form was checked"
        if operation in {APPEND, SUBTRACT}:
            key = keys.get(name)
            if key is None or key.kind != LIST:
                verb = "APPEND to" if operation == APPEND else "SUBTRACT from"
                raise KafkaError(errors.INVALID_CONFIG, f"Can't {verb} key {name} because its type is not LIST.")
            value = _list_changed(changed.get(name, defaults[name]), operation, value)
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
