"""OffsetCommit (key 8), versions 2 to 10."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import NO_UUID, Int16, Int32, Int64, Message, NullableString, Since, String, Until, Uuid


class OffsetCommitRequestPartition(Message):
    """An entry of `OffsetCommitRequestTopic.partitions`."""

    partition_index: Int32 = 0
    committed_offset: Int64 = 0
    committed_leader_epoch: Annotated[Int32, Since(6)] = -1
    committed_metadata: NullableString = ""


class OffsetCommitRequestTopic(Message):
    """An entry of `OffsetCommitRequest.topics`."""

    name: Annotated[String, Until(9)] = ""
    topic_id: Annotated[Uuid, Since(10)] = NO_UUID
    partitions: list[OffsetCommitRequestPartition] = msgspec.field(default_factory=list)


class OffsetCommitRequest(Message):
    """The request of API key 8: versions 2 to 10, flexible from 8."""

    VERSIONS: ClassVar[tuple[int, int]] = (2, 10)
    FLEXIBLE: ClassVar[int] = 8

    group_id: String = ""
    generation_id_or_member_epoch: Int32 = -1
    member_id: String = ""
    group_instance_id: Annotated[NullableString, Since(7)] = None
    retention_time_ms: Annotated[Int64, Until(4)] = -1
    topics: list[OffsetCommitRequestTopic] = msgspec.field(default_factory=list)


class OffsetCommitResponsePartition(Message):
    """An entry of `OffsetCommitResponseTopic.partitions`."""

    partition_index: Int32 = 0
    error_code: Int16 = 0


class OffsetCommitResponseTopic(Message):
    """An entry of `OffsetCommitResponse.topics`."""

    name: Annotated[String, Until(9)] = ""
    topic_id: Annotated[Uuid, Since(10)] = NO_UUID
    partitions: list[OffsetCommitResponsePartition] = msgspec.field(default_factory=list)


class OffsetCommitResponse(Message):
    """The response of API key 8: versions 2 to 10, flexible from 8."""

    VERSIONS: ClassVar[tuple[int, int]] = (2, 10)
    FLEXIBLE: ClassVar[int] = 8

    throttle_time_ms: Annotated[Int32, Since(3)] = 0
    topics: list[OffsetCommitResponseTopic] = msgspec.field(default_factory=list)
