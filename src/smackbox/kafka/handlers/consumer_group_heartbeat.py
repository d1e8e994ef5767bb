"""ConsumerGroupHeartbeat (key 68), versions 0 and 1: the one request of a KIP-848 member.

Epoch 0 joins, -1 leaves, -2 leaves temporarily (static members). In version 0 the broker chooses the member id; in
version 1 the client does (KIP-1082) and may subscribe with a regular expression.
"""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_group, check_topic
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.assignors import ASSIGNORS
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.consumer_member import JOIN_EPOCH, LEAVE_STATIC_EPOCH, HeartbeatRequest, HeartbeatResult
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.consumer_group_heartbeat import (
    Assignment,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)


def handle(broker: Broker, call: Call, request: ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatResponse:
    """Answer ConsumerGroupHeartbeat: each entry has its own error code."""
    try:
        _check(call, request)
        check_group(broker, call, Operation.READ, request.group_id)
        for name in request.subscribed_topic_names or ():
            check_topic(broker, call, Operation.DESCRIBE, name)
        result = _heartbeat(broker, call, request)
    except KafkaError as error:
        return ConsumerGroupHeartbeatResponse(error_code=error.code, error_message=error.message)
    return ConsumerGroupHeartbeatResponse(
        member_id=result.member_id,
        member_epoch=result.epoch,
        heartbeat_interval_ms=broker.groups.heartbeat_interval_ms(request.group_id),
        assignment=None
        if result.assignment is None
        else Assignment(
            [TopicPartitions(topic, sorted(indexes)) for topic, indexes in sorted(result.assignment.items())]
        ),
    )


def _heartbeat(broker: Broker, call: Call, request: ConsumerGroupHeartbeatRequest) -> HeartbeatResult:
    joining = request.member_epoch == JOIN_EPOCH
    group = broker.groups.for_consumer(request.group_id, create=joining)
    return group.consumer_heartbeat(
        HeartbeatRequest(
            request.member_id or str(broker.new_id()),
            request.member_epoch,
            request.instance_id,
            request.rack_id,
            call.client_id or "",
            f"/{call.connection.peer_host}",
            request.rebalance_timeout_ms,
            request.subscribed_topic_names,
            request.subscribed_topic_regex,
            request.server_assignor,
            None
            if request.topic_partitions is None
            else {topic.topic_id: set(topic.partitions) for topic in request.topic_partitions},
        )
    )


def _check(call: Call, request: ConsumerGroupHeartbeatRequest) -> None:
    """The checks that Kafka makes before it looks at the group. Raises `KafkaError`."""
    problem = None
    if not request.group_id.strip():
        problem = "GroupId can't be empty."
    elif not request.member_id and (call.version >= 1 or request.member_epoch != JOIN_EPOCH):
        problem = "MemberId can't be empty."
    elif request.instance_id is not None and not request.instance_id.strip():
        problem = "InstanceId can't be empty."
    elif request.rack_id is not None and not request.rack_id.strip():
        problem = "RackId can't be empty."
    elif request.member_epoch < LEAVE_STATIC_EPOCH:
        problem = f"MemberEpoch is {request.member_epoch}, but must be greater than or equal to -2."
    elif request.member_epoch == LEAVE_STATIC_EPOCH and request.instance_id is None:
        problem = "InstanceId can't be null."
    elif request.member_epoch == JOIN_EPOCH:
        if request.rebalance_timeout_ms == -1:
            problem = "RebalanceTimeoutMs must be provided in first request."
        elif request.topic_partitions is None or request.topic_partitions:
            problem = "TopicPartitions must be empty when (re-)joining."
        elif (
            not request.subscribed_topic_names
            and not request.subscribed_topic_regex
            and (request.subscribed_topic_names is None)
        ):
            problem = "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining."
    if problem is not None:
        raise KafkaError(errors.INVALID_REQUEST, problem)
    if request.server_assignor is not None and request.server_assignor not in ASSIGNORS:
        raise KafkaError(
            errors.UNSUPPORTED_ASSIGNOR,
            f"ServerAssignor {request.server_assignor} is not supported. Supported assignors: {', '.join(ASSIGNORS)}.",
        )
