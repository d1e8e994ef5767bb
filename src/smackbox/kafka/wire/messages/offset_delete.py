"""OffsetDelete (key 47), versions 0 to 0."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from smackbox.kafka.wire.schema import Int16, Int32, Message, String


class OffsetDeleteRequestPartition(Message):
    """An entry of `OffsetDeleteRequestTopic.partitions`."""

    partition_index: Int32 = 0


class OffsetDeleteRequestTopic(Message):
    """An entry of `OffsetDeleteRequest.topics`."""

    name: String = ""
    partitions: list[OffsetDeleteRequestPartition] = msgspec.field(default_factory=list)


class OffsetDeleteRequest(Message):
    """The request of API key 47: version 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)

    group_id: String = ""
    topics: list[OffsetDeleteRequestTopic] = msgspec.field(default_factory=list)


class OffsetDeleteResponsePartition(Message):
    """An entry of `OffsetDeleteResponseTopic.partitions`."""

    partition_index: Int32 = 0
    error_code: Int16 = 0


class OffsetDeleteResponseTopic(Message):
    """An entry of `OffsetDeleteResponse.topics`."""

    name: String = ""
    partitions: list[OffsetDeleteResponsePartition] = msgspec.field(default_factory=list)


class OffsetDeleteResponse(Message):
    """The response of API key 47: version 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)

    error_code: Int16 = 0
    throttle_time_ms: Int32 = 0
    topics: list[OffsetDeleteResponseTopic] = msgspec.field(default_factory=list)
