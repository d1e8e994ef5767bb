"""TxnOffsetCommit (key 28), versions 0 to 6: offsets that become visible when the producer's transaction commits.

From version 3 the consumer's generation is checked; from version 5 (transaction version 2) the group's offsets join the
transaction by this request alone; from version 6 topics are named by id.
"""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_group, check_transactional_id, may
from smackbox.kafka.handlers.call import PARKED, Call, Parked
from smackbox.kafka.state.acls import Operation, ResourceType
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.group_offsets import CommittedOffset, TopicPartition
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
    TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
)

TOPIC_IDS = 6
JOINS_SINCE = 5


def handle(broker: Broker, call: Call, request: TxnOffsetCommitRequest) -> TxnOffsetCommitResponse | Parked:
    try:
        check_transactional_id(broker, call, Operation.WRITE, request.transactional_id)
        check_group(broker, call, Operation.READ, request.group_id)
    except KafkaError as error:
        return _answer(_look_up(broker, call, request)[0], error.code)
    answers, offsets = _look_up(broker, call, request)
    if not offsets:
        return TxnOffsetCommitResponse(topics=answers)
    try:
        log = broker.groups.log.partition_for(request.group_id)
        broker.transactions.check_produce(
            request.transactional_id,
            request.producer_id,
            request.producer_epoch,
            (log.topic, log.index),
            may_add=call.version >= JOINS_SINCE,
        )
        group = broker.groups.for_transactional_commit(
            request.group_id,
            request.member_id,
            request.group_instance_id,
            request.generation_id_or_member_epoch,
            offsets,
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

        broker.groups.commit_in_transaction(group, request.producer_id, request.producer_epoch, kept, done)
    except KafkaError as error:
        return _answer(answers, error.code)
    return PARKED


def _look_up(
    broker: Broker, call: Call, request: TxnOffsetCommitRequest
) -> tuple[list[TxnOffsetCommitResponseTopic], dict[TopicPartition, CommittedOffset]]:
    """The answers so far, with what is unknown or forbidden in them, and what is left to commit."""
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
                offsets[name, said.partition_index] = CommittedOffset(
                    said.committed_offset, said.committed_leader_epoch, said.committed_metadata or "", now_ms
                )
            results.append(TxnOffsetCommitResponsePartition(said.partition_index, code))
        answers.append(TxnOffsetCommitResponseTopic(name, asked.topic_id, results))
    return answers, offsets


def _answer(answers: list[TxnOffsetCommitResponseTopic], code: int) -> TxnOffsetCommitResponse:
    """The answers, with `code` in every place that has no other error yet."""
    for topic in answers:
        for partition in topic.partitions:
            partition.error_code = partition.error_code or code
    return TxnOffsetCommitResponse(topics=answers)
