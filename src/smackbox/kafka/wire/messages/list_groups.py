"""ListGroups (key 16), versions 0 to 5."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import Int16, Int32, Message, Since, String


class ListGroupsRequest(Message):
    """The request of API key 16: versions 0 to 5, flexible from 3."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 5)
    FLEXIBLE: ClassVar[int] = 3

    states_filter: Annotated[list[String], Since(4)] = msgspec.field(default_factory=list)
    types_filter: Annotated[list[String], Since(5)] = msgspec.field(default_factory=list)


class ListedGroup(Message):
    """An entry of `ListGroupsResponse.groups`."""

    group_id: String = ""
    protocol_type: String = ""
    group_state: Annotated[String, Since(4)] = ""
    group_type: Annotated[String, Since(5)] = ""


class ListGroupsResponse(Message):
    """The response of API key 16: versions 0 to 5, flexible from 3."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 5)
    FLEXIBLE: ClassVar[int] = 3

    throttle_time_ms: Annotated[Int32, Since(1)] = 0
    error_code: Int16 = 0
    groups: list[ListedGroup] = msgspec.field(default_factory=list)
