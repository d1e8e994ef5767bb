"""DeleteRecords (key 21), versions 0 to 2."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from smackbox.kafka.wire.schema import Int16, Int32, Int64, Message, String


class DeleteRecordsPartition(Message):
    """An entry of `DeleteRecordsTopic.partitions`."""

    partition_index: Int32 = 0
    offset: Int64 = 0


class DeleteRecordsTopic(Message):
    """An entry of `DeleteRecordsRequest.topics`."""

    name: String = ""
    partitions: list[DeleteRecordsPartition] = msgspec.field(default_factory=list)


class DeleteRecordsRequest(Message):
    """The request of API key 21: versions 0 to 2, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 2)
    FLEXIBLE: ClassVar[int] = 2

    topics: list[DeleteRecordsTopic] = msgspec.field(default_factory=list)
    timeout_ms: Int32 = 0


class DeleteRecordsPartitionResult(Message):
    """An entry of `DeleteRecordsTopicResult.partitions`."""

    partition_index: Int32 = 0
    low_watermark: Int64 = 0
    error_code: Int16 = 0


class DeleteRecordsTopicResult(Message):
    """An entry of `DeleteRecordsResponse.topics`."""

    name: String = ""
    partitions: list[DeleteRecordsPartitionResult] = msgspec.field(default_factory=list)


class DeleteRecordsResponse(Message):
    """The response of API key 21: versions 0 to 2, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 2)
    FLEXIBLE: ClassVar[int] = 2

    throttle_time_ms: Int32 = 0
    topics: list[DeleteRecordsTopicResult] = msgspec.field(default_factory=list)
