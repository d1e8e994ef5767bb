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
        group = broker.groups.for_transactional_commit(
            request.group_id, request.member_id, request.group_instance_id, request.generation_id_or_member_epoch
        )
        log = broker.groups.log.partition_for(request.group_id)
        broker.transactions.check_produce(
            request.transactional_id,
            request.producer_id,
            request.producer_epoch,
            (log.topic, log.index),
            may_add=call.version >= JOINS_SINCE,
        )
    except KafkaError as error:
        return _refused(request, error.code)
    offsets: dict[TopicPartition, CommittedOffset] = {}
    answers = []
    now_ms = broker.clock.wall_ms()
    for asked in request.topics:
        by_id = call.version >= TOPIC_IDS
        topic = broker.catalog.by_id.get(asked.topic_id) if by_id else broker.catalog.topics.get(asked.name)
        results = []
        for said in asked.partitions:
            code = 0
            if not may(broker, call, Operation.READ, ResourceType.TOPIC, topic.name if topic else asked.name):
                code = errors.TOPIC_AUTHORIZATION_FAILED
            elif topic is None:
                code = errors.UNKNOWN_TOPIC_ID if by_id else errors.UNKNOWN_TOPIC_OR_PARTITION
            elif not 0 <= said.partition_index < len(topic.partitions):
                code = errors.UNKNOWN_TOPIC_OR_PARTITION
            elif len(said.committed_metadata or "") > broker.settings.offset_metadata_max_bytes:
                code = errors.OFFSET_METADATA_TOO_LARGE
            else:
                offsets[topic.name, said.partition_index] = CommittedOffset(
                    said.committed_offset, said.committed_leader_epoch, said.committed_metadata or "", now_ms
                )
            results.append(TxnOffsetCommitResponsePartition(said.partition_index, code))
        answers.append(TxnOffsetCommitResponseTopic(asked.name, asked.topic_id, results))

    def kept(error: KafkaError | None) -> None:
        call.respond(TxnOffsetCommitResponse(topics=answers) if error is None else _refused(request, error.code))

    try:
        broker.groups.commit_in_transaction(group, request.producer_id, request.producer_epoch, offsets, kept)
    except KafkaError as error:
        return _refused(request, error.code)
    return PARKED


def _refused(request: TxnOffsetCommitRequest, code: int) -> TxnOffsetCommitResponse:
    return TxnOffsetCommitResponse(
        topics=[
            TxnOffsetCommitResponseTopic(
                topic.name,
                topic.topic_id,
                [TxnOffsetCommitResponsePartition(partition.partition_index, code) for partition in topic.partitions],
            )
            for topic in request.topics
        ]
    )
