"""DescribeLogDirs (key 35), versions 1 to 5."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import Bool, Int16, Int32, Int64, Message, Since, String


class DescribableLogDirTopic(Message):
    """An entry of `DescribeLogDirsRequest.topics`."""

    topic: String = ""
    partitions: list[Int32] = msgspec.field(default_factory=list)


class DescribeLogDirsRequest(Message):
    """The request of API key 35: versions 1 to 5, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 5)
    FLEXIBLE: ClassVar[int] = 2

    topics: list[DescribableLogDirTopic] | None = msgspec.field(default_factory=list)


class DescribeLogDirsPartition(Message):
    """An entry of `DescribeLogDirsTopic.partitions`."""

    partition_index: Int32 = 0
    partition_size: Int64 = 0
    offset_lag: Int64 = 0
    is_future_key: Bool = False


class DescribeLogDirsTopic(Message):
    """An entry of `DescribeLogDirsResult.topics`."""

    name: String = ""
    partitions: list[DescribeLogDirsPartition] = msgspec.field(default_factory=list)


class DescribeLogDirsResult(Message):
    """An entry of `DescribeLogDirsResponse.results`."""

    error_code: Int16 = 0
    log_dir: String = ""
    topics: list[DescribeLogDirsTopic] = msgspec.field(default_factory=list)
    total_bytes: Annotated[Int64, Since(4)] = -1
    usable_bytes: Annotated[Int64, Since(4)] = -1
    is_cordoned: Annotated[Bool, Since(5)] = False


class DescribeLogDirsResponse(Message):
    """The response of API key 35: versions 1 to 5, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 5)
    FLEXIBLE: ClassVar[int] = 2

    throttle_time_ms: Int32 = 0
    error_code: Annotated[Int16, Since(3)] = 0
    results: list[DescribeLogDirsResult] = msgspec.field(default_factory=list)
