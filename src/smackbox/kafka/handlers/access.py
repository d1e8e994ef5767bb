"""Whether a caller may do what it asks, said in the error codes that Kafka says it with.

Where a topic may not even be described, its existence is not told either: the answer is the same for both.
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
    """Whether the caller may do `operation` with that resource."""
    connection = call.connection
    return broker.security.allows(connection.principal, connection.peer_host, operation, kind, name)


def check(broker: Broker, call: Call, operation: Operation, kind: ResourceType, name: str = CLUSTER_NAME) -> None:
    """Raises `KafkaError` with the code of the resource's kind."""
    if not may(broker, call, operation, kind, name):
        raise KafkaError(_REFUSED[kind], f"{call.connection.principal} may not {operation.name} {kind.name} {name}")


def check_topic(broker: Broker, call: Call, operation: Operation, name: str) -> None:
    """Raises TOPIC_AUTHORIZATION_FAILED."""
    check(broker, call, operation, ResourceType.TOPIC, name)


def check_group(broker: Broker, call: Call, operation: Operation, name: str) -> None:
    """Raises GROUP_AUTHORIZATION_FAILED."""
    check(broker, call, operation, ResourceType.GROUP, name)


def check_cluster(broker: Broker, call: Call, operation: Operation) -> None:
    """Raises CLUSTER_AUTHORIZATION_FAILED."""
    check(broker, call, operation, ResourceType.CLUSTER)


def check_transactional_id(broker: Broker, call: Call, operation: Operation, name: str) -> None:
    """Raises TRANSACTIONAL_ID_AUTHORIZATION_FAILED."""
    check(broker, call, operation, ResourceType.TRANSACTIONAL_ID, name)


def may_write_anything(broker: Broker, call: Call) -> bool:
    """Whether the caller may have a producer id: to write idempotently, or to write to some topic (KIP-679)."""
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
    """Which of the operations in the bit field `everything` the caller may do, as a bit field (KIP-430)."""
    if broker.security.acls is None:
        return everything
    return sum(
        1 << operation
        for operation in Operation
        if everything >> operation & 1 and may(broker, call, operation, kind, name)
    )
