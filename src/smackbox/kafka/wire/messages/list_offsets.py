"""ListOffsets (key 2), versions 1 to 11."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import Int8, Int16, Int32, Int64, Message, Since, String


class ListOffsetsPartition(Message):
    """An entry of `ListOffsetsTopic.partitions`."""

    partition_index: Int32 = 0
    current_leader_epoch: Annotated[Int32, Since(4)] = -1
    timestamp: Int64 = 0


class ListOffsetsTopic(Message):
    """An entry of `ListOffsetsRequest.topics`."""

    name: String = ""
    partitions: list[ListOffsetsPartition] = msgspec.field(default_factory=list)


class ListOffsetsRequest(Message):
    """The request of API key 2: versions 1 to 11, flexible from 6."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 11)
    FLEXIBLE: ClassVar[int] = 6

    replica_id: Int32 = 0
    isolation_level: Annotated[Int8, Since(2)] = 0
    topics: list[ListOffsetsTopic] = msgspec.field(default_factory=list)
    timeout_ms: Annotated[Int32, Since(10)] = 0


class ListOffsetsPartitionResponse(Message):
    """An entry of `ListOffsetsTopicResponse.partitions`."""

    partition_index: Int32 = 0
    error_code: Int16 = 0
    timestamp: Int64 = -1
    offset: Int64 = -1
    leader_epoch: Annotated[Int32, Since(4)] = -1


class ListOffsetsTopicResponse(Message):
    """An entry of `ListOffsetsResponse.topics`."""

    name: String = ""
    partitions: list[ListOffsetsPartitionResponse] = msgspec.field(default_factory=list)


class ListOffsetsResponse(Message):
    """The response of API key 2: versions 1 to 11, flexible from 6."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 11)
    FLEXIBLE: ClassVar[int] = 6

    throttle_time_ms: Annotated[Int32, Since(2)] = 0
    topics: list[ListOffsetsTopicResponse] = msgspec.field(default_factory=list)
