"""OffsetForLeaderEpoch (key 23), versions 2 to 4."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import Int16, Int32, Int64, Message, Since, String


class OffsetForLeaderPartition(Message):
    """An entry of `OffsetForLeaderTopic.partitions`."""

    partition: Int32 = 0
    current_leader_epoch: Int32 = -1
    leader_epoch: Int32 = 0


class OffsetForLeaderTopic(Message):
    """An entry of `OffsetForLeaderEpochRequest.topics`."""

    topic: String = ""
    partitions: list[OffsetForLeaderPartition] = msgspec.field(default_factory=list)


class OffsetForLeaderEpochRequest(Message):
    """The request of API key 23: versions 2 to 4, flexible from 4."""

    VERSIONS: ClassVar[tuple[int, int]] = (2, 4)
    FLEXIBLE: ClassVar[int] = 4

    replica_id: Annotated[Int32, Since(3)] = -2
    topics: list[OffsetForLeaderTopic] = msgspec.field(default_factory=list)


class EpochEndOffset(Message):
    """An entry of `OffsetForLeaderTopicResult.partitions`."""

    error_code: Int16 = 0
    partition: Int32 = 0
    leader_epoch: Int32 = -1
    end_offset: Int64 = -1


class OffsetForLeaderTopicResult(Message):
    """An entry of `OffsetForLeaderEpochResponse.topics`."""

    topic: String = ""
    partitions: list[EpochEndOffset] = msgspec.field(default_factory=list)


class OffsetForLeaderEpochResponse(Message):
    """The response of API key 23: versions 2 to 4, flexible from 4."""

    VERSIONS: ClassVar[tuple[int, int]] = (2, 4)
    FLEXIBLE: ClassVar[int] = 4

    throttle_time_ms: Int32 = 0
    topics: list[OffsetForLeaderTopicResult] = msgspec.field(default_factory=list)
