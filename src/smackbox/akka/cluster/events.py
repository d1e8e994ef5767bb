"""What differs between two gossips, as events for subscribers."""

from __future__ import annotations

from dataclasses import replace

from smackbox.akka.cluster.gossip import Gossip
from smackbox.akka.cluster.member import MemberStatus, UniqueAddress
from smackbox.akka.cluster.messages import (
    DomainEvent,
    LeaderChanged,
    MemberEvent,
    MemberRemoved,
    ReachableMember,
    UnreachableMember,
)


def differences(before: Gossip, after: Gossip, own: UniqueAddress) -> list[DomainEvent]:
    """As `own` sees them: unreachability of itself, and what members say that are down, does not count."""
    events: list[DomainEvent] = []
    if before.members is not after.members:
        for member in after.sorted_members:
            old = before.members.get(member.node)
            if old is None or old.status != member.status:
                events.append(MemberEvent(member))
        removed = [member for member in before.sorted_members if member.node not in after.members]
        events += [MemberRemoved(replace(member, status=MemberStatus.REMOVED), member.status) for member in removed]
    lost = before.judged_reachability.unreachable - {own}
    silent = after.judged_reachability.unreachable - {own}
    events += [UnreachableMember(member) for member in after.sorted_members if member.node in silent - lost]
    events += [ReachableMember(member) for member in after.sorted_members if member.node in lost - silent]
    leader = after.leader(own)
    if leader != before.leader(own):
        events.append(LeaderChanged(None if leader is None else leader.address))
    return events
