"""DeleteGroups (key 42), versions 0 to 3: delete groups that have no members, with their offsets."""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_group
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire.messages.delete_groups import (
    DeletableGroupResult,
    DeleteGroupsRequest,
    DeleteGroupsResponse,
)


def handle(broker: Broker, call: Call, request: DeleteGroupsRequest) -> DeleteGroupsResponse:
    """Answer DeleteGroups: each entry has its own error code."""
    results = []
    for group_id in request.groups_names:
        try:
            check_group(broker, call, Operation.DELETE, group_id)
            broker.groups.delete(group_id)
            results.append(DeletableGroupResult(group_id))
        except KafkaError as error:
            results.append(DeletableGroupResult(group_id, error.code, error.message))
    return DeleteGroupsResponse(results=results)
