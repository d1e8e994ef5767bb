"""The records of `__consumer_offsets`: keys and values of offsets, classic groups and KIP-848 groups."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import (
    NO_UUID,
    Bytes,
    Int8,
    Int32,
    Int64,
    Message,
    NullableString,
    Since,
    String,
    Tag,
    Until,
    Uuid,
)


class OffsetCommitKey(Message):
    """The key of a record of OffsetCommit: version 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)

    group: String = ""
    topic: String = ""
    partition: Int32 = 0


class OffsetCommitValue(Message):
    """The value of a record of OffsetCommit: versions 0 to 4, flexible from 4."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 4)
    FLEXIBLE: ClassVar[int] = 4

    offset: Int64 = 0
    leader_epoch: Annotated[Int32, Since(3)] = -1
    metadata: String = ""
    commit_timestamp: Int64 = 0
    expire_timestamp: Annotated[Int64, Since(1), Until(1)] = -1
    topic_id: Annotated[Uuid, Tag(0), Since(4)] = NO_UUID


class GroupMetadataKey(Message):
    """The key of a record of GroupMetadata: version 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)

    group: String = ""


class MemberMetadata(Message):
    """An entry of `GroupMetadataValue.members`."""

    member_id: String = ""
    group_instance_id: Annotated[NullableString, Since(3)] = None
    client_id: String = ""
    client_host: String = ""
    rebalance_timeout: Annotated[Int32, Since(1)] = -1
    session_timeout: Int32 = 0
    subscription: Bytes = b""
    assignment: Bytes = b""


class GroupMetadataValue(Message):
    """The value of a record of GroupMetadata: versions 0 to 4, flexible from 4."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 4)
    FLEXIBLE: ClassVar[int] = 4

    protocol_type: String = ""
    generation: Int32 = 0
    protocol: NullableString = ""
    leader: NullableString = ""
    current_state_timestamp: Annotated[Int64, Since(2)] = -1
    members: list[MemberMetadata] = msgspec.field(default_factory=list)


class ConsumerGroupMetadataKey(Message):
    """The key of a record of ConsumerGroupMetadata: version 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)

    group_id: String = ""


class ConsumerGroupMetadataValue(Message):
    """The value of a record of ConsumerGroupMetadata: version 0, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)
    FLEXIBLE: ClassVar[int] = 0

    epoch: Int32 = 0
    metadata_hash: Annotated[Int64, Tag(0)] = 0


class ConsumerGroupMemberMetadataKey(Message):
    """The key of a record of ConsumerGroupMemberMetadata: version 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)

    group_id: String = ""
    member_id: String = ""


class ClassicProtocol(Message):
    """An entry of `ClassicMemberMetadata.supported_protocols`."""

    name: String = ""
    metadata: Bytes = b""


class ClassicMemberMetadata(Message):
    """What is in `ConsumerGroupMemberMetadataValue.classic_member_metadata`."""

    session_timeout_ms: Int32 = 0
    supported_protocols: list[ClassicProtocol] = msgspec.field(default_factory=list)


class ConsumerGroupMemberMetadataValue(Message):
    """The value of a record of ConsumerGroupMemberMetadata: version 0, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)
    FLEXIBLE: ClassVar[int] = 0

    instance_id: NullableString = ""
    rack_id: NullableString = ""
    client_id: String = ""
    client_host: String = ""
    subscribed_topic_names: list[String] = msgspec.field(default_factory=list)
    subscribed_topic_regex: NullableString = ""
    rebalance_timeout_ms: Int32 = -1
    server_assignor: NullableString = ""
    classic_member_metadata: Annotated[ClassicMemberMetadata | None, Tag(0)] = None


class ConsumerGroupTargetAssignmentMetadataKey(Message):
    """The key of a record of ConsumerGroupTargetAssignmentMetadata: version 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)

    group_id: String = ""


class ConsumerGroupTargetAssignmentMetadataValue(Message):
    """The value of a record of ConsumerGroupTargetAssignmentMetadata: version 0, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)
    FLEXIBLE: ClassVar[int] = 0

    assignment_epoch: Int32 = 0
    assignment_timestamp: Annotated[Int64, Tag(0)] = 0


class ConsumerGroupTargetAssignmentMemberKey(Message):
    """The key of a record of ConsumerGroupTargetAssignmentMember: version 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)

    group_id: String = ""
    member_id: String = ""


class TopicPartition(Message):
    """An entry of `ConsumerGroupTargetAssignmentMemberValue.topic_partitions`."""

    topic_id: Uuid = NO_UUID
    partitions: list[Int32] = msgspec.field(default_factory=list)


class ConsumerGroupTargetAssignmentMemberValue(Message):
    """The value of a record of ConsumerGroupTargetAssignmentMember: version 0, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)
    FLEXIBLE: ClassVar[int] = 0

    topic_partitions: list[TopicPartition] = msgspec.field(default_factory=list)


class ConsumerGroupCurrentMemberAssignmentKey(Message):
    """The key of a record of ConsumerGroupCurrentMemberAssignment: version 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)

    group_id: String = ""
    member_id: String = ""


class TopicPartitions(Message):
    """An entry of `ConsumerGroupCurrentMemberAssignmentValue.assigned_partitions` and others."""

    topic_id: Uuid = NO_UUID
    partitions: list[Int32] = msgspec.field(default_factory=list)
    assignment_epochs: Annotated[list[Int32] | None, Tag(0)] = msgspec.field(default_factory=list)


class ConsumerGroupCurrentMemberAssignmentValue(Message):
    """The value of a record of ConsumerGroupCurrentMemberAssignment: version 0, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)
    FLEXIBLE: ClassVar[int] = 0

    member_epoch: Int32 = 0
    previous_member_epoch: Int32 = 0
    state: Int8 = 0
    assigned_partitions: list[TopicPartitions] = msgspec.field(default_factory=list)
    partitions_pending_revocation: list[TopicPartitions] = msgspec.field(default_factory=list)
