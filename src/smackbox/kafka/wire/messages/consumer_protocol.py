"""What a consumer puts into JoinGroup and SyncGroup for its group's leader."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import Int32, Message, NullableBytes, NullableString, Since, String


class TopicPartition(Message):
    """An entry of `ConsumerProtocolSubscription.owned_partitions`."""

    topic: Annotated[String, Since(1)] = ""
    partitions: Annotated[list[Int32], Since(1)] = msgspec.field(default_factory=list)


class ConsumerProtocolSubscription(Message):
    """ConsumerProtocolSubscription: versions 0 to 3."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 3)

    topics: list[String] = msgspec.field(default_factory=list)
    user_data: NullableBytes = None
    owned_partitions: Annotated[list[TopicPartition], Since(1)] = msgspec.field(default_factory=list)
    generation_id: Annotated[Int32, Since(2)] = -1
    rack_id: Annotated[NullableString, Since(3)] = None


class AssignedTopicPartition(Message):
    """An entry of `ConsumerProtocolAssignment.assigned_partitions`."""

    topic: String = ""
    partitions: list[Int32] = msgspec.field(default_factory=list)


class ConsumerProtocolAssignment(Message):
    """ConsumerProtocolAssignment: versions 0 to 3."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 3)

    assigned_partitions: list[AssignedTopicPartition] = msgspec.field(default_factory=list)
    user_data: NullableBytes = None
