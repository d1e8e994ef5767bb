"""TxnOffsetCommit (key 28), versions 0 to 6."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import NO_UUID, Int16, Int32, Int64, Message, NullableString, Since, String, Until, Uuid


class TxnOffsetCommitRequestPartition(Message):
    """An entry of `TxnOffsetCommitRequestTopic.partitions`."""

    partition_index: Int32 = 0
    committed_offset: Int64 = 0
    committed_leader_epoch: Annotated[Int32, Since(2)] = -1
    committed_metadata: NullableString = ""


class TxnOffsetCommitRequestTopic(Message):
    """An entry of `TxnOffsetCommitRequest.topics`."""

    name: Annotated[String, Until(5)] = ""
    topic_id: Annotated[Uuid, Since(6)] = NO_UUID
    partitions: list[TxnOffsetCommitRequestPartition] = msgspec.field(default_factory=list)


class TxnOffsetCommitRequest(Message):
    """The request of API key 28: versions 0 to 6, flexible from 3."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 6)
    FLEXIBLE: ClassVar[int] = 3

    transactional_id: String = ""
    group_id: String = ""
    producer_id: Int64 = 0
    producer_epoch: Int16 = 0
    generation_id_or_member_epoch: Annotated[Int32, Since(3)] = -1
    member_id: Annotated[String, Since(3)] = ""
    group_instance_id: Annotated[NullableString, Since(3)] = None
    topics: list[TxnOffsetCommitRequestTopic] = msgspec.field(default_factory=list)


class TxnOffsetCommitResponsePartition(Message):
    """An entry of `TxnOffsetCommitResponseTopic.partitions`."""

    partition_index: Int32 = 0
    error_code: Int16 = 0


class TxnOffsetCommitResponseTopic(Message):
    """An entry of `TxnOffsetCommitResponse.topics`."""

    name: Annotated[String, Until(5)] = ""
    topic_id: Annotated[Uuid, Since(6)] = NO_UUID
    partitions: list[TxnOffsetCommitResponsePartition] = msgspec.field(default_factory=list)


class TxnOffsetCommitResponse(Message):
    """The response of API key 28: versions 0 to 6, flexible from 3."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 6)
    FLEXIBLE: ClassVar[int] = 3

    throttle_time_ms: Int32 = 0
    topics: list[TxnOffsetCommitResponseTopic] = msgspec.field(default_factory=list)
