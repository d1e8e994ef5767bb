"""ConsumerGroupHeartbeat (key 68), versions 0 to 1."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import NO_UUID, Int16, Int32, Message, NullableString, Since, String, Uuid


class TopicPartitions(Message):
    """An entry of `ConsumerGroupHeartbeatRequest.topic_partitions` and `Assignment.topic_partitions`."""

    topic_id: Uuid = NO_UUID
    partitions: list[Int32] = msgspec.field(default_factory=list)


class ConsumerGroupHeartbeatRequest(Message):
    """The request of API key 68: versions 0 to 1, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 1)
    FLEXIBLE: ClassVar[int] = 0

    group_id: String = ""
    member_id: String = ""
    member_epoch: Int32 = 0
    instance_id: NullableString = None
    rack_id: NullableString = None
    rebalance_timeout_ms: Int32 = -1
    subscribed_topic_names: list[String] | None = None
    subscribed_topic_regex: Annotated[NullableString, Since(1)] = None
    server_assignor: NullableString = None
    topic_partitions: list[TopicPartitions] | None = None


class Assignment(Message):
    """What is in `ConsumerGroupHeartbeatResponse.assignment`."""

    topic_partitions: list[TopicPartitions] = msgspec.field(default_factory=list)


class ConsumerGroupHeartbeatResponse(Message):
    """The response of API key 68: versions 0 to 1, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 1)
    FLEXIBLE: ClassVar[int] = 0

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: NullableString = None
    member_id: NullableString = None
    member_epoch: Int32 = 0
    heartbeat_interval_ms: Int32 = 0
    assignment: Assignment | None = None
