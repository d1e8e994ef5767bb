"""What nodes of a cluster tell each other, and what a node tells its own actors of the cluster.

Source: `InternalClusterAction`, `ClusterUserAction` and `ClusterEvent` of Pekko.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from smackbox.akka.actor.path import Address
from smackbox.akka.cluster.gossip import Gossip
from smackbox.akka.cluster.member import Member, MemberStatus, UniqueAddress
from smackbox.akka.cluster.vector_clock import VectorClock


@dataclass(frozen=True, slots=True)
class ClusterMessage:
    """Between nodes."""


@dataclass(frozen=True, slots=True)
class InitJoin(ClusterMessage):
    """May I join? `config` is the joiner's configuration as HOCON; a JVM needs one."""

    config: str


class ConfigCheck(enum.IntEnum):
    UNCHECKED = 1
    INCOMPATIBLE = 2
    COMPATIBLE = 3


@dataclass(frozen=True, slots=True)
class InitJoinAck(ClusterMessage):
    """You may join by this node, or not, by `check`; `config` are its own settings."""

    address: Address
    check: ConfigCheck
    config: str | None = None


@dataclass(frozen=True, slots=True)
class InitJoinNack(ClusterMessage):
    """Not from this one: it is no member itself, or on its way out."""

    address: Address


@dataclass(frozen=True, slots=True)
class Join(ClusterMessage):
    """To a member: make this node one, too."""

    node: UniqueAddress
    roles: frozenset[str]
    app_version: str


@dataclass(frozen=True, slots=True)
class Welcome(ClusterMessage):
    """To a node that has joined: the gossip with it as a member."""

    from_: UniqueAddress
    gossip: Gossip


@dataclass(frozen=True, slots=True)
class GossipEnvelope(ClusterMessage):
    """A whole gossip, for one node in one of its lives."""

    from_: UniqueAddress
    to: UniqueAddress
    gossip: Gossip


@dataclass(frozen=True, slots=True)
class GossipStatus(ClusterMessage):
    """The version of a gossip without the gossip. An empty digest is one that is not known."""

    from_: UniqueAddress
    version: VectorClock
    seen_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Heartbeat(ClusterMessage):
    """`sequence` and `created_ns` come back in the response."""

    from_: Address
    sequence: int
    created_ns: int


@dataclass(frozen=True, slots=True)
class HeartbeatResponse(ClusterMessage):
    from_: UniqueAddress
    sequence: int
    created_ns: int


@dataclass(frozen=True, slots=True)
class ExitingConfirmed(ClusterMessage):
    """This node is done with exiting, and may be removed."""

    node: UniqueAddress


@dataclass(frozen=True, slots=True)
class Leave(ClusterMessage):
    """Let this member leave."""

    address: Address


@dataclass(frozen=True, slots=True)
class Down(ClusterMessage):
    """Take this member for dead."""

    address: Address


@dataclass(frozen=True, slots=True)
class DomainEvent:
    """What changed in a node's view of the cluster."""


@dataclass(frozen=True, slots=True)
class MemberEvent(DomainEvent):
    """A member has another status."""

    member: Member


@dataclass(frozen=True, slots=True)
class MemberRemoved(MemberEvent):
    """`previous` is Down for a member that was downed, Exiting for one that left."""

    previous: MemberStatus


@dataclass(frozen=True, slots=True)
class UnreachableMember(DomainEvent):
    """Somebody does not reach this member."""

    member: Member


@dataclass(frozen=True, slots=True)
class ReachableMember(DomainEvent):
    """All reach this member again."""

    member: Member


@dataclass(frozen=True, slots=True)
class LeaderChanged(DomainEvent):
    """Another node leads; None for nobody."""

    leader: Address | None


@dataclass(frozen=True, slots=True)
class ClusterShuttingDown(DomainEvent):
    """This node is a member no more."""
