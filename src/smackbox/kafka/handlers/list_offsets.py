"""ListOffsets (key 2), versions 1 to 11.

Special timestamps: -1 latest, -2 earliest, -3 (from version 7) the largest timestamp, -4 (8) earliest local, -5 (9)
latest tiered, -6 (11) earliest pending upload. There is no tiered storage: -4 gives the earliest offset, -5 and -6 give
none. Any other timestamp gives the first record at or after it. A partition that a request names more than once is
answered once, with INVALID_REQUEST.
"""

from __future__ import annotations

from collections import Counter

from smackbox.kafka.handlers.access import check_topic
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.partition import LEADER_EPOCH, Partition
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.fetch import READ_COMMITTED
from smackbox.kafka.wire.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)

LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL, LATEST_TIERED, EARLIEST_PENDING_UPLOAD = range(-1, -7, -1)
_SINCE_VERSION = {MAX_TIMESTAMP: 7, EARLIEST_LOCAL: 8, LATEST_TIERED: 9, EARLIEST_PENDING_UPLOAD: 11}


def handle(broker: Broker, call: Call, request: ListOffsetsRequest) -> ListOffsetsResponse:
    """Answer ListOffsets: each entry has its own error code."""
    committed = request.isolation_level == READ_COMMITTED
    times = Counter((topic.name, asked.partition_index) for topic in request.topics for asked in topic.partitions)
    topics: dict[str, list[ListOffsetsPartitionResponse]] = {}
    for topic in request.topics:
        answers = topics.setdefault(topic.name, [])
        for asked in topic.partitions:
            if (asked_times := times.pop((topic.name, asked.partition_index), 0)) == 0:
                continue
            try:
                if asked_times > 1:
                    raise KafkaError(errors.INVALID_REQUEST)
                check_topic(broker, call, Operation.DESCRIBE, topic.name)
                partition = broker.catalog.partition(topic.name, asked.partition_index)
                timestamp, offset = _look_up(partition, asked, call.version, committed=committed)
            except KafkaError as error:
                answers.append(ListOffsetsPartitionResponse(asked.partition_index, error.code))
                continue
            epoch = LEADER_EPOCH if offset >= 0 else -1
            answers.append(ListOffsetsPartitionResponse(asked.partition_index, 0, timestamp, offset, epoch))
    return ListOffsetsResponse(topics=[ListOffsetsTopicResponse(name, answers) for name, answers in topics.items()])


def _look_up(partition: Partition, asked: ListOffsetsPartition, version: int, *, committed: bool) -> tuple[int, int]:
    if asked.current_leader_epoch not in {-1, LEADER_EPOCH}:
        later = asked.current_leader_epoch > LEADER_EPOCH
        raise KafkaError(errors.UNKNOWN_LEADER_EPOCH if later else errors.FENCED_LEADER_EPOCH)
    timestamp = asked.timestamp
    if version < _SINCE_VERSION.get(timestamp, 0) or timestamp < EARLIEST_PENDING_UPLOAD:
        raise KafkaError(errors.UNSUPPORTED_VERSION)
    if timestamp == LATEST:
        return -1, partition.bound(committed=committed)
    if timestamp in {EARLIEST, EARLIEST_LOCAL}:
        return -1, partition.log_start_offset
    if timestamp in {LATEST_TIERED, EARLIEST_PENDING_UPLOAD}:
        return -1, -1
    if timestamp == MAX_TIMESTAMP:
        return partition.find_max_timestamp()
    return partition.find_timestamp(timestamp, committed=committed)
