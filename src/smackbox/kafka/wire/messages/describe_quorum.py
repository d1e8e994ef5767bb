"""DescribeQuorum (key 55), versions 0 to 2."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import (
    NO_UUID,
    Int16,
    Int32,
    Int64,
    Message,
    NullableString,
    Since,
    String,
    UInt16,
    Uuid,
)


class RequestedPartition(Message):
    """An entry of `RequestedTopic.partitions`."""

    partition_index: Int32 = 0


class RequestedTopic(Message):
    """An entry of `DescribeQuorumRequest.topics`."""

    topic_name: String = ""
    partitions: list[RequestedPartition] = msgspec.field(default_factory=list)


class DescribeQuorumRequest(Message):
    """The request of API key 55: versions 0 to 2, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 2)
    FLEXIBLE: ClassVar[int] = 0

    topics: list[RequestedTopic] = msgspec.field(default_factory=list)


class ReplicaState(Message):
    """An entry of `PartitionData.current_voters` and `PartitionData.observers`."""

    replica_id: Int32 = 0
    replica_directory_id: Annotated[Uuid, Since(2)] = NO_UUID
    log_end_offset: Int64 = 0
    last_fetch_timestamp: Annotated[Int64, Since(1)] = -1
    last_caught_up_timestamp: Annotated[Int64, Since(1)] = -1


class PartitionData(Message):
    """An entry of `TopicData.partitions`."""

    partition_index: Int32 = 0
    error_code: Int16 = 0
    error_message: Annotated[NullableString, Since(2)] = ""
    leader_id: Int32 = 0
    leader_epoch: Int32 = 0
    high_watermark: Int64 = 0
    current_voters: list[ReplicaState] = msgspec.field(default_factory=list)
    observers: list[ReplicaState] = msgspec.field(default_factory=list)


class TopicData(Message):
    """An entry of `DescribeQuorumResponse.topics`."""

    topic_name: String = ""
    partitions: list[PartitionData] = msgspec.field(default_factory=list)


class Listener(Message):
    """An entry of `Node.listeners`."""

    name: Annotated[String, Since(2)] = ""
    host: Annotated[String, Since(2)] = ""
    port: Annotated[UInt16, Since(2)] = 0


class Node(Message):
    """An entry of `DescribeQuorumResponse.nodes`."""

    node_id: Annotated[Int32, Since(2)] = 0
    listeners: Annotated[list[Listener], Since(2)] = msgspec.field(default_factory=list)


class DescribeQuorumResponse(Message):
    """The response of API key 55: versions 0 to 2, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 2)
    FLEXIBLE: ClassVar[int] = 0

    error_code: Int16 = 0
    error_message: Annotated[NullableString, Since(2)] = ""
    topics: list[TopicData] = msgspec.field(default_factory=list)
    nodes: Annotated[list[Node], Since(2)] = msgspec.field(default_factory=list)
