"""Vector clocks, reachability, merging of gossips, convergence, leaders, the ring of heartbeats."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smackbox.akka.actor.path import Address
from smackbox.akka.cluster.gossip import Gossip
from smackbox.akka.cluster.heartbeats import Heartbeats, ring_receivers
from smackbox.akka.cluster.member import TRANSITIONS, Member, MemberStatus, UniqueAddress, furthest
from smackbox.akka.cluster.reachability import Reachability, ReachabilityStatus
from smackbox.akka.cluster.vector_clock import Order, VectorClock

UNREACHABLE, REACHABLE = ReachabilityStatus.UNREACHABLE, ReachabilityStatus.REACHABLE
TERMINATED = ReachabilityStatus.TERMINATED
UP, DOWN, EXITING, LEAVING = MemberStatus.UP, MemberStatus.DOWN, MemberStatus.EXITING, MemberStatus.LEAVING
JOINING, WEAKLY_UP = MemberStatus.JOINING, MemberStatus.WEAKLY_UP


def node(number: int, uid: int | None = None) -> UniqueAddress:
    return UniqueAddress(Address("pekko", "lab", "h", number), number if uid is None else uid)


A, B, C, D = node(1), node(2), node(3), node(4)


def gossip(*members: Member, seen: tuple[UniqueAddress, ...] = ()) -> Gossip:
    return Gossip({member.node: member for member in members}, frozenset(seen))


@pytest.mark.parametrize(
    ("first", "second", "order"),
    [
        ({}, {}, Order.SAME),
        ({"a": 1}, {"a": 1}, Order.SAME),
        ({"a": 1}, {"a": 2}, Order.BEFORE),
        ({"a": 2}, {"a": 1}, Order.AFTER),
        ({"a": 1}, {"a": 1, "b": 1}, Order.BEFORE),
        ({"a": 1, "b": 1}, {"b": 1}, Order.AFTER),
        ({"a": 1}, {"b": 1}, Order.CONCURRENT),
        ({"a": 2, "b": 1}, {"a": 1, "b": 2}, Order.CONCURRENT),
    ],
)
def test_clocks_compare(first: dict[str, int], second: dict[str, int], order: Order) -> None:
    assert VectorClock(first).compare(VectorClock(second)) is order


def test_clocks_merge_bump_and_prune() -> None:
    merged = VectorClock({"a": 2, "b": 1}).merge(VectorClock({"a": 1, "c": 3}))
    assert merged.versions == {"a": 2, "b": 1, "c": 3}
    assert merged.bump("a").bump("d").versions == {"a": 3, "b": 1, "c": 3, "d": 1}
    assert merged.prune("a").versions == {"b": 1, "c": 3} and merged.prune("z") is merged


def test_an_observers_records_go_when_all_are_reachable_and_its_version_stays() -> None:
    table = Reachability().change(A, B, UNREACHABLE).change(A, C, UNREACHABLE).change(A, B, REACHABLE)
    assert table.unreachable == {C} and table.versions == {A: 3}
    table = table.change(A, C, REACHABLE)
    assert not table.rows and table.versions == {A: 4}
    assert table.change(A, D, REACHABLE) is table


def test_terminated_is_for_good() -> None:
    table = Reachability().change(A, B, TERMINATED)
    assert table.change(A, B, REACHABLE) is table and table.change(A, B, UNREACHABLE) is table
    assert table.unreachable == {B} and table.unreachable_from(A) == set()


def test_of_two_tables_of_an_observer_the_newer_holds_as_a_whole() -> None:
    old = Reachability().change(A, B, UNREACHABLE).change(C, B, UNREACHABLE)
    new = old.change(A, D, UNREACHABLE).change(A, B, REACHABLE)
    for merged in (old.merge(new, [A, B, C, D]), new.merge(old, [A, B, C, D])):
        assert merged.status(A, B) is REACHABLE and merged.status(A, D) is UNREACHABLE
        assert merged.status(C, B) is UNREACHABLE and merged.versions == {A: 3, C: 1}
    assert old.merge(new, [A, B]).unreachable == set()


def test_of_two_statuses_of_a_member_the_one_further_along_holds() -> None:
    order = [JOINING, WEAKLY_UP, UP, LEAVING, EXITING, DOWN, MemberStatus.REMOVED]
    for place, early in enumerate(order):
        for late in order[place:]:
            one, other = Member(A, early), Member(A, late)
            assert furthest(one, other).status is late and furthest(other, one).status is late
    assert furthest(Member(A, UP, 5), Member(A, UP, 2)).up_number == 2


def test_only_the_allowed_transitions_are_made() -> None:
    for before in MemberStatus:
        for after in MemberStatus:
            if after in TRANSITIONS[before]:
                assert Member(A, before).to(after).status is after
            else:
                with pytest.raises(ValueError, match="cannot go from"):
                    Member(A, before).to(after)


def test_concurrent_gossips_merge_and_nobody_has_seen_the_outcome() -> None:
    base = gossip(Member(A, UP, 1), Member(B, UP, 2), seen=(A, B)).bump(A)
    left = base.update([Member(C)]).bump(A)
    right = base.update([Member(B, LEAVING, 2)]).bump(B)
    assert left.version.compare(right.version) is Order.CONCURRENT
    for merged in (left.merge_concurrent(right), right.merge_concurrent(left)):
        assert {member.node: member.status for member in merged.members.values()} == {A: UP, B: LEAVING, C: JOINING}
        assert merged.version.compare(left.version) is merged.version.compare(right.version) is Order.AFTER
        assert not merged.seen


@pytest.mark.parametrize("status", [DOWN, EXITING])
def test_who_was_removed_on_one_side_does_not_come_back(status: MemberStatus) -> None:
    base = gossip(Member(A, UP, 1), Member(B, UP, 2), Member(C, status, 3)).bump(A).bump(C)
    removed = base.remove([C], 1_000).bump(A)
    other = base.update([Member(D)]).bump(B)
    for merged in (removed.merge_concurrent(other), other.merge_concurrent(removed)):
        assert set(merged.members) == {A, B, D} and merged.tombstones == {C: 1_000}
        assert C.clock_name not in merged.version.versions
    assert removed.prune_tombstones(999) is removed and not removed.prune_tombstones(1_000).tombstones


def test_a_tombstone_removes_whatever_the_status_is() -> None:
    alive = gossip(Member(A, UP, 1), Member(C, UP, 3)).bump(A)
    removed = alive.remove([C], 5).bump(A)
    assert set(removed.merge_concurrent(alive.bump(C)).members) == {A}


def test_convergence_waits_for_active_members_and_for_the_unreachable() -> None:
    view = gossip(Member(A, UP, 1), Member(B, UP, 2), Member(C, JOINING), seen=(A,))
    assert not view.has_converged(A)
    assert view.has_converged(A, {B})
    view = view.see(B)
    assert view.has_converged(A)
    lost = replace(view, reachability=Reachability().change(A, C, UNREACHABLE))
    assert not lost.has_converged(A)
    assert lost.down(C).has_converged(A)
    from_downed = replace(view, reachability=Reachability().change(C, A, UNREACHABLE)).down(C)
    assert from_downed.has_converged(B)


def test_a_cluster_without_active_members_waits_for_those_that_join() -> None:
    view = gossip(Member(A), Member(B), seen=(A,))
    assert not view.has_converged(A) and view.see(B).has_converged(A)


def test_the_leader_is_the_first_active_reachable_member() -> None:
    view = gossip(Member(A), Member(B, UP, 2), Member(C, UP, 1))
    assert view.leader(A) == B
    lost = replace(view, reachability=Reachability().change(C, B, UNREACHABLE))
    assert lost.leader(C) == C and lost.leader(B) == B
    assert gossip(Member(A, EXITING, 1), Member(B), Member(C, WEAKLY_UP)).leader(A) == C
    assert gossip(Member(A, DOWN, 1)).leader(A) is None
    assert view.leader(A, without={B}) == C


def test_names_in_clocks_and_digests_are_pekkos() -> None:
    import hashlib

    assert A.clock_name == hashlib.md5(b"pekko://lab@h:1-1").hexdigest()
    digest = gossip(Member(A), Member(B), seen=(B, A)).seen_digest
    assert digest == hashlib.sha1(b"pekko://lab@h:1,pekko://lab@h:2").digest()


def test_each_node_watches_nine_and_is_watched_by_nine() -> None:
    nodes = [node(number, number * 7919) for number in range(20)]
    watched = {own: ring_receivers(own, nodes, set()) for own in nodes}
    assert all(len(receivers) == 9 and own not in receivers for own, receivers in watched.items())
    for subject in nodes:
        assert sum(subject in receivers for receivers in watched.values()) == 9
    few = nodes[:10]
    assert ring_receivers(few[0], few, set()) == set(few[1:])


def test_unreachable_nodes_of_the_ring_are_watched_beside_the_nine() -> None:
    nodes = [node(number) for number in range(20)]
    receivers = ring_receivers(nodes[0], nodes, {nodes[2], nodes[3]})
    assert receivers == set(nodes[1:12])


def test_a_silent_node_is_unavailable_and_is_available_when_it_answers_again() -> None:
    beats = Heartbeats(A)
    beats.members_changed([A, B], [], 0.0)
    now_s = 0.0
    for second in range(20):
        now_s = float(second)
        assert beats.beat(now_s) == {B} and beats.is_available(B, now_s)
        beats.answered(B, now_s)
    assert beats.is_available(B, now_s + 3.0)
    assert not beats.is_available(B, now_s + 6.0)
    beats.answered(B, now_s + 7.0)
    assert beats.is_available(B, now_s + 7.0)


def test_a_node_that_never_answers_becomes_unavailable() -> None:
    beats = Heartbeats(A)
    beats.members_changed([A, B], [], 0.0)
    for second in range(10):
        beats.beat(float(second))
    assert not beats.is_available(B, 10.0)


def test_who_leaves_the_ring_while_it_is_silent_is_watched_until_it_answers() -> None:
    nodes = [node(number) for number in range(12)]
    beats = Heartbeats(nodes[0])
    beats.members_changed(nodes[:10], [], 0.0)
    for second in range(10):
        beats.beat(float(second))
    last = nodes[9]
    between = node(5, 5)
    more = [nodes[0], *(node(100 + extra, extra) for extra in range(1, 5)), between, *nodes[1:10]]
    beats.members_changed(more, [], 10.0)
    assert last not in ring_receivers(nodes[0], more, [])
    assert last in beats.receivers
    beats.answered(last, 11.0)
    assert last not in beats.receivers
