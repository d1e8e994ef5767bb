"""OffsetCommit (key 8), versions 2 to 10: answered when the offsets are as durable as the settings ask.

From version 10 topics are named by id. The retention time that versions before 5 send is not heeded, as Kafka's
`offsets.retention.minutes` rules.
"""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_group, may
from smackbox.kafka.handlers.call import PARKED, Call, Parked
from smackbox.kafka.state.acls import Operation, ResourceType
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.group_offsets import CommittedOffset, TopicPartition
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)

TOPIC_IDS = 10
MEMBER_EPOCHS = 9  # the first version whose clients know a KIP-848 member's epochs


def handle(broker: Broker, call: Call, request: OffsetCommitRequest) -> OffsetCommitResponse | Parked:
    try:
        check_group(broker, call, Operation.READ, request.group_id)
        group = broker.groups.for_commit(
            request.group_id,
            request.member_id,
            request.group_instance_id,
            request.generation_id_or_member_epoch,
            epochs=call.version >= MEMBER_EPOCHS,
        )
    except KafkaError as error:
        return _refused(request, error.code)
    offsets: dict[TopicPartition, CommittedOffset] = {}
    answers = []
    now_ms = broker.clock.wall_ms()
    for asked in request.topics:
        if call.version >= TOPIC_IDS:
            topic = broker.catalog.by_id.get(asked.topic_id)
            unknown = errors.UNKNOWN_TOPIC_ID
        else:
            topic = broker.catalog.topics.get(asked.name)
            unknown = errors.UNKNOWN_TOPIC_OR_PARTITION
        results = []
        for said in asked.partitions:
            code = unknown if topic is None else 0
            if topic is not None and not 0 <= said.partition_index < len(topic.partitions):
                code = errors.UNKNOWN_TOPIC_OR_PARTITION
            if not may(broker, call, Operation.READ, ResourceType.TOPIC, topic.name if topic else asked.name):
                code = errors.TOPIC_AUTHORIZATION_FAILED
            if len(said.committed_metadata or "") > broker.settings.offset_metadata_max_bytes:
                code = errors.OFFSET_METADATA_TOO_LARGE
            if topic is not None and code == 0:
                offsets[topic.name, said.partition_index] = committed_offset(said, now_ms)
            results.append(OffsetCommitResponsePartition(said.partition_index, code))
        answers.append(OffsetCommitResponseTopic(asked.name, asked.topic_id, results))

    def kept(error: KafkaError | None) -> None:
        call.respond(OffsetCommitResponse(topics=answers) if error is None else _refused(request, error.code))

    try:
        broker.groups.commit(group, offsets, kept)
    except KafkaError as error:
        return _refused(request, error.code)
    return PARKED


def committed_offset(said: OffsetCommitRequestPartition, now_ms: int) -> CommittedOffset:
    return CommittedOffset(said.committed_offset, said.committed_leader_epoch, said.committed_metadata or "", now_ms)


def _refused(request: OffsetCommitRequest, code: int) -> OffsetCommitResponse:
    return OffsetCommitResponse(
        topics=[
            OffsetCommitResponseTopic(
                topic.name,
                topic.topic_id,
                [OffsetCommitResponsePartition(partition.partition_index, code) for partition in topic.partitions],
            )
            for topic in request.topics
        ]
    )
