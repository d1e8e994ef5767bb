"""DescribeConfigs (key 32), versions 1 to 4."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import Bool, Int8, Int16, Int32, Message, NullableString, Since, String


class DescribeConfigsResource(Message):
    """An entry of `DescribeConfigsRequest.resources`."""

    resource_type: Int8 = 0
    resource_name: String = ""
    configuration_keys: list[String] | None = msgspec.field(default_factory=list)


class DescribeConfigsRequest(Message):
    """The request of API key 32: versions 1 to 4, flexible from 4."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 4)
    FLEXIBLE: ClassVar[int] = 4

    resources: list[DescribeConfigsResource] = msgspec.field(default_factory=list)
    include_synonyms: Bool = False
    include_documentation: Annotated[Bool, Since(3)] = False


class DescribeConfigsSynonym(Message):
    """An entry of `DescribeConfigsResourceResult.synonyms`."""

    name: String = ""
    value: NullableString = ""
    source: Int8 = 0


class DescribeConfigsResourceResult(Message):
    """An entry of `DescribeConfigsResult.configs`."""

    name: String = ""
    value: NullableString = ""
    read_only: Bool = False
    config_source: Int8 = -1
    is_sensitive: Bool = False
    synonyms: list[DescribeConfigsSynonym] = msgspec.field(default_factory=list)
    config_type: Annotated[Int8, Since(3)] = 0
    documentation: Annotated[NullableString, Since(3)] = ""


class DescribeConfigsResult(Message):
    """An entry of `DescribeConfigsResponse.results`."""

    error_code: Int16 = 0
    error_message: NullableString = ""
    resource_type: Int8 = 0
    resource_name: String = ""
    configs: list[DescribeConfigsResourceResult] = msgspec.field(default_factory=list)


class DescribeConfigsResponse(Message):
    """The response of API key 32: versions 1 to 4, flexible from 4."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 4)
    FLEXIBLE: ClassVar[int] = 4

    throttle_time_ms: Int32 = 0
    results: list[DescribeConfigsResult] = msgspec.field(default_factory=list)
