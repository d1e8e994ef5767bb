"""CreateTopics (key 19), versions 2 to 7."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import (
    NO_UUID,
    Bool,
    Int8,
    Int16,
    Int32,
    Message,
    NullableString,
    Since,
    String,
    Tag,
    Uuid,
)


class CreatableReplicaAssignment(Message):
    """An entry of `CreatableTopic.assignments`."""

    partition_index: Int32 = 0
    broker_ids: list[Int32] = msgspec.field(default_factory=list)


class CreatableTopicConfig(Message):
    """An entry of `CreatableTopic.configs`."""

    name: String = ""
    value: NullableString = ""


class CreatableTopic(Message):
    """An entry of `CreateTopicsRequest.topics`."""

    name: String = ""
    num_partitions: Int32 = 0
    replication_factor: Int16 = 0
    assignments: list[CreatableReplicaAssignment] = msgspec.field(default_factory=list)
    configs: list[CreatableTopicConfig] = msgspec.field(default_factory=list)


class CreateTopicsRequest(Message):
    """The request of API key 19: versions 2 to 7, flexible from 5."""

    VERSIONS: ClassVar[tuple[int, int]] = (2, 7)
    FLEXIBLE: ClassVar[int] = 5

    topics: list[CreatableTopic] = msgspec.field(default_factory=list)
    timeout_ms: Int32 = 60000
    validate_only: Bool = False


class CreatableTopicConfigs(Message):
    """An entry of `CreatableTopicResult.configs`."""

    name: Annotated[String, Since(5)] = ""
    value: Annotated[NullableString, Since(5)] = ""
    read_only: Annotated[Bool, Since(5)] = False
    config_source: Annotated[Int8, Since(5)] = -1
    is_sensitive: Annotated[Bool, Since(5)] = False


class CreatableTopicResult(Message):
    """An entry of `CreateTopicsResponse.topics`."""

    name: String = ""
    topic_id: Annotated[Uuid, Since(7)] = NO_UUID
    error_code: Int16 = 0
    error_message: NullableString = ""
    topic_config_error_code: Annotated[Int16, Tag(0), Since(5)] = 0
    num_partitions: Annotated[Int32, Since(5)] = -1
    replication_factor: Annotated[Int16, Since(5)] = -1
    configs: Annotated[list[CreatableTopicConfigs] | None, Since(5)] = msgspec.field(default_factory=list)


class CreateTopicsResponse(Message):
    """The response of API key 19: versions 2 to 7, flexible from 5."""

    VERSIONS: ClassVar[tuple[int, int]] = (2, 7)
    FLEXIBLE: ClassVar[int] = 5

    throttle_time_ms: Int32 = 0
    topics: list[CreatableTopicResult] = msgspec.field(default_factory=list)
