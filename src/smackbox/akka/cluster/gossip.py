"""The gossip: what the nodes of a cluster tell each other of its members, and when all of them agree.

A value that is never changed. Each change bumps the changer's counter in the vector clock and leaves the changer as
the only one that has seen it; when all active members have seen it, the cluster has converged and its leader acts.
Source: Pekko's `Gossip` and `MembershipState`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from smackbox.akka.cluster.member import (
    ACTIVE,
    GONE,
    Member,
    MemberStatus,
    UniqueAddress,
    by_address,
    furthest,
)
from smackbox.akka.cluster.reachability import Reachability
from smackbox.akka.cluster.vector_clock import VectorClock


@dataclass(frozen=True, slots=True)
class Gossip:
    """`tombstones` are removed nodes with the time of their removal, in ms since 1970."""

    members: Mapping[UniqueAddress, Member] = field(default_factory=dict)
    seen: frozenset[UniqueAddress] = frozenset()
    reachability: Reachability = field(default_factory=Reachability)
    version: VectorClock = field(default_factory=VectorClock)
    tombstones: Mapping[UniqueAddress, int] = field(default_factory=dict)

    # -- changes

    def bump(self, node: UniqueAddress) -> Gossip:
        return replace(self, version=self.version.bump(node.clock_name))

    def see(self, node: UniqueAddress) -> Gossip:
        return self if node in self.seen else replace(self, seen=self.seen | {node})

    def update(self, members: Iterable[Member]) -> Gossip:
        return replace(self, members={**self.members, **{member.node: member for member in members}})

    def down(self, node: UniqueAddress) -> Gossip:
        changed = self.update([self.members[node].to(MemberStatus.DOWN)])
        return replace(changed, seen=self.seen - {node})

    def remove(self, nodes: Collection[UniqueAddress], now_ms: int) -> Gossip:
        """A tombstone keeps who was removed from coming back by an older gossip."""
        if not nodes:
            return self
        version = self.version
        for node in nodes:
            version = version.prune(node.clock_name)
        return Gossip(
            {node: member for node, member in self.members.items() if node not in nodes},
            self.seen - set(nodes),
            self.reachability.remove(nodes),
            version,
            {**self.tombstones, **dict.fromkeys(nodes, now_ms)},
        )

    def prune_tombstones(self, before_ms: int) -> Gossip:
        kept = {node: time_ms for node, time_ms in self.tombstones.items() if time_ms > before_ms}
        return self if len(kept) == len(self.tombstones) else replace(self, tombstones=kept)

    def merge_concurrent(self, other: Gossip) -> Gossip:
        """Of two gossips neither of which came first. Nobody has seen the outcome.

        A member that is Down or Exiting in one and missing in the other was removed there.
        """
        tombstones = {**self.tombstones, **other.tombstones}
        version = self.version.merge(other.version)
        removed = {
            node
            for one, another in ((self, other), (other, self))
            for node, member in one.members.items()
            if node not in another.members and (member.status in GONE or node in tombstones)
        }
        for node in removed | tombstones.keys():
            version = version.prune(node.clock_name)
        members = {}
        for node in (self.members.keys() | other.members.keys()) - removed:
            views = [gossip.members[node] for gossip in (self, other) if node in gossip.members]
            members[node] = furthest(views[0], views[-1])
        reachability = self.reachability.merge(other.reachability, members.keys())
        return Gossip(members, frozenset(), reachability, version, tombstones)

    # -- questions

    def status(self, node: UniqueAddress) -> MemberStatus:
        member = self.members.get(node)
        return MemberStatus.REMOVED if member is None else member.status

    @property
    def sorted_members(self) -> list[Member]:
        return by_address(self.members.values())

    @property
    def seen_digest(self) -> bytes:
        """20 bytes that tell two tables of who has seen a gossip apart."""
        addresses = [str(node.address) for node in sorted(self.seen, key=lambda node: node.order)]
        return hashlib.sha1(",".join(addresses).encode(), usedforsecurity=False).digest()

    @property
    def judged_reachability(self) -> Reachability:
        """Without what members say that are down."""
        downed = {node for node, member in self.members.items() if member.status is MemberStatus.DOWN}
        return self.reachability.without_observers(downed)

    def has_converged(self, own: UniqueAddress, exiting_confirmed: Collection[UniqueAddress] = ()) -> bool:
        """Whether all active members have seen this, and none is unreachable that is not on its way out."""
        awaited = ACTIVE
        if not any(member.status in ACTIVE for member in self.members.values()):
            awaited = ACTIVE | {MemberStatus.JOINING, MemberStatus.WEAKLY_UP}
        for node, member in self.members.items():
            if member.status in awaited and node not in self.seen and node not in exiting_confirmed:
                return False
        return all(
            node == own or node in exiting_confirmed or self.status(node) in GONE
            for node in self.judged_reachability.unreachable
        )

    def leader(self, own: UniqueAddress, without: Collection[UniqueAddress] = ()) -> UniqueAddress | None:
        """The first active member that is reachable, as seen by `own`; of no active ones the furthest along."""
        unreachable = self.reachability.unreachable - {own}
        candidates = [
            member
            for node, member in self.members.items()
            if member.status is not MemberStatus.DOWN and node not in unreachable and node not in without
        ]
        active = [member for member in candidates if member.status in ACTIVE]
        if active:
            return min(active, key=lambda member: member.node.order).node
        return min(candidates, key=lambda member: member.leader_order).node if candidates else None
