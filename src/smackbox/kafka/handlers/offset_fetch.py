"""OffsetFetch (key 9), versions 1 to 10: one group up to version 7, several from version 8 on; topics by id from
version 10 on.

A partition without a committed offset is answered with -1 and no error. With `require_stable`, a partition with an
offset in an open transaction is answered with UNSTABLE_OFFSET_COMMIT.
"""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_group, may
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation, ResourceType
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.group_offsets import GroupOffsets
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)
from smackbox.kafka.wire.schema import NO_UUID

SEVERAL_SINCE = 8
TOPIC_IDS = 10


def handle(broker: Broker, call: Call, request: OffsetFetchRequest) -> OffsetFetchResponse:
    """Answer OffsetFetch: each entry has its own error code."""
    if call.version >= SEVERAL_SINCE:
        groups = [_group(broker, call, group, require_stable=request.require_stable) for group in request.groups]
        return OffsetFetchResponse(groups=groups)
    topics = None
    if request.topics is not None:
        topics = [OffsetFetchRequestTopics(t.name, NO_UUID, t.partition_indexes) for t in request.topics]
    group_request = OffsetFetchRequestGroup(request.group_id, topics=topics)
    answer = _group(broker, call, group_request, require_stable=request.require_stable)
    return OffsetFetchResponse(
        topics=[
            OffsetFetchResponseTopic(
                topic.name,
                [
                    OffsetFetchResponsePartition(
                        p.partition_index, p.committed_offset, p.committed_leader_epoch, p.metadata, p.error_code
                    )
                    for p in topic.partitions
                ],
            )
            for topic in answer.topics
        ],
        error_code=answer.error_code,
    )


def _group(
    broker: Broker, call: Call, asked: OffsetFetchRequestGroup, *, require_stable: bool
) -> OffsetFetchResponseGroup:
    try:
        check_group(broker, call, Operation.DESCRIBE, asked.group_id)
        offsets = broker.groups.offsets_for(asked.group_id, asked.member_id, asked.member_epoch)
    except KafkaError as error:
        return OffsetFetchResponseGroup(asked.group_id, [], error.code)
    if asked.topics is None:
        by_topic: dict[str, list[int]] = {}
        for topic, index in offsets.committed:
            by_topic.setdefault(topic, []).append(index)
        partitions = []
        for name, indexes in by_topic.items():
            known = broker.catalog.topics.get(name)
            if not may(broker, call, Operation.DESCRIBE, ResourceType.TOPIC, name):
                continue
            if known is not None or call.version < TOPIC_IDS:
                partitions.append(OffsetFetchRequestTopics(name, known.topic_id if known else NO_UUID, indexes))
    else:
        partitions = asked.topics
    return OffsetFetchResponseGroup(
        asked.group_id, [_topic(broker, call, offsets, topic, require_stable=require_stable) for topic in partitions]
    )


def _topic(
    broker: Broker, call: Call, offsets: GroupOffsets, asked: OffsetFetchRequestTopics, *, require_stable: bool
) -> OffsetFetchResponseTopics:
    name = asked.name
    code = 0
    if call.version >= TOPIC_IDS:
        topic = broker.catalog.by_id.get(asked.topic_id)
        name, code = (topic.name, 0) if topic is not None else ("", errors.UNKNOWN_TOPIC_ID)
    if not code and not may(broker, call, Operation.DESCRIBE, ResourceType.TOPIC, name):
        code = errors.TOPIC_AUTHORIZATION_FAILED
    answers = []
    for index in asked.partition_indexes:
        committed = offsets.committed.get((name, index))
        if code:
            answers.append(OffsetFetchResponsePartitions(index, -1, -1, "", code))
        elif require_stable and offsets.is_pending((name, index)):
            answers.append(OffsetFetchResponsePartitions(index, -1, -1, "", errors.UNSTABLE_OFFSET_COMMIT))
        elif committed is None:
            answers.append(OffsetFetchResponsePartitions(index, -1, -1, "", 0))
        else:
            answers.append(
                OffsetFetchResponsePartitions(index, committed.offset, committed.leader_epoch, committed.metadata, 0)
            )
    return OffsetFetchResponseTopics(name, asked.topic_id, answers)
