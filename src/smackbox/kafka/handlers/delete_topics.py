"""DeleteTopics (key 20), versions 1 to 6: by name, or from version 6 on by name or id."""

from __future__ import annotations

from smackbox.kafka.handlers.access import may
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation, ResourceType
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.topic import Topic
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from smackbox.kafka.wire.schema import NO_UUID


def handle(broker: Broker, call: Call, request: DeleteTopicsRequest) -> DeleteTopicsResponse:
    """Answer DeleteTopics: each entry has its own error code."""
    requested = (
        request.topics if call.version >= 6 else [DeleteTopicState(name, NO_UUID) for name in request.topic_names]
    )
    return DeleteTopicsResponse(responses=[_delete(broker, call, topic) for topic in requested])


def _delete(broker: Broker, call: Call, asked: DeleteTopicState) -> DeletableTopicResult:
    if not broker.settings.delete_topic_enable:
        return DeletableTopicResult(asked.name, asked.topic_id, errors.TOPIC_DELETION_DISABLED, None)
    topic: Topic | None
    if asked.name is None:
        topic = broker.catalog.by_id.get(asked.topic_id)
        if topic is None:
            message = "This server does not host this topic ID."
            return DeletableTopicResult(None, asked.topic_id, errors.UNKNOWN_TOPIC_ID, message)
        if not may(broker, call, Operation.DELETE, ResourceType.TOPIC, topic.name):
            message = "Authorization failed."
            return DeletableTopicResult(None, asked.topic_id, errors.TOPIC_AUTHORIZATION_FAILED, message)
    else:
        if asked.topic_id != NO_UUID:
            message = "You may not specify both topic name and topic id."
            return DeletableTopicResult(asked.name, asked.topic_id, errors.INVALID_REQUEST, message)
        if not may(broker, call, Operation.DELETE, ResourceType.TOPIC, asked.name):
            return DeletableTopicResult(asked.name, NO_UUID, errors.TOPIC_AUTHORIZATION_FAILED, "Authorization failed.")
        topic = broker.catalog.topics.get(asked.name)
        if topic is None:
            message = "This server does not host this topic-partition."
            return DeletableTopicResult(asked.name, NO_UUID, errors.UNKNOWN_TOPIC_OR_PARTITION, message)
    broker.delete_topic(topic)
    return DeletableTopicResult(topic.name, topic.topic_id)
