"""The records of a KIP-848 group in `__consumer_offsets`, written and read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from smackbox.kafka.state.assignors import Assignment
from smackbox.kafka.state.consumer_group import ConsumerGroup
from smackbox.kafka.state.consumer_member import ClassicMembership, ConsumerMember, MemberState
from smackbox.kafka.state.coordinator_log import KeyedRecord, key_bytes, value_bytes
from smackbox.kafka.wire.messages import group_records as wire
from smackbox.kafka.wire.schema import Message, read

GROUP, MEMBER, TARGET, TARGET_MEMBER, CURRENT = 3, 5, 6, 7, 8
TYPES = (GROUP, MEMBER, TARGET, TARGET_MEMBER, CURRENT)


def group_records(group: ConsumerGroup, member_ids: set[str]) -> list[KeyedRecord]:
    """The records of a change: the epochs, and these members; tombstones for those that have left."""
    entries: list[KeyedRecord] = [
        _record(GROUP, wire.ConsumerGroupMetadataKey(group.group_id), wire.ConsumerGroupMetadataValue(group.epoch)),
        _record(
            TARGET,
            wire.ConsumerGroupTargetAssignmentMetadataKey(group.group_id),
            wire.ConsumerGroupTargetAssignmentMetadataValue(group.assignment_epoch),
        ),
    ]
    for member_id in sorted(member_ids):
        entries += _member_records(group, member_id)
    return entries


def tombstones(group: ConsumerGroup, also: Iterable[str] = ()) -> list[KeyedRecord]:
    """The tombstones that delete the group, and the members `also` that have just left it."""
    entries = [
        entry for member_id in sorted({*group.members, *also}) for entry in _member_records(group, member_id, gone=True)
    ]
    entries.append(_record(TARGET, wire.ConsumerGroupTargetAssignmentMetadataKey(group.group_id), None))
    entries.append(_record(GROUP, wire.ConsumerGroupMetadataKey(group.group_id), None))
    return entries


def _member_records(group: ConsumerGroup, member_id: str, *, gone: bool = False) -> list[KeyedRecord]:
    member = None if gone else group.members.get(member_id)
    names = (group.group_id, member_id)
    values: tuple[Message | None, Message | None, Message | None] = (None, None, None)
    if member is not None:
        values = (
            wire.ConsumerGroupMemberMetadataValue(
                member.instance_id,
                member.rack_id,
                member.client_id,
                member.client_host,
                sorted(member.topics),
                member.pattern or "",
                member.rebalance_timeout_ms,
                member.assignor,
                _classic_to_wire(member.classic),
            ),
            wire.ConsumerGroupTargetAssignmentMemberValue(
                [
                    wire.TopicPartition(topic, sorted(indexes))
                    for topic, indexes in sorted(group.target.get(member_id, {}).items())
                ]
            ),
            wire.ConsumerGroupCurrentMemberAssignmentValue(
                member.epoch,
                member.previous_epoch,
                int(member.state),
                _to_wire(member.assigned, member.since),
                _to_wire(member.revoking, {}),
            ),
        )
    return [
        _record(MEMBER, wire.ConsumerGroupMemberMetadataKey(*names), values[0]),
        _record(TARGET_MEMBER, wire.ConsumerGroupTargetAssignmentMemberKey(*names), values[1]),
        _record(CURRENT, wire.ConsumerGroupCurrentMemberAssignmentKey(*names), values[2]),
    ]


def group_id_of(key: bytes) -> str:
    """The group id in a record's key: every key of a KIP-848 group begins with it."""
    return read(wire.ConsumerGroupMetadataKey, 0, key, 2)[0].group_id


def replay(group: ConsumerGroup, kind: int, key: bytes, value: bytes) -> None:
    """Apply one record."""
    if kind == GROUP:
        group.epoch = read(wire.ConsumerGroupMetadataValue, 0, value, 2)[0].epoch
        return
    if kind == TARGET:
        group.assignment_epoch = read(wire.ConsumerGroupTargetAssignmentMetadataValue, 0, value, 2)[0].assignment_epoch
        return
    member_id = read(wire.ConsumerGroupMemberMetadataKey, 0, key, 2)[0].member_id
    if kind == TARGET_MEMBER:
        record = read(wire.ConsumerGroupTargetAssignmentMemberValue, 0, value, 2)[0]
        group.target[member_id] = {t.topic_id: set(t.partitions) for t in record.topic_partitions}
        return
    member = group.members.setdefault(member_id, ConsumerMember(member_id))
    if kind == MEMBER:
        metadata = read(wire.ConsumerGroupMemberMetadataValue, 0, value, 2)[0]
        member.instance_id, member.rack_id = metadata.instance_id, metadata.rack_id
        member.client_id, member.client_host = metadata.client_id, metadata.client_host
        member.topics = frozenset(metadata.subscribed_topic_names)
        member.pattern = metadata.subscribed_topic_regex or None
        member.rebalance_timeout_ms = metadata.rebalance_timeout_ms
        member.assignor = metadata.server_assignor
        member.classic = _classic_from_wire(metadata.classic_member_metadata)
        if member.instance_id is not None:
            group.static[member.instance_id] = member_id
        return
    current = read(wire.ConsumerGroupCurrentMemberAssignmentValue, 0, value, 2)[0]
    member.epoch, member.previous_epoch = current.member_epoch, current.previous_member_epoch
    member.state = MemberState(current.state)
    member.assigned = _from_wire(current.assigned_partitions)
    member.revoking = _from_wire(current.partitions_pending_revocation)
    member.since = {
        (topic.topic_id, index): epoch
        for topic in current.assigned_partitions
        for index, epoch in zip(topic.partitions, topic.assignment_epochs or (), strict=False)
    }
    member.keep_epochs()


def replay_tombstone(group: ConsumerGroup, kind: int, key: bytes) -> None:
    """A member has left, or its assignment was removed."""
    member_id = read(wire.ConsumerGroupMemberMetadataKey, 0, key, 2)[0].member_id
    if kind == TARGET_MEMBER:
        group.target.pop(member_id, None)
        return
    member = group.members.pop(member_id, None)
    if member is not None and member.instance_id is not None:
        group.static.pop(member.instance_id, None)


def _classic_to_wire(classic: ClassicMembership | None) -> wire.ClassicMemberMetadata | None:
    if classic is None:
        return None
    protocols = [wire.ClassicProtocol(name, metadata) for name, metadata in classic.protocols.items()]
    return wire.ClassicMemberMetadata(classic.session_timeout_ms, protocols)


def _classic_from_wire(classic: wire.ClassicMemberMetadata | None) -> ClassicMembership | None:
    if classic is None:
        return None
    protocols = {protocol.name: protocol.metadata for protocol in classic.supported_protocols}
    return ClassicMembership(classic.session_timeout_ms, protocols)


def _to_wire(assignment: Assignment, since: Mapping[tuple[bytes, int], int]) -> list[wire.TopicPartitions]:
    """Partitions, each with the epoch in which the member got it, if that is known."""
    return [
        wire.TopicPartitions(
            topic,
            sorted(indexes),
            [since[topic, index] for index in sorted(indexes)] if since else [],
        )
        for topic, indexes in sorted(assignment.items())
    ]


def _from_wire(topics: list[wire.TopicPartitions]) -> Assignment:
    return {topic.topic_id: set(topic.partitions) for topic in topics}


def _record(kind: int, key: Message, value: Message | None) -> KeyedRecord:
    return key_bytes(kind, key), None if value is None else value_bytes(0, value)
