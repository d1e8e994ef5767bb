"""CreateTopics (key 19), versions 2 to 7.

A request gives either the number of partitions or a manual assignment (to this one broker). The replication factor must
be 1, or -1 for the default. `validate_only` checks the request without creating the topic. From version 5 on the answer
includes the effective configuration.
"""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_topic, may
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.settings import NODE_ID
from smackbox.kafka.state.acls import Operation, ResourceType
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.config_source import effective_topic_configs
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfigs,
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from smackbox.kafka.wire.schema import NO_UUID


def handle(broker: Broker, call: Call, request: CreateTopicsRequest) -> CreateTopicsResponse:
    """Answer CreateTopics: each entry has its own error code."""
    names = [topic.name for topic in request.topics]
    twice = {name for name in names if names.count(name) > 1}
    answers = [
        CreatableTopicResult(
            name=name, topic_id=NO_UUID, error_code=errors.INVALID_REQUEST, error_message="Duplicate topic name."
        )
        for name in sorted(twice)
    ]
    answers += [_create(broker, call, topic, request) for topic in request.topics if topic.name not in twice]
    return CreateTopicsResponse(topics=answers)


def _create(broker: Broker, call: Call, asked: CreatableTopic, request: CreateTopicsRequest) -> CreatableTopicResult:
    try:
        if not may(broker, call, Operation.CREATE, ResourceType.CLUSTER):
            check_topic(broker, call, Operation.CREATE, asked.name)
        partitions = _partition_count(broker, asked)
        overrides = {config.name: config.value for config in asked.configs}
        if request.validate_only:
            stored = broker.catalog.check_new(asked.name, partitions, overrides)
            topic_id = NO_UUID
        else:
            topic = broker.catalog.create(asked.name, partitions, overrides)
            topic_id, stored = topic.topic_id, topic.overrides
    except KafkaError as error:
        return CreatableTopicResult(
            name=asked.name,
            topic_id=NO_UUID,
            error_code=error.code,
            error_message=error.message,
            num_partitions=-1,
            replication_factor=-1,
            configs=[],
        )
    return CreatableTopicResult(
        name=asked.name,
        topic_id=topic_id,
        error_code=0,
        error_message=None,
        num_partitions=partitions,
        replication_factor=1,
        configs=[
            CreatableTopicConfigs(
                name=config.name,
                value=config.value,
                read_only=False,
                config_source=config.source,
                is_sensitive=False,
            )
            for config in effective_topic_configs(broker.catalog, stored)
        ],
    )


def _partition_count(broker: Broker, asked: CreatableTopic) -> int:
    """The number of partitions. Raises `KafkaError` for counts and assignments that a single broker cannot satisfy."""
    if asked.assignments:
        if asked.num_partitions != -1 or asked.replication_factor != -1:
            raise KafkaError(
                errors.INVALID_REQUEST,
                "A manual partition assignment was specified, but numPartitions or "
                "replicationFactor was not set to -1.",
            )
        indexes = sorted(assignment.partition_index for assignment in asked.assignments)
        if indexes != list(range(len(indexes))):
            raise KafkaError(
                errors.INVALID_REPLICA_ASSIGNMENT, "partitions should be a consecutive 0-based integer sequence"
            )
        for assignment in asked.assignments:
            check_assignment(assignment.broker_ids)
        return len(indexes)
    if asked.replication_factor not in {-1, 1}:
        if asked.replication_factor < 1:
            raise KafkaError(
                errors.INVALID_REPLICATION_FACTOR,
                "Replication factor must be larger than 0, or -1 to use the default value.",
            )
        raise KafkaError(
            errors.INVALID_REPLICATION_FACTOR,
            f"Unable to replicate the partition {asked.replication_factor} time(s): "
            "The target replication factor cannot be reached because only 1 broker(s) are registered.",
        )
    if asked.num_partitions == -1:
        return broker.settings.num_partitions
    if asked.num_partitions < 1:
        raise KafkaError(
            errors.INVALID_PARTITIONS, "Number of partitions must be larger than 0, or -1 to use the default value."
        )
    return asked.num_partitions


def check_assignment(broker_ids: list[int]) -> None:
    """Raises `KafkaError` for replicas on any broker but this one."""
    if not broker_ids:
        raise KafkaError(
            errors.INVALID_REPLICA_ASSIGNMENT, "The manual partition assignment includes an empty replica list."
        )
    if len(set(broker_ids)) != len(broker_ids):
        raise KafkaError(
            errors.INVALID_REPLICA_ASSIGNMENT, "The manual partition assignment includes a broker more than once."
        )
    for broker_id in broker_ids:
        if broker_id != NODE_ID:
            raise KafkaError(
                errors.INVALID_REPLICA_ASSIGNMENT,
                f"The manual partition assignment includes broker {broker_id}, but no such broker is registered.",
            )
