"""SyncGroup (key 14), versions 0 to 5."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import Bytes, Int16, Int32, Message, NullableString, Since, String


class SyncGroupRequestAssignment(Message):
    """An entry of `SyncGroupRequest.assignments`."""

    member_id: String = ""
    assignment: Bytes = b""


class SyncGroupRequest(Message):
    """The request of API key 14: versions 0 to 5, flexible from 4."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 5)
    FLEXIBLE: ClassVar[int] = 4

    group_id: String = ""
    generation_id: Int32 = 0
    member_id: String = ""
    group_instance_id: Annotated[NullableString, Since(3)] = None
    protocol_type: Annotated[NullableString, Since(5)] = None
    protocol_name: Annotated[NullableString, Since(5)] = None
    assignments: list[SyncGroupRequestAssignment] = msgspec.field(default_factory=list)


class SyncGroupResponse(Message):
    """The response of API key 14: versions 0 to 5, flexible from 4."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 5)
    FLEXIBLE: ClassVar[int] = 4

    throttle_time_ms: Annotated[Int32, Since(1)] = 0
    error_code: Int16 = 0
    protocol_type: Annotated[NullableString, Since(5)] = None
    protocol_name: Annotated[NullableString, Since(5)] = None
    assignment: Bytes = b""
