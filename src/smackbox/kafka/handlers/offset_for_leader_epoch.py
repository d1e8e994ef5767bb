"""OffsetForLeaderEpoch (key 23), versions 2 to 4: where the records of an epoch end. There is only one epoch."""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_topic
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.partition import LEADER_EPOCH
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.offset_for_leader_epoch import (
    EpochEndOffset,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
)


def handle(broker: Broker, call: Call, request: OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse:
    """Answer OffsetForLeaderEpoch: each entry has its own error code."""
    return OffsetForLeaderEpochResponse(
        topics=[
            OffsetForLeaderTopicResult(
                topic.topic, [_end(broker, call, topic.topic, asked) for asked in topic.partitions]
            )
            for topic in request.topics
        ]
    )


def _end(broker: Broker, call: Call, topic: str, asked: OffsetForLeaderPartition) -> EpochEndOffset:
    try:
        check_topic(broker, call, Operation.DESCRIBE, topic)
        partition = broker.catalog.partition(topic, asked.partition)
    except KafkaError as error:
        return EpochEndOffset(error.code, asked.partition)
    current = asked.current_leader_epoch
    if current not in {-1, LEADER_EPOCH}:
        code = errors.UNKNOWN_LEADER_EPOCH if current > LEADER_EPOCH else errors.FENCED_LEADER_EPOCH
        return EpochEndOffset(code, asked.partition)
    if asked.leader_epoch != LEADER_EPOCH:
        return EpochEndOffset(0, asked.partition)
    return EpochEndOffset(0, asked.partition, LEADER_EPOCH, partition.log_end_offset)
