"""ListPartitionReassignments (key 46), versions 0 to 0."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from smackbox.kafka.wire.schema import Int16, Int32, Message, NullableString, String


class ListPartitionReassignmentsTopics(Message):
    """An entry of `ListPartitionReassignmentsRequest.topics`."""

    name: String = ""
    partition_indexes: list[Int32] = msgspec.field(default_factory=list)


class ListPartitionReassignmentsRequest(Message):
    """The request of API key 46: version 0, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)
    FLEXIBLE: ClassVar[int] = 0

    timeout_ms: Int32 = 60000
    topics: list[ListPartitionReassignmentsTopics] | None = None


class OngoingPartitionReassignment(Message):
    """An entry of `OngoingTopicReassignment.partitions`."""

    partition_index: Int32 = 0
    replicas: list[Int32] = msgspec.field(default_factory=list)
    adding_replicas: list[Int32] = msgspec.field(default_factory=list)
    removing_replicas: list[Int32] = msgspec.field(default_factory=list)


class OngoingTopicReassignment(Message):
    """An entry of `ListPartitionReassignmentsResponse.topics`."""

    name: String = ""
    partitions: list[OngoingPartitionReassignment] = msgspec.field(default_factory=list)


class ListPartitionReassignmentsResponse(Message):
    """The response of API key 46: version 0, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)
    FLEXIBLE: ClassVar[int] = 0

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: NullableString = ""
    topics: list[OngoingTopicReassignment] = msgspec.field(default_factory=list)
