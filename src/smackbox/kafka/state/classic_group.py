"""A consumer group of the classic protocol: JoinGroup, SyncGroup, Heartbeat, LeaveGroup.

    Empty ──join──> PreparingRebalance ──all joined or timeout───> CompletingRebalance ──leader's sync──> Stable
      ^                    ^  ^                                          │                                 │
      └── no members ──────┘  └───────── member joins, leaves, changes or times out ─────────────────────┘

One member is the leader: it gets everyone's subscriptions and computes the assignment; the broker only passes it on.
Static members (with a group instance id) may leave and rejoin under a new member id without a rebalance. Rules and
error codes are those of Kafka's `GroupMetadataManager`. There is no delay before the first rebalance unless
`group_initial_rebalance_delay_ms` sets one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from smackbox.kafka.state.classic_member import (
    GroupState,
    JoinDone,
    JoinRequest,
    JoinResult,
    Member,
    SyncDone,
    SyncResult,
)
from smackbox.kafka.state.coordinator_log import string_hash
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.group_offsets import GroupOffsets, TopicPartition
from smackbox.kafka.state.timers import Timer, Timers
from smackbox.kafka.wire import error_codes as errors


@dataclass(slots=True, eq=False)
class ClassicGroup:
    """One group. `persist` writes the group's metadata record and calls back when it is durable."""

    group_id: str
    timers: Timers
    now_ms: Callable[[], int]
    wall_ms: Callable[[], int]
    new_member_suffix: Callable[[], str]
    persist: Callable[[ClassicGroup, Callable[[KafkaError | None], None]], None]
    initial_delay_ms: int = 0
    max_size: int = 2**31 - 1
    state: GroupState = GroupState.EMPTY
    generation: int = 0
    protocol_type: str = ""
    protocol_name: str | None = None
    leader: str | None = None
    members: dict[str, Member] = field(default_factory=dict)
    static: dict[str, str] = field(default_factory=dict)
    pending_members: dict[str, Timer] = field(default_factory=dict)
    offsets: GroupOffsets = field(default_factory=GroupOffsets)
    state_changed_ms: int = 0
    _rebalance_timer: Timer | None = None
    _pending_sync: set[str] = field(default_factory=set)
    _delay_until_ms: int = 0
    _grown: bool = False

    # --- join

    def join(self, request: JoinRequest, done: JoinDone) -> None:
        """Join the group. Answers through `done`, at once or when the rebalance completes."""
        try:
            self._join(request, done)
        except KafkaError as error:
            done(JoinResult(error.code, request.member_id))

    def _join(self, request: JoinRequest, done: JoinDone) -> None:
        self._check_protocols(request)
        if not request.member_id:
            if len(self.members) + len(self.pending_members) >= self.max_size and not (
                request.instance_id and request.instance_id in self.static
            ):
                raise KafkaError(errors.GROUP_MAX_SIZE_REACHED)
            if request.instance_id is not None:
                self._join_static(request, done)
            else:
                self._join_new(request, done)
            return
        pending = self.pending_members.pop(request.member_id, None)
        if pending is not None:
            pending.cancel()
            if request.instance_id is not None:
                raise AssertionError("a static member is never pending")
            self._add_member(request.member_id, request, done)
            return
        self._rejoin(self._known(request.member_id, request.instance_id), request, done)

    def _check_protocols(self, request: JoinRequest) -> None:
        if not request.protocols or not request.protocol_type:
            raise KafkaError(errors.INCONSISTENT_GROUP_PROTOCOL)
        if self.state is not GroupState.EMPTY:
            members = self.members.values()
            if request.protocol_type != self.protocol_type or not any(
                all(name in member.protocols for member in members) for name in request.protocols
            ):
                raise KafkaError(errors.INCONSISTENT_GROUP_PROTOCOL)

    def _join_new(self, request: JoinRequest, done: JoinDone) -> None:
        member_id = f"{request.client_id}-{self.new_member_suffix()}"
        if not request.require_known_member:
            self._add_member(member_id, request, done)
            return
        deadline = self.now_ms() + request.session_timeout_ms
        self.pending_members[member_id] = self.timers.at(deadline, lambda: self._forget_pending(member_id))
        done(JoinResult(errors.MEMBER_ID_REQUIRED, member_id))

    def _forget_pending(self, member_id: str) -> None:
        if self.pending_members.pop(member_id, None) is not None:
            self._maybe_complete_join()

    def _join_static(self, request: JoinRequest, done: JoinDone) -> None:
        assert request.instance_id is not None
        member_id = f"{request.instance_id}-{self.new_member_suffix()}"
        old_id = self.static.get(request.instance_id)
        if old_id is None:
            self._add_member(member_id, request, done)
            return
        member = self._replace_static(old_id, member_id)
        self._restart_session(member)
        changed = not member.supports_same(request.protocols)
        self._update_member(member, request)
        if self.state is GroupState.STABLE and not self._would_select_other(changed):
            leader_unchanged = self.leader == member_id

            def persisted(error: KafkaError | None) -> None:
                if error is not None:
                    done(JoinResult(error.code, member_id))
                    return
                skip = leader_unchanged and request.supports_skip_assignment
                # a leader that cannot skip would compute a new assignment: its answer makes it a follower
                leader = (self.leader or "") if skip or not leader_unchanged else old_id
                done(self._current(member, leader=leader, skip_assignment=skip))

            self.persist(self, persisted)
            return
        member.joined = done
        if self.state is not GroupState.PREPARING_REBALANCE:
            self._prepare_rebalance()
        else:
            self._maybe_complete_join()

    def _replace_static(self, old_id: str, new_id: str) -> Member:
        """Give the same member a new id; a request parked under the old one is fenced."""
        member = self.members.pop(old_id)
        joined, synced = member.joined, member.synced
        member.joined = member.synced = None
        member.member_id = new_id
        self.members[new_id] = member
        assert member.instance_id is not None
        self.static[member.instance_id] = new_id
        if self.leader == old_id:
            self.leader = new_id
        if old_id in self._pending_sync:
            self._pending_sync.discard(old_id)
            self._pending_sync.add(new_id)
        if joined is not None:
            joined(JoinResult(errors.FENCED_INSTANCE_ID, old_id))
        if synced is not None:
            synced(SyncResult(errors.FENCED_INSTANCE_ID))
        return member

    def _would_select_other(self, changed: bool) -> bool:
        return changed and self._select_protocol() != self.protocol_name

    def _add_member(self, member_id: str, request: JoinRequest, done: JoinDone) -> None:
        member = Member(
            member_id,
            request.instance_id,
            request.client_id,
            request.client_host,
            request.session_timeout_ms,
            request.rebalance_timeout_ms,
            request.protocols,
        )
        member.joined = done
        if not self.members:
            self.protocol_type = request.protocol_type
        self.members[member_id] = member
        if request.instance_id is not None:
            self.static[request.instance_id] = member_id
        if self.leader is None:
            self.leader = member_id
        self._restart_session(member)
        self._prepare_or_continue()

    def _rejoin(self, member: Member, request: JoinRequest, done: JoinDone) -> None:
        changed = not member.supports_same(request.protocols)
        self._restart_session(member)
        if self.state is GroupState.COMPLETING_REBALANCE and not changed:
            done(self._current(member, with_members=member.member_id == self.leader))
            return
        if self.state is GroupState.STABLE and member.member_id != self.leader and not changed:
            done(self._current(member))
            return
        if self.state in {GroupState.EMPTY, GroupState.DEAD}:
            raise KafkaError(errors.UNKNOWN_MEMBER_ID)
        self._update_member(member, request)
        previous, member.joined = member.joined, done
        if previous is not None:
            previous(JoinResult(errors.UNKNOWN_MEMBER_ID, member.member_id))
        self._prepare_or_continue()

    def _update_member(self, member: Member, request: JoinRequest) -> None:
        member.protocols = request.protocols
        member.session_timeout_ms = request.session_timeout_ms
        member.rebalance_timeout_ms = request.rebalance_timeout_ms
        member.client_id, member.client_host = request.client_id, request.client_host

    def _current(
        self, member: Member, *, with_members: bool = False, leader: str | None = None, skip_assignment: bool = False
    ) -> JoinResult:
        return JoinResult(
            0,
            member.member_id,
            self.generation,
            self.protocol_type,
            self.protocol_name,
            (self.leader or "") if leader is None else leader,
            skip_assignment,
            self._subscriptions() if with_members or skip_assignment else (),
        )

    def _subscriptions(self) -> tuple[tuple[str, str | None, bytes], ...]:
        name = self.protocol_name or ""
        return tuple((m.member_id, m.instance_id, m.protocols.get(name, b"")) for m in self.members.values())

    # --- rebalance

    def _prepare_or_continue(self) -> None:
        if self.state is GroupState.PREPARING_REBALANCE:
            self._grown = True
            self._maybe_complete_join()
        else:
            self._prepare_rebalance()

    def _prepare_rebalance(self) -> None:
        if self.state is GroupState.COMPLETING_REBALANCE:
            for member in self.members.values():
                member.assignment = b""
                self._answer_sync(member, SyncResult(errors.REBALANCE_IN_PROGRESS))
        first = self.state is GroupState.EMPTY
        self._become(GroupState.PREPARING_REBALANCE)
        self._pending_sync.clear()
        if first:
            self._delay(self._rebalance_timeout_ms())
            return
        self._delay_until_ms = 0
        self._set_rebalance_timer(self._rebalance_timeout_ms(), self._complete_join)
        self._maybe_complete_join()

    def _delay(self, limit_ms: int) -> None:
        """Extend the first rebalance while more members join, as long as their timeout allows.

        Members that must rejoin with an id are not waited for.
        """
        self._grown = False
        wait_ms = min(self.initial_delay_ms, limit_ms)
        self._delay_until_ms = self.now_ms() + wait_ms

        def over() -> None:
            if self._grown and limit_ms > wait_ms:
                self._delay(limit_ms - wait_ms)
            else:
                self._complete_join()

        if wait_ms > 0:
            self._set_rebalance_timer(wait_ms, over)
        else:
            self._complete_join()

    def _rebalance_timeout_ms(self) -> int:
        return max((member.rebalance_timeout_ms for member in self.members.values()), default=0)

    def _maybe_complete_join(self) -> None:
        if self.state is not GroupState.PREPARING_REBALANCE or self.now_ms() < self._delay_until_ms:
            return
        if not self.pending_members and all(member.joined is not None for member in self.members.values()):
            self._complete_join()

    def _complete_join(self) -> None:
        """All members have joined, or the timeout of those that have not has passed."""
        self._set_rebalance_timer(None)
        self._delay_until_ms = 0
        for member in [m for m in self.members.values() if m.joined is None and m.instance_id is None]:
            self._drop(member)
        if self.leader not in self.members or self.members[self.leader].joined is None:
            present = next((m.member_id for m in self.members.values() if m.joined is not None), None)
            if present is None and self.members:
                # only silent static members are left: they stay for another round
                self._set_rebalance_timer(self._rebalance_timeout_ms(), self._complete_join)
                return
            self.leader = present
        self.generation += 1
        if not self.members:
            self.protocol_name = None
            self._become(GroupState.EMPTY)
            self.persist(self, lambda _: None)
            return
        self.protocol_name = self._select_protocol()
        self._become(GroupState.COMPLETING_REBALANCE)
        self._pending_sync = set(self.members)
        self._set_rebalance_timer(self._rebalance_timeout_ms(), self._sync_is_late)
        for member in list(self.members.values()):
            done, member.joined = member.joined, None
            self._restart_session(member)
            if done is not None:
                done(self._current(member, with_members=member.member_id == self.leader))

    def _select_protocol(self) -> str | None:
        """Of the protocols that all members support, the one that most of them rank first.

        On a tie Kafka takes the one whose name comes first in a small Java hash table.
        """
        members = list(self.members.values())
        common = [name for name in members[0].protocols if all(name in m.protocols for m in members)]
        votes = Counter(next(name for name in m.protocols if name in common) for m in members if common)
        return max(common, key=lambda name: (votes[name], -_bucket(name))) if common else None

    def _sync_is_late(self) -> None:
        """Members that joined and never synced block the group."""
        late = [self.members[member_id] for member_id in self._pending_sync if member_id in self.members]
        for member in late:
            self._drop(member)
        if late and self.state in {GroupState.COMPLETING_REBALANCE, GroupState.STABLE}:
            self._prepare_rebalance()

    # --- changing over to and from KIP-848

    def dismiss_waiting(self) -> None:
        """Send all members that wait for this rebalance to the next one: the group changes its protocol."""
        for member in list(self.members.values()):
            joined, member.joined = member.joined, None
            if joined is not None:
                joined(JoinResult(errors.REBALANCE_IN_PROGRESS, member.member_id))
            self._answer_sync(member, SyncResult(errors.REBALANCE_IN_PROGRESS))

    def take_over(self, protocol_type: str, generation: int, members: list[Member]) -> None:
        """Begin as a stable group with these members and their assignments."""
        self.protocol_type = protocol_type
        self.generation = generation
        self.members = {member.member_id: member for member in members}
        self.static = {member.instance_id: member.member_id for member in members if member.instance_id is not None}
        self.leader = members[0].member_id
        self.protocol_name = self._select_protocol()
        self._become(GroupState.STABLE)
        self.restore_sessions()

    def rebalance(self) -> None:
        """Make all members join again."""
        self._prepare_rebalance()

    # --- sync

    def sync(
        self,
        member_id: str,
        instance_id: str | None,
        generation: int,
        protocol_type: str | None,
        protocol_name: str | None,
        assignments: dict[str, bytes],
        done: SyncDone,
    ) -> None:
        """Sync with the group. Answers through `done`, at once or when the leader has sent the assignment."""
        try:
            member = self._known(member_id, instance_id)
            self._check_generation(generation)
            if (protocol_type is not None and protocol_type != self.protocol_type) or (
                protocol_name is not None and protocol_name != self.protocol_name
            ):
                raise KafkaError(errors.INCONSISTENT_GROUP_PROTOCOL)
            if self.state is GroupState.PREPARING_REBALANCE:
                raise KafkaError(errors.REBALANCE_IN_PROGRESS)
            if self.state not in {GroupState.COMPLETING_REBALANCE, GroupState.STABLE}:
                raise KafkaError(errors.UNKNOWN_MEMBER_ID)
        except KafkaError as error:
            done(SyncResult(error.code))
            return
        self._pending_sync.discard(member_id)
        self._restart_session(member)
        if self.state is GroupState.STABLE:
            if not self._pending_sync:
                self._set_rebalance_timer(None)
            done(self._assigned(member))
            return
        previous, member.synced = member.synced, done
        if previous is not None:
            previous(SyncResult(errors.UNKNOWN_MEMBER_ID))
        if member_id == self.leader:
            self._take_assignments(assignments)

    def _take_assignments(self, assignments: dict[str, bytes]) -> None:
        for member in self.members.values():
            member.assignment = assignments.get(member.member_id, b"")
        generation = self.generation

        def persisted(error: KafkaError | None) -> None:
            if self.state is not GroupState.COMPLETING_REBALANCE or self.generation != generation:
                return
            if error is not None:
                for member in self.members.values():
                    member.assignment = b""
                    self._answer_sync(member, SyncResult(error.code))
                self._prepare_rebalance()
                return
            self._become(GroupState.STABLE)
            if not self._pending_sync:
                self._set_rebalance_timer(None)
            for member in list(self.members.values()):
                self._answer_sync(member, self._assigned(member))

        self.persist(self, persisted)

    def _assigned(self, member: Member) -> SyncResult:
        return SyncResult(0, self.protocol_type, self.protocol_name, member.assignment)

    def _answer_sync(self, member: Member, result: SyncResult) -> None:
        done, member.synced = member.synced, None
        if done is not None:
            self._restart_session(member)
            done(result)

    # --- heartbeat and leave

    def heartbeat(self, member_id: str, instance_id: str | None, generation: int) -> int:
        """The error code of a heartbeat's answer."""
        member = self._known(member_id, instance_id)
        self._check_generation(generation)
        if self.state in {GroupState.EMPTY, GroupState.DEAD}:
            raise KafkaError(errors.UNKNOWN_MEMBER_ID)
        self._restart_session(member)
        return errors.REBALANCE_IN_PROGRESS if self.state is GroupState.PREPARING_REBALANCE else 0

    def leave(self, member_id: str, instance_id: str | None) -> str:
        """Remove a member and return its id. Raises `KafkaError` when the member is unknown."""
        pending = self.pending_members.pop(member_id, None) if instance_id is None else None
        if pending is not None:
            pending.cancel()
            self._gone()
            return member_id
        if instance_id is not None and not member_id:
            known = self.static.get(instance_id)
            if known is None:
                raise KafkaError(errors.UNKNOWN_MEMBER_ID)
            member_id = known
        self._remove(self._known(member_id, instance_id))
        return member_id

    def _remove(self, member: Member) -> None:
        self._drop(member)
        self._gone()

    def _gone(self) -> None:
        """A member left, perhaps before it had joined."""
        if self.state in {GroupState.STABLE, GroupState.COMPLETING_REBALANCE}:
            self._prepare_rebalance()
        elif self.state is GroupState.PREPARING_REBALANCE:
            self._maybe_complete_join()

    def _drop(self, member: Member) -> None:
        """Remove a member; its parked requests are answered UNKNOWN_MEMBER_ID."""
        self.members.pop(member.member_id, None)
        self._pending_sync.discard(member.member_id)
        if member.instance_id is not None and self.static.get(member.instance_id) == member.member_id:
            del self.static[member.instance_id]
        if member.timer is not None:
            member.timer.cancel()
            member.timer = None
        joined, member.joined = member.joined, None
        synced, member.synced = member.synced, None
        if self.leader == member.member_id:
            self.leader = next(iter(self.members), None)
        if joined is not None:
            joined(JoinResult(errors.UNKNOWN_MEMBER_ID, ""))
        if synced is not None:
            synced(SyncResult(errors.UNKNOWN_MEMBER_ID))

    # --- sessions

    def _restart_session(self, member: Member) -> None:
        """A member sent a request. Its timer is not moved: it checks the deadline when it fires."""
        member.deadline_ms = self.now_ms() + member.session_timeout_ms
        if member.timer is None:
            member.timer = self.timers.at(member.deadline_ms, lambda: self._session_is_over(member))

    def _session_is_over(self, member: Member) -> None:
        member.timer = None
        if self.members.get(member.member_id) is not member:
            return
        if member.joined is not None or member.synced is not None:
            self._restart_session(member)  # it waits for the broker
        elif self.now_ms() < member.deadline_ms:
            member.timer = self.timers.at(member.deadline_ms, lambda: self._session_is_over(member))
        else:
            self._remove(member)

    def close_sessions(self) -> None:
        """Stop all timers: the group is deleted, or its broker stops."""
        self._set_rebalance_timer(None)
        for pending in self.pending_members.values():
            pending.cancel()
        self.pending_members.clear()
        for member in self.members.values():
            if member.timer is not None:
                member.timer.cancel()
                member.timer = None

    def restore_sessions(self) -> None:
        """After a restart members have a whole session timeout to send a heartbeat."""
        for member in self.members.values():
            self._restart_session(member)

    # --- committing

    def check_commit(
        self,
        member_id: str,
        instance_id: str | None,
        generation: int,
        _wheres: Iterable[TopicPartition] = (),
        *,
        transactional: bool,
    ) -> None:
        """Whether this member may commit offsets. Raises `KafkaError`."""
        if generation < 0 and not self.members:
            return  # a consumer that assigns itself
        if transactional and generation < 0 and not member_id and instance_id is None:
            return
        if generation < 0 and not member_id and instance_id is None and not transactional:
            raise KafkaError(errors.UNKNOWN_MEMBER_ID)
        member = self._known(member_id, instance_id)
        self._check_generation(generation)
        if self.state is GroupState.COMPLETING_REBALANCE and not transactional:
            raise KafkaError(errors.REBALANCE_IN_PROGRESS)
        self._restart_session(member)

    def check_offset_deletion(self) -> None:
        """Whether offsets may be deleted at all. Raises `KafkaError` NON_EMPTY_GROUP."""
        if self.state is not GroupState.EMPTY and self.protocol_type != "consumer":
            raise KafkaError(errors.NON_EMPTY_GROUP)

    # --- look-ups

    @property
    def kind(self) -> str:
        """The type of the group, as in ListGroups."""
        return "classic"

    @property
    def empty(self) -> bool:
        """Whether it has no member."""
        return self.state in {GroupState.EMPTY, GroupState.DEAD}

    def _known(self, member_id: str, instance_id: str | None) -> Member:
        """Look up a member. Raises `KafkaError` UNKNOWN_MEMBER_ID or FENCED_INSTANCE_ID."""
        if instance_id is not None:
            current = self.static.get(instance_id)
            if current is None:
                raise KafkaError(errors.UNKNOWN_MEMBER_ID)
            if current != member_id:
                raise KafkaError(errors.FENCED_INSTANCE_ID)
        member = self.members.get(member_id)
        if member is None:
            raise KafkaError(errors.UNKNOWN_MEMBER_ID)
        return member

    def _check_generation(self, generation: int) -> None:
        if generation != self.generation:
            raise KafkaError(errors.ILLEGAL_GENERATION)

    def subscribes_to(self, topic: str) -> bool:
        """Whether a member of an active consumer group subscribes to `topic`, whose offsets must then be kept."""
        from smackbox.base.errors import ProtocolError
        from smackbox.kafka.wire.consumer_subscription import subscribed_topics

        if self.protocol_type != "consumer" or self.protocol_name is None:
            return False
        try:
            return any(
                topic in subscribed_topics(member.protocols.get(self.protocol_name, b""))
                for member in self.members.values()
            )
        except ProtocolError:
            return True  # not the consumer protocol: subscriptions are unknown, so nothing is deleted

    # --- private

    def _become(self, state: GroupState) -> None:
        self.state = state
        self.state_changed_ms = self.wall_ms()

    def _set_rebalance_timer(self, delay_ms: int | None, action: Callable[[], None] | None = None) -> None:
        if self._rebalance_timer is not None:
            self._rebalance_timer.cancel()
            self._rebalance_timer = None
        if delay_ms is not None and action is not None:
            self._rebalance_timer = self.timers.at(self.now_ms() + delay_ms, action)


def _bucket(name: str) -> int:
    """The position of a name in a Java hash table of up to 12 entries."""
    value = string_hash(name)
    return (value ^ value >> 16) & 15
