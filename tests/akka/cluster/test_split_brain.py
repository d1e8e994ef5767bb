"""Splits, crashes, lossy links and changes of membership at once: never do two sides survive."""

from __future__ import annotations

import itertools

import pytest

from smackbox.akka.cluster.core import ClusterSettings, Phase
from smackbox.akka.cluster.downing import DownAll, KeepMajority, KeepOldest, LeaseMajority, StaticQuorum, Strategy
from smackbox.akka.cluster.member import MemberStatus
from smackbox.akka.cluster.resolver import DowningSettings
from tests.akka.cluster.simulation import Simulation, address

SETTLED_S = 150.0
"""Detection, the wait for stability, and the second decision of what is left over."""
MANY = 2_000


def settings(strategy: Strategy) -> ClusterSettings:
    return ClusterSettings(downing=DowningSettings(strategy))


def strategy_of(seed: int, size: int) -> Strategy:
    return [KeepMajority(), KeepOldest(), StaticQuorum(quorum_size=size // 2 + 1), LeaseMajority(), DownAll()][seed % 5]


def formed(seed: int, size: int, strategy: Strategy) -> Simulation:
    simulation = Simulation(seed, settings=settings(strategy))
    for number in range(size):
        simulation.start(number).join_seed_nodes([address(0)], simulation.now_s)
    simulation.run_until(lambda: simulation.agree(range(size)), 120)
    return simulation


def survivors(simulation: Simulation) -> list[int]:
    return sorted(number for number, core in simulation.nodes.items() if core.phase is Phase.MEMBER)


def split(simulation: Simulation) -> list[list[int]]:
    """All nodes in two or three groups."""
    numbers = sorted(simulation.nodes)
    simulation.random.shuffle(numbers)
    cuts = sorted(
        simulation.random.sample(range(1, len(numbers)), min(len(numbers) - 1, simulation.random.choice([1, 1, 2])))
    )
    groups = [numbers[begin:end] for begin, end in itertools.pairwise([0, *cuts, len(numbers)])]
    simulation.partition(*groups)
    return groups


def one_cluster(simulation: Simulation) -> None:
    """Those who are left are one cluster and agree on it, or nobody is left."""
    simulation.partition()
    simulation.cut.clear()
    simulation.loss = 0.0
    simulation.run(60)
    left = survivors(simulation)
    assert not left or simulation.agree(left), simulation.views()


def clean_split(seed: int) -> None:
    size = 3 + seed % 7
    simulation = formed(seed, size, strategy_of(seed, size))
    groups = split(simulation)
    simulation.run(SETTLED_S)
    left = survivors(simulation)
    assert any(set(left) <= set(group) for group in groups), f"two sides survive: {simulation.views()}"
    for number in left:
        core = simulation.nodes[number]
        assert {(node.address.port or 0) - 2000 for node in core.gossip.members} == set(left), simulation.views()
    one_cluster(simulation)


def rough_split(seed: int) -> None:
    """Members join, leave and crash around the split; it changes once; single links fail."""
    size = 4 + seed % 6
    simulation = formed(seed, size, strategy_of(seed, size))
    chance = simulation.random
    if chance.random() < 0.5:
        simulation.start(size).join_seed_nodes([address(0), address(1)], simulation.now_s)
    if chance.random() < 0.5:
        simulation.nodes[chance.randrange(size)].leave(address(chance.randrange(size)), simulation.now_s)
    simulation.run(chance.uniform(0, 3))
    simulation.loss = chance.choice([0.0, 0.02])
    split(simulation)
    if chance.random() < 0.5:
        simulation.crash(chance.choice(survivors(simulation)))
    if chance.random() < 0.3:
        pair = chance.sample(sorted(simulation.nodes), 2)
        simulation.cut.add(frozenset(pair))
    if chance.random() < 0.3:
        simulation.run(chance.uniform(5, 15))
        split(simulation)
    simulation.run(SETTLED_S)
    one_cluster(simulation)


@pytest.mark.parametrize("seed", range(15))
def test_one_side_at_most_survives_a_clean_split(seed: int) -> None:
    clean_split(seed)


@pytest.mark.parametrize("seed", range(12))
def test_one_cluster_at_most_is_left_after_a_rough_split(seed: int) -> None:
    rough_split(seed)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_thousands_of_splits() -> None:
    for seed in range(1_000, 1_000 + MANY):
        clean_split(seed)
        rough_split(seed)


def test_a_majority_goes_on_and_a_crashed_node_is_downed() -> None:
    simulation = formed(1, 5, KeepMajority())
    simulation.partition([0, 2, 4], [1, 3])
    simulation.run(SETTLED_S)
    assert survivors(simulation) == [0, 2, 4] and simulation.agree([0, 2, 4])
    simulation.crash(4)
    simulation.run_until(lambda: simulation.agree([0, 2]), 90)
    assert all(simulation.nodes[number].phase is Phase.MEMBER for number in (0, 2))


def test_a_short_split_downs_nobody() -> None:
    simulation = formed(1, 5, KeepMajority())
    simulation.partition([0, 2, 4], [1, 3])
    simulation.run(20)
    simulation.partition()
    simulation.run_until(lambda: simulation.agree(range(5)), 60)
    assert all(core.gossip.status(core.own) is MemberStatus.UP for core in simulation.nodes.values())


def test_a_node_with_another_strategy_does_not_join() -> None:
    simulation = formed(1, 2, KeepMajority())
    other = Simulation(2, settings=settings(KeepOldest()))
    simulation._settings = other._settings
    odd = simulation.start(2)
    odd.join_seed_nodes([address(0)], simulation.now_s)
    simulation.run(30)
    assert odd.phase is Phase.STOPPED and simulation.agree([0, 1])
