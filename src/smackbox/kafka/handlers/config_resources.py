"""Changing the configurations of one resource, as AlterConfigs and IncrementalAlterConfigs do it."""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_cluster, check_group, check_topic
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.config_change import GROUP, TOPIC, Change, change
from smackbox.kafka.state.errors import KafkaError


def alter(
    broker: Broker, call: Call, kind: int, name: str, changes: list[Change], *, replace: bool, validate_only: bool
) -> tuple[int, str | None]:
    """The error code and message; 0 and None on success. With `replace`, overrides that are not named are deleted."""
    try:
        if kind == TOPIC:
            check_topic(broker, call, Operation.ALTER_CONFIGS, name)
        elif kind == GROUP:
            check_group(broker, call, Operation.ALTER_CONFIGS, name)
        else:
            check_cluster(broker, call, Operation.ALTER_CONFIGS)
        change(broker.catalog, kind, name, changes, replace=replace, validate_only=validate_only)
    except KafkaError as error:
        return error.code, error.message
    return 0, None
