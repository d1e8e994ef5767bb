"""ListConfigResources (key 74), versions 0 to 1."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import Int8, Int16, Int32, Message, Since, String


class ListConfigResourcesRequest(Message):
    """The request of API key 74: versions 0 to 1, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 1)
    FLEXIBLE: ClassVar[int] = 0

    resource_types: Annotated[list[Int8], Since(1)] = msgspec.field(default_factory=list)


class ConfigResource(Message):
    """An entry of `ListConfigResourcesResponse.config_resources`."""

    resource_name: String = ""
    resource_type: Annotated[Int8, Since(1)] = 16


class ListConfigResourcesResponse(Message):
    """The response of API key 74: versions 0 to 1, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 1)
    FLEXIBLE: ClassVar[int] = 0

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    config_resources: list[ConfigResource] = msgspec.field(default_factory=list)
