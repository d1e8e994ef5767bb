"""DescribeQuorum (key 55), versions 0 to 2: a quorum of one.

The metadata is not a Raft log here. Its end offset is the epoch of the last finalized features, which never changes.
"""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_cluster
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.settings import NODE_ID
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.features import FINALIZED_EPOCH
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumResponse,
    Listener,
    Node,
    PartitionData,
    ReplicaState,
    TopicData,
)

METADATA_TOPIC = "__cluster_metadata"


def handle(broker: Broker, call: Call, request: DescribeQuorumRequest) -> DescribeQuorumResponse:
    """Answer DescribeQuorum. Raises `KafkaError` when the whole request is rejected."""
    check_cluster(broker, call, Operation.DESCRIBE)
    topics = []
    for topic in request.topics:
        partitions = []
        for partition in topic.partitions:
            if topic.topic_name != METADATA_TOPIC or partition.partition_index != 0:
                partitions.append(
                    PartitionData(partition.partition_index, errors.UNKNOWN_TOPIC_OR_PARTITION, error_message=None)
                )
                continue
            now_ms = broker.clock.wall_ms()
            voter = ReplicaState(
                NODE_ID,
                log_end_offset=FINALIZED_EPOCH + 1,
                last_fetch_timestamp=now_ms,
                last_caught_up_timestamp=now_ms,
            )
            partitions.append(PartitionData(0, 0, None, NODE_ID, 1, FINALIZED_EPOCH + 1, [voter], []))
        topics.append(TopicData(topic.topic_name, partitions))
    host, port = call.connection.advertised
    return DescribeQuorumResponse(0, None, topics, [Node(NODE_ID, [Listener("CONTROLLER", host, port)])])
