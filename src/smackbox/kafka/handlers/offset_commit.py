"""OffsetCommit (key 8), versions 2 to 10: answered when the offsets are as durable as the settings require.

From version 10 topics are named by id. The retention time in versions before 5 is ignored: `offsets.retention.minutes`
applies, as in Kafka.
"""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_group
from smackbox.kafka.handlers.asked_offsets import AskedOffsets
from smackbox.kafka.handlers.call import PARKED, Call, Parked
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)

TOPIC_IDS = 10
MEMBER_EPOCHS = 9  # the first version whose clients know member epochs (KIP-848)


def handle(broker: Broker, call: Call, request: OffsetCommitRequest) -> OffsetCommitResponse | Parked:
    """Answer OffsetCommit, at once or on completion: each entry has its own error code."""
    by_id = call.version >= TOPIC_IDS
    asked = AskedOffsets(broker, call, OffsetCommitResponsePartition, OffsetCommitResponseTopic, by_id=by_id)
    for topic in request.topics:
        asked.take(topic.name, topic.topic_id, topic.partitions)

    def done(error: KafkaError | None) -> None:
        call.respond(OffsetCommitResponse(topics=asked.answered(error.code if error is not None else 0)))

    if not asked.offsets:
        return OffsetCommitResponse(topics=asked.topics)
    try:
        check_group(broker, call, Operation.READ, request.group_id)
        group = broker.groups.for_commit(
            request.group_id,
            request.member_id,
            request.group_instance_id,
            request.generation_id_or_member_epoch,
            asked.offsets,
            epochs=call.version >= MEMBER_EPOCHS,
        )
        asked.drop_large_metadata()
        broker.groups.commit(group, asked.offsets, done)
    except KafkaError as error:
        return OffsetCommitResponse(topics=asked.answered(error.code))
    return PARKED
