"""Which nodes to down when a cluster is split: Pekko's strategies as pure functions of what one node sees.

    keep-majority     the side with more members; of equal ones the side with the lowest address
    static-quorum     a side of at least so many members
    keep-oldest       the side of the oldest member; with `down_if_alone` not when it is alone
    lease-majority    the side that gets a lease; the minority asks for it later
    down-all          none

Each side decides for itself, so both must come to the same conclusion from different views. Members that may have
moved on beyond the split (joining to Up, leaving to Exiting) are counted against the own side; where that changes the
outcome all are downed. Nodes that are unreachable over some links only are *indirectly connected*: they see others as
unreachable and are seen so, or are seen as unreachable although they have seen the current gossip. They are downed,
and then the strategy decides on the rest.

Source: `DowningStrategy` of Pekko 1.4 and `pekko.cluster.split-brain-resolver` of its `reference.conf`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from smackbox.akka.cluster.gossip import Gossip
from smackbox.akka.cluster.member import GONE, Member, MemberStatus, UniqueAddress
from smackbox.akka.cluster.reachability import ReachabilityStatus

PROVIDER = "org.apache.pekko.cluster.sbr.SplitBrainResolverProvider"
"""What a JVM's `downing-provider-class` says where the resolver is on."""
WAITING = frozenset({MemberStatus.JOINING, MemberStatus.WEAKLY_UP})


class Decision(enum.Enum):
    """Whom to down."""

    DOWN_UNREACHABLE = "down unreachable"
    DOWN_REACHABLE = "down reachable"
    DOWN_ALL = "down all"
    DOWN_INDIRECTLY_CONNECTED = "down indirectly connected"
    REVERSE_DOWN_INDIRECTLY_CONNECTED = "down indirectly connected and reachable"
    DOWN_SELF = "down this node, which others have quarantined"


@dataclass(frozen=True, slots=True)
class AskLease:
    """Take the lease after `delay_s`; with it do `granted`, without it `denied`."""

    delay_s: float
    granted: Decision
    denied: Decision


@dataclass(frozen=True, slots=True)
class View:
    """What a node decides on. `records` are pairs of observer and subject; Down members count as unreachable."""

    own: UniqueAddress
    members: tuple[Member, ...]
    unreachable: frozenset[UniqueAddress]
    records: frozenset[tuple[UniqueAddress, UniqueAddress]]
    seen: frozenset[UniqueAddress]

    @classmethod
    def of(cls, gossip: Gossip, own: UniqueAddress) -> View:
        """What the node `own` sees in a gossip."""
        downed = {node for node, member in gossip.members.items() if member.status is MemberStatus.DOWN}
        unreachable = (gossip.reachability.unreachable | downed) - {own}
        records = {
            (observer, subject)
            for observer, rows in gossip.reachability.rows.items()
            for subject, record in rows.items()
            if record.status is not ReachabilityStatus.REACHABLE
            and observer in gossip.members
            and subject in gossip.members
        }
        members = tuple(gossip.members.values())
        return cls(own, members, frozenset(unreachable & gossip.members.keys()), frozenset(records), gossip.seen)

    @property
    def indirectly_connected(self) -> frozenset[UniqueAddress]:
        """Nodes that are unreachable over some links only."""
        return self.in_circles | self.seen_though_unreachable

    @property
    def in_circles(self) -> frozenset[UniqueAddress]:
        """Those that see somebody as unreachable and are seen so."""
        return frozenset(observer for observer, _ in self.records) & frozenset(subject for _, subject in self.records)

    @property
    def seen_though_unreachable(self) -> frozenset[UniqueAddress]:
        """Both ends of a record whose subject has seen the current gossip."""
        return frozenset(node for record in self.records if record[1] in self.seen for node in record)

    @property
    def all_unreachable_are_leaving(self) -> bool:
        """Whether nobody who counts is unreachable any more."""
        return not any(member.node in self.unreachable for member in self.counted(None))

    @property
    def downable(self) -> frozenset[UniqueAddress]:
        """Members that are not down or exiting already."""
        return frozenset(member.node for member in self.members if member.status not in GONE)

    def counted(self, role: str | None, *, perhaps_up: bool = False, perhaps_exiting: bool = True) -> list[Member]:
        """Members with a role that vote; by address.

        `perhaps_up` adds those that join, `perhaps_exiting` False takes those away that leave.
        """
        return sorted(
            (
                member
                for member in self.members
                if (role is None or role in member.roles)
                and member.status not in GONE
                and (perhaps_up or member.status not in WAITING)
                and (perhaps_exiting or member.status is not MemberStatus.LEAVING)
            ),
            key=lambda member: member.node.order,
        )

    def split(self, members: list[Member]) -> tuple[int, int]:
        """How many of these are reachable, and how many are not."""
        far = sum(member.node in self.unreachable for member in members)
        return len(members) - far, far


@dataclass(frozen=True, slots=True)
class Strategy:
    """Decides on members with `role` only; None is all of them."""

    role: str | None = None

    @property
    def name(self) -> str:
        """As `active-strategy` has it."""
        raise NotImplementedError

    def decide(self, view: View) -> Decision | AskLease:
        """What this side does in a split."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class CheckedStrategy(Strategy):
    """A side that would go on must come to the same where the other side knows more than it: else all go down."""

    def decide(self, view: View) -> Decision:
        """Of the members that are known, then of those that are certain."""
        if view.indirectly_connected:
            return Decision.DOWN_INDIRECTLY_CONNECTED
        members = view.counted(self.role)
        if not members:
            return Decision.DOWN_ALL
        decision = self._of_known(view, members)
        if decision is not Decision.DOWN_UNREACHABLE:
            return decision
        certain = view.counted(self.role, perhaps_exiting=False)
        same = bool(certain) and self._of_certain(view, certain) is Decision.DOWN_UNREACHABLE
        return decision if same else Decision.DOWN_ALL

    def _of_known(self, view: View, members: list[Member]) -> Decision:
        raise NotImplementedError

    def _of_certain(self, view: View, members: list[Member]) -> Decision:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class KeepMajority(CheckedStrategy):
    """The side with more members goes on."""

    @property
    def name(self) -> str:
        return "keep-majority"

    def _of_known(self, view: View, members: list[Member]) -> Decision:
        return _majority(view, *view.split(members), members[0])

    def _of_certain(self, view: View, members: list[Member]) -> Decision:
        near, _ = view.split(members)
        _, far = view.split(view.counted(self.role, perhaps_up=True))
        return _majority(view, near, far, members[0])


@dataclass(frozen=True, slots=True)
class StaticQuorum(Strategy):
    """A cluster must have at most `2 * quorum_size - 1` members; a larger one is downed as a whole."""

    quorum_size: int = 1

    def __post_init__(self) -> None:
        if self.quorum_size < 1:
            raise ValueError(f"quorum_size must be at least 1, not {self.quorum_size}")

    @property
    def name(self) -> str:
        return "static-quorum"

    def decide(self, view: View) -> Decision:
        members = view.counted(self.role)
        if len(members) > 2 * self.quorum_size - 1:
            return Decision.DOWN_ALL
        if view.indirectly_connected:
            return Decision.DOWN_INDIRECTLY_CONNECTED
        enough = view.split(members)[0] >= self.quorum_size
        return Decision.DOWN_UNREACHABLE if enough else Decision.DOWN_REACHABLE


@dataclass(frozen=True, slots=True)
class KeepOldest(CheckedStrategy):
    """The side of the oldest member goes on."""

    down_if_alone: bool = True

    @property
    def name(self) -> str:
        return "keep-oldest"

    def _of_known(self, view: View, members: list[Member]) -> Decision:
        return self._oldest(view, members, members)

    def _of_certain(self, view: View, members: list[Member]) -> Decision:
        counted = view.counted(self.role, perhaps_up=self.down_if_alone, perhaps_exiting=False)
        return self._oldest(view, members, counted)

    def _oldest(self, view: View, members: list[Member], counted: list[Member]) -> Decision:
        """Two nodes keep the oldest though it is alone: the other one is alone as well."""
        near, far = view.split(counted)
        if min(members, key=lambda member: member.age).node not in view.unreachable:
            alone = self.down_if_alone and near == 1 and far >= 2
            return Decision.DOWN_REACHABLE if alone else Decision.DOWN_UNREACHABLE
        alone = self.down_if_alone and far == 1 and near >= 2
        return Decision.DOWN_UNREACHABLE if alone else Decision.DOWN_REACHABLE


@dataclass(frozen=True, slots=True)
class DownAll(Strategy):
    """Nobody goes on."""

    @property
    def name(self) -> str:
        return "down-all"

    def decide(self, view: View) -> Decision:
        return Decision.DOWN_ALL


@dataclass(frozen=True, slots=True)
class LeaseMajority(Strategy):
    """`release_after_s` is how long the lease is held once all that were downed are removed."""

    minority_delay_s: float = 2.0
    release_after_s: float = 40.0

    @property
    def name(self) -> str:
        return "lease-majority"

    def decide(self, view: View) -> AskLease:
        if view.indirectly_connected:
            return AskLease(0.0, Decision.DOWN_INDIRECTLY_CONNECTED, Decision.REVERSE_DOWN_INDIRECTLY_CONNECTED)
        delay_s = self.minority_delay_s if self._in_minority(view) else 0.0
        return AskLease(delay_s, Decision.DOWN_UNREACHABLE, Decision.DOWN_REACHABLE)

    def _in_minority(self, view: View) -> bool:
        members = view.counted(self.role)
        if not members:
            return False
        near, far = view.split(members)
        return far > near if far != near else members[0].node in view.unreachable


def nodes_to_down(strategy: Strategy, view: View, decision: Decision) -> frozenset[UniqueAddress]:
    """Raises nothing: what cannot be decided twice downs all."""
    downable = view.downable
    match decision:
        case Decision.DOWN_UNREACHABLE:
            return downable & view.unreachable
        case Decision.DOWN_REACHABLE:
            return downable - view.unreachable
        case Decision.DOWN_ALL:
            return downable
        case Decision.DOWN_INDIRECTLY_CONNECTED:
            more = _beside_indirectly_connected(strategy, view)
            return downable if more is None else downable & (view.indirectly_connected | more)
        case Decision.REVERSE_DOWN_INDIRECTLY_CONNECTED:
            return (downable & view.indirectly_connected) | (downable - view.unreachable)
        case Decision.DOWN_SELF:
            return downable & {view.own}


def _beside_indirectly_connected(strategy: Strategy, view: View) -> frozenset[UniqueAddress] | None:
    """What the strategy downs without the records among the indirectly connected. None where it cannot say."""
    if not view.unreachable - view.indirectly_connected:
        return frozenset()
    circles, seen, downable = view.in_circles, view.seen_though_unreachable, view.downable
    records = frozenset(
        (observer, subject)
        for observer, subject in view.records
        if {observer, subject} <= downable and not ({observer, subject} <= circles or {observer, subject} <= seen)
    )
    rest = replace(view, records=records, unreachable=frozenset(subject for _, subject in records))
    decision = strategy.decide(rest)
    if isinstance(decision, AskLease):
        decision = decision.granted
    return None if decision is Decision.DOWN_INDIRECTLY_CONNECTED else nodes_to_down(strategy, rest, decision)


def _majority(view: View, near: int, far: int, lowest: Member) -> Decision:
    kept = near > far if near != far else lowest.node not in view.unreachable
    return Decision.DOWN_UNREACHABLE if kept else Decision.DOWN_REACHABLE
