"""AlterClientQuotas (key 49), versions 0 to 1."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from smackbox.kafka.wire.schema import Bool, Float64, Int16, Int32, Message, NullableString, String


class EntityData(Message):
    """An entry of `EntryData.entity` and `EntryResult.entity`."""

    entity_type: String = ""
    entity_name: NullableString = ""


class OpData(Message):
    """An entry of `EntryData.ops`."""

    key: String = ""
    value: Float64 = 0.0
    remove: Bool = False


class EntryData(Message):
    """An entry of `AlterClientQuotasRequest.entries`."""

    entity: list[EntityData] = msgspec.field(default_factory=list)
    ops: list[OpData] = msgspec.field(default_factory=list)


class AlterClientQuotasRequest(Message):
    """The request of API key 49: versions 0 to 1, flexible from 1."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 1)
    FLEXIBLE: ClassVar[int] = 1

    entries: list[EntryData] = msgspec.field(default_factory=list)
    validate_only: Bool = False


class EntryResult(Message):
    """An entry of `AlterClientQuotasResponse.entries`."""

    error_code: Int16 = 0
    error_message: NullableString = ""
    entity: list[EntityData] = msgspec.field(default_factory=list)


class AlterClientQuotasResponse(Message):
    """The response of API key 49: versions 0 to 1, flexible from 1."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 1)
    FLEXIBLE: ClassVar[int] = 1

    throttle_time_ms: Int32 = 0
    entries: list[EntryResult] = msgspec.field(default_factory=list)
