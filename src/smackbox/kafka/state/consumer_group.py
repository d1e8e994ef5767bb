"""A consumer group of KIP-848: members only send heartbeats, the coordinator computes the assignment.

Three epochs: the group epoch rises with each change of members, subscriptions or topics; the target assignment is
computed for a group epoch; the member epoch is that of the target that the member has reached. A heartbeat moves its
member one step towards the target:

    Stable ──target has less──> UnrevokedPartitions ──member gave them up──┐
      ^                                                                   v
      └──all partitions free── UnreleasedPartitions <──others still have some

A partition is assigned to a member only when no other member holds it. Rules and error codes are those of Kafka's
`GroupMetadataManager` and `CurrentAssignmentBuilder`. Members of the classic protocol take part through `mixed_group`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from smackbox.kafka.state.assignors import ASSIGNORS, UNIFORM, Assignment
from smackbox.kafka.state.catalog import Catalog
from smackbox.kafka.state.consumer_member import (
    JOIN_EPOCH,
    LEAVE_EPOCH,
    LEAVE_STATIC_EPOCH,
    ConsumerGroupState,
    ConsumerMember,
    HeartbeatRequest,
    HeartbeatResult,
    MemberState,
)
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.group_offsets import GroupOffsets, TopicPartition
from smackbox.kafka.state.timers import Timers
from smackbox.kafka.wire import error_codes as errors


@dataclass(slots=True, eq=False)
class ConsumerGroup:
    """One group. `changed` is called after each change with the ids of members whose records must be written.

    `downgrade` is called when the last member of this protocol has left and members of the classic protocol remain. It
    receives the ids of those that left and whether the others must rejoin, and returns whether the group has become a
    classic one.
    """

    group_id: str
    catalog: Catalog
    timers: Timers
    now_ms: Callable[[], int]
    session_timeout_ms: int
    max_size: int
    changed: Callable[[ConsumerGroup, set[str]], None]
    downgrade: Callable[[ConsumerGroup, set[str], bool], bool]
    epoch: int = 0
    assignment_epoch: int = 0
    members: dict[str, ConsumerMember] = field(default_factory=dict)
    static: dict[str, str] = field(default_factory=dict)
    target: dict[str, Assignment] = field(default_factory=dict)
    offsets: GroupOffsets = field(default_factory=GroupOffsets)
    assignor: str = UNIFORM
    state_changed_ms: int = 0
    dead: bool = False
    _seen_topics: tuple[tuple[bytes, int], ...] = ()
    _dirty: set[str] = field(default_factory=set)

    # --- heartbeats

    def consumer_heartbeat(self, request: HeartbeatRequest) -> HeartbeatResult:
        """A ConsumerGroupHeartbeat: move its member one step. Raises `KafkaError`."""
        if request.epoch == LEAVE_EPOCH:
            return self._leave(request, LEAVE_EPOCH)
        if request.epoch == LEAVE_STATIC_EPOCH:
            return self._leave(request, LEAVE_STATIC_EPOCH)
        member = self._member_for(request)
        before = _copy(member.assigned)
        self._step(member, request.owned, changed=self._update(member, request))
        self._restart_session(member)
        self._restart_revocation(member)
        full = request.rebalance_timeout_ms >= 0 and request.topics is not None and request.owned is not None
        send = request.epoch == JOIN_EPOCH or full or before != member.assigned
        self._flush()
        return HeartbeatResult(member.member_id, member.epoch, _copy(member.assigned) if send else None)

    def _step(self, member: ConsumerMember, owned: Assignment | None, *, changed: bool) -> None:
        """Advance the epochs, the target and this member; `changed` when the target must be recomputed."""
        topics = self._subscribed_topics()
        if topics != self._seen_topics:
            self._seen_topics = topics
            changed = True
        if changed:
            self.epoch += 1
        if self.epoch > self.assignment_epoch:
            self._assign()
        self._reconcile(member, owned)

    def _member_for(self, request: HeartbeatRequest) -> ConsumerMember:
        if request.instance_id is not None:
            known = self.static.get(request.instance_id)
            if request.epoch == JOIN_EPOCH:
                if known is not None:
                    return self._released_static(known, request)
            elif known is None:
                raise KafkaError(errors.UNKNOWN_MEMBER_ID, f"Instance id {request.instance_id} is unknown.")
            elif known != request.member_id:
                raise KafkaError(errors.FENCED_INSTANCE_ID, "The instance id belongs to another member.")
        member = self.members.get(request.member_id)
        if member is None:
            if request.epoch != JOIN_EPOCH:
                raise KafkaError(
                    errors.UNKNOWN_MEMBER_ID, f"Member {request.member_id} is not a member of group {self.group_id}."
                )
            if len(self.members) >= self.max_size:
                raise KafkaError(
                    errors.GROUP_MAX_SIZE_REACHED,
                    f"The consumer group has reached its maximum capacity of {self.max_size} members.",
                )
            return self._new_member(request.member_id, request.instance_id)
        self._check_epoch(member, request)
        if request.instance_id is not None and request.instance_id != member.instance_id:  # it joins as a static member
            if member.instance_id is not None:
                self.static.pop(member.instance_id, None)
            member.instance_id = request.instance_id
            self.static[request.instance_id] = member.member_id
            self._dirty.add(member.member_id)
        return member

    def _new_member(self, member_id: str, instance_id: str | None) -> ConsumerMember:
        member = self.members[member_id] = ConsumerMember(member_id, instance_id)
        if instance_id is not None:
            self.static[instance_id] = member_id
        self._dirty.add(member_id)
        return member

    def _released_static(self, known: str, request: HeartbeatRequest) -> ConsumerMember:
        """A static member rejoins after it left with epoch -2; one of the classic protocol need not have left."""
        member = self.members[known]
        if member.epoch != LEAVE_STATIC_EPOCH and member.classic is None:
            raise KafkaError(
                errors.UNRELEASED_INSTANCE_ID,
                f"Static member {request.member_id} with instance id {request.instance_id} cannot join the group "
                f"because the instance id is owned by {known} member.",
            )
        return self._replace_static(member, request.member_id)

    def _replace_static(self, member: ConsumerMember, new_id: str) -> ConsumerMember:
        """Give the same static member a new id, or its own."""
        assert member.instance_id is not None
        known = member.member_id
        self._stop_timers(member)
        del self.members[known]
        member.member_id = new_id
        if member.epoch == LEAVE_STATIC_EPOCH:
            member.epoch = member.previous_epoch
        self.members[new_id] = member
        self.static[member.instance_id] = new_id
        if known in self.target:
            self.target[new_id] = self.target.pop(known)
        self._dirty |= {known, new_id}
        return member

    @staticmethod
    def _check_epoch(member: ConsumerMember, request: HeartbeatRequest) -> None:
        """Accept a member that missed one answer, if it owns no more than it was assigned."""
        if request.epoch in {member.epoch, JOIN_EPOCH}:
            return
        if request.epoch < member.epoch and request.epoch == member.previous_epoch and request.owned is not None:
            held = member.assigned
            if all(indexes <= held.get(topic, set()) for topic, indexes in request.owned.items()):
                return
        side = "greater" if request.epoch > member.epoch else "smaller"
        raise KafkaError(
            errors.FENCED_MEMBER_EPOCH,
            f"The consumer group member has a {side} member epoch ({request.epoch}) than the one known by the group "
            f"coordinator ({member.epoch}). The member must abandon all its partitions and rejoin.",
        )

    def _update(self, member: ConsumerMember, request: HeartbeatRequest) -> bool:
        """Apply the request's changes; returns whether the assignment must be recomputed."""
        before = (member.topics, member.pattern, member.assignor)
        if member.classic is not None:  # it has changed over to this protocol
            self._stop_timers(member)
            member.classic = None
            self._dirty.add(member.member_id)
        new = member.epoch == 0 and not member.assigned and member.member_id not in self.target
        if request.topics is not None:
            member.topics = frozenset(request.topics)
        if request.pattern is not None:
            member.pattern = _checked_pattern(request.pattern)
        if request.assignor is not None:
            member.assignor = request.assignor
        if request.rebalance_timeout_ms >= 0:
            member.rebalance_timeout_ms = request.rebalance_timeout_ms
        if request.rack_id is not None:
            member.rack_id = request.rack_id
        member.client_id, member.client_host = request.client_id, request.client_host
        changed = new or before != (member.topics, member.pattern, member.assignor)
        if changed:
            self._dirty.add(member.member_id)
        return changed

    def _leave(self, request: HeartbeatRequest, epoch: int) -> HeartbeatResult:
        member_id = request.member_id
        if request.instance_id is not None:
            known = self.static.get(request.instance_id)
            if known is None:
                raise KafkaError(errors.UNKNOWN_MEMBER_ID, f"Instance id {request.instance_id} is unknown.")
            if known != member_id:
                raise KafkaError(errors.FENCED_INSTANCE_ID, "The instance id belongs to another member.")
        member = self.members.get(member_id)
        if member is None:
            raise KafkaError(errors.UNKNOWN_MEMBER_ID, f"Member {member_id} is not a member of group {self.group_id}.")
        if epoch == LEAVE_STATIC_EPOCH and member.instance_id is not None:
            if member.epoch != LEAVE_STATIC_EPOCH:
                member.previous_epoch = member.epoch
            member.epoch = LEAVE_STATIC_EPOCH
            member.revoking = {}
            self._dirty.add(member_id)
            self._restart_session(member)
            self._flush()
        else:
            self._remove(member)
        return HeartbeatResult(member_id, epoch, None)

    def _remove(self, member: ConsumerMember) -> None:
        self._stop_timers(member)
        del self.members[member.member_id]
        self.target.pop(member.member_id, None)
        if member.instance_id is not None and self.static.get(member.instance_id) == member.member_id:
            del self.static[member.instance_id]
        if member.classic is None and self._became_classic({member.member_id}, rebalance=True):
            return
        self.epoch += 1
        self._dirty.add(member.member_id)
        if not self.members:  # else the next heartbeat computes the assignment
            self.assignment_epoch = self.epoch
        self._flush()

    def _became_classic(self, gone: set[str], *, rebalance: bool) -> bool:
        """Whether the group has become a classic one, as the last member of this protocol has `gone`."""
        if not self.members or any(member.classic is None for member in self.members.values()):
            return False
        return self.downgrade(self, gone, rebalance)

    def _flush(self) -> None:
        if self._dirty:
            self.changed(self, self._dirty)
            self._dirty = set()

    # --- assignment

    def _topic_ids(self, member: ConsumerMember) -> frozenset[bytes]:
        topics = self.catalog.topics
        topic_ids = {topics[name].topic_id for name in member.topics if name in topics}
        if member.pattern:
            pattern = re.compile(member.pattern)
            topic_ids |= {
                topic.topic_id for name, topic in topics.items() if not topic.internal and pattern.fullmatch(name)
            }
        return frozenset(topic_ids)

    def _subscribed_topics(self) -> tuple[tuple[bytes, int], ...]:
        """Ids and partition counts of all topics that members subscribe to; a change starts a new group epoch."""
        topic_ids = frozenset().union(*(self._topic_ids(member) for member in self.members.values()))
        return tuple(sorted((topic, len(self.catalog.by_id[topic].partitions)) for topic in topic_ids))

    def _assign(self) -> None:
        """Compute the target assignment of the group's epoch."""
        votes = Counter(member.assignor for member in self.members.values() if member.assignor)
        self.assignor = votes.most_common(1)[0][0] if votes else UNIFORM
        subscriptions = {member_id: self._topic_ids(member) for member_id, member in self.members.items()}
        topics = dict(self._subscribed_topics())
        self.target = ASSIGNORS[self.assignor](topics, subscriptions, self.target)
        self.assignment_epoch = self.epoch
        self._dirty |= set(self.members)

    def _reconcile(self, member: ConsumerMember, owned: Assignment | None) -> None:
        before = (member.state, member.epoch, _copy(member.assigned), _copy(member.revoking))
        if member.state is MemberState.UNREVOKED_PARTITIONS and (owned is None or _overlap(owned, member.revoking)):
            return
        self._next_assignment(member, owned)
        member.keep_epochs()
        if before != (member.state, member.epoch, member.assigned, member.revoking):
            if before[1] != member.epoch:
                member.previous_epoch = before[1]
            self._dirty.add(member.member_id)

    def _next_assignment(self, member: ConsumerMember, owned: Assignment | None) -> None:
        target = self.target.get(member.member_id, {})
        kept: Assignment = {}
        revoking: Assignment = {}
        waiting: Assignment = {}
        for topic in target.keys() | member.assigned.keys():
            wanted, held = target.get(topic, set()), member.assigned.get(topic, set())
            _put(kept, topic, wanted & held)
            _put(revoking, topic, held - wanted)
            _put(waiting, topic, wanted - held)
        free: Assignment = {}
        unreleased = False
        taken = self._held_by_others(member)
        for topic, indexes in waiting.items():
            _put(free, topic, {index for index in indexes if (topic, index) not in taken})
            unreleased = unreleased or any((topic, index) in taken for index in indexes)
        member.assigned = kept
        if revoking and (owned is None or _overlap(owned, revoking)):
            member.state, member.revoking = MemberState.UNREVOKED_PARTITIONS, revoking
            return
        for topic, indexes in free.items():
            member.assigned[topic] = member.assigned.get(topic, set()) | indexes
        member.revoking = {}
        member.epoch = self.assignment_epoch
        member.state = MemberState.UNRELEASED_PARTITIONS if unreleased else MemberState.STABLE

    def _held_by_others(self, member: ConsumerMember) -> set[tuple[bytes, int]]:
        return {
            (topic, index)
            for other in self.members.values()
            if other is not member
            for held in (other.assigned, other.revoking)
            for topic, indexes in held.items()
            for index in indexes
        }

    # --- sessions

    def _restart_session(self, member: ConsumerMember) -> None:
        member.deadline_ms = self.now_ms() + self._session_ms(member)
        if member.session_timer is None:
            member.session_timer = self.timers.at(member.deadline_ms, lambda: self._session_is_over(member))

    def _session_ms(self, member: ConsumerMember) -> int:
        if member.classic is not None:
            return member.classic.session_timeout_ms
        own = self.catalog.group_config(self.group_id, "consumer.session.timeout.ms")
        return self.session_timeout_ms if own is None else int(own)

    def _session_is_over(self, member: ConsumerMember) -> None:
        member.session_timer = None
        if self.members.get(member.member_id) is not member:
            return
        if self.now_ms() < member.deadline_ms:
            member.session_timer = self.timers.at(member.deadline_ms, lambda: self._session_is_over(member))
        else:
            self._remove(member)

    def _restart_revocation(self, member: ConsumerMember) -> None:
        """A member that must give up partitions has its rebalance timeout to do so."""
        if member.state is not MemberState.UNREVOKED_PARTITIONS or member.classic is not None:
            if member.revocation_timer is not None:
                member.revocation_timer.cancel()
                member.revocation_timer = None
            return
        if member.revocation_timer is None:
            deadline = self.now_ms() + max(member.rebalance_timeout_ms, 0)
            epoch = member.epoch
            member.revocation_timer = self.timers.at(deadline, lambda: self._revocation_is_late(member, epoch))

    def _revocation_is_late(self, member: ConsumerMember, epoch: int) -> None:
        member.revocation_timer = None
        if self.members.get(member.member_id) is member and member.epoch == epoch:
            self._remove(member)

    def _stop_timers(self, member: ConsumerMember) -> None:
        for timer in (member.session_timer, member.revocation_timer, member.join_timer, member.sync_timer):
            if timer is not None:
                timer.cancel()
        member.session_timer = member.revocation_timer = member.join_timer = member.sync_timer = None

    def close_sessions(self) -> None:
        """Stop the members' timers."""
        for member in self.members.values():
            self._stop_timers(member)

    def restore_sessions(self) -> None:
        """After a start each member has a whole session timeout to send a heartbeat."""
        for member in self.members.values():
            self._restart_session(member)
            self._restart_revocation(member)
        self._seen_topics = self._subscribed_topics()

    # --- interface of every group

    @property
    def kind(self) -> str:
        """The type of the group, as in ListGroups."""
        return "consumer"

    @property
    def protocol_type(self) -> str:
        """The protocol of the group, as in ListGroups."""
        return "consumer"

    @property
    def state(self) -> ConsumerGroupState:
        """Empty, assigning, reconciling, stable or dead (KIP-848)."""
        if self.dead:
            return ConsumerGroupState.DEAD
        if not self.members:
            return ConsumerGroupState.EMPTY
        if self.epoch > self.assignment_epoch:
            return ConsumerGroupState.ASSIGNING
        settled = all(
            member.state is MemberState.STABLE and member.epoch == self.assignment_epoch
            for member in self.members.values()
        )
        return ConsumerGroupState.STABLE if settled else ConsumerGroupState.RECONCILING

    @property
    def empty(self) -> bool:
        """Whether it has no member."""
        return not self.members

    def check_commit(
        self,
        member_id: str,
        instance_id: str | None,
        epoch: int,
        wheres: Iterable[TopicPartition],
        *,
        transactional: bool,
    ) -> None:
        """Whether this member may commit offsets of these partitions. Raises `KafkaError`."""
        if epoch < 0 and not self.members:
            return
        if transactional and epoch < 0 and not member_id:
            return
        member = self.members.get(member_id)
        if member is None:
            raise KafkaError(errors.UNKNOWN_MEMBER_ID)
        topics = self.catalog.topics
        partitions = [(topics[name].topic_id, index) for name, index in wheres if name in topics]
        if not member.may_commit(epoch, partitions):
            raise KafkaError(errors.STALE_MEMBER_EPOCH if member.classic is None else errors.ILLEGAL_GENERATION)

    def check_offset_fetch(self, member_id: str | None, epoch: int) -> None:
        """Whether this member may read offsets. Raises `KafkaError`."""
        if member_id is None and epoch < 0:
            return
        member = self.members.get(member_id or "")
        if member is None:
            raise KafkaError(errors.UNKNOWN_MEMBER_ID)
        if epoch != member.epoch:
            raise KafkaError(errors.STALE_MEMBER_EPOCH if member.classic is None else errors.ILLEGAL_GENERATION)

    def check_offset_deletion(self) -> None:
        """Offsets of topics without a subscriber may always be deleted."""

    def subscribes_to(self, topic: str) -> bool:
        """Whether a member subscribes to that topic."""
        known = self.catalog.topics.get(topic)
        return known is not None and any(known.topic_id in self._topic_ids(member) for member in self.members.values())


def _checked_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise KafkaError(
            errors.INVALID_REGULAR_EXPRESSION,
            f"SubscribedTopicRegex `{pattern}` is not a valid regular expression: {error}",
        ) from error
    return pattern


def _copy(assignment: Assignment) -> Assignment:
    return {topic: set(indexes) for topic, indexes in assignment.items()}


def _put(assignment: Assignment, topic: bytes, indexes: set[int]) -> None:
    if indexes:
        assignment[topic] = indexes


def _overlap(left: Assignment, right: Assignment) -> bool:
    return any(left.get(topic, set()) & indexes for topic, indexes in right.items())
