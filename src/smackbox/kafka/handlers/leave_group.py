"""LeaveGroup (key 13), versions 0 to 5: one member, or from version 3 on several; static members may be named by their
instance id.
"""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_group
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.leave_group import (
    LeaveGroupRequest,
    LeaveGroupResponse,
    MemberIdentity,
    MemberResponse,
)

SEVERAL_SINCE = 3


def handle(broker: Broker, call: Call, request: LeaveGroupRequest) -> LeaveGroupResponse:
    """Answer LeaveGroup. Raises `KafkaError` when the whole request is rejected."""
    leaving = request.members if call.version >= SEVERAL_SINCE else [MemberIdentity(request.member_id)]
    if not request.group_id:
        return LeaveGroupResponse(error_code=errors.INVALID_GROUP_ID)
    check_group(broker, call, Operation.READ, request.group_id)
    answers = []
    for member in leaving:
        code = 0
        try:
            broker.groups.leave(request.group_id, member.member_id, member.group_instance_id)
        except KafkaError as error:
            code = error.code
        answers.append(MemberResponse(member.member_id, member.group_instance_id, code))
    if call.version < SEVERAL_SINCE:
        return LeaveGroupResponse(error_code=answers[0].error_code)
    return LeaveGroupResponse(members=answers)
