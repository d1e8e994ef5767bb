"""JoinGroup (key 11), versions 0 to 9: parked until the group's rebalance completes.

From version 4 on new members must rejoin with the id that they were given; version 5 adds static members; version 9
lets a static leader that rejoins skip the assignment (KIP-814).
"""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_group
from smackbox.kafka.handlers.call import PARKED, Call, Parked
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.classic_member import JoinRequest, JoinResult
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.join_group import (
    JoinGroupRequest,
    JoinGroupResponse,
    JoinGroupResponseMember,
)

KNOWN_MEMBER_SINCE = 4
SKIP_ASSIGNMENT_SINCE = 9


def handle(broker: Broker, call: Call, request: JoinGroupRequest) -> Parked:
    """Answer JoinGroup, at once or on completion: each entry has its own error code."""

    def joined(result: JoinResult) -> None:
        call.respond(_response(result))

    try:
        if not request.group_id:
            raise KafkaError(errors.INVALID_GROUP_ID)
        check_group(broker, call, Operation.READ, request.group_id)
        settings = broker.settings
        timeout_ms = request.session_timeout_ms
        if not settings.group_min_session_timeout_ms <= timeout_ms <= settings.group_max_session_timeout_ms:
            raise KafkaError(errors.INVALID_SESSION_TIMEOUT)
        group = broker.groups.for_classic_join(request.group_id, request.member_id)
    except KafkaError as error:
        joined(JoinResult(error.code, request.member_id))
        return PARKED
    group.join(
        JoinRequest(
            request.member_id,
            request.group_instance_id,
            call.client_id or "",
            f"/{call.connection.peer_host}",
            timeout_ms,
            request.rebalance_timeout_ms if call.version >= 1 else timeout_ms,
            request.protocol_type,
            {protocol.name: protocol.metadata for protocol in request.protocols},
            require_known_member=call.version >= KNOWN_MEMBER_SINCE,
            supports_skip_assignment=call.version >= SKIP_ASSIGNMENT_SINCE,
        ),
        joined,
    )
    return PARKED


def _response(result: JoinResult) -> JoinGroupResponse:
    return JoinGroupResponse(
        0,
        result.error_code,
        result.generation,
        result.protocol_type,
        result.protocol_name,
        result.leader,
        result.skip_assignment,
        result.member_id,
        [JoinGroupResponseMember(*member) for member in result.members],
    )
