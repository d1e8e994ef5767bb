"""ElectLeaders (key 43), versions 0 to 2."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import Int8, Int16, Int32, Message, NullableString, Since, String


class TopicPartitions(Message):
    """An entry of `ElectLeadersRequest.topic_partitions`."""

    topic: String = ""
    partitions: list[Int32] = msgspec.field(default_factory=list)


class ElectLeadersRequest(Message):
    """The request of API key 43: versions 0 to 2, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 2)
    FLEXIBLE: ClassVar[int] = 2

    election_type: Annotated[Int8, Since(1)] = 0
    topic_partitions: list[TopicPartitions] | None = msgspec.field(default_factory=list)
    timeout_ms: Int32 = 60000


class PartitionResult(Message):
    """An entry of `ReplicaElectionResult.partition_result`."""

    partition_id: Int32 = 0
    error_code: Int16 = 0
    error_message: NullableString = ""


class ReplicaElectionResult(Message):
    """An entry of `ElectLeadersResponse.replica_election_results`."""

    topic: String = ""
    partition_result: list[PartitionResult] = msgspec.field(default_factory=list)


class ElectLeadersResponse(Message):
    """The response of API key 43: versions 0 to 2, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 2)
    FLEXIBLE: ClassVar[int] = 2

    throttle_time_ms: Int32 = 0
    error_code: Annotated[Int16, Since(1)] = 0
    replica_election_results: list[ReplicaElectionResult] = msgspec.field(default_factory=list)
