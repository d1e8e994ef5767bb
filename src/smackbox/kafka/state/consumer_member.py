"""A member of a KIP-848 group, what it asks and what it is answered, and the states of both."""

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
    """The names are those that ConsumerGroupDescribe shows."""

    EMPTY = "Empty"
    ASSIGNING = "Assigning"
    RECONCILING = "Reconciling"
    STABLE = "Stable"
    DEAD = "Dead"


class MemberState(IntEnum):
    """As they stand in the log."""

    STABLE = 1
    UNREVOKED_PARTITIONS = 2
    UNRELEASED_PARTITIONS = 3


@dataclass(frozen=True, slots=True)
class ClassicMembership:
    """What a member that speaks the classic protocol said in its JoinGroup: its protocols with their metadata."""

    session_timeout_ms: int
    protocols: dict[str, bytes]

    @property
    def protocol_name(self) -> str:
        """The first one: in a KIP-848 group the broker assigns, so none is voted for."""
        return next(iter(self.protocols))


@dataclass(slots=True)
class ConsumerMember:
    """One member; `revoking` are partitions that it still holds and is to give up.

    `since` is the epoch in which each assigned partition was given to the member. `classic` is there for a member of
    the classic protocol, which has `join_timer` to join again when it was told to, and then `sync_timer` to sync.
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
        """All partitions that the member may still read, those that it is to give up with them."""
        topics = self.assigned.keys() | self.revoking.keys()
        return {topic: self.assigned.get(topic, set()) | self.revoking.get(topic, set()) for topic in topics}

    def keep_epochs(self) -> None:
        """What was just assigned is the member's since its epoch."""
        self.since = {
            (topic, index): self.since.get((topic, index), self.epoch)
            for topic, indexes in self.assigned.items()
            for index in indexes
        }

    def may_commit(self, epoch: int, partitions: Iterable[tuple[bytes, int]]) -> bool:
        """Whether offsets may be committed with this epoch: an older one must be of the time since the assignment."""
        if epoch >= self.epoch:
            return epoch == self.epoch
        return all(epoch >= self.since.get(where, self.epoch) for where in partitions)


@dataclass(slots=True)
class HeartbeatRequest:
    """A ConsumerGroupHeartbeat in the group's words; None means unchanged."""

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
