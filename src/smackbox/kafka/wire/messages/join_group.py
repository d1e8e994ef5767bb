"""JoinGroup (key 11), versions 0 to 9."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import Bool, Bytes, Int16, Int32, Message, NullableSince, NullableString, Since, String


class JoinGroupRequestProtocol(Message):
    """An entry of `JoinGroupRequest.protocols`."""

    name: String = ""
    metadata: Bytes = b""


class JoinGroupRequest(Message):
    """The request of API key 11: versions 0 to 9, flexible from 6."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 9)
    FLEXIBLE: ClassVar[int] = 6

    group_id: String = ""
    session_timeout_ms: Int32 = 0
    rebalance_timeout_ms: Annotated[Int32, Since(1)] = -1
    member_id: String = ""
    group_instance_id: Annotated[NullableString, Since(5)] = None
    protocol_type: String = ""
    protocols: list[JoinGroupRequestProtocol] = msgspec.field(default_factory=list)
    reason: Annotated[NullableString, Since(8)] = None


class JoinGroupResponseMember(Message):
    """An entry of `JoinGroupResponse.members`."""

    member_id: String = ""
    group_instance_id: Annotated[NullableString, Since(5)] = None
    metadata: Bytes = b""


class JoinGroupResponse(Message):
    """The response of API key 11: versions 0 to 9, flexible from 6."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 9)
    FLEXIBLE: ClassVar[int] = 6

    throttle_time_ms: Annotated[Int32, Since(2)] = 0
    error_code: Int16 = 0
    generation_id: Int32 = -1
    protocol_type: Annotated[NullableString, Since(7)] = None
    protocol_name: Annotated[NullableString, NullableSince(7)] = ""
    leader: String = ""
    skip_assignment: Annotated[Bool, Since(9)] = False
    member_id: String = ""
    members: list[JoinGroupResponseMember] = msgspec.field(default_factory=list)
