"""CreatePartitions (key 37), versions 0 to 3."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from smackbox.kafka.wire.schema import Bool, Int16, Int32, Message, NullableString, String


class CreatePartitionsAssignment(Message):
    broker_ids: list[Int32] = msgspec.field(default_factory=list)


class CreatePartitionsTopic(Message):
    name: String = ""
    count: Int32 = 0
    assignments: list[CreatePartitionsAssignment] | None = msgspec.field(default_factory=list)


class CreatePartitionsRequest(Message):
    VERSIONS: ClassVar[tuple[int, int]] = (0, 3)
    FLEXIBLE: ClassVar[int] = 2

    topics: list[CreatePartitionsTopic] = msgspec.field(default_factory=list)
    timeout_ms: Int32 = 0
    validate_only: Bool = False


class CreatePartitionsTopicResult(Message):
    name: String = ""
    error_code: Int16 = 0
    error_message: NullableString = None


class CreatePartitionsResponse(Message):
    VERSIONS: ClassVar[tuple[int, int]] = (0, 3)
    FLEXIBLE: ClassVar[int] = 2

    throttle_time_ms: Int32 = 0
    results: list[CreatePartitionsTopicResult] = msgspec.field(default_factory=list)
