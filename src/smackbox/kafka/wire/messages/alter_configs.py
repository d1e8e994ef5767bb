"""AlterConfigs (key 33), versions 0 to 2."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from smackbox.kafka.wire.schema import Bool, Int8, Int16, Int32, Message, NullableString, String


class AlterableConfig(Message):
    """An entry of `AlterConfigsResource.configs`."""

    name: String = ""
    value: NullableString = ""


class AlterConfigsResource(Message):
    """An entry of `AlterConfigsRequest.resources`."""

    resource_type: Int8 = 0
    resource_name: String = ""
    configs: list[AlterableConfig] = msgspec.field(default_factory=list)


class AlterConfigsRequest(Message):
    """The request of API key 33: versions 0 to 2, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 2)
    FLEXIBLE: ClassVar[int] = 2

    resources: list[AlterConfigsResource] = msgspec.field(default_factory=list)
    validate_only: Bool = False


class AlterConfigsResourceResponse(Message):
    """An entry of `AlterConfigsResponse.responses`."""

    error_code: Int16 = 0
    error_message: NullableString = ""
    resource_type: Int8 = 0
    resource_name: String = ""


class AlterConfigsResponse(Message):
    """The response of API key 33: versions 0 to 2, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 2)
    FLEXIBLE: ClassVar[int] = 2

    throttle_time_ms: Int32 = 0
    responses: list[AlterConfigsResourceResponse] = msgspec.field(default_factory=list)
