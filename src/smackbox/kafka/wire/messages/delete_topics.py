"""DeleteTopics (key 20), versions 1 to 6."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import (
    NO_UUID,
    Int16,
    Int32,
    Message,
    NullableSince,
    NullableString,
    Since,
    String,
    Until,
    Uuid,
)


class DeleteTopicState(Message):
    """An entry of `DeleteTopicsRequest.topics`."""

    name: Annotated[NullableString, Since(6)] = None
    topic_id: Annotated[Uuid, Since(6)] = NO_UUID


class DeleteTopicsRequest(Message):
    """The request of API key 20: versions 1 to 6, flexible from 4."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 6)
    FLEXIBLE: ClassVar[int] = 4

    topics: Annotated[list[DeleteTopicState], Since(6)] = msgspec.field(default_factory=list)
    topic_names: Annotated[list[String], Until(5)] = msgspec.field(default_factory=list)
    timeout_ms: Int32 = 0


class DeletableTopicResult(Message):
    """An entry of `DeleteTopicsResponse.responses`."""

    name: Annotated[NullableString, NullableSince(6)] = ""
    topic_id: Annotated[Uuid, Since(6)] = NO_UUID
    error_code: Int16 = 0
    error_message: Annotated[NullableString, Since(5)] = None


class DeleteTopicsResponse(Message):
    """The response of API key 20: versions 1 to 6, flexible from 4."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 6)
    FLEXIBLE: ClassVar[int] = 4

    throttle_time_ms: Int32 = 0
    responses: list[DeletableTopicResult] = msgspec.field(default_factory=list)
