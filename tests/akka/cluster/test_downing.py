"""The strategies of the split brain resolver on views of all sides, and its waiting."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from smackbox.akka.actor.path import Address
from smackbox.akka.cluster.downing import (
    AskLease,
    DownAll,
    KeepMajority,
    KeepOldest,
    LeaseMajority,
    StaticQuorum,
    Strategy,
    View,
    nodes_to_down,
)
from smackbox.akka.cluster.gossip import Gossip
from smackbox.akka.cluster.member import Member, MemberStatus, UniqueAddress
from smackbox.akka.cluster.reachability import Reachability, ReachabilityStatus
from smackbox.akka.cluster.resolver import DowningSettings, SplitBrainResolver

NODES = {name: UniqueAddress(Address("pekko", "lab", "h", number), number) for number, name in enumerate("ABCDEFG", 1)}
NAMES = {node: name for name, node in NODES.items()}
UNREACHABLE = ReachabilityStatus.UNREACHABLE


def cluster(
    names: str, *, ages: str = "", roles: str = "", joining: str = "", leaving: str = "", down: str = ""
) -> Gossip:
    """Members that are Up, the oldest first in `ages`."""
    order = ages or names
    members = {}
    for name in names:
        status = MemberStatus.UP
        if name in joining:
            status = MemberStatus.JOINING
        elif name in leaving:
            status = MemberStatus.LEAVING
        elif name in down:
            status = MemberStatus.DOWN
        role = frozenset({"dc-default", "voter"}) if name in roles else frozenset({"dc-default"})
        number = 2**31 - 1 if name in joining else order.index(name) + 1
        members[NODES[name]] = Member(NODES[name], status, number, role)
    return Gossip(members)


def side(gossip: Gossip, names: str) -> Gossip:
    """As one of these sees it: they reach each other only, and have seen the gossip."""
    reachability = Reachability()
    for subject in gossip.members:
        if NAMES[subject] not in names:
            for observer in names:
                reachability = reachability.change(NODES[observer], subject, UNREACHABLE)
    return replace(gossip, reachability=reachability, seen=frozenset(NODES[name] for name in names))


def downed(strategy: Strategy, gossip: Gossip, own: str, *, lease: bool = True) -> str:
    view = View.of(gossip, NODES[own])
    decision = strategy.decide(view)
    if isinstance(decision, AskLease):
        decision = decision.granted if lease else decision.denied
    return "".join(sorted(NAMES[node] for node in nodes_to_down(strategy, view, decision)))


def kept(strategy: Strategy, gossip: Gossip, sides: Iterable[str]) -> list[str]:
    """The sides that go on, each by its own decision."""
    surviving = []
    for names in sides:
        gone = downed(strategy, side(gossip, names), names[0])
        if not set(gone) & set(names):
            assert set(gone) == {NAMES[node] for node in gossip.members} - set(names)
            surviving.append(names)
        else:
            assert set(gone) >= set(names)
    return surviving


@pytest.mark.parametrize(
    ("strategy", "names", "sides", "survivors"),
    [
        (KeepMajority(), "ABCDE", ["ACE", "BD"], ["ACE"]),
        (KeepMajority(), "ABCDE", ["AB", "CDE"], ["CDE"]),
        (KeepMajority(), "ABCD", ["AB", "CD"], ["AB"]),
        (KeepMajority(), "ABCDEF", ["AB", "CD", "EF"], []),
        (KeepMajority(), "ABCDE", ["ABC", "D", "E"], ["ABC"]),
        (KeepMajority("voter"), "ABCDE", ["ABC", "DE"], ["DE"]),
        (StaticQuorum(quorum_size=3), "ABCDE", ["ACE", "BD"], ["ACE"]),
        (StaticQuorum(quorum_size=3), "ABCDE", ["AB", "CD", "E"], []),
        (StaticQuorum(quorum_size=3), "ABCDEF", ["ABC", "DEF"], []),
        (StaticQuorum("voter", 2), "ABCDE", ["ABC", "DE"], ["DE"]),
        (KeepOldest(), "ABCDE", ["BD", "ACE"], ["ACE"]),
        (KeepOldest(), "ABCDE", ["A", "BCDE"], ["BCDE"]),
        (KeepOldest(down_if_alone=False), "ABCDE", ["A", "BCDE"], ["A"]),
        (KeepOldest(), "AB", ["A", "B"], ["A"]),
        (KeepOldest("voter"), "ABCDE", ["ABC", "DE"], ["DE"]),
        (DownAll(), "ABCDE", ["ACE", "BD"], []),
    ],
)
def test_at_most_one_side_goes_on(strategy: Strategy, names: str, sides: list[str], survivors: list[str]) -> None:
    assert kept(strategy, cluster(names, roles="DE"), sides) == survivors


def test_the_oldest_is_by_age_and_not_by_address() -> None:
    gossip = cluster("ABCDE", ages="EDCBA")
    assert kept(KeepOldest(), gossip, ["ABC", "DE"]) == ["DE"]


def test_without_a_voter_all_are_downed() -> None:
    gossip = cluster("ABC")
    for strategy in (KeepMajority("voter"), KeepOldest("voter")):
        assert downed(strategy, side(gossip, "AB"), "A") == "ABC"


def test_members_that_may_have_moved_on_count_against_the_own_side() -> None:
    joins = cluster("ABCDE", joining="DE")
    assert downed(KeepMajority(), side(joins, "AB"), "A") == "ABCDE", "D and E may be Up where C is"
    assert downed(KeepMajority(), side(joins, "ABC"), "A") == "DE"
    leaves = cluster("ABCDE", leaving="C")
    assert downed(KeepMajority(), side(leaves, "ABC"), "A") == "DE", "of equal ones the one with A"
    assert downed(KeepMajority(), side(cluster("ABCDE", leaving="A"), "ABC"), "B") == "DE"
    assert downed(KeepMajority(), side(cluster("ABCDE", leaving="AB"), "ABC"), "C") == "ABCDE"
    assert downed(KeepOldest(), side(cluster("ABCDE", leaving="A"), "ABC"), "A") == "DE"
    assert downed(KeepOldest(), side(cluster("ABCD", leaving="A"), "AB"), "A") == "ABCD", "B may be alone"
    assert downed(KeepOldest(), side(cluster("ABCD", leaving="A"), "AC"), "A") == "ABCD", "B may be the oldest"


def test_joining_members_of_the_other_side_are_downed_too() -> None:
    gossip = cluster("ABCD", joining="D")
    assert downed(KeepMajority(), side(gossip, "ABC"), "A") == "D"


def test_indirectly_connected_nodes_are_downed_and_the_rest_goes_on() -> None:
    gossip = cluster("ABCDE")
    circle = Reachability().change(NODES["B"], NODES["C"], UNREACHABLE).change(NODES["C"], NODES["B"], UNREACHABLE)
    view = replace(gossip, reachability=circle, seen=frozenset(gossip.members))
    for strategy in (KeepMajority(), KeepOldest(), StaticQuorum(quorum_size=3), LeaseMajority()):
        assert downed(strategy, view, "A") == "BC"
    one_way = replace(gossip, reachability=Reachability().change(NODES["B"], NODES["C"], UNREACHABLE))
    assert downed(KeepMajority(), replace(one_way, seen=frozenset(gossip.members)), "A") == "BC"
    assert downed(KeepMajority(), replace(one_way, seen=frozenset()), "A") == "C"
    assert downed(LeaseMajority(), view, "A", lease=False) == "ABCDE"


def test_indirectly_connected_nodes_beside_a_clean_split() -> None:
    gossip = side(cluster("ABCDEFG"), "ABCDE")
    circle = gossip.reachability.change(NODES["B"], NODES["C"], UNREACHABLE)
    circle = circle.change(NODES["C"], NODES["B"], UNREACHABLE)
    assert downed(KeepMajority(), replace(gossip, reachability=circle), "A") == "BCFG"


def test_a_lease_keeps_the_side_that_holds_it_and_the_minority_waits() -> None:
    gossip, strategy = cluster("ABCDE"), LeaseMajority(minority_delay_s=2.0)
    large, small = View.of(side(gossip, "CDE"), NODES["C"]), View.of(side(gossip, "AB"), NODES["A"])
    assert strategy.decide(large).delay_s == 0.0 and strategy.decide(small).delay_s == 2.0
    even = cluster("ABCD")
    assert strategy.decide(View.of(side(even, "AB"), NODES["A"])).delay_s == 0.0
    assert strategy.decide(View.of(side(even, "CD"), NODES["C"])).delay_s == 2.0
    assert downed(strategy, side(gossip, "AB"), "A") == "CDE"
    assert downed(strategy, side(gossip, "AB"), "A", lease=False) == "AB"


def test_a_quorum_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        StaticQuorum(quorum_size=0)


# -- waiting


def resolver(own: str = "A", **settings: float) -> SplitBrainResolver:
    return SplitBrainResolver(NODES[own], DowningSettings(**settings))  # type: ignore[arg-type]


def names(nodes: list[UniqueAddress]) -> str:
    return "".join(NAMES[node] for node in nodes)


def test_it_waits_until_the_split_is_stable() -> None:
    own, gossip = resolver(), cluster("ABCDE")
    own.observe(gossip, 0.0)
    own.observe(side(gossip, "ABCD"), 30.0)
    assert own.tick(39.0) == []
    own.observe(side(gossip, "ABC"), 40.0)
    assert own.tick(59.0) == []
    assert names(own.tick(60.0)) == "DE"


def test_what_heals_is_not_downed() -> None:
    own, gossip = resolver(), cluster("ABC")
    own.observe(gossip, 0.0)
    own.observe(side(gossip, "AB"), 30.0)
    own.observe(gossip, 40.0)
    assert own.tick(100.0) == []


def test_only_the_leader_decides_and_it_downs_itself_last() -> None:
    gossip = cluster("ABCDE")
    follower = resolver("B")
    minority = resolver("A")
    for one in (follower, minority):
        one.observe(gossip, 0.0)
    follower.observe(side(gossip, "ABC"), 0.0)
    minority.observe(side(gossip, "AB"), 0.0)
    assert follower.tick(30.0) == []
    assert names(minority.tick(30.0)) == "BA"


def test_a_node_that_is_not_up_decides_nothing() -> None:
    own, gossip = resolver(), cluster("ABC", joining="A")
    own.observe(side(gossip, "A"), 0.0)
    assert own.tick(30.0) == []


def test_instability_downs_all_on_every_node() -> None:
    own, gossip = resolver("B"), cluster("ABCD")
    own.observe(gossip, 0.0)
    for second in range(36):
        own.observe(side(gossip, "ABC" if second % 2 else "ABD"), float(second))
        assert own.tick(float(second)) == [], f"after {second} s"
    assert names(own.tick(35.5)) == "ACDB"
    calm = resolver("B", down_all_when_unstable_s=0.0)
    calm.observe(gossip, 0.0)
    for second in range(100):
        calm.observe(side(gossip, "ABC" if second % 2 else "ABD"), float(second))
        assert calm.tick(float(second)) == []


def test_who_is_quarantined_by_a_member_downs_itself() -> None:
    own = resolver("B")
    own.observe(cluster("ABC"), 0.0)
    assert names(own.quarantined(NODES["A"], 1.0)) == "B"
    assert own.quarantined(NODES["G"], 1.0) == []


class _Lease:
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.held = False

    def ask(self) -> None:
        self.calls.append("ask")

    def release(self) -> None:
        self.calls.append("release")

    def is_held(self) -> bool:
        return self.held


def leased() -> tuple[SplitBrainResolver, _Lease]:
    lease = _Lease()
    settings = DowningSettings(LeaseMajority(minority_delay_s=2.0, release_after_s=40.0))
    return SplitBrainResolver(NODES["A"], settings, lease), lease


def test_a_lease_is_asked_for_then_held_until_the_downed_are_long_removed() -> None:
    own, lease = leased()
    gossip = cluster("ABCDE")
    own.observe(gossip, 0.0)
    own.observe(side(gossip, "ABC"), 10.0)
    assert own.tick(30.0) == [] and lease.calls == ["ask"]
    assert own.tick(31.0) == [] and lease.calls == ["ask"], "once"
    lease.held = True
    assert names(own.lease_result(True, 31.5)) == "DE"
    own.observe(side(cluster("ABCDE", down="DE"), "ABC"), 31.5)
    assert own.tick(100.0) == [] and lease.calls == ["ask"]
    own.observe(cluster("ABC"), 100.0)
    own.tick(139.0)
    assert lease.calls == ["ask"]
    own.tick(140.0)
    assert lease.calls == ["ask", "release"]


def test_the_minority_asks_later_and_without_the_lease_downs_itself() -> None:
    own, lease = leased()
    gossip = cluster("ABCDE")
    own.observe(gossip, 0.0)
    own.observe(side(gossip, "AB"), 10.0)
    own.tick(30.0)
    assert lease.calls == []
    own.observe(side(gossip, "A"), 31.0)
    own.tick(32.0)
    assert lease.calls == ["ask"]
    assert names(own.lease_result(False, 32.5)) == "BA", "what it saw when it decided"
    assert own.lease_result(True, 33.0) == [], "nobody asked"


def test_lease_majority_needs_a_lease() -> None:
    with pytest.raises(ValueError, match="needs a lease"):
        SplitBrainResolver(NODES["A"], DowningSettings(LeaseMajority()))
