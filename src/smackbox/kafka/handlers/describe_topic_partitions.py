"""DescribeTopicPartitions (key 75), version 0: topics sorted by name, one page at a time."""

from __future__ import annotations

from smackbox.kafka.handlers.access import authorized_operations, may
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.handlers.metadata import TOPIC_OPERATIONS
from smackbox.kafka.settings import NODE_ID
from smackbox.kafka.state.acls import Operation, ResourceType
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.partition import LEADER_EPOCH
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
)

PAGE_LIMIT = 2000  # max.request.partition.size.limit


def handle(broker: Broker, call: Call, request: DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse:
    """Answer DescribeTopicPartitions: each entry has its own error code."""
    cursor = request.cursor
    if cursor is not None and cursor.partition_index < 0:
        raise KafkaError(errors.INVALID_REQUEST)
    names = sorted({topic.name for topic in request.topics} or broker.catalog.topics)
    refused = [name for name in names if not may(broker, call, Operation.DESCRIBE, ResourceType.TOPIC, name)]
    names = [name for name in names if name not in set(refused)]
    if cursor is not None:
        names = [name for name in names if name >= cursor.topic_name]
    left = min(max(request.response_partition_limit, 1), PAGE_LIMIT)
    answer = DescribeTopicPartitionsResponse()
    if request.topics and cursor is None:
        answer.topics += [
            DescribeTopicPartitionsResponseTopic(errors.TOPIC_AUTHORIZATION_FAILED, name) for name in refused
        ]
    for name in names:
        first = cursor.partition_index if cursor is not None and name == cursor.topic_name else 0
        topic = broker.catalog.topics.get(name)
        operations = authorized_operations(broker, call, TOPIC_OPERATIONS, ResourceType.TOPIC, name)
        if topic is None:
            answer.topics.append(
                DescribeTopicPartitionsResponseTopic(
                    errors.UNKNOWN_TOPIC_OR_PARTITION, name, topic_authorized_operations=operations
                )
            )
            continue
        if left == 0:
            answer.next_cursor = Cursor(name, first)
            break
        last = min(len(topic.partitions), first + left)
        answer.topics.append(
            DescribeTopicPartitionsResponseTopic(
                0,
                name,
                topic.topic_id,
                topic.internal,
                [
                    DescribeTopicPartitionsResponsePartition(
                        0, index, NODE_ID, LEADER_EPOCH, [NODE_ID], [NODE_ID], [], [], []
                    )
                    for index in range(first, last)
                ],
                operations,
            )
        )
        left -= max(last - first, 0)
        if last < len(topic.partitions):
            answer.next_cursor = Cursor(name, last)
            break
    return answer
