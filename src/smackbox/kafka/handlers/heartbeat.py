"""Heartbeat (key 12), versions 0 to 4."""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_group
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse


def handle(broker: Broker, call: Call, request: HeartbeatRequest) -> HeartbeatResponse:
    """Answer Heartbeat."""
    try:
        if not request.group_id:
            raise KafkaError(errors.INVALID_GROUP_ID)
        check_group(broker, call, Operation.READ, request.group_id)
        group = broker.groups.for_classic_member(request.group_id)
        code = group.heartbeat(request.member_id, request.group_instance_id, request.generation_id)
    except KafkaError as error:
        code = error.code
    return HeartbeatResponse(error_code=code)
