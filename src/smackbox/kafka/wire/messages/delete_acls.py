"""DeleteAcls (key 31), versions 1 to 3."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from smackbox.kafka.wire.schema import Int8, Int16, Int32, Message, NullableString, String


class DeleteAclsFilter(Message):
    """An entry of `DeleteAclsRequest.filters`."""

    resource_type_filter: Int8 = 0
    resource_name_filter: NullableString = ""
    pattern_type_filter: Int8 = 3
    principal_filter: NullableString = ""
    host_filter: NullableString = ""
    operation: Int8 = 0
    permission_type: Int8 = 0


class DeleteAclsRequest(Message):
    """The request of API key 31: versions 1 to 3, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 3)
    FLEXIBLE: ClassVar[int] = 2

    filters: list[DeleteAclsFilter] = msgspec.field(default_factory=list)


class DeleteAclsMatchingAcl(Message):
    """An entry of `DeleteAclsFilterResult.matching_acls`."""

    error_code: Int16 = 0
    error_message: NullableString = ""
    resource_type: Int8 = 0
    resource_name: String = ""
    pattern_type: Int8 = 3
    principal: String = ""
    host: String = ""
    operation: Int8 = 0
    permission_type: Int8 = 0


class DeleteAclsFilterResult(Message):
    """An entry of `DeleteAclsResponse.filter_results`."""

    error_code: Int16 = 0
    error_message: NullableString = ""
    matching_acls: list[DeleteAclsMatchingAcl] = msgspec.field(default_factory=list)


class DeleteAclsResponse(Message):
    """The response of API key 31: versions 1 to 3, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 3)
    FLEXIBLE: ClassVar[int] = 2

    throttle_time_ms: Int32 = 0
    filter_results: list[DeleteAclsFilterResult] = msgspec.field(default_factory=list)
