"""DeleteGroups (key 42), versions 0 to 3."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import Int16, Int32, Message, NullableString, Since, String


class DeleteGroupsRequest(Message):
    """The request of API key 42: versions 0 to 3, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 3)
    FLEXIBLE: ClassVar[int] = 2

    groups_names: list[String] = msgspec.field(default_factory=list)


class DeletableGroupResult(Message):
    """An entry of `DeleteGroupsResponse.results`."""

    group_id: String = ""
    error_code: Int16 = 0
    error_message: Annotated[NullableString, Since(3)] = None


class DeleteGroupsResponse(Message):
    """The response of API key 42: versions 0 to 3, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 3)
    FLEXIBLE: ClassVar[int] = 2

    throttle_time_ms: Int32 = 0
    results: list[DeletableGroupResult] = msgspec.field(default_factory=list)
