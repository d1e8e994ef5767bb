"""Regions and their coordinator on a slow network: a shard is in one place at most, and what is sent arrives."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from smackbox.akka.actor.path import Address
from smackbox.akka.cluster.member import Member, MemberStatus, UniqueAddress
from smackbox.akka.cluster.messages import MemberEvent, MemberRemoved
from smackbox.akka.sharding.allocation import LimitedShardAllocation
from smackbox.akka.sharding.coordinator import Coordinator, CoordinatorCalls, CoordinatorSettings, Phase
from smackbox.akka.sharding.messages import CoordinatorCommand, CoordinatorMessage, CoordinatorState, ShardStopped
from smackbox.akka.sharding.region import Region, RegionCalls

SHARDS = [f"shard{number}" for number in range(8)]
MANY = 1_000


def node(number: int) -> UniqueAddress:
    return UniqueAddress(Address("pekko", "lab", "h", number), number)


def number_of(name: str) -> int:
    return int("".join(filter(str.isdigit, name)))


class World:
    """Regions are named "region3", the coordinator of node 1 "coordinator1". A lower number is an older node."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now_s = 0.0
        self.queue: list[tuple[float, int, Callable[[], None]]] = []
        self.count = itertools.count()
        self.arrival_s: dict[tuple[str, str], float] = {}
        self.members: dict[int, Member] = {}
        self.regions: dict[int, Region] = {}
        self.coordinators: dict[int, Coordinator] = {}
        self.stored: CoordinatorState | None = None
        self.remembered: set[str] | None = set() if seed % 2 else None
        """Shards with remembered entities, as the replicator has them."""
        self.running: dict[str, set[int]] = defaultdict(set)
        self.delivered: list[tuple[str, Any]] = []
        self.dropped: list[Any] = []
        self.watched: dict[str, set[str]] = defaultdict(set)
        self.dead: set[str] = set()

    # -- time and network

    def at(self, delay_s: float, call: Callable[[], None]) -> None:
        heapq.heappush(self.queue, (self.now_s + delay_s, next(self.count), call))

    def run(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        while self.queue and self.queue[0][0] <= end_s:
            self.now_s, _, call = heapq.heappop(self.queue)
            call()
        self.now_s = end_s

    def send(self, from_: str, to: str, message: Any, original: Any = None) -> None:
        key = (from_, to)
        arrival_s = max(self.now_s + self.random.uniform(0.001, 0.2), self.arrival_s.get(key, 0.0))
        self.arrival_s[key] = arrival_s
        self.at(arrival_s - self.now_s, lambda: self._arrive(from_, to, message, original))

    def _arrive(self, from_: str, to: str, message: Any, original: Any) -> None:
        number = number_of(to)
        if to.startswith("region") and number in self.regions and to not in self.dead:
            region = self.regions[number]
            if isinstance(message, CoordinatorMessage):
                region.receive(message, from_)
            else:
                region.deliver(message[0], message, original)
        elif number in self.coordinators and isinstance(message, CoordinatorCommand):
            self.coordinators[number].receive(message, from_, self.now_s)

    def watch(self, watcher: str, watched: str) -> None:
        self.watched[watched].add(watcher)
        if watched in self.dead:
            self.at(0.1, lambda: self._tell_death(watcher, watched))

    def _die(self, name: str, delay_s: float) -> None:
        self.dead.add(name)
        for watcher in sorted(self.watched.pop(name, set())):
            self.at(delay_s, lambda watcher=watcher: self._tell_death(watcher, name))

    def _tell_death(self, watcher: str, dead: str) -> None:
        number = number_of(watcher)
        if watcher.startswith("region") and number in self.regions and watcher not in self.dead:
            self.regions[number].terminated(dead, self.now_s)
        elif number in self.coordinators and watcher not in self.dead:
            lost = number_of(dead) not in self.members
            self.coordinators[number].terminated(dead, self.now_s, address_lost=lost)

    # -- nodes

    def start(self, number: int) -> None:
        """A node is Up, with its region; the first one has the coordinator."""
        name = f"region{number}"
        self.dead.discard(name)
        self.members[number] = Member(node(number), MemberStatus.UP, number)
        for region in self.regions.values():
            region.member_event(MemberEvent(self.members[number]), self.now_s)
        region = Region(name, node(number), self._region_calls(number, name))
        self.regions[number] = region
        if not self.coordinators:
            self._start_coordinator()
        region.begin(list(self.members.values()), self.now_s)
        self._tick(number, region)

    def _tick(self, number: int, region: Region) -> None:
        if self.regions.get(number) is region:
            region.tick(self.now_s)
            self.at(0.25, lambda: self._tick(number, region))

    def _region_calls(self, number: int, name: str) -> RegionCalls:
        def start_shard(shard: str) -> None:
            self.running[shard].add(number)
            assert len(self.running[shard]) == 1, f"{shard} is at {self.running[shard]}"
            self.at(0.05, lambda: self.regions[number].shard_started(shard) if number in self.regions else None)

        def stop_shard(shard: str, asker: str) -> None:
            def stopped() -> None:
                if number in self.regions and name not in self.dead:
                    self.running[shard].discard(number)
                    self.send(name, asker, ShardStopped(shard))
                    self.regions[number].shard_stopped(shard)

            self.at(self.random.uniform(0.01, 3.0), stopped)

        def deliver_here(shard: str, message: Any, _sender: Any) -> None:
            assert self.running[shard] == {number}
            self.delivered.append(message)

        return RegionCalls(
            tell_coordinator=lambda address, command: self.send(name, f"coordinator{address.port}", command),
            send=lambda to, command: self.send(name, to, command),
            deliver=lambda to, message, sender: self.send(name, to, message, sender),
            deliver_here=deliver_here,
            start_shard=start_shard,
            stop_shard=stop_shard,
            watch=lambda ref: self.watch(name, ref),
            drop=lambda message, _sender, _reason: self.dropped.append(message),
            stop=lambda: self._region_stops(number),
        )

    def _region_stops(self, number: int) -> None:
        for shard in SHARDS:
            self.running[shard].discard(number)
        self.regions.pop(number, None)
        self._die(f"region{number}", 0.05)

    def crash(self, number: int) -> None:
        """And it is removed from the cluster a while later."""
        self.regions.pop(number, None)
        self.coordinators.pop(number, None)
        for shard in SHARDS:
            self.running[shard].discard(number)
        self.run(self.random.uniform(1, 10))
        self._remove(number)

    def leave(self, number: int) -> None:
        """In peace: hands over its shards, then its coordinator goes."""
        if number in self.regions:
            self.regions[number].shut_down()
        for _ in range(200):
            if number not in self.regions:
                break
            self.run(0.5)
        assert number not in self.regions, "the region does not stop"
        coordinator = self.coordinators.get(number)
        if coordinator is not None:
            coordinator.stop(self.now_s)
            self.run(5)
            assert number not in self.coordinators, "the coordinator does not stop"
        self._remove(number)

    def _remove(self, number: int) -> None:
        member = self.members.pop(number)
        for region in list(self.regions.values()):
            region.member_event(MemberRemoved(member, MemberStatus.DOWN), self.now_s)
        self._die(f"region{number}", 0.1)
        self._die(f"coordinator{number}", 0.1)
        if not self.coordinators:
            self._start_coordinator()

    # -- the coordinator

    def _start_coordinator(self) -> None:
        number = min(self.members)
        name = f"coordinator{number}"
        self.dead.discard(name)
        coordinator: Coordinator

        def load() -> None:
            def loaded() -> None:
                remembered = None if self.remembered is None else frozenset(self.remembered)
                coordinator.loaded(self.stored, self.now_s, remembered)

            self.at(self.random.uniform(0.01, 1.0), loaded)

        def store(state: CoordinatorState) -> None:
            def stored() -> None:
                if self.coordinators.get(number) is coordinator:
                    self.stored = state
                    if self.remembered is not None:
                        self.remembered |= state.shards.keys()
                    coordinator.stored(self.now_s)

            self.at(self.random.uniform(0.001, 0.3), stored)

        def is_member(ref: str) -> bool:
            return number_of(ref) in self.members

        calls = CoordinatorCalls(
            send=lambda to, message: self.send(name, to, message),
            watch=lambda ref: self.watch(name, ref),
            load=load,
            store=store,
            stop=lambda: self.coordinators.pop(number, None) and None,
            is_member=is_member,
            is_local=lambda ref: ref == f"region{number}",
        )
        settings = CoordinatorSettings(
            LimitedShardAllocation(relative_limit=0.5), rebalance_s=5.0, removal_margin_s=3.0
        )
        coordinator = Coordinator(name, settings, self, calls)
        self.coordinators[number] = coordinator
        coordinator.begin()
        self._tick_coordinator(number, coordinator)

    def _tick_coordinator(self, number: int, coordinator: Coordinator) -> None:
        if self.coordinators.get(number) is coordinator:
            coordinator.tick(self.now_s)
            self.at(0.25, lambda: self._tick_coordinator(number, coordinator))

    def member_of(self, region: str) -> Member | None:
        return self.members.get(number_of(region))

    is_calm = True

    # -- what is checked

    def all_reach_all(self) -> None:
        """Each region sends to each shard, and all of it arrives, once.

        What waits at a region that hands the shard over may come behind what others send, and is dropped instead.
        """
        self.delivered.clear()
        self.dropped.clear()
        sent = []
        for number, region in self.regions.items():
            for shard in SHARDS:
                sent.append((shard, number))
                region.deliver(shard, (shard, number), None)
        self.run(40)
        assert sorted(self.delivered + self.dropped) == sorted(sent), dict(self.running)
        for shard in SHARDS:
            assert len(self.running[shard]) == 1


def lived(seed: int) -> None:
    world = World(seed)
    chance = world.random
    size = 2 + seed % 4
    for number in range(1, size + 1):
        world.start(number)
        world.run(chance.uniform(0, 3))
    world.all_reach_all()
    following = size + 1
    for _ in range(5):
        action = chance.random()
        alive = sorted(world.regions)
        if action < 0.35 or len(alive) < 2:
            world.start(following)
            following += 1
        elif action < 0.6:
            world.crash(chance.choice(alive))
        elif action < 0.8:
            world.leave(chance.choice(alive))
        for number in list(world.regions):
            for shard in chance.sample(SHARDS, 3):
                world.regions[number].deliver(shard, (shard, "under way"), None)
        world.run(chance.choice([0.5, 3.0, 20.0]))
    world.run(60)
    for shard in world.remembered or ():
        assert len(world.running[shard]) == 1, "a remembered shard is nowhere until somebody asks for it"
    world.all_reach_all()
    (coordinator,) = world.coordinators.values()
    assert coordinator.phase is Phase.ACTIVE
    counts = [len(shards) for shards in coordinator.state.regions.values()]
    assert max(counts) - min(counts) <= 1, "the shards are not evened out"


@pytest.mark.parametrize("seed", range(30))
def test_a_shard_is_in_one_place_and_messages_arrive(seed: int) -> None:
    lived(seed)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_thousands_of_lives() -> None:
    for seed in range(1_000, 1_000 + MANY):
        lived(seed)


def test_places_are_kept_when_the_coordinator_crashes() -> None:
    world = World(1)
    for number in (1, 2, 3):
        world.start(number)
    world.run(10)
    world.all_reach_all()
    before = {shard: set(places) for shard, places in world.running.items()}
    world.crash(1)
    world.run(30)
    world.all_reach_all()
    for shard, places in before.items():
        if places != {1}:
            assert world.running[shard] == places


def test_shards_move_to_a_node_that_comes_later() -> None:
    world = World(1)
    world.start(1)
    world.run(5)
    world.all_reach_all()
    assert all(places == {1} for places in world.running.values())
    world.start(2)
    world.run(60)
    assert sum(places == {2} for places in world.running.values()) == len(SHARDS) // 2
    world.all_reach_all()


def test_what_is_sent_before_there_is_a_coordinator_waits() -> None:
    world = World(1)
    world.start(1)
    region = world.regions[1]
    for number in range(5):
        region.deliver("shard1", ("shard1", number), None)
    world.run(10)
    assert world.delivered == [("shard1", number) for number in range(5)], "in order"
    world.regions[1]._buffer_limit = 2
    world.regions[1]._homes.clear()
    world.coordinators.clear()
    for number in range(3):
        region.deliver("shard2", ("shard2", number), None)
    assert world.dropped == [("shard2", 2)]
