"""CreatePartitions (key 37), versions 0 to 3."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from smackbox.kafka.wire.schema import Bool, Int16, Int32, Message, NullableString, String


class CreatePartitionsAssignment(Message):
    """An entry of `CreatePartitionsTopic.assignments`."""

    broker_ids: list[Int32] = msgspec.field(default_factory=list)


class CreatePartitionsTopic(Message):
    """An entry of `CreatePartitionsRequest.topics`."""

    name: String = ""
    count: Int32 = 0
    assignments: list[CreatePartitionsAssignment] | None = msgspec.field(default_factory=list)


class CreatePartitionsRequest(Message):
    """The request of API key 37: versions 0 to 3, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 3)
    FLEXIBLE: ClassVar[int] = 2

    topics: list[CreatePartitionsTopic] = msgspec.field(default_factory=list)
    timeout_ms: Int32 = 0
    validate_only: Bool = False


class CreatePartitionsTopicResult(Message):
    """An entry of `CreatePartitionsResponse.results`."""

    name: String = ""
    error_code: Int16 = 0
    error_message: NullableString = None


class CreatePartitionsResponse(Message):
    """The response of API key 37: versions 0 to 3, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 3)
    FLEXIBLE: ClassVar[int] = 2

    throttle_time_ms: Int32 = 0
    results: list[CreatePartitionsTopicResult] = msgspec.field(default_factory=list)
