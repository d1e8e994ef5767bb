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
    answers, offsets = _look_up(broker, call, request)
    if not offsets:
        return OffsetCommitResponse(topics=answers)
    try:
        check_group(broker, call, Operation.READ, request.group_id)
        group = broker.groups.for_commit(
            request.group_id,
            request.member_id,
            request.group_instance_id,
            request.generation_id_or_member_epoch,
            offsets,
            epochs=call.version >= MEMBER_EPOCHS,
        )
        limit = broker.settings.offset_metadata_max_bytes
        kept = {where: offset for where, offset in offsets.items() if len(offset.metadata) <= limit}
        for answer in answers:
            for partition in answer.partitions:
                where = (answer.name, partition.partition_index)
                if where in offsets and where not in kept:
                    partition.error_code = errors.OFFSET_METADATA_TOO_LARGE

        def done(error: KafkaError | None) -> None:
            call.respond(_answer(answers, error.code if error is not None else 0))

        broker.groups.commit(group, kept, done)
    except KafkaError as error:
        return _answer(answers, error.code)
    return PARKED


def _look_up(
    broker: Broker, call: Call, request: OffsetCommitRequest
) -> tuple[list[OffsetCommitResponseTopic], dict[TopicPartition, CommittedOffset]]:
    """The answers so far, with what is unknown or forbidden in them, and what is left to commit.

    Topics that are known carry their names here, whatever the version.
    """
    offsets: dict[TopicPartition, CommittedOffset] = {}
    answers = []
    now_ms = broker.clock.wall_ms()
    for asked in request.topics:
        by_id = call.version >= TOPIC_IDS
        topic = broker.catalog.by_id.get(asked.topic_id) if by_id else broker.catalog.topics.get(asked.name)
        name = topic.name if topic is not None else asked.name
        allowed = may(broker, call, Operation.READ, ResourceType.TOPIC, name)
        results = []
        for said in asked.partitions:
            code = 0
            if not allowed:
                code = errors.TOPIC_AUTHORIZATION_FAILED
            elif topic is None:
                code = errors.UNKNOWN_TOPIC_ID if by_id else errors.UNKNOWN_TOPIC_OR_PARTITION
            elif not 0 <= said.partition_index < len(topic.partitions):
                code = errors.UNKNOWN_TOPIC_OR_PARTITION
            else:
                offsets[name, said.partition_index] = committed_offset(said, now_ms)
            results.append(OffsetCommitResponsePartition(said.partition_index, code))
        answers.append(OffsetCommitResponseTopic(name, asked.topic_id, results))
    return answers, offsets


def _answer(answers: list[OffsetCommitResponseTopic], code: int) -> OffsetCommitResponse:
    """The answers, with `code` in every place that has no other error yet."""
    for topic in answers:
        for partition in topic.partitions:
            partition.error_code = partition.error_code or code
    return OffsetCommitResponse(topics=answers)


def committed_offset(said: OffsetCommitRequestPartition, now_ms: int) -> CommittedOffset:
    return CommittedOffset(said.committed_offset, said.committed_leader_epoch, said.committed_metadata or "", now_ms)
