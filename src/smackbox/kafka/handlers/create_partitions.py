"""CreatePartitions (key 37), versions 0 to 3: add partitions to topics."""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_topic
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.handlers.create_topics import check_assignment
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
    CreatePartitionsTopicResult,
)


def handle(broker: Broker, call: Call, request: CreatePartitionsRequest) -> CreatePartitionsResponse:
    """Answer CreatePartitions: each entry has its own error code."""
    names = [topic.name for topic in request.topics]
    twice = {name for name in names if names.count(name) > 1}
    results = [
        CreatePartitionsTopicResult(name, errors.INVALID_REQUEST, "Duplicate topic name.") for name in sorted(twice)
    ]
    for asked in request.topics:
        if asked.name in twice:
            continue
        try:
            check_topic(broker, call, Operation.ALTER, asked.name)
            _grow(broker, asked, validate_only=request.validate_only)
            results.append(CreatePartitionsTopicResult(asked.name))
        except KafkaError as error:
            results.append(CreatePartitionsTopicResult(asked.name, error.code, error.message or None))
    return CreatePartitionsResponse(results=results)


def _grow(broker: Broker, asked: CreatePartitionsTopic, *, validate_only: bool) -> None:
    topic = broker.catalog.topics.get(asked.name)
    if topic is None:
        raise KafkaError(errors.UNKNOWN_TOPIC_OR_PARTITION)
    current = len(topic.partitions)
    if asked.count == current:
        raise KafkaError(errors.INVALID_PARTITIONS, f"Topic already has {current} partition(s).")
    if asked.count < current:
        raise KafkaError(
            errors.INVALID_PARTITIONS,
            f"The topic {asked.name} currently has {current} partition(s); {asked.count} would not be an increase.",
        )
    more = asked.count - current
    if asked.assignments is not None:
        if len(asked.assignments) != more:
            raise KafkaError(
                errors.INVALID_REPLICA_ASSIGNMENT,
                f"Attempted to add {more} additional partition(s), but only {len(asked.assignments)} assignment(s) "
                "were specified.",
            )
        for assignment in asked.assignments:
            check_assignment(assignment.broker_ids)
    broker.catalog.check_room(more)
    if not validate_only:
        broker.catalog.add_partitions(topic, asked.count)
