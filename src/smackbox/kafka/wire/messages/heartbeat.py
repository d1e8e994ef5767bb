"""Heartbeat (key 12), versions 0 to 4."""

from __future__ import annotations

from typing import Annotated, ClassVar

from smackbox.kafka.wire.schema import Int16, Int32, Message, NullableString, Since, String


class HeartbeatRequest(Message):
    """The request of API key 12: versions 0 to 4, flexible from 4."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 4)
    FLEXIBLE: ClassVar[int] = 4

    group_id: String = ""
    generation_id: Int32 = 0
    member_id: String = ""
    group_instance_id: Annotated[NullableString, Since(3)] = None


class HeartbeatResponse(Message):
    """The response of API key 12: versions 0 to 4, flexible from 4."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 4)
    FLEXIBLE: ClassVar[int] = 4

    throttle_time_ms: Annotated[Int32, Since(1)] = 0
    error_code: Int16 = 0
