"""A member of a classic group, what it asks and what it is answered, and the states that its group goes through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from smackbox.kafka.state.timers import Timer

NO_GENERATION = -1


class GroupState(Enum):
    """The names are those that DescribeGroups shows."""

    EMPTY = "Empty"
    PREPARING_REBALANCE = "PreparingRebalance"
    COMPLETING_REBALANCE = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"


@dataclass(frozen=True, slots=True)
class JoinResult:
    """What a member learns from JoinGroup; `members` is for the leader only."""

    error_code: int
    member_id: str
    generation: int = NO_GENERATION
    protocol_type: str | None = None
    protocol_name: str | None = None
    leader: str = ""
    skip_assignment: bool = False
    members: tuple[tuple[str, str | None, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What a member learns from SyncGroup."""

    error_code: int
    protocol_type: str | None = None
    protocol_name: str | None = None
    assignment: bytes = b""


JoinDone = Callable[[JoinResult], None]
SyncDone = Callable[[SyncResult], None]


@dataclass(slots=True)
class Member:
    """One member. `joined` and `synced` are the parked answers of the current rebalance."""

    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocols: dict[str, bytes]
    assignment: bytes = b""
    joined: JoinDone | None = None
    synced: SyncDone | None = None
    deadline_ms: int = 0
    timer: Timer | None = None

    def supports_same(self, protocols: dict[str, bytes]) -> bool:
        """Whether these protocols are the member's own, in their order and with their metadata."""
        return list(self.protocols.items()) == list(protocols.items())


@dataclass(slots=True)
class JoinRequest:
    """A JoinGroup in the group's words."""

    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocol_type: str
    protocols: dict[str, bytes]
    require_known_member: bool
    supports_skip_assignment: bool
