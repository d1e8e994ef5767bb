"""DescribeProducers (key 61), versions 0 to 0."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from smackbox.kafka.wire.schema import Int16, Int32, Int64, Message, NullableString, String


class TopicRequest(Message):
    """An entry of `DescribeProducersRequest.topics`."""

    name: String = ""
    partition_indexes: list[Int32] = msgspec.field(default_factory=list)


class DescribeProducersRequest(Message):
    """The request of API key 61: version 0, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)
    FLEXIBLE: ClassVar[int] = 0

    topics: list[TopicRequest] = msgspec.field(default_factory=list)


class ProducerState(Message):
    """An entry of `PartitionResponse.active_producers`."""

    producer_id: Int64 = 0
    producer_epoch: Int32 = 0
    last_sequence: Int32 = -1
    last_timestamp: Int64 = -1
    coordinator_epoch: Int32 = 0
    current_txn_start_offset: Int64 = -1


class PartitionResponse(Message):
    """An entry of `TopicResponse.partitions`."""

    partition_index: Int32 = 0
    error_code: Int16 = 0
    error_message: NullableString = None
    active_producers: list[ProducerState] = msgspec.field(default_factory=list)


class TopicResponse(Message):
    """An entry of `DescribeProducersResponse.topics`."""

    name: String = ""
    partitions: list[PartitionResponse] = msgspec.field(default_factory=list)


class DescribeProducersResponse(Message):
    """The response of API key 61: version 0, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)
    FLEXIBLE: ClassVar[int] = 0

    throttle_time_ms: Int32 = 0
    topics: list[TopicResponse] = msgspec.field(default_factory=list)
