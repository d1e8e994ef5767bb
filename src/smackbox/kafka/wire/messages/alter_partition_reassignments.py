"""AlterPartitionReassignments (key 45), versions 0 to 1."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import Bool, Int16, Int32, Message, NullableString, Since, String


class ReassignablePartition(Message):
    """An entry of `ReassignableTopic.partitions`."""

    partition_index: Int32 = 0
    replicas: list[Int32] | None = None


class ReassignableTopic(Message):
    """An entry of `AlterPartitionReassignmentsRequest.topics`."""

    name: String = ""
    partitions: list[ReassignablePartition] = msgspec.field(default_factory=list)


class AlterPartitionReassignmentsRequest(Message):
    """The request of API key 45: versions 0 to 1, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 1)
    FLEXIBLE: ClassVar[int] = 0

    timeout_ms: Int32 = 60000
    allow_replication_factor_change: Annotated[Bool, Since(1)] = True
    topics: list[ReassignableTopic] = msgspec.field(default_factory=list)


class ReassignablePartitionResponse(Message):
    """An entry of `ReassignableTopicResponse.partitions`."""

    partition_index: Int32 = 0
    error_code: Int16 = 0
    error_message: NullableString = ""


class ReassignableTopicResponse(Message):
    """An entry of `AlterPartitionReassignmentsResponse.responses`."""

    name: String = ""
    partitions: list[ReassignablePartitionResponse] = msgspec.field(default_factory=list)


class AlterPartitionReassignmentsResponse(Message):
    """The response of API key 45: versions 0 to 1, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 1)
    FLEXIBLE: ClassVar[int] = 0

    throttle_time_ms: Int32 = 0
    allow_replication_factor_change: Annotated[Bool, Since(1)] = True
    error_code: Int16 = 0
    error_message: NullableString = ""
    responses: list[ReassignableTopicResponse] = msgspec.field(default_factory=list)
