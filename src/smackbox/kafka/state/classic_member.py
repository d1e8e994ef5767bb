"""A member of a classic group, its requests and their answers, and the states of its group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from smackbox.kafka.state.timers import Timer

NO_GENERATION = -1


class GroupState(Enum):
    """The states of a group, with the names that DescribeGroups shows."""

    EMPTY = "Empty"
    PREPARING_REBALANCE = "PreparingRebalance"
    COMPLETING_REBALANCE = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"


@dataclass(frozen=True, slots=True)
class JoinResult:
    """A member's answer to JoinGroup; `members` is for the leader only."""

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
    """A member's answer to SyncGroup."""

    error_code: int
    protocol_type: str | None = None
    protocol_name: str | None = None
    assignment: bytes = b""


JoinDone = Callable[[JoinResult], None]
SyncDone = Callable[[SyncResult], None]


@dataclass(slots=True)
class Member:
    """One member. `joined` and `synced` are the parked answers in the current rebalance."""

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
    """A JoinGroup request, independent of its version."""

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
