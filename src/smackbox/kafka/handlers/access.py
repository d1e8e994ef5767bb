"""Whether a caller may perform an operation, reported with Kafka's error codes.

When a caller may not describe a topic, the answer is the same whether or not the topic exists.
"""

from __future__ import annotations

from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import CLUSTER_NAME, Operation, ResourceType
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors

_REFUSED = {
    ResourceType.TOPIC: errors.TOPIC_AUTHORIZATION_FAILED,
    ResourceType.GROUP: errors.GROUP_AUTHORIZATION_FAILED,
    ResourceType.CLUSTER: errors.CLUSTER_AUTHORIZATION_FAILED,
    ResourceType.TRANSACTIONAL_ID: errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
}


def may(broker: Broker, call: Call, operation: Operation, kind: ResourceType, name: str = CLUSTER_NAME) -> bool:
    """Whether the caller may perform `operation` on that resource."""
    connection = call.connection
    return broker.security.allows(connection.principal, connection.peer_host, operation, kind, name)


def check(broker: Broker, call: Call, operation: Operation, kind: ResourceType, name: str = CLUSTER_NAME) -> None:
    """Require that permission. Raises `KafkaError` with the error code of the resource's kind."""
    if not may(broker, call, operation, kind, name):
        raise KafkaError(_REFUSED[kind], f"{call.connection.principal} may not {operation.name} {kind.name} {name}")


def check_topic(broker: Broker, call: Call, operation: Operation, name: str) -> None:
    """Require that permission on a topic. Raises TOPIC_AUTHORIZATION_FAILED."""
    check(broker, call, operation, ResourceType.TOPIC, name)


def check_group(broker: Broker, call: Call, operation: Operation, name: str) -> None:
    """Require that permission on a group. Raises GROUP_AUTHORIZATION_FAILED."""
    check(broker, call, operation, ResourceType.GROUP, name)


def check_cluster(broker: Broker, call: Call, operation: Operation) -> None:
    """Require that permission on the cluster. Raises CLUSTER_AUTHORIZATION_FAILED."""
    check(broker, call, operation, ResourceType.CLUSTER)


def check_transactional_id(broker: Broker, call: Call, operation: Operation, name: str) -> None:
    """Require that permission on a transactional id. Raises TRANSACTIONAL_ID_AUTHORIZATION_FAILED."""
    check(broker, call, operation, ResourceType.TRANSACTIONAL_ID, name)


def may_write_anything(broker: Broker, call: Call) -> bool:
    """Whether the caller may have a producer id, to write idempotently or to write to at least one topic (KIP-679)."""
    acls = broker.security.acls
    if acls is None:
        return True
    connection = call.connection
    return may(broker, call, Operation.IDEMPOTENT_WRITE, ResourceType.CLUSTER) or acls.allows_on_any(
        connection.principal, connection.peer_host, Operation.WRITE, ResourceType.TOPIC
    )


def authorized_operations(
    broker: Broker, call: Call, everything: int, kind: ResourceType, name: str = CLUSTER_NAME
) -> int:
    """The operations of the bit field `everything` that the caller may perform, as a bit field (KIP-430)."""
    if broker.security.acls is None:
        return everything
    return sum(
        1 << operation
        for operation in Operation
        if everything >> operation & 1 and may(broker, call, operation, kind, name)
    )
