"""OffsetDelete (key 47), version 0: delete committed offsets of topics that no group member subscribes to."""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_group, may
from smackbox.kafka.handlers.call import PARKED, Call, Parked
from smackbox.kafka.state.acls import Operation, ResourceType
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)


def handle(broker: Broker, call: Call, request: OffsetDeleteRequest) -> OffsetDeleteResponse | Parked:
    """Answer OffsetDelete, at once or on completion. Raises `KafkaError` when the whole request is rejected."""
    check_group(broker, call, Operation.DELETE, request.group_id)
    try:
        group = broker.groups.group(request.group_id)
        group.check_offset_deletion()
    except KafkaError as error:
        return OffsetDeleteResponse(error_code=error.code)
    wheres = []
    topics = []
    for topic in request.topics:
        subscribed = group.subscribes_to(topic.name)
        results = []
        for partition in topic.partitions:
            code = 0
            known = broker.catalog.topics.get(topic.name)
            if not may(broker, call, Operation.READ, ResourceType.TOPIC, topic.name):
                code = errors.TOPIC_AUTHORIZATION_FAILED
            elif known is None or not 0 <= partition.partition_index < len(known.partitions):
                code = errors.UNKNOWN_TOPIC_OR_PARTITION
            elif subscribed:
                code = errors.GROUP_SUBSCRIBED_TO_TOPIC
            else:
                wheres.append((topic.name, partition.partition_index))
            results.append(OffsetDeleteResponsePartition(partition.partition_index, code))
        topics.append(OffsetDeleteResponseTopic(topic.name, results))

    def deleted(error: KafkaError | None) -> None:
        call.respond(OffsetDeleteResponse(error.code if error else 0, 0, topics if error is None else []))

    try:
        broker.groups.delete_offsets(group, wheres, deleted)
    except KafkaError as error:
        return OffsetDeleteResponse(error_code=error.code)
    return PARKED
