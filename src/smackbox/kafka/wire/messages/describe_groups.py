"""DescribeGroups (key 15), versions 0 to 6."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import Bool, Bytes, Int16, Int32, Message, NullableString, Since, String


class DescribeGroupsRequest(Message):
    """The request of API key 15: versions 0 to 6, flexible from 5."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 6)
    FLEXIBLE: ClassVar[int] = 5

    groups: list[String] = msgspec.field(default_factory=list)
    include_authorized_operations: Annotated[Bool, Since(3)] = False


class DescribedGroupMember(Message):
    """An entry of `DescribedGroup.members`."""

    member_id: String = ""
    group_instance_id: Annotated[NullableString, Since(4)] = None
    client_id: String = ""
    client_host: String = ""
    member_metadata: Bytes = b""
    member_assignment: Bytes = b""


class DescribedGroup(Message):
    """An entry of `DescribeGroupsResponse.groups`."""

    error_code: Int16 = 0
    error_message: Annotated[NullableString, Since(6)] = None
    group_id: String = ""
    group_state: String = ""
    protocol_type: String = ""
    protocol_data: String = ""
    members: list[DescribedGroupMember] = msgspec.field(default_factory=list)
    authorized_operations: Annotated[Int32, Since(3)] = -2147483648


class DescribeGroupsResponse(Message):
    """The response of API key 15: versions 0 to 6, flexible from 5."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 6)
    FLEXIBLE: ClassVar[int] = 5

    throttle_time_ms: Annotated[Int32, Since(1)] = 0
    groups: list[DescribedGroup] = msgspec.field(default_factory=list)
