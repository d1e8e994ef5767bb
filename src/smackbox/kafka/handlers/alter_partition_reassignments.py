"""AlterPartitionReassignments (key 45), versions 0 and 1: only to this broker, which has every replica already."""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_cluster
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.handlers.create_topics import check_assignment
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignablePartitionResponse,
    ReassignableTopicResponse,
)


def handle(
    broker: Broker, call: Call, request: AlterPartitionReassignmentsRequest
) -> AlterPartitionReassignmentsResponse:
    """Answer AlterPartitionReassignments. Raises `KafkaError` when the whole request is rejected."""
    check_cluster(broker, call, Operation.ALTER)
    return AlterPartitionReassignmentsResponse(
        allow_replication_factor_change=request.allow_replication_factor_change,
        error_message=None,
        responses=[
            ReassignableTopicResponse(topic.name, [_reassign(broker, topic.name, p) for p in topic.partitions])
            for topic in request.topics
        ],
    )


def _reassign(broker: Broker, name: str, asked: ReassignablePartition) -> ReassignablePartitionResponse:
    index = asked.partition_index
    topic = broker.catalog.topics.get(name)
    try:
        if topic is None:
            raise KafkaError(errors.UNKNOWN_TOPIC_OR_PARTITION, f"Unable to find a topic named {name}.")
        if not 0 <= index < len(topic.partitions):
            raise KafkaError(errors.UNKNOWN_TOPIC_OR_PARTITION, f"Unable to find partition {name}:{index}.")
        if asked.replicas is None:
            raise KafkaError(errors.NO_REASSIGNMENT_IN_PROGRESS)
        check_assignment(asked.replicas)
    except KafkaError as error:
        return ReassignablePartitionResponse(index, error.code, error.message or None)
    return ReassignablePartitionResponse(index, 0, None)
