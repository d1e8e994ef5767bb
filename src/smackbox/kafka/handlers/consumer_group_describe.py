"""ConsumerGroupDescribe (key 69), versions 0 and 1: KIP-848 groups; DescribeGroups describes classic groups."""

from __future__ import annotations

from smackbox.kafka.handlers.access import authorized_operations, may
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.handlers.describe_groups import GROUP_OPERATIONS, NOT_ASKED
from smackbox.kafka.state import assignors
from smackbox.kafka.state.acls import Operation, ResourceType
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.consumer_group import ConsumerGroup
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.consumer_group_describe import (
    Assignment,
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
    DescribedGroup,
    Member,
    TopicPartitions,
)

CLASSIC_MEMBER, CONSUMER_MEMBER = 0, 1


def handle(broker: Broker, call: Call, request: ConsumerGroupDescribeRequest) -> ConsumerGroupDescribeResponse:
    """Answer ConsumerGroupDescribe: each entry has its own error code."""
    return ConsumerGroupDescribeResponse(
        groups=[
            _describe(broker, call, group_id, asked=request.include_authorized_operations)
            for group_id in request.group_ids
        ]
    )


def _describe(broker: Broker, call: Call, group_id: str, *, asked: bool) -> DescribedGroup:
    if not group_id:
        return DescribedGroup(errors.INVALID_GROUP_ID, None, group_id)
    if not may(broker, call, Operation.DESCRIBE, ResourceType.GROUP, group_id):
        return DescribedGroup(errors.GROUP_AUTHORIZATION_FAILED, None, group_id)
    group = broker.groups.groups.get(group_id)
    if not isinstance(group, ConsumerGroup):
        reason = "not found" if group is None else "not a consumer group"
        return DescribedGroup(errors.GROUP_ID_NOT_FOUND, f"Group {group_id} is {reason}.", group_id)
    operations = NOT_ASKED
    if asked:
        operations = authorized_operations(broker, call, GROUP_OPERATIONS, ResourceType.GROUP, group_id)
    return DescribedGroup(
        0,
        None,
        group_id,
        group.state.value,
        group.epoch,
        group.assignment_epoch,
        group.assignor,
        [
            Member(
                member.member_id,
                member.instance_id,
                member.rack_id,
                member.epoch,
                member.client_id,
                member.client_host,
                sorted(member.topics),
                member.pattern,
                _assignment(broker, member.held),
                _assignment(broker, group.target.get(member.member_id, {})),
                CONSUMER_MEMBER if member.classic is None else CLASSIC_MEMBER,
            )
            for member in group.members.values()
        ],
        operations,
    )


def _assignment(broker: Broker, assignment: assignors.Assignment) -> Assignment:
    by_id = broker.catalog.by_id
    return Assignment(
        [
            TopicPartitions(topic, by_id[topic].name, sorted(indexes))
            for topic, indexes in sorted(assignment.items())
            if topic in by_id
        ]
    )
