"""SyncGroup (key 14), versions 0 to 5: parked until the group's leader has sent the assignment."""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_group
from smackbox.kafka.handlers.call import PARKED, Call, Parked
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.classic_member import SyncResult
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.sync_group import SyncGroupRequest, SyncGroupResponse


def handle(broker: Broker, call: Call, request: SyncGroupRequest) -> Parked:
    """Answer SyncGroup, at once or on completion: each entry has its own error code."""

    def synced(result: SyncResult) -> None:
        call.respond(
            SyncGroupResponse(0, result.error_code, result.protocol_type, result.protocol_name, result.assignment)
        )

    try:
        if not request.group_id:
            raise KafkaError(errors.INVALID_GROUP_ID)
        check_group(broker, call, Operation.READ, request.group_id)
        if call.version >= 5 and (request.protocol_type is None or request.protocol_name is None):
            raise KafkaError(errors.INCONSISTENT_GROUP_PROTOCOL)
        group = broker.groups.for_classic_member(request.group_id)
    except KafkaError as error:
        synced(SyncResult(error.code))
        return PARKED
    group.sync(
        request.member_id,
        request.group_instance_id,
        request.generation_id,
        request.protocol_type,
        request.protocol_name,
        {entry.member_id: entry.assignment for entry in request.assignments},
        synced,
    )
    return PARKED
