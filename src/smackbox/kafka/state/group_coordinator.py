"""The group coordinator: all groups of this broker, their committed offsets, and their records in `__consumer_offsets`.

Groups are read back from the topic when the broker opens. Offsets expire `offsets_retention_minutes` after the last
member has left the group (or after the commit, for consumers with manual assignment). A group without members and
offsets is deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from smackbox.kafka.state import consumer_group_records, group_migration
from smackbox.kafka.state.classic_group import ClassicGroup
from smackbox.kafka.state.classic_member import GroupState, Member
from smackbox.kafka.state.consumer_group import ConsumerGroup
from smackbox.kafka.state.coordinator_host import CoordinatorHost
from smackbox.kafka.state.coordinator_log import CoordinatorLog, Done, KeyedRecord, java_hash, key_bytes, value_bytes
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.group_migration import MigrationPolicy
from smackbox.kafka.state.group_offsets import (
    OFFSET_KEY_TYPE,
    CommittedOffset,
    GroupOffsets,
    TopicPartition,
    offset_record,
)
from smackbox.kafka.state.mixed_group import CONSUMER_PROTOCOL, MixedGroup
from smackbox.kafka.state.topic import OFFSETS_TOPIC
from smackbox.kafka.wire import control_record
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.group_records import (
    GroupMetadataKey,
    GroupMetadataValue,
    MemberMetadata,
    OffsetCommitKey,
    OffsetCommitValue,
)
from smackbox.kafka.wire.record_batch import Record
from smackbox.kafka.wire.schema import read

FIRST_EPOCH = 1  # of a KIP-848 group before it counts its first member, as in Kafka
GROUP_KEY_TYPE = 2
GROUP_VALUE_VERSION = 3

Group = ClassicGroup | MixedGroup


class GroupCoordinator:
    """Groups by id."""

    def __init__(self, broker: CoordinatorHost) -> None:
        self._broker = broker
        self.log = CoordinatorLog(broker, OFFSETS_TOPIC)
        self.groups: dict[str, Group] = {}

    # --- life

    def open(self) -> None:
        """Read the groups back."""
        for partition, record, control, producer_id, _ in self.log.replay():
            if control:
                marker = control_record.parse(record)
                self.end_transaction_on({partition.index}, producer_id, commit=marker.commit)
            elif record.key is not None:
                self._replay(record, producer_id)
        for group in self.groups.values():
            group.restore_sessions()
        self._schedule_expiry()

    def _replay(self, record: Record, producer_id: int) -> None:
        assert record.key is not None
        kind = int.from_bytes(record.key[:2], "big")
        if kind in {0, OFFSET_KEY_TYPE}:
            self._replay_offset(record.key, record.value, producer_id)
        elif kind == GROUP_KEY_TYPE:
            self._replay_group(record.key, record.value)
        elif kind in consumer_group_records.TYPES:
            self._replay_consumer_group(kind, record.key, record.value)

    def _replay_offset(self, key: bytes, value: bytes | None, producer_id: int) -> None:
        at, _ = read(OffsetCommitKey, 0, key, 2)
        where = (at.topic, at.partition)
        if value is None:
            known = self.groups.get(at.group)
            if known is not None:
                known.offsets.committed.pop(where, None)
            return
        said, _ = read(OffsetCommitValue, int.from_bytes(value[:2], "big"), value, 2)
        offset = CommittedOffset(said.offset, said.leader_epoch, said.metadata, said.commit_timestamp)
        group = self.groups.get(at.group) or self._new_classic(at.group)
        offsets = group.offsets
        if producer_id >= 0:
            offsets.pending.setdefault(producer_id, {})[where] = offset
        else:
            offsets.committed[where] = offset

    def _replay_group(self, key: bytes, value: bytes | None) -> None:
        group_id = read(GroupMetadataKey, 0, key, 2)[0].group
        if value is None:
            group = self.groups.get(group_id)
            if isinstance(group, ClassicGroup):
                self._replay_end(group)
            return
        said, _ = read(GroupMetadataValue, int.from_bytes(value[:2], "big"), value, 2)
        group = self._as_classic(group_id)
        group.generation = said.generation
        group.protocol_type = said.protocol_type
        group.protocol_name = said.protocol
        group.leader = said.leader
        group.state_changed_ms = said.current_state_timestamp
        group.members = {
            m.member_id: Member(
                m.member_id,
                m.group_instance_id,
                m.client_id,
                m.client_host,
                m.session_timeout,
                m.rebalance_timeout,
                {said.protocol or "": m.subscription},
                m.assignment,
            )
            for m in said.members
        }
        group.static = {m.instance_id: m.member_id for m in group.members.values() if m.instance_id is not None}
        group.state = GroupState.STABLE if group.members else GroupState.EMPTY

    def _replay_consumer_group(self, kind: int, key: bytes, value: bytes | None) -> None:
        group_id = consumer_group_records.group_id_of(key)
        group = self.groups.get(group_id)
        if value is not None:
            consumer_group_records.replay(self._as_consumer(group_id), kind, key, value)
        elif isinstance(group, ConsumerGroup):
            if kind == consumer_group_records.GROUP:
                self._replay_end(group)
            elif kind != consumer_group_records.TARGET:
                consumer_group_records.replay_tombstone(group, kind, key)

    def _replay_end(self, group: Group) -> None:
        """A group was deleted or changed its protocol; its offsets have their own tombstones."""
        del self.groups[group.group_id]
        if group.offsets:
            self._new_classic(group.group_id).offsets = group.offsets

    def close(self) -> None:
        """Stop the timers of all groups."""
        for group in self.groups.values():
            group.close_sessions()

    # --- groups

    def group(self, group_id: str) -> Group:
        """Look up a group. Raises `KafkaError` GROUP_ID_NOT_FOUND."""
        group = self.groups.get(group_id)
        if group is None:
            raise KafkaError(errors.GROUP_ID_NOT_FOUND, f"Group {group_id} not found.")
        return group

    def for_classic_join(self, group_id: str, member_id: str) -> Group:
        """The group. An empty KIP-848 group becomes a classic one; a missing group is created for a member without an
        id.

        Raises `KafkaError` UNKNOWN_MEMBER_ID.
        """
        group = self.groups.get(group_id)
        if group is not None and (isinstance(group, ClassicGroup) or not group.empty):
            return group
        if group is None and member_id:
            raise KafkaError(errors.UNKNOWN_MEMBER_ID)
        if group is not None:
            self.log.append(group_id, consumer_group_records.tombstones(group))
        return self._as_classic(group_id)

    def for_classic_member(self, group_id: str) -> Group:
        """The group of a classic member. Raises `KafkaError` UNKNOWN_MEMBER_ID."""
        group = self.groups.get(group_id)
        if group is None:
            raise KafkaError(errors.UNKNOWN_MEMBER_ID)
        return group

    def for_consumer(self, group_id: str, *, create: bool) -> MixedGroup:
        """The KIP-848 group; with `create` it is created, or converted from the classic group. Raises `KafkaError`."""
        group = self.groups.get(group_id)
        if isinstance(group, ConsumerGroup):
            return group
        if not create:
            raise KafkaError(errors.GROUP_ID_NOT_FOUND, f"Group {group_id} not found.")
        if group is not None:
            if not group.empty:
                return self._upgrade(group)
            if group.generation:
                self.log.append(group_id, [_classic_tombstone(group_id)])
        return self._as_consumer(group_id)

    # --- change of protocol

    @property
    def _migration(self) -> MigrationPolicy:
        return MigrationPolicy(self._broker.settings.group_consumer_migration_policy)

    def _upgrade(self, group: ClassicGroup) -> MixedGroup:
        """Convert a classic group that has members into a KIP-848 one. Raises `KafkaError` when that is not
        possible.
        """
        settings = self._broker.settings
        problem = None
        if group.protocol_type != CONSUMER_PROTOCOL:
            problem = "because the group does not use the consumer embedded protocol."
        elif not self._migration.upgrades:
            problem = "because online upgrade is disabled."
        elif len(group.members) > settings.group_consumer_max_size:
            problem = "because the group size exceeds the consumer group maximum size."
        if problem is not None:
            message = f"Cannot upgrade classic group {group.group_id} to consumer group {problem}"
            raise KafkaError(errors.GROUP_ID_NOT_FOUND, message)
        members = group_migration.upgraded_members(group, self._broker.catalog)
        group.dismiss_waiting()
        self.log.append(group.group_id, [_classic_tombstone(group.group_id)])
        upgraded = self._as_consumer(group.group_id)
        upgraded.take_over(group.generation, members)
        return upgraded

    def _downgrade(self, group: ConsumerGroup, gone: set[str], rebalance: bool) -> bool:
        """Convert a KIP-848 group whose members all use the classic protocol into a classic one; returns whether it
        did.
        """
        assert isinstance(group, MixedGroup)
        if not self._migration.downgrades or len(group.members) > self._broker.settings.group_max_size:
            return False
        self.log.append(group.group_id, consumer_group_records.tombstones(group, gone))
        classic = self._as_classic(group.group_id)
        group_migration.downgrade(group, classic)
        self._persist(classic, lambda _: None)
        if rebalance:
            classic.rebalance()
        return True

    def _as_classic(self, group_id: str) -> ClassicGroup:
        """A classic group of this name, with the offsets of the group that it replaces."""
        group = self.groups.get(group_id)
        if isinstance(group, ClassicGroup):
            return group
        classic = self._new_classic(group_id)
        if group is not None:
            group.close_sessions()
            classic.offsets = group.offsets
        return classic

    def heartbeat_interval_ms(self, group_id: str) -> int:
        """The heartbeat interval of this group's KIP-848 members."""
        own = self._broker.catalog.group_config(group_id, "consumer.heartbeat.interval.ms")
        return self._broker.settings.group_consumer_heartbeat_interval_ms if own is None else int(own)

    def _as_consumer(self, group_id: str) -> MixedGroup:
        """A KIP-848 group of this name, with the offsets of the group that it replaces."""
        group = self.groups.get(group_id)
        if isinstance(group, ConsumerGroup):
            return group
        broker = self._broker
        mixed = MixedGroup(
            group_id,
            broker.catalog,
            broker.timers,
            broker.clock.monotonic_ms,
            broker.settings.group_consumer_session_timeout_ms,
            broker.settings.group_consumer_max_size,
            self._persist_consumer,
            self._downgrade,
            new_member_id=lambda: str(broker.new_id()),
            epoch=FIRST_EPOCH,
            state_changed_ms=broker.clock.wall_ms(),
        )
        if group is not None:
            group.close_sessions()
            mixed.offsets = group.offsets
        self.groups[group_id] = mixed
        return mixed

    def _new_classic(self, group_id: str) -> ClassicGroup:
        broker = self._broker
        classic = self.groups[group_id] = ClassicGroup(
            group_id,
            broker.timers,
            broker.clock.monotonic_ms,
            broker.clock.wall_ms,
            lambda: str(broker.new_id()),
            self._persist,
            initial_delay_ms=broker.settings.group_initial_rebalance_delay_ms,
            max_size=broker.settings.group_max_size,
        )
        return classic

    def _persist_consumer(self, group: ConsumerGroup, member_ids: set[str]) -> None:
        group.state_changed_ms = self._broker.clock.wall_ms()
        self.log.append(group.group_id, consumer_group_records.group_records(group, member_ids))

    def _persist(self, group: ClassicGroup, done: Callable[[KafkaError | None], None]) -> None:
        value = GroupMetadataValue(
            group.protocol_type,
            group.generation,
            group.protocol_name,
            group.leader,
            group.state_changed_ms,
            [
                MemberMetadata(
                    m.member_id,
                    m.instance_id,
                    m.client_id,
                    m.client_host,
                    m.rebalance_timeout_ms,
                    m.session_timeout_ms,
                    m.protocols.get(group.protocol_name or "", b""),
                    m.assignment,
                )
                for m in group.members.values()
            ],
        )
        record = (
            key_bytes(GROUP_KEY_TYPE, GroupMetadataKey(group.group_id)),
            value_bytes(GROUP_VALUE_VERSION, value),
        )
        try:
            self.log.append(group.group_id, [record], done)
        except KafkaError as error:
            done(error)

    def delete(self, group_id: str) -> None:
        """Delete a group. Raises `KafkaError` GROUP_ID_NOT_FOUND or NON_EMPTY_GROUP."""
        group = self.group(group_id)
        if not group.empty:
            raise KafkaError(errors.NON_EMPTY_GROUP, f"Group {group_id} is not empty.")
        self._forget(group)

    def _forget(self, group: Group) -> None:
        entries: list[KeyedRecord] = [offset_record(group.group_id, where, None) for where in group.offsets.committed]
        if isinstance(group, ClassicGroup):
            entries.append(_classic_tombstone(group.group_id))
            group.state = GroupState.DEAD
        else:
            entries += consumer_group_records.tombstones(group)
            group.dead = True
        group.close_sessions()
        del self.groups[group.group_id]
        self.log.append(group.group_id, entries)

    # --- offsets

    def for_commit(
        self,
        group_id: str,
        member_id: str,
        instance_id: str | None,
        generation: int,
        wheres: Iterable[TopicPartition],
        *,
        epochs: bool,
    ) -> Group:
        """The group, if this member may commit offsets to it. Raises `KafkaError`."""
        group = self.groups.get(group_id)
        if group is None:
            if generation >= 0:
                raise KafkaError(errors.GROUP_ID_NOT_FOUND if epochs else errors.ILLEGAL_GENERATION)
            if not group_id:
                raise KafkaError(errors.INVALID_GROUP_ID)
            group = self._new_classic(group_id)
        if isinstance(group, ConsumerGroup) and not epochs:
            member = group.members.get(member_id)
            if member is not None and member.classic is None:
                raise KafkaError(errors.UNSUPPORTED_VERSION)
        group.check_commit(member_id, instance_id, generation, wheres, transactional=False)
        return group

    def offsets_for(self, group_id: str, member_id: str | None, member_epoch: int) -> GroupOffsets:
        """The committed offsets that this member may see. Raises `KafkaError`."""
        group = self.groups.get(group_id)
        if group is None:
            return GroupOffsets()
        if isinstance(group, ConsumerGroup):
            group.check_offset_fetch(member_id, member_epoch)
        return group.offsets

    def leave(self, group_id: str, member_id: str, instance_id: str | None) -> None:
        """Remove a member. Raises `KafkaError`."""
        self.for_classic_member(group_id).leave(member_id, instance_id)

    def commit(self, group: Group, offsets: dict[TopicPartition, CommittedOffset], done: Done) -> None:
        """Store these offsets; calls `done` when they are durable. Raises `KafkaError` when the disk rejects
        the write.
        """

        def kept(error: KafkaError | None) -> None:
            if error is None:
                group.offsets.committed.update(offsets)
            done(error)

        entries = [offset_record(group.group_id, where, offset) for where, offset in offsets.items()]
        self.log.append(group.group_id, entries, kept)

    def for_transactional_commit(
        self,
        group_id: str,
        member_id: str,
        instance_id: str | None,
        generation: int,
        wheres: Iterable[TopicPartition],
    ) -> Group:
        """The group, if this member may commit offsets to it in a transaction. Raises `KafkaError`."""
        if not group_id:
            raise KafkaError(errors.INVALID_GROUP_ID)
        group = self.groups.get(group_id)
        if group is None:
            if generation >= 0:
                raise KafkaError(errors.ILLEGAL_GENERATION)
            group = self._new_classic(group_id)
        group.check_commit(member_id, instance_id, generation, wheres, transactional=True)
        return group

    def commit_in_transaction(
        self,
        group: Group,
        producer_id: int,
        epoch: int,
        offsets: dict[TopicPartition, CommittedOffset],
        done: Done,
    ) -> None:
        """Store offsets that become visible when the producer's transaction commits. Raises `KafkaError`."""
        entries = [offset_record(group.group_id, where, offset) for where, offset in offsets.items()]
        self.log.append(group.group_id, entries, done, producer=(producer_id, epoch))
        group.offsets.pending.setdefault(producer_id, {}).update(offsets)

    def delete_offsets(self, group: Group, wheres: Iterable[TopicPartition], done: Done | None = None) -> None:
        """Delete committed offsets; calls `done` when that is logged."""
        gone = [where for where in wheres if group.offsets.committed.pop(where, None) is not None]
        self.log.append(group.group_id, [offset_record(group.group_id, where, None) for where in gone], done)

    def topic_deleted(self, topic: str) -> None:
        """Delete the committed offsets of a deleted topic."""
        for group in list(self.groups.values()):
            wheres = [where for where in group.offsets.committed if where[0] == topic]
            if wheres:
                self.delete_offsets(group, wheres)

    def end_transaction_on(self, partitions: set[int], producer_id: int, *, commit: bool) -> None:
        """A transaction marker was written to these partitions of the offsets topic."""
        count = self._broker.settings.offsets_topic_num_partitions
        topic = self._broker.catalog.topics.get(OFFSETS_TOPIC)
        if topic is not None:
            count = len(topic.partitions)
        for group in self.groups.values():
            if producer_id in group.offsets.pending and java_hash(group.group_id) % count in partitions:
                group.offsets.end_transaction(producer_id, commit=commit)

    # --- expiry

    def _schedule_expiry(self) -> None:
        broker = self._broker
        interval = broker.settings.offsets_retention_check_interval_ms
        broker.timers.at(broker.clock.monotonic_ms() + interval, self._expire_and_schedule)

    def _expire_and_schedule(self) -> None:
        self.expire()
        self._schedule_expiry()

    def expire(self) -> None:
        """Delete offsets that are past their retention, and groups that have nothing left."""
        before = self._broker.clock.wall_ms() - self._broker.settings.offsets_retention_minutes * 60_000
        for group in list(self.groups.values()):
            expired = list(self._expired(group, before))
            if expired:
                self.delete_offsets(group, expired)
            if group.empty and not group.offsets and self._has_lived(group):
                self._forget(group)

    @staticmethod
    def _has_lived(group: Group) -> bool:
        """A group with a member that is just joining has not been left by all members."""
        if isinstance(group, ClassicGroup):
            return group.generation > 0 and not group.pending_members
        return group.epoch > 0

    def _expired(self, group: Group, before: int) -> Iterable[TopicPartition]:
        if group.protocol_type and not group.empty:
            return [
                where
                for where, offset in group.offsets.committed.items()
                if offset.commit_timestamp <= before
                and group.protocol_type == CONSUMER_PROTOCOL
                and not group.subscribes_to(where[0])
            ]
        since = group.state_changed_ms if group.protocol_type else 0
        return [
            where
            for where, offset in group.offsets.committed.items()
            if max(since, offset.commit_timestamp) <= before and not group.offsets.is_pending(where)
        ]


def _classic_tombstone(group_id: str) -> KeyedRecord:
    return key_bytes(GROUP_KEY_TYPE, GroupMetadataKey(group_id)), None
