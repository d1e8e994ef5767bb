"""Metadata (key 3), versions 0 to 13: the broker (at the address that the client connected to) and the requested
topics.

Version 0 asks for all topics with an empty list, later ones with null. A missing topic is created when the request
allows it (before version 4 always) and `auto_create_topics` is on. It is answered at once, with a leader; Kafka answers
LEADER_NOT_AVAILABLE here, so that the client asks again. From version 10 on topics may be requested by id.
"""

from __future__ import annotations

from smackbox.kafka.handlers.access import authorized_operations, check_topic, may
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.settings import NODE_ID
from smackbox.kafka.state.acls import Operation, ResourceType
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.partition import LEADER_EPOCH
from smackbox.kafka.state.topic import INTERNAL_TOPICS, Topic, check_name
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from smackbox.kafka.wire.schema import NO_UUID

# all operations on a topic or a cluster, as the bits of KIP-430: the answer of a Kafka without an authorizer
TOPIC_OPERATIONS = 3576
CLUSTER_OPERATIONS = 8096


def handle(broker: Broker, call: Call, request: MetadataRequest) -> MetadataResponse:
    """Answer Metadata."""
    host, port = call.connection.advertised
    requested = request.topics
    if requested is None or (call.version == 0 and not requested):
        answers = [
            _known(broker, call, topic, request)
            for topic in broker.catalog.topics.values()
            if may(broker, call, Operation.DESCRIBE, ResourceType.TOPIC, topic.name)
        ]
    else:
        answers = [_answer(broker, call, topic, request) for topic in requested]
    return MetadataResponse(
        brokers=[MetadataResponseBroker(NODE_ID, host, port)],
        cluster_id=broker.catalog.cluster_id,
        controller_id=NODE_ID,
        topics=answers,
        cluster_authorized_operations=authorized_operations(broker, call, CLUSTER_OPERATIONS, ResourceType.CLUSTER)
        if request.include_cluster_authorized_operations
        else -2147483648,
    )


def _answer(broker: Broker, call: Call, asked: MetadataRequestTopic, request: MetadataRequest) -> MetadataResponseTopic:
    if asked.name is None or asked.topic_id != NO_UUID:
        by_id = broker.catalog.by_id.get(asked.topic_id)
        if by_id is None:
            return MetadataResponseTopic(errors.UNKNOWN_TOPIC_ID, None, asked.topic_id)
        if not may(broker, call, Operation.DESCRIBE, ResourceType.TOPIC, by_id.name):
            return MetadataResponseTopic(errors.UNKNOWN_TOPIC_ID, None, asked.topic_id)
        return _known(broker, call, by_id, request)
    name = asked.name
    if not may(broker, call, Operation.DESCRIBE, ResourceType.TOPIC, name):
        return MetadataResponseTopic(errors.TOPIC_AUTHORIZATION_FAILED, name, NO_UUID, name in INTERNAL_TOPICS)
    topic = broker.catalog.topics.get(name)
    if topic is not None:
        return _known(broker, call, topic, request)
    try:
        check_name(name)
        allowed = request.allow_auto_topic_creation or call.version < 4
        if not (allowed and (broker.settings.auto_create_topics or name in INTERNAL_TOPICS)):
            raise KafkaError(errors.UNKNOWN_TOPIC_OR_PARTITION)
        if not may(broker, call, Operation.CREATE, ResourceType.CLUSTER):
            check_topic(broker, call, Operation.CREATE, name)
        return _known(broker, call, broker.create_topic_automatically(name), request)
    except KafkaError as error:
        return MetadataResponseTopic(error.code, name, NO_UUID, name in INTERNAL_TOPICS)


def _known(broker: Broker, call: Call, topic: Topic, request: MetadataRequest) -> MetadataResponseTopic:
    return MetadataResponseTopic(
        0,
        topic.name,
        topic.topic_id,
        topic.internal,
        [
            MetadataResponsePartition(0, index, NODE_ID, LEADER_EPOCH, [NODE_ID], [NODE_ID], [])
            for index in range(len(topic.partitions))
        ],
        authorized_operations(broker, call, TOPIC_OPERATIONS, ResourceType.TOPIC, topic.name)
        if request.include_topic_authorized_operations
        else -2147483648,
    )
