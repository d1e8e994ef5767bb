"""Never two singletons: nodes join, leave, crash and are split, and the one that is oldest runs it in the end."""

from __future__ import annotations

import pytest

from smackbox.akka.actor.path import Address
from smackbox.akka.cluster.core import ClusterSettings, Phase
from smackbox.akka.cluster.downing import KeepMajority
from smackbox.akka.cluster.member import Member, MemberStatus, UniqueAddress
from smackbox.akka.cluster.messages import (
    ClusterShuttingDown,
    DomainEvent,
    MemberEvent,
    MemberRemoved,
)
from smackbox.akka.cluster.resolver import DowningSettings
from smackbox.akka.cluster.singleton_manager import (
    HandOver,
    ManagerCalls,
    ManagerSettings,
    SingletonManager,
    SingletonStuckError,
    State,
)
from tests.akka.cluster.simulation import Simulation, address

STABLE_S = 20.0
MANY = 1_000
EXIT_LIMIT_S = 10.0


class Singletons:
    """A manager on each node of a simulation. `running` are the nodes on which the singleton is."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.managers: dict[int, SingletonManager] = {}
        self.running: set[UniqueAddress] = set()
        self.starts = 0
        self._exits: dict[int, object] = {}
        simulation.on_event = self._event
        simulation.on_exiting = self._exiting
        simulation.receive = self._receive

    def start(self, number: int) -> None:
        core = self.simulation.start(number)
        core.join_seed_nodes([address(0), address(1)] if number > 1 else [address(0)], self.simulation.now_s)
        self._manage(number, core.own)

    def crash(self, number: int) -> None:
        self.running.discard(self.simulation.nodes[number].own)
        del self.managers[number]
        self.simulation.crash(number)

    def _manage(self, number: int, own: UniqueAddress) -> None:
        simulation = self.simulation
        manager: SingletonManager

        def start() -> None:
            self.starts += 1
            self.running.add(own)
            assert len(self.running) == 1, f"two singletons: {self.running}"

        def stop_singleton() -> None:
            def stopped() -> None:
                if self.managers.get(number) is manager and own in self.running:
                    self.running.discard(own)
                    manager.singleton_stopped(simulation.now_s)

            simulation.at(simulation.random.uniform(0.01, 2.0), stopped)

        def stop() -> None:
            self.running.discard(own)
            if self.managers.get(number) is manager:
                del self.managers[number]

        def exit_done() -> None:
            done = self._exits.pop(number, None)
            if callable(done):
                done()

        calls = ManagerCalls(
            lambda to, message: simulation.send(own, to, message), start, stop_singleton, exit_done, stop
        )
        manager = SingletonManager(own, ManagerSettings(removal_margin_s=STABLE_S), calls)
        self.managers[number] = manager
        core = simulation.nodes[number]
        if core.gossip.status(core.own) is MemberStatus.UP:
            manager.begin(core.gossip.members.values(), simulation.now_s)
        self._tick(number, manager)

    def _tick(self, number: int, manager: SingletonManager) -> None:
        if self.managers.get(number) is not manager:
            return
        try:
            manager.tick(self.simulation.now_s)
        except SingletonStuckError:
            own = self.simulation.nodes[number].own
            self.running.discard(own)
            self._manage(number, own)
            return
        self.simulation.at(0.5, lambda: self._tick(number, manager))

    def _event(self, number: int, event: DomainEvent) -> None:
        manager = self.managers.get(number)
        if manager is None:
            return
        core = self.simulation.nodes[number]
        if isinstance(event, ClusterShuttingDown):
            own = core.own

            def ended() -> None:
                self.running.discard(own)
                if self.managers.get(number) is manager:
                    del self.managers[number]

            self.simulation.at(self.simulation.random.uniform(0.1, 5.0), ended)
        elif isinstance(event, MemberEvent):
            if event.member.node == core.own and event.member.status is MemberStatus.UP:
                manager.begin(core.gossip.members.values(), self.simulation.now_s)
            manager.member_event(event, self.simulation.now_s)

    def _exiting(self, number: int, done: object) -> None:
        self._exits[number] = done
        manager = self.managers.get(number)

        def give_up() -> None:
            late = self._exits.pop(number, None)
            if callable(late):
                late()

        self.simulation.at(EXIT_LIMIT_S, give_up)
        if manager is None:
            give_up()
        else:
            self.simulation.at(0.1, lambda: manager.exiting(self.simulation.now_s))

    def _receive(self, number: int, message: object, sender: Address) -> bool:
        if not isinstance(message, HandOver):
            return False
        if number in self.managers:
            self.managers[number].receive(message, sender, self.simulation.now_s)
        return True

    def oldest_runs_it(self) -> bool:
        cores = {n: core for n, core in self.simulation.nodes.items() if core.phase is Phase.MEMBER}
        if not cores:
            return True
        members = next(iter(cores.values())).gossip.members.values()
        return self.running == {min(members, key=lambda member: member.age).node}


def lived(seed: int, *, split: bool) -> None:
    settings = ClusterSettings(downing=DowningSettings(KeepMajority(), STABLE_S))
    simulation = Simulation(seed, settings=settings)
    chance = simulation.random
    world = Singletons(simulation)
    size = 3 + seed % 4
    for number in range(size):
        world.start(number)
        simulation.run(chance.uniform(0, 2))
    simulation.run_until(lambda: simulation.agree(range(size)), 120)
    simulation.run_until(world.oldest_runs_it, 60)
    following = size
    for _ in range(4):
        alive = sorted(n for n, core in simulation.nodes.items() if core.phase is Phase.MEMBER)
        action = chance.random()
        if action < 0.4 and len(alive) > 2:
            simulation.nodes[chance.choice(alive)].leave(address(chance.choice(alive)), simulation.now_s)
        elif action < 0.6 and len(alive) > 2:
            world.crash(chance.choice(alive))
        elif action < 0.8:
            core = simulation.start(following)
            core.join_seed_nodes([address(number) for number in alive], simulation.now_s)
            world._manage(following, core.own)
            following += 1
        elif split and len(alive) > 2:
            simulation.partition(chance.sample(alive, chance.randint(1, (len(alive) - 1) // 2)))
            simulation.run(chance.choice([5.0, 15.0, 90.0]))
            simulation.partition()
        simulation.run(chance.choice([0.5, 3.0, 10.0, 60.0]))
    simulation.run(150)
    assert world.oldest_runs_it(), (simulation.views(), world.running, {n: m.state for n, m in world.managers.items()})


@pytest.mark.parametrize("seed", range(8))
def test_the_oldest_runs_it_and_never_two_do(seed: int) -> None:
    lived(seed, split=False)


@pytest.mark.parametrize("seed", range(100, 106))
def test_a_split_does_not_make_two(seed: int) -> None:
    lived(seed, split=True)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_thousands_of_lives() -> None:
    for seed in range(1_000, 1_000 + MANY):
        lived(seed, split=bool(seed % 2))


# -- step by step


def node(number: int) -> UniqueAddress:
    return UniqueAddress(address(number), number)


def member(number: int, status: MemberStatus = MemberStatus.UP) -> Member:
    return Member(node(number), status, number)


class Node:
    """The manager of node 2, and what it did."""

    def __init__(self, *older: Member, margin_s: float = 0.0) -> None:
        self.did: list[object] = []
        calls = ManagerCalls(
            lambda to, message: self.did.append((to.port, message.name)),
            lambda: self.did.append("start"),
            lambda: self.did.append("stop singleton"),
            lambda: self.did.append("exit done"),
            lambda: self.did.append("stop"),
        )
        self.manager = SingletonManager(node(2), ManagerSettings(removal_margin_s=margin_s), calls)
        self.manager.begin([*older, member(2)], 0.0)

    def did_now(self) -> list[object]:
        done, self.did[:] = list(self.did), []
        return done


def test_a_hand_over_as_the_new_oldest() -> None:
    one = Node(member(1))
    one.manager.member_event(MemberEvent(member(1, MemberStatus.EXITING)), 1.0)
    assert one.did_now() == [(2001, "HAND_OVER_TO_ME")] and one.manager.state is State.BECOMING_OLDEST
    one.manager.tick(1.0)
    assert one.did_now() == [(2001, "HAND_OVER_TO_ME")]
    one.manager.receive(HandOver.HAND_OVER_IN_PROGRESS, address(1), 1.5)
    one.manager.tick(9.0)
    assert one.did_now() == []
    one.manager.receive(HandOver.HAND_OVER_DONE, address(3), 9.0)
    assert one.did_now() == []
    one.manager.receive(HandOver.HAND_OVER_DONE, address(1), 9.0)
    assert one.did_now() == ["start"]


def test_a_crashed_oldest_is_succeeded_after_the_margin() -> None:
    one = Node(member(1), margin_s=20.0)
    one.manager.member_event(MemberRemoved(member(1, MemberStatus.REMOVED), MemberStatus.DOWN), 1.0)
    one.manager.tick(20.9)
    assert "start" not in one.did_now()
    one.manager.tick(21.0)
    assert one.did_now() == ["start"]


def test_an_oldest_that_is_leaving_at_the_start_is_waited_for() -> None:
    one = Node(member(1, MemberStatus.EXITING))
    assert one.manager.state is State.YOUNGER
    alone = Node()
    assert alone.did_now() == ["start"]
    leaving = SingletonManager(node(2), ManagerSettings(), alone.manager._calls)
    leaving.begin([member(2, MemberStatus.LEAVING)], 0.0)
    assert leaving.state is State.BECOMING_OLDEST


def test_the_old_oldest_hands_over_when_it_exits() -> None:
    one = Node()
    one.manager.member_event(MemberEvent(member(3)), 0.0)
    one.did_now()
    one.manager.exiting(1.0)
    assert one.did_now() == [(2003, "TAKE_OVER_FROM_ME")] and one.manager.state is State.WAS_OLDEST
    one.manager.tick(2.0)
    assert one.did_now() == [(2003, "TAKE_OVER_FROM_ME")]
    one.manager.receive(HandOver.HAND_OVER_TO_ME, address(3), 2.5)
    assert one.did_now() == [(2003, "HAND_OVER_IN_PROGRESS"), "stop singleton"]
    one.manager.receive(HandOver.HAND_OVER_TO_ME, address(3), 3.5)
    assert one.did_now() == [(2003, "HAND_OVER_IN_PROGRESS")]
    one.manager.singleton_stopped(4.0)
    assert one.did_now() == [(2003, "HAND_OVER_DONE"), "exit done"] and one.manager.state is State.END


def test_who_asks_a_younger_node_for_its_former_life_is_answered() -> None:
    one = Node(member(1))
    one.manager.receive(HandOver.HAND_OVER_TO_ME, address(3), 1.0)
    assert one.did_now() == [(2003, "HAND_OVER_DONE")]


def test_an_answer_that_never_comes_begins_again() -> None:
    one = Node(member(1))
    one.manager.member_event(MemberEvent(member(1, MemberStatus.EXITING)), 0.0)
    with pytest.raises(SingletonStuckError, match="does not hand over"):
        for second in range(20):
            one.manager.tick(float(second))
    assert one.did.count((2001, "HAND_OVER_TO_ME")) == 16


def test_a_downed_oldest_stops_its_singleton_first() -> None:
    one = Node()
    one.did_now()
    one.manager.member_event(MemberEvent(member(2, MemberStatus.DOWN)), 1.0)
    assert one.did_now() == ["stop singleton"]
    one.manager.singleton_stopped(2.0)
    assert one.did_now() == ["stop"]
