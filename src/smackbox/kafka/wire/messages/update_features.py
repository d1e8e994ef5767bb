"""UpdateFeatures (key 57), versions 0 to 2."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import Bool, Int8, Int16, Int32, Message, NullableString, Since, String, Until


class FeatureUpdateKey(Message):
    """An entry of `UpdateFeaturesRequest.feature_updates`."""

    feature: String = ""
    max_version_level: Int16 = 0
    allow_downgrade: Annotated[Bool, Until(0)] = False
    upgrade_type: Annotated[Int8, Since(1)] = 1


class UpdateFeaturesRequest(Message):
    """The request of API key 57: versions 0 to 2, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 2)
    FLEXIBLE: ClassVar[int] = 0

    timeout_ms: Int32 = 60000
    feature_updates: list[FeatureUpdateKey] = msgspec.field(default_factory=list)
    validate_only: Annotated[Bool, Since(1)] = False


class UpdatableFeatureResult(Message):
    """An entry of `UpdateFeaturesResponse.results`."""

    feature: String = ""
    error_code: Int16 = 0
    error_message: NullableString = ""


class UpdateFeaturesResponse(Message):
    """The response of API key 57: versions 0 to 2, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 2)
    FLEXIBLE: ClassVar[int] = 0

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: NullableString = ""
    results: Annotated[list[UpdatableFeatureResult], Until(1)] = msgspec.field(default_factory=list)
