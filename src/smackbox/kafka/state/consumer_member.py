"""A member of a KIP-848 group, its requests and their answers, and the states of members and groups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, IntEnum

from smackbox.kafka.state.assignors import Assignment
from smackbox.kafka.state.timers import Timer

LEAVE_EPOCH = -1
LEAVE_STATIC_EPOCH = -2
JOIN_EPOCH = 0


class ConsumerGroupState(Enum):
    """The states of a group, with the names that ConsumerGroupDescribe shows."""

    EMPTY = "Empty"
    ASSIGNING = "Assigning"
    RECONCILING = "Reconciling"
    STABLE = "Stable"
    DEAD = "Dead"


class MemberState(IntEnum):
    """The states of a member, with their values in the log."""

    STABLE = 1
    UNREVOKED_PARTITIONS = 2
    UNRELEASED_PARTITIONS = 3


@dataclass(frozen=True, slots=True)
class ClassicMembership:
    """A classic member's JoinGroup: its protocols with their metadata."""

    session_timeout_ms: int
    protocols: dict[str, bytes]

    @property
    def protocol_name(self) -> str:
        """The first one: in a KIP-848 group the broker assigns, so there is no vote."""
        return next(iter(self.protocols))


@dataclass(slots=True)
class ConsumerMember:
    """One member; `revoking` are partitions that it still holds and must give up.

    `since` is the epoch in which each partition was assigned to the member. `classic` is set for a member of the
    classic protocol: when it must rejoin, `join_timer` limits the time for that, then `sync_timer` the time to sync.
    """

    member_id: str
    instance_id: str | None = None
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    rebalance_timeout_ms: int = -1
    topics: frozenset[str] = frozenset()
    pattern: str | None = None
    assignor: str | None = None
    epoch: int = 0
    previous_epoch: int = 0
    state: MemberState = MemberState.STABLE
    assigned: Assignment = field(default_factory=dict)
    revoking: Assignment = field(default_factory=dict)
    deadline_ms: int = 0
    since: dict[tuple[bytes, int], int] = field(default_factory=dict)
    classic: ClassicMembership | None = None
    session_timer: Timer | None = None
    revocation_timer: Timer | None = None
    join_timer: Timer | None = None
    sync_timer: Timer | None = None

    @property
    def held(self) -> Assignment:
        """All partitions that the member may still read, including those that it must give up."""
        topics = self.assigned.keys() | self.revoking.keys()
        return {topic: self.assigned.get(topic, set()) | self.revoking.get(topic, set()) for topic in topics}

    def keep_epochs(self) -> None:
        """Record the member's epoch for the partitions that it was just assigned."""
        self.since = {
            (topic, index): self.since.get((topic, index), self.epoch)
            for topic, indexes in self.assigned.items()
            for index in indexes
        }

    def may_commit(self, epoch: int, partitions: Iterable[tuple[bytes, int]]) -> bool:
        """Whether offsets may be committed with this epoch: an older epoch must not be from before the assignment."""
        if epoch >= self.epoch:
            return epoch == self.epoch
        return all(epoch >= self.since.get(where, self.epoch) for where in partitions)


@dataclass(slots=True)
class HeartbeatRequest:
    """A ConsumerGroupHeartbeat request, independent of its version; None means unchanged."""

    member_id: str
    epoch: int
    instance_id: str | None
    rack_id: str | None
    client_id: str
    client_host: str
    rebalance_timeout_ms: int
    topics: list[str] | None
    pattern: str | None
    assignor: str | None
    owned: Assignment | None


@dataclass(frozen=True, slots=True)
class HeartbeatResult:
    """`assignment` None means unchanged."""

    member_id: str
    epoch: int
    assignment: Assignment | None
