"""LeaveGroup (key 13), versions 0 to 5."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import Int16, Int32, Message, NullableString, Since, String, Until


class MemberIdentity(Message):
    """An entry of `LeaveGroupRequest.members`."""

    member_id: Annotated[String, Since(3)] = ""
    group_instance_id: Annotated[NullableString, Since(3)] = None
    reason: Annotated[NullableString, Since(5)] = None


class LeaveGroupRequest(Message):
    """The request of API key 13: versions 0 to 5, flexible from 4."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 5)
    FLEXIBLE: ClassVar[int] = 4

    group_id: String = ""
    member_id: Annotated[String, Until(2)] = ""
    members: Annotated[list[MemberIdentity], Since(3)] = msgspec.field(default_factory=list)


class MemberResponse(Message):
    """An entry of `LeaveGroupResponse.members`."""

    member_id: Annotated[String, Since(3)] = ""
    group_instance_id: Annotated[NullableString, Since(3)] = ""
    error_code: Annotated[Int16, Since(3)] = 0


class LeaveGroupResponse(Message):
    """The response of API key 13: versions 0 to 5, flexible from 4."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 5)
    FLEXIBLE: ClassVar[int] = 4

    throttle_time_ms: Annotated[Int32, Since(1)] = 0
    error_code: Int16 = 0
    members: Annotated[list[MemberResponse], Since(3)] = msgspec.field(default_factory=list)
