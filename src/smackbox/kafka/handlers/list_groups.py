"""ListGroups (key 16), versions 0 to 5: filtered by state from version 4 on, by type from version 5 on."""

from __future__ import annotations

from smackbox.kafka.handlers.access import may
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation, ResourceType
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.wire.messages.list_groups import ListedGroup, ListGroupsRequest, ListGroupsResponse


def handle(broker: Broker, call: Call, request: ListGroupsRequest) -> ListGroupsResponse:
    """Answer ListGroups: each entry has its own error code."""
    states = {state.lower() for state in request.states_filter}
    types = {kind.lower() for kind in request.types_filter}
    all_groups = may(broker, call, Operation.DESCRIBE, ResourceType.CLUSTER)
    return ListGroupsResponse(
        groups=[
            ListedGroup(group.group_id, group.protocol_type, group.state.value, group.kind)
            for group in broker.groups.groups.values()
            if (all_groups or may(broker, call, Operation.DESCRIBE, ResourceType.GROUP, group.group_id))
            and (not states or group.state.value.lower() in states)
            and (not types or group.kind.lower() in types)
        ]
    )
