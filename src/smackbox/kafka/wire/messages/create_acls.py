"""CreateAcls (key 30), versions 1 to 3."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from smackbox.kafka.wire.schema import Int8, Int16, Int32, Message, NullableString, String


class AclCreation(Message):
    """An entry of `CreateAclsRequest.creations`."""

    resource_type: Int8 = 0
    resource_name: String = ""
    resource_pattern_type: Int8 = 3
    principal: String = ""
    host: String = ""
    operation: Int8 = 0
    permission_type: Int8 = 0


class CreateAclsRequest(Message):
    """The request of API key 30: versions 1 to 3, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 3)
    FLEXIBLE: ClassVar[int] = 2

    creations: list[AclCreation] = msgspec.field(default_factory=list)


class AclCreationResult(Message):
    """An entry of `CreateAclsResponse.results`."""

    error_code: Int16 = 0
    error_message: NullableString = ""


class CreateAclsResponse(Message):
    """The response of API key 30: versions 1 to 3, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 3)
    FLEXIBLE: ClassVar[int] = 2

    throttle_time_ms: Int32 = 0
    results: list[AclCreationResult] = msgspec.field(default_factory=list)
