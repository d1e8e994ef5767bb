"""3 to 20 nodes on a faulty network with a fake clock: convergence, one leader, removal of those that leave."""

from __future__ import annotations

import pytest

from smackbox.akka.cluster.core import ClusterSettings, Phase
from smackbox.akka.cluster.member import MemberStatus
from smackbox.akka.cluster.messages import (
    ClusterShuttingDown,
    LeaderChanged,
    MemberEvent,
    MemberRemoved,
    ReachableMember,
    UnreachableMember,
)
from tests.akka.cluster.simulation import Simulation, address

SEEDS = range(24)


def cluster(seed: int, size: int, *, loss: float = 0.0, settings: ClusterSettings | None = None) -> Simulation:
    """All nodes Up, joined by the first two as seed nodes; started in any order."""
    simulation = Simulation(seed, loss=loss, settings=settings)
    numbers = list(range(size))
    simulation.random.shuffle(numbers)
    for number in numbers:
        core = simulation.start(number)
        core.join_seed_nodes([address(0), address(1)], simulation.now_s)
        simulation.run(simulation.random.random())
    simulation.run_until(lambda: simulation.agree(range(size)), 120)
    return simulation


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cluster_forms_over_a_lossy_network_with_one_leader_and_distinct_ages(seed: int) -> None:
    size = 3 + seed % 18
    simulation = cluster(seed, size, loss=0.05)
    ages = sorted(member.up_number for member in simulation.nodes[0].gossip.members.values())
    assert ages == list(range(1, size + 1))
    leaders = {core.gossip.leader(core.own) for core in simulation.nodes.values()}
    assert leaders == {simulation.nodes[0].own}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_partitioned_cluster_converges_after_healing(seed: int) -> None:
    size = 3 + seed % 18
    simulation = cluster(seed, size)
    cut = simulation.random.sample(range(size), simulation.random.randint(1, size - 1))
    simulation.partition(cut)
    simulation.run(simulation.random.uniform(8, 30))
    for core in simulation.nodes.values():
        assert core.gossip.reachability.unreachable
        assert not core.gossip.has_converged(core.own)
    simulation.loss = 0.05
    simulation.partition()
    simulation.run(10)
    simulation.loss = 0.0
    simulation.run_until(lambda: simulation.agree(range(size)), 90)


@pytest.mark.parametrize("seed", SEEDS)
def test_nodes_that_leave_are_removed_everywhere(seed: int) -> None:
    size = 3 + seed % 18
    simulation = cluster(seed, size, loss=0.02)
    leaving = simulation.random.sample(range(size), simulation.random.randint(1, size - 1))
    staying = [number for number in range(size) if number not in leaving]
    gone = {number: simulation.nodes[number] for number in leaving}
    for number in leaving:
        asked = simulation.nodes[simulation.random.choice(range(size))]
        asked.leave(address(number), simulation.now_s)
        simulation.nodes[number].leave(address(number), simulation.now_s)
        simulation.run(simulation.random.random())
    simulation.run_until(lambda: simulation.agree(staying), 120)
    assert all(core.phase is Phase.STOPPED for core in gone.values())
    for number in staying:
        removed = {event.member.node for event in simulation.events[number] if isinstance(event, MemberRemoved)}
        assert removed == {core.own for core in gone.values()}
    for number in leaving:
        assert simulation.events[number][-1] == ClusterShuttingDown()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_node_that_restarts_takes_the_place_of_its_former_life(seed: int) -> None:
    size = 3 + seed % 18
    simulation = cluster(seed, size)
    number = simulation.random.randrange(size)
    former = simulation.nodes[number].own
    simulation.crash(number)
    simulation.run(simulation.random.uniform(0, 20))
    core = simulation.start(number)
    core.join_seed_nodes([address((number + 1) % size), address((number + 2) % size)], simulation.now_s)
    simulation.run_until(lambda: simulation.agree(range(size)), 120)
    assert all(former not in other.gossip.members for other in simulation.nodes.values())


@pytest.mark.parametrize("seed", range(12))
def test_a_side_that_downs_the_other_converges_and_the_downed_nodes_stop_when_healed(seed: int) -> None:
    size = 4 + seed
    simulation = cluster(seed, size)
    lost = set(simulation.random.sample(range(size), simulation.random.randint(1, (size - 1) // 2)))
    kept = [number for number in range(size) if number not in lost]
    simulation.partition(lost)
    simulation.run(15)
    for number in sorted(lost):
        simulation.nodes[kept[0]].down(address(number), simulation.now_s)
    simulation.run_until(lambda: simulation.agree(kept), 60)
    simulation.partition()
    simulation.run(20)
    assert simulation.agree(kept)


def test_events_tell_the_story_of_a_member() -> None:
    simulation = cluster(1, 3)
    last = simulation.nodes[2].own
    simulation.partition([2])
    simulation.run(10)
    simulation.partition()
    simulation.run_until(lambda: simulation.agree(range(3)), 60)
    simulation.nodes[2].leave(address(2), simulation.now_s)
    simulation.run_until(lambda: simulation.agree([0, 1]), 60)
    story = []
    for event in simulation.events[0]:
        if isinstance(event, MemberEvent | UnreachableMember | ReachableMember) and event.member.node == last:
            name = event.member.status.name if isinstance(event, MemberEvent) else type(event).__name__
            if story[-1:] != [name]:
                story.append(name)
    assert story[-6:] == ["UP", "UnreachableMember", "ReachableMember", "LEAVING", "EXITING", "REMOVED"]
    leaders = [event.leader for event in simulation.events[0] if isinstance(event, LeaderChanged)]
    assert leaders[-1] == address(0)


def test_a_member_becomes_weakly_up_while_there_is_no_convergence() -> None:
    simulation = cluster(1, 3)
    simulation.partition([2])
    simulation.run(10)
    core = simulation.start(3)
    core.join_seed_nodes([address(0)], simulation.now_s)
    simulation.run_until(lambda: core.gossip.status(core.own) is MemberStatus.WEAKLY_UP, 30)
    simulation.run(20)
    assert core.gossip.status(core.own) is MemberStatus.WEAKLY_UP
    simulation.partition()
    simulation.run_until(lambda: simulation.agree(range(4)), 60)


def test_no_member_is_up_before_enough_have_joined() -> None:
    settings = ClusterSettings(min_members=3)
    simulation = Simulation(1, settings=settings)
    for number in range(2):
        simulation.start(number).join_seed_nodes([address(0)], simulation.now_s)
    simulation.run(20)
    assert simulation.agree(range(2), MemberStatus.JOINING)
    simulation.start(2).join_seed_nodes([address(0)], simulation.now_s)
    simulation.run_until(lambda: simulation.agree(range(3)), 30)


def test_only_the_first_seed_node_forms_a_cluster() -> None:
    simulation = Simulation(1)
    simulation.start(1).join_seed_nodes([address(0), address(1)], simulation.now_s)
    simulation.run(60)
    assert simulation.nodes[1].phase is not Phase.MEMBER
    simulation.start(0).join_seed_nodes([address(0), address(1)], simulation.now_s)
    simulation.run_until(lambda: simulation.agree(range(2)), 30)


def test_a_system_of_another_name_is_refused() -> None:
    core = Simulation(1).start(0)
    with pytest.raises(ValueError, match="no node of this cluster"):
        core.join_seed_nodes([type(address(0))("pekko", "other", "10.0.0.1", 2000)], 0.0)
