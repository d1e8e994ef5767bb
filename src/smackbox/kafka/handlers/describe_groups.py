"""DescribeGroups (key 15), versions 0 to 6: classic groups. ConsumerGroupDescribe describes KIP-848 groups.

From version 6 an unknown group is answered with GROUP_ID_NOT_FOUND; before, as a dead group.
"""

from __future__ import annotations

from smackbox.kafka.handlers.access import authorized_operations, may
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation, ResourceType
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.classic_group import ClassicGroup
from smackbox.kafka.state.classic_member import GroupState
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.describe_groups import (
    DescribedGroup,
    DescribedGroupMember,
    DescribeGroupsRequest,
    DescribeGroupsResponse,
)

NOT_FOUND_SINCE = 6
GROUP_OPERATIONS = 3400
NOT_ASKED = -2147483648


def handle(broker: Broker, call: Call, request: DescribeGroupsRequest) -> DescribeGroupsResponse:
    """Answer DescribeGroups: each entry has its own error code."""
    return DescribeGroupsResponse(groups=[_describe(broker, call, request, group_id) for group_id in request.groups])


def _describe(broker: Broker, call: Call, request: DescribeGroupsRequest, group_id: str) -> DescribedGroup:
    if not may(broker, call, Operation.DESCRIBE, ResourceType.GROUP, group_id):
        return DescribedGroup(errors.GROUP_AUTHORIZATION_FAILED, None, group_id)
    group = broker.groups.groups.get(group_id)
    operations = NOT_ASKED
    if request.include_authorized_operations:
        operations = authorized_operations(broker, call, GROUP_OPERATIONS, ResourceType.GROUP, group_id)
    if not isinstance(group, ClassicGroup):
        code, message = 0, None
        if call.version >= NOT_FOUND_SINCE:
            reason = "not found" if group is None else "not a classic group"
            code, message = errors.GROUP_ID_NOT_FOUND, f"Group {group_id} is {reason}."
        return DescribedGroup(code, message, group_id, GroupState.DEAD.value, authorized_operations=operations)
    stable = group.state is GroupState.STABLE
    protocol = group.protocol_name or ""
    return DescribedGroup(
        0,
        None,
        group_id,
        group.state.value,
        group.protocol_type,
        protocol if stable else "",
        [
            DescribedGroupMember(
                member.member_id,
                member.instance_id,
                member.client_id,
                member.client_host,
                member.protocols.get(protocol, b"") if stable else b"",
                member.assignment,
            )
            for member in group.members.values()
        ],
        operations,
    )
