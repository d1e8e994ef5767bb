"""OffsetFetch (key 9), versions 1 to 10."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import (
    NO_UUID,
    Bool,
    Int16,
    Int32,
    Int64,
    Message,
    NullableSince,
    NullableString,
    Since,
    String,
    Until,
    Uuid,
)


class OffsetFetchRequestTopic(Message):
    """An entry of `OffsetFetchRequest.topics`."""

    name: Annotated[String, Until(7)] = ""
    partition_indexes: Annotated[list[Int32], Until(7)] = msgspec.field(default_factory=list)


class OffsetFetchRequestTopics(Message):
    """An entry of `OffsetFetchRequestGroup.topics`."""

    name: Annotated[String, Since(8), Until(9)] = ""
    topic_id: Annotated[Uuid, Since(10)] = NO_UUID
    partition_indexes: Annotated[list[Int32], Since(8)] = msgspec.field(default_factory=list)


class OffsetFetchRequestGroup(Message):
    """An entry of `OffsetFetchRequest.groups`."""

    group_id: Annotated[String, Since(8)] = ""
    member_id: Annotated[NullableString, Since(9)] = None
    member_epoch: Annotated[Int32, Since(9)] = -1
    topics: Annotated[list[OffsetFetchRequestTopics] | None, Since(8)] = msgspec.field(default_factory=list)


class OffsetFetchRequest(Message):
    """The request of API key 9: versions 1 to 10, flexible from 6."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 10)
    FLEXIBLE: ClassVar[int] = 6

    group_id: Annotated[String, Until(7)] = ""
    topics: Annotated[list[OffsetFetchRequestTopic] | None, Until(7), NullableSince(2)] = msgspec.field(
        default_factory=list
    )
    groups: Annotated[list[OffsetFetchRequestGroup], Since(8)] = msgspec.field(default_factory=list)
    require_stable: Annotated[Bool, Since(7)] = False


class OffsetFetchResponsePartition(Message):
    """An entry of `OffsetFetchResponseTopic.partitions`."""

    partition_index: Annotated[Int32, Until(7)] = 0
    committed_offset: Annotated[Int64, Until(7)] = 0
    committed_leader_epoch: Annotated[Int32, Since(5), Until(7)] = -1
    metadata: Annotated[NullableString, Until(7)] = ""
    error_code: Annotated[Int16, Until(7)] = 0


class OffsetFetchResponseTopic(Message):
    """An entry of `OffsetFetchResponse.topics`."""

    name: Annotated[String, Until(7)] = ""
    partitions: Annotated[list[OffsetFetchResponsePartition], Until(7)] = msgspec.field(default_factory=list)


class OffsetFetchResponsePartitions(Message):
    """An entry of `OffsetFetchResponseTopics.partitions`."""

    partition_index: Annotated[Int32, Since(8)] = 0
    committed_offset: Annotated[Int64, Since(8)] = 0
    committed_leader_epoch: Annotated[Int32, Since(8)] = -1
    metadata: Annotated[NullableString, Since(8)] = ""
    error_code: Annotated[Int16, Since(8)] = 0


class OffsetFetchResponseTopics(Message):
    """An entry of `OffsetFetchResponseGroup.topics`."""

    name: Annotated[String, Since(8), Until(9)] = ""
    topic_id: Annotated[Uuid, Since(10)] = NO_UUID
    partitions: Annotated[list[OffsetFetchResponsePartitions], Since(8)] = msgspec.field(default_factory=list)


class OffsetFetchResponseGroup(Message):
    """An entry of `OffsetFetchResponse.groups`."""

    group_id: Annotated[String, Since(8)] = ""
    topics: Annotated[list[OffsetFetchResponseTopics], Since(8)] = msgspec.field(default_factory=list)
    error_code: Annotated[Int16, Since(8)] = 0


class OffsetFetchResponse(Message):
    """The response of API key 9: versions 1 to 10, flexible from 6."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 10)
    FLEXIBLE: ClassVar[int] = 6

    throttle_time_ms: Annotated[Int32, Since(3)] = 0
    topics: Annotated[list[OffsetFetchResponseTopic], Until(7)] = msgspec.field(default_factory=list)
    error_code: Annotated[Int16, Since(2), Until(7)] = 0
    groups: Annotated[list[OffsetFetchResponseGroup], Since(8)] = msgspec.field(default_factory=list)
