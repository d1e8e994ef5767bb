"""DescribeClientQuotas (key 48), versions 0 to 1."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from smackbox.kafka.wire.schema import Bool, Float64, Int8, Int16, Int32, Message, NullableString, String


class ComponentData(Message):
    """An entry of `DescribeClientQuotasRequest.components`."""

    entity_type: String = ""
    match_type: Int8 = 0
    match: NullableString = ""


class DescribeClientQuotasRequest(Message):
    """The request of API key 48: versions 0 to 1, flexible from 1."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 1)
    FLEXIBLE: ClassVar[int] = 1

    components: list[ComponentData] = msgspec.field(default_factory=list)
    strict: Bool = False


class EntityData(Message):
    """An entry of `EntryData.entity`."""

    entity_type: String = ""
    entity_name: NullableString = ""


class ValueData(Message):
    """An entry of `EntryData.values`."""

    key: String = ""
    value: Float64 = 0.0


class EntryData(Message):
    """An entry of `DescribeClientQuotasResponse.entries`."""

    entity: list[EntityData] = msgspec.field(default_factory=list)
    values: list[ValueData] = msgspec.field(default_factory=list)


class DescribeClientQuotasResponse(Message):
    """The response of API key 48: versions 0 to 1, flexible from 1."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 1)
    FLEXIBLE: ClassVar[int] = 1

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: NullableString = ""
    entries: list[EntryData] | None = msgspec.field(default_factory=list)
