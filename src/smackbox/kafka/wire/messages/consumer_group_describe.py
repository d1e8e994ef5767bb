"""ConsumerGroupDescribe (key 69), versions 0 to 1."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import NO_UUID, Bool, Int8, Int16, Int32, Message, NullableString, Since, String, Uuid


class ConsumerGroupDescribeRequest(Message):
    """The request of API key 69: versions 0 to 1, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 1)
    FLEXIBLE: ClassVar[int] = 0

    group_ids: list[String] = msgspec.field(default_factory=list)
    include_authorized_operations: Bool = False


class TopicPartitions(Message):
    """An entry of `Assignment.topic_partitions`."""

    topic_id: Uuid = NO_UUID
    topic_name: String = ""
    partitions: list[Int32] = msgspec.field(default_factory=list)


class Assignment(Message):
    """What is in `Member.assignment` and `Member.target_assignment`."""

    topic_partitions: list[TopicPartitions] = msgspec.field(default_factory=list)


class Member(Message):
    """An entry of `DescribedGroup.members`."""

    member_id: String = ""
    instance_id: NullableString = None
    rack_id: NullableString = None
    member_epoch: Int32 = 0
    client_id: String = ""
    client_host: String = ""
    subscribed_topic_names: list[String] = msgspec.field(default_factory=list)
    subscribed_topic_regex: NullableString = None
    assignment: Assignment = msgspec.field(default_factory=Assignment)
    target_assignment: Assignment = msgspec.field(default_factory=Assignment)
    member_type: Annotated[Int8, Since(1)] = -1


class DescribedGroup(Message):
    """An entry of `ConsumerGroupDescribeResponse.groups`."""

    error_code: Int16 = 0
    error_message: NullableString = None
    group_id: String = ""
    group_state: String = ""
    group_epoch: Int32 = 0
    assignment_epoch: Int32 = 0
    assignor_name: String = ""
    members: list[Member] = msgspec.field(default_factory=list)
    authorized_operations: Int32 = -2147483648


class ConsumerGroupDescribeResponse(Message):
    """The response of API key 69: versions 0 to 1, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 1)
    FLEXIBLE: ClassVar[int] = 0

    throttle_time_ms: Int32 = 0
    groups: list[DescribedGroup] = msgspec.field(default_factory=list)
