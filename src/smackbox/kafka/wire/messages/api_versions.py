"""ApiVersions (key 18), versions 0 to 5."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import Bool, Int16, Int32, Int64, Message, NullableString, Since, String, Tag


class ApiVersionsRequest(Message):
    """The request of API key 18: versions 0 to 5, flexible from 3."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 5)
    FLEXIBLE: ClassVar[int] = 3

    client_software_name: Annotated[String, Since(3)] = ""
    client_software_version: Annotated[String, Since(3)] = ""
    cluster_id: Annotated[NullableString, Since(5)] = None
    node_id: Annotated[Int32, Since(5)] = -1


class ApiVersion(Message):
    """An entry of `ApiVersionsResponse.api_keys`."""

    api_key: Int16 = 0
    min_version: Int16 = 0
    max_version: Int16 = 0


class SupportedFeatureKey(Message):
    """An entry of `ApiVersionsResponse.supported_features`."""

    name: Annotated[String, Since(3)] = ""
    min_version: Annotated[Int16, Since(3)] = 0
    max_version: Annotated[Int16, Since(3)] = 0


class FinalizedFeatureKey(Message):
    """An entry of `ApiVersionsResponse.finalized_features`."""

    name: Annotated[String, Since(3)] = ""
    max_version_level: Annotated[Int16, Since(3)] = 0
    min_version_level: Annotated[Int16, Since(3)] = 0


class ApiVersionsResponse(Message):
    """The response of API key 18: versions 0 to 5, flexible from 3."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 5)
    FLEXIBLE: ClassVar[int] = 3

    error_code: Int16 = 0
    api_keys: list[ApiVersion] = msgspec.field(default_factory=list)
    throttle_time_ms: Annotated[Int32, Since(1)] = 0
    supported_features: Annotated[list[SupportedFeatureKey], Tag(0), Since(3)] = msgspec.field(default_factory=list)
    finalized_features_epoch: Annotated[Int64, Tag(1), Since(3)] = -1
    finalized_features: Annotated[list[FinalizedFeatureKey], Tag(2), Since(3)] = msgspec.field(default_factory=list)
    zk_migration_ready: Annotated[Bool, Tag(3), Since(3)] = False
