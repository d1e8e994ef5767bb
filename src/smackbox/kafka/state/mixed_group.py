"""A KIP-848 group with members of the classic protocol, so that a group can be migrated member by member.

A classic member joins, syncs and sends heartbeats as usual, but the broker computes the assignment. JoinGroup is its
step towards the target (its subscription lists the partitions that it owns), SyncGroup returns its assignment, and a
heartbeat is answered with REBALANCE_IN_PROGRESS when there is another step to take. There is no leader, and no member
waits for others. Rules and error codes are those of Kafka's `GroupMetadataManager` (KIP-848, "Migration From the
Current Protocol").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from smackbox.base.errors import ProtocolError
from smackbox.kafka.state.assignors import Assignment
from smackbox.kafka.state.classic_member import JoinDone, JoinRequest, JoinResult, SyncDone, SyncResult
from smackbox.kafka.state.consumer_group import ConsumerGroup
from smackbox.kafka.state.consumer_member import ClassicMembership, ConsumerMember, MemberState
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.timers import Timer
from smackbox.kafka.wire import consumer_subscription
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.consumer_protocol import ConsumerProtocolSubscription, TopicPartition

CONSUMER_PROTOCOL = "consumer"


@dataclass(slots=True, eq=False, kw_only=True)
class MixedGroup(ConsumerGroup):
    """`new_member_id` creates ids for members that join without one."""

    new_member_id: Callable[[], str]

    def take_over(self, epoch: int, members: list[ConsumerMember]) -> None:
        """Start with the members of a classic group, and with their assignments as the target."""
        self.epoch = self.assignment_epoch = epoch
        for member in members:
            self.members[member.member_id] = member
            if member.instance_id is not None:
                self.static[member.instance_id] = member.member_id
            self.target[member.member_id] = {topic: set(indexes) for topic, indexes in member.assigned.items()}
            self._restart_session(member)
        self._seen_topics = self._subscribed_topics()
        self._dirty |= set(self.members)

    def join(self, request: JoinRequest, done: JoinDone) -> None:
        """A JoinGroup, answered at once."""
        try:
            done(self._join(request))
        except KafkaError as error:
            done(JoinResult(error.code, ""))

    def _join(self, request: JoinRequest) -> JoinResult:
        if len(self.members) >= self.max_size and request.member_id not in self.members:
            raise KafkaError(errors.GROUP_MAX_SIZE_REACHED)
        self._check_protocols(request)
        member_id = request.member_id or self.new_member_id()
        if not request.member_id and request.instance_id is None and request.require_known_member:
            return JoinResult(errors.MEMBER_ID_REQUIRED, member_id)
        subscription = _subscription(request)
        replaced = self.members.get(self.static.get(request.instance_id or "", ""))
        last_of_its_protocol = replaced is not None and replaced.classic is None
        member = self._joining(member_id, request)
        changed = self._update_classic(member, request, subscription)
        self._step(member, self._by_id(subscription.owned_partitions), changed=changed)
        self._cancel(member)
        result = JoinResult(0, member.member_id, member.epoch, CONSUMER_PROTOCOL, next(iter(request.protocols)))
        if last_of_its_protocol and self._became_classic(self._dirty, rebalance=False):
            return result
        self._restart_session(member)
        limit_ms = self.now_ms() + max(request.rebalance_timeout_ms, 0)
        member.sync_timer = self.timers.at(limit_ms, lambda: self._is_late(member))
        self._flush()
        return result

    def _check_protocols(self, request: JoinRequest) -> None:
        """Whether all classic members support one of the protocols."""
        classics = [member.classic for member in self.members.values() if member.classic is not None]
        if request.protocol_type != CONSUMER_PROTOCOL or not any(
            all(name in classic.protocols for classic in classics) for name in request.protocols
        ):
            raise KafkaError(errors.INCONSISTENT_GROUP_PROTOCOL)

    def _joining(self, member_id: str, request: JoinRequest) -> ConsumerMember:
        """The member that joins, new or known. Raises `KafkaError` when a static member's id does not match."""
        instance_id = request.instance_id
        if instance_id is None:
            return self.members.get(member_id) or self._new_member(member_id, None)
        known = self.static.get(instance_id)
        if request.member_id:
            return self._static_member(request.member_id, instance_id)
        if known is None:
            return self._new_member(member_id, instance_id)
        return self._replace_static(self.members[known], member_id)

    def _update_classic(
        self, member: ConsumerMember, request: JoinRequest, subscription: ConsumerProtocolSubscription
    ) -> bool:
        """Apply the request's changes; returns whether the assignment must be recomputed."""
        topics = frozenset(subscription.topics)
        changed = topics != member.topics
        member.topics = topics
        if subscription.rack_id is not None:
            member.rack_id = subscription.rack_id
        if request.rebalance_timeout_ms >= 0:
            member.rebalance_timeout_ms = request.rebalance_timeout_ms
        member.client_id, member.client_host = request.client_id, request.client_host
        member.classic = ClassicMembership(request.session_timeout_ms, dict(request.protocols))
        self._dirty.add(member.member_id)
        return changed

    def sync(
        self,
        member_id: str,
        instance_id: str | None,
        generation: int,
        protocol_type: str | None,
        protocol_name: str | None,
        _assignments: dict[str, bytes],
        done: SyncDone,
    ) -> None:
        """A SyncGroup, answered at once with the member's assignment."""
        try:
            member, classic = self._classic_member(member_id, instance_id, generation)
            if protocol_type not in {None, CONSUMER_PROTOCOL} or protocol_name not in {None, classic.protocol_name}:
                raise KafkaError(errors.INCONSISTENT_GROUP_PROTOCOL)
            if self.assignment_epoch > member.epoch and member.state is not MemberState.UNREVOKED_PARTITIONS:
                self._expect_join(member)
                raise KafkaError(errors.REBALANCE_IN_PROGRESS)
        except KafkaError as error:
            done(SyncResult(error.code))
            return
        if member.sync_timer is not None:
            member.sync_timer.cancel()
            member.sync_timer = None
        self._restart_session(member)
        version = consumer_subscription.version_of(classic.protocols[classic.protocol_name])
        assigned = consumer_subscription.encoded_assignment(self.by_name(member.assigned), version)
        done(SyncResult(0, protocol_type, protocol_name, assigned))

    def heartbeat(self, member_id: str, instance_id: str | None, generation: int) -> int:
        """A classic Heartbeat: returns the error code of its answer. Raises `KafkaError`."""
        member, _ = self._classic_member(member_id, instance_id, generation)
        self._restart_session(member)
        must_join = (
            member.epoch < self.assignment_epoch
            or member.state is MemberState.UNREVOKED_PARTITIONS
            or (member.state is MemberState.UNRELEASED_PARTITIONS and not self._waits_for_others(member))
        )
        if must_join:
            self._expect_join(member)
        return errors.REBALANCE_IN_PROGRESS if must_join else 0

    def leave(self, member_id: str, instance_id: str | None) -> str:
        """A LeaveGroup: removes a classic member, or the member with this instance id, and returns its id. Raises
        `KafkaError`.
        """
        by_instance = instance_id is not None and not member_id
        member = self._known(self.static.get(instance_id or "", "") if by_instance else member_id, instance_id)
        if member.classic is None and not by_instance:
            raise KafkaError(errors.UNKNOWN_MEMBER_ID)
        self._remove(member)
        return member.member_id

    # --- look-ups

    def _classic_member(
        self, member_id: str, instance_id: str | None, generation: int
    ) -> tuple[ConsumerMember, ClassicMembership]:
        member = self._known(member_id, instance_id)
        if member.classic is None:
            raise KafkaError(errors.UNKNOWN_MEMBER_ID)
        if generation != member.epoch:
            raise KafkaError(errors.ILLEGAL_GENERATION)
        return member, member.classic

    def _known(self, member_id: str, instance_id: str | None) -> ConsumerMember:
        """Look up a member. Raises `KafkaError` UNKNOWN_MEMBER_ID or FENCED_INSTANCE_ID."""
        if instance_id is not None:
            return self._static_member(member_id, instance_id)
        member = self.members.get(member_id)
        if member is None:
            raise KafkaError(errors.UNKNOWN_MEMBER_ID)
        return member

    def _static_member(self, member_id: str, instance_id: str) -> ConsumerMember:
        known = self.static.get(instance_id)
        if known is None:
            raise KafkaError(errors.UNKNOWN_MEMBER_ID)
        if known != member_id:
            raise KafkaError(errors.FENCED_INSTANCE_ID)
        return self.members[known]

    def _waits_for_others(self, member: ConsumerMember) -> bool:
        """Whether another member still holds a partition of this member's target."""
        taken = self._held_by_others(member)
        return any(
            (topic, index) in taken
            for topic, indexes in self.target.get(member.member_id, {}).items()
            for index in indexes - member.assigned.get(topic, set())
        )

    def _by_id(self, partitions: list[TopicPartition]) -> Assignment:
        topics = self.catalog.topics
        owned: Assignment = {}
        for entry in partitions:
            if entry.topic in topics:
                owned.setdefault(topics[entry.topic].topic_id, set()).update(entry.partitions)
        return owned

    def by_name(self, assigned: Assignment) -> dict[str, set[int]]:
        """Partitions by topic name."""
        by_id = self.catalog.by_id
        return {by_id[topic].name: indexes for topic, indexes in assigned.items() if topic in by_id}

    # --- timers

    def _expect_join(self, member: ConsumerMember) -> None:
        """A member that must rejoin has its rebalance timeout to do so."""
        if member.join_timer is None:
            limit_ms = self.now_ms() + max(member.rebalance_timeout_ms, 0)
            member.join_timer = self.timers.at(limit_ms, lambda: self._is_late(member))

    def _is_late(self, member: ConsumerMember) -> None:
        if self.members.get(member.member_id) is member:
            self._remove(member)

    @staticmethod
    def _cancel(member: ConsumerMember) -> None:
        timers: tuple[Timer | None, ...] = (member.join_timer, member.sync_timer)
        for timer in timers:
            if timer is not None:
                timer.cancel()
        member.join_timer = member.sync_timer = None


def _subscription(request: JoinRequest) -> ConsumerProtocolSubscription:
    try:
        return consumer_subscription.subscription(next(iter(request.protocols.values())))
    except ProtocolError as error:
        raise KafkaError(errors.INCONSISTENT_GROUP_PROTOCOL) from error
