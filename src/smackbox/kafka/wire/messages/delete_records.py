"""DeleteRecords (key 21), versions 0 to 2."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from smackbox.kafka.wire.schema import Int16, Int32, Int64, Message, String


class DeleteRecordsPartition(Message):
    partition_index: Int32 = 0
    offset: Int64 = 0


class DeleteRecordsTopic(Message):
    name: String = ""
    partitions: list[DeleteRecordsPartition] = msgspec.field(default_factory=list)


class DeleteRecordsRequest(Message):
    VERSIONS: ClassVar[tuple[int, int]] = (0, 2)
    FLEXIBLE: ClassVar[int] = 2

    topics: list[DeleteRecordsTopic] = msgspec.field(default_factory=list)
    timeout_ms: Int32 = 0


class DeleteRecordsPartitionResult(Message):
    partition_index: Int32 = 0
    low_watermark: Int64 = 0
    error_code: Int16 = 0


class DeleteRecordsTopicResult(Message):
    name: String = ""
    partitions: list[DeleteRecordsPartitionResult] = msgspec.field(default_factory=list)


class DeleteRecordsResponse(Message):
    VERSIONS: ClassVar[tuple[int, int]] = (0, 2)
    FLEXIBLE: ClassVar[int] = 2

    throttle_time_ms: Int32 = 0
    topics: list[DeleteRecordsTopicResult] = msgspec.field(default_factory=list)
