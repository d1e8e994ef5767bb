"""ElectLeaders (key 43), versions 0 to 2: the only replica is already the leader."""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_cluster
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.elect_leaders import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    PartitionResult,
    ReplicaElectionResult,
)


def handle(broker: Broker, call: Call, request: ElectLeadersRequest) -> ElectLeadersResponse:
    """Answer ElectLeaders. Raises `KafkaError` when the whole request is rejected."""
    check_cluster(broker, call, Operation.ALTER)
    if request.topic_partitions is None:
        return ElectLeadersResponse()
    return ElectLeadersResponse(
        replica_election_results=[
            ReplicaElectionResult(topic.topic, [_elect(broker, topic.topic, index) for index in topic.partitions])
            for topic in request.topic_partitions
        ]
    )


def _elect(broker: Broker, name: str, index: int) -> PartitionResult:
    topic = broker.catalog.topics.get(name)
    if topic is None:
        return PartitionResult(index, errors.UNKNOWN_TOPIC_OR_PARTITION, f"No such topic as {name}")
    if not 0 <= index < len(topic.partitions):
        return PartitionResult(index, errors.UNKNOWN_TOPIC_OR_PARTITION, f"No such partition as {name}-{index}")
    return PartitionResult(index, errors.ELECTION_NOT_NEEDED, "Leader election not needed for topic partition.")
