"""TxnOffsetCommit (key 28), versions 0 to 6: offsets that become visible when the producer's transaction commits.

From version 3 the consumer's generation is checked; from version 5 (transaction version 2) this request alone adds the
group's offsets to the transaction; from version 6 on topics are named by id.
"""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_group, check_transactional_id
from smackbox.kafka.handlers.asked_offsets import AskedOffsets
from smackbox.kafka.handlers.call import PARKED, Call, Parked
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
    TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
)

TOPIC_IDS = 6
JOINS_SINCE = 5


def handle(broker: Broker, call: Call, request: TxnOffsetCommitRequest) -> TxnOffsetCommitResponse | Parked:
    """Answer TxnOffsetCommit, at once or on completion: each entry has its own error code."""
    by_id = call.version >= TOPIC_IDS
    asked = AskedOffsets(broker, call, TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic, by_id=by_id)
    for topic in request.topics:
        asked.take(topic.name, topic.topic_id, topic.partitions)

    def done(error: KafkaError | None) -> None:
        call.respond(TxnOffsetCommitResponse(topics=asked.answered(error.code if error is not None else 0)))

    try:
        check_transactional_id(broker, call, Operation.WRITE, request.transactional_id)
        check_group(broker, call, Operation.READ, request.group_id)
        if not asked.offsets:
            return TxnOffsetCommitResponse(topics=asked.topics)
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
            asked.offsets,
        )
        asked.drop_large_metadata()
        broker.groups.commit_in_transaction(group, request.producer_id, request.producer_epoch, asked.offsets, done)
    except KafkaError as error:
        return TxnOffsetCommitResponse(topics=asked.answered(error.code))
    return PARKED
