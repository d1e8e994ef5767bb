"""AlterReplicaLogDirs (key 34), versions 1 to 2."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from smackbox.kafka.wire.schema import Int16, Int32, Message, String


class AlterReplicaLogDirTopic(Message):
    """An entry of `AlterReplicaLogDir.topics`."""

    name: String = ""
    partitions: list[Int32] = msgspec.field(default_factory=list)


class AlterReplicaLogDir(Message):
    """An entry of `AlterReplicaLogDirsRequest.dirs`."""

    path: String = ""
    topics: list[AlterReplicaLogDirTopic] = msgspec.field(default_factory=list)


class AlterReplicaLogDirsRequest(Message):
    """The request of API key 34: versions 1 to 2, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 2)
    FLEXIBLE: ClassVar[int] = 2

    dirs: list[AlterReplicaLogDir] = msgspec.field(default_factory=list)


class AlterReplicaLogDirPartitionResult(Message):
    """An entry of `AlterReplicaLogDirTopicResult.partitions`."""

    partition_index: Int32 = 0
    error_code: Int16 = 0


class AlterReplicaLogDirTopicResult(Message):
    """An entry of `AlterReplicaLogDirsResponse.results`."""

    topic_name: String = ""
    partitions: list[AlterReplicaLogDirPartitionResult] = msgspec.field(default_factory=list)


class AlterReplicaLogDirsResponse(Message):
    """The response of API key 34: versions 1 to 2, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 2)
    FLEXIBLE: ClassVar[int] = 2

    throttle_time_ms: Int32 = 0
    results: list[AlterReplicaLogDirTopicResult] = msgspec.field(default_factory=list)
