"""DescribeTopicPartitions (key 75), versions 0 to 0."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from smackbox.kafka.wire.schema import NO_UUID, Bool, Int16, Int32, Message, NullableString, String, Uuid


class TopicRequest(Message):
    """An entry of `DescribeTopicPartitionsRequest.topics`."""

    name: String = ""


class Cursor(Message):
    """What is in `DescribeTopicPartitionsRequest.cursor` and `DescribeTopicPartitionsResponse.next_cursor`."""

    topic_name: String = ""
    partition_index: Int32 = 0


class DescribeTopicPartitionsRequest(Message):
    """The request of API key 75: version 0, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)
    FLEXIBLE: ClassVar[int] = 0

    topics: list[TopicRequest] = msgspec.field(default_factory=list)
    response_partition_limit: Int32 = 2000
    cursor: Cursor | None = None


class DescribeTopicPartitionsResponsePartition(Message):
    """An entry of `DescribeTopicPartitionsResponseTopic.partitions`."""

    error_code: Int16 = 0
    partition_index: Int32 = 0
    leader_id: Int32 = 0
    leader_epoch: Int32 = -1
    replica_nodes: list[Int32] = msgspec.field(default_factory=list)
    isr_nodes: list[Int32] = msgspec.field(default_factory=list)
    eligible_leader_replicas: list[Int32] | None = None
    last_known_elr: list[Int32] | None = None
    offline_replicas: list[Int32] = msgspec.field(default_factory=list)


class DescribeTopicPartitionsResponseTopic(Message):
    """An entry of `DescribeTopicPartitionsResponse.topics`."""

    error_code: Int16 = 0
    name: NullableString = ""
    topic_id: Uuid = NO_UUID
    is_internal: Bool = False
    partitions: list[DescribeTopicPartitionsResponsePartition] = msgspec.field(default_factory=list)
    topic_authorized_operations: Int32 = -2147483648


class DescribeTopicPartitionsResponse(Message):
    """The response of API key 75: version 0, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)
    FLEXIBLE: ClassVar[int] = 0

    throttle_time_ms: Int32 = 0
    topics: list[DescribeTopicPartitionsResponseTopic] = msgspec.field(default_factory=list)
    next_cursor: Cursor | None = None
