"""DeleteRecords (key 21), versions 0 to 2: delete everything below an offset; -1 means the high watermark."""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_topic
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.topic import INTERNAL_TOPICS
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)

TO_HIGH_WATERMARK = -1


def handle(broker: Broker, call: Call, request: DeleteRecordsRequest) -> DeleteRecordsResponse:
    """Answer DeleteRecords: each entry has its own error code."""
    answer = DeleteRecordsResponse(
        topics=[
            DeleteRecordsTopicResult(
                topic.name, [_delete(broker, call, topic.name, partition) for partition in topic.partitions]
            )
            for topic in request.topics
        ]
    )
    broker.catalog.checkpoint()
    return answer


def _delete(broker: Broker, call: Call, topic: str, asked: DeleteRecordsPartition) -> DeleteRecordsPartitionResult:
    try:
        check_topic(broker, call, Operation.DELETE, topic)
        partition = broker.catalog.partition(topic, asked.partition_index)
        if topic in INTERNAL_TOPICS:
            raise KafkaError(errors.INVALID_TOPIC_EXCEPTION)
        if not partition.config.deleted:
            raise KafkaError(errors.POLICY_VIOLATION)
        offset = partition.high_watermark if asked.offset == TO_HIGH_WATERMARK else asked.offset
        partition.delete_records(offset)
    except KafkaError as error:
        return DeleteRecordsPartitionResult(asked.partition_index, -1, error.code)
    broker.touched(partition)
    return DeleteRecordsPartitionResult(asked.partition_index, partition.log_start_offset, 0)
