"""IncrementalAlterConfigs (key 44), versions 0 to 1."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from smackbox.kafka.wire.schema import Bool, Int8, Int16, Int32, Message, NullableString, String


class AlterableConfig(Message):
    """An entry of `AlterConfigsResource.configs`."""

    name: String = ""
    config_operation: Int8 = 0
    value: NullableString = ""


class AlterConfigsResource(Message):
    """An entry of `IncrementalAlterConfigsRequest.resources`."""

    resource_type: Int8 = 0
    resource_name: String = ""
    configs: list[AlterableConfig] = msgspec.field(default_factory=list)


class IncrementalAlterConfigsRequest(Message):
    """The request of API key 44: versions 0 to 1, flexible from 1."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 1)
    FLEXIBLE: ClassVar[int] = 1

    resources: list[AlterConfigsResource] = msgspec.field(default_factory=list)
    validate_only: Bool = False


class AlterConfigsResourceResponse(Message):
    """An entry of `IncrementalAlterConfigsResponse.responses`."""

    error_code: Int16 = 0
    error_message: NullableString = ""
    resource_type: Int8 = 0
    resource_name: String = ""


class IncrementalAlterConfigsResponse(Message):
    """The response of API key 44: versions 0 to 1, flexible from 1."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 1)
    FLEXIBLE: ClassVar[int] = 1

    throttle_time_ms: Int32 = 0
    responses: list[AlterConfigsResourceResponse] = msgspec.field(default_factory=list)
