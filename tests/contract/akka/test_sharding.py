"""Entities of one type on JVMs and Python nodes together: each id in one place, wherever it is asked, whoever leads."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest
from bench.engines import real_pekko
from tests.contract.akka.jvm_lab import LIMIT_S, Lab, all_up, run, until

from smackbox.akka import Actor, ActorRef, Props
from smackbox.akka.cluster.member import MemberStatus
from smackbox.akka.sharding.messages import (
    CurrentRegions,
    GetClusterShardingStats,
    GetCurrentRegions,
    GetShardRegionState,
)
from smackbox.akka.sharding.sharding import ClusterSharding, Entity, EntityContext, EntityTypeKey, ShardingSettings

pytestmark = [pytest.mark.polyglot, pytest.mark.xdist_group("pekko")]

IDS = [f"id-{number}" for number in range(12)]
CONFIG = "pekko.cluster.sharding.rebalance-interval = 1s"
REMEMBER = f"""{CONFIG}
pekko.cluster.sharding.remember-entities = on
pekko.cluster.sharding.distributed-data.durable.keys = []
"""


class Hello(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    number: int
    reply_to: ActorRef[Any] | None = None


COUNTER = EntityTypeKey[Hello]("Counter")


class Counter(Actor[Hello]):
    def __init__(self, entity: EntityContext) -> None:
        self._id = entity.entity_id
        self._count = 0

    def receive(self, message: Hello) -> None:
        assert message.reply_to is not None
        self._count += 1
        port = self.context.system.address.port
        message.reply_to.tell(Hello(f"python {port} {self._id}", self._count), self.context.ref)


class Node(Lab):
    """A Python node that hosts entities beside those of its JVM."""

    def begin(self, *, remember: bool = False) -> None:
        self.remoting.serialization.register("lab.Node$Hello", Hello)
        self.sharding = ClusterSharding(self.system)
        settings = ShardingSettings(rebalance_s=1.0, remember_entities=remember)
        self.sharding.init(Entity(COUNTER, lambda entity: Props.of(Counter, entity), settings=settings))
        self.entities = self.remoting.resolve(f"{self.jvm}/user/entities")

    async def place(self, entity_id: str) -> str:
        """Asked again where it is under way: what waits at a region that hands over is dropped."""
        ref = self.sharding.entity_ref_for(COUNTER, entity_id)
        for _ in range(12):
            try:
                answer = await ref.ask(lambda promise: Hello("ask", 0, promise), 5.0)
            except TimeoutError:
                continue
            return answer.name.removesuffix(f" {entity_id}")
        raise AssertionError(f"{entity_id} is nowhere")

    async def running(self) -> set[str]:
        """Which entities this node's region has, without asking them."""
        state = await self.sharding.shard_region(COUNTER).request(GetShardRegionState(), LIMIT_S)
        return set().union(*state.shards.values())

    async def places(self) -> dict[str, str]:
        return {entity_id: await self.place(entity_id) for entity_id in IDS}

    async def jvm_places(self) -> dict[str, str]:
        places = {}
        for entity_id in IDS:
            answer = await self.entities.request(entity_id, LIMIT_S)
            places[entity_id] = answer.rpartition(f" {entity_id} ")[0]
        return places

    async def settled(self, kinds: set[str]) -> dict[str, str]:
        while True:
            places = await self.places()
            if {place.partition(" ")[0] for place in places.values()} == kinds and await self.places() == places:
                return places
            await asyncio.sleep(0.5)


async def node(stack: AsyncExitStack, pekko: real_pekko.RealPekko) -> Node:
    made = await Node.start(stack, pekko)
    assert isinstance(made, Node)
    return made


def pekkos(stack: AsyncExitStack, count: int, config: str = CONFIG) -> list[real_pekko.RealPekko]:
    if reason := real_pekko.missing():
        pytest.skip(reason)
    return [
        stack.enter_context(real_pekko.RealPekko(provider="cluster", config=config, sharding=True))
        for _ in range(count)
    ]


def test_a_jvm_coordinates_entities_of_both(  # the JVM is the oldest
) -> None:
    async def work(stack: AsyncExitStack) -> None:
        (pekko,) = pekkos(stack, 1)
        python = await node(stack, pekko)
        await python.say(f"join {pekko.address}")
        python.cluster.join_seed_nodes([python.jvm])
        await python.cluster.until(MemberStatus.UP, LIMIT_S)
        python.begin()
        await python.entities.request("sharding", LIMIT_S)
        places = await python.settled({"jvm", "python"})
        assert await python.jvm_places() == places
        regions = await python.sharding.shard_region(COUNTER).request(GetCurrentRegions(), LIMIT_S)
        answer = await python.sharding.shard_region(COUNTER).request(GetClusterShardingStats(5.0), LIMIT_S)
        assert set(answer.regions) == regions.regions
        assert sum(sum(one.stats.values()) for one in answer.regions.values()) == len(IDS)
        assert regions == CurrentRegions(frozenset({python.jvm, python.address}))
        await python.say(f"leave {pekko.address}")
        await until(lambda: all_up(python.cluster, 1))
        assert set((await python.settled({"python"})).values()) == {f"python {python.address.port}"}

    run(work)


def test_a_python_node_coordinates_and_a_jvm_takes_over_with_the_places(  # the Python node is the oldest
) -> None:
    async def work(stack: AsyncExitStack) -> None:
        (pekko,) = pekkos(stack, 1)
        first, second = await node(stack, pekko), await node(stack, pekko)
        first.cluster.join()
        first.begin()
        await first.say(f"join {first.address}")
        await until(lambda: all_up(first.cluster, 2))
        second.cluster.join_seed_nodes([first.address])
        await second.cluster.until(MemberStatus.UP, LIMIT_S)
        second.begin()
        await first.entities.request("sharding", LIMIT_S)
        while len(set((await first.places()).values())) < 3:
            await asyncio.sleep(0.5)
        before = await second.settled({"jvm", "python"})
        assert await second.jvm_places() == before
        first.cluster.leave()
        await until(lambda: first.cluster.is_terminated and all_up(second.cluster, 2))
        after = await second.settled({"jvm", "python"})
        kept = [entity_id for entity_id in IDS if before[entity_id] != f"python {first.address.port}"]
        assert kept and all(after[entity_id] == before[entity_id] for entity_id in kept)
        assert await second.jvm_places() == after

    run(work)


def test_entities_of_a_jvm_that_leaves_are_remembered_here() -> None:
    async def work(stack: AsyncExitStack) -> None:
        (pekko,) = pekkos(stack, 1, REMEMBER)
        python = await node(stack, pekko)
        await python.say(f"join {pekko.address}")
        python.cluster.join_seed_nodes([python.jvm])
        await python.cluster.until(MemberStatus.UP, LIMIT_S)
        python.begin(remember=True)
        await python.entities.request("sharding", LIMIT_S)
        places = await python.settled({"jvm", "python"})
        own = {entity_id for entity_id, place in places.items() if place.startswith("python")}
        assert await python.running() == own
        await python.say(f"leave {pekko.address}")
        await until(lambda: all_up(python.cluster, 1))
        while await python.running() != set(IDS):
            await asyncio.sleep(0.2)

    run(work)


def test_entities_of_a_python_node_that_leaves_are_remembered_by_a_jvm() -> None:
    async def work(stack: AsyncExitStack) -> None:
        (pekko,) = pekkos(stack, 1, REMEMBER)
        python, watcher = await node(stack, pekko), await node(stack, pekko)
        await python.say(f"join {pekko.address}")
        python.cluster.join_seed_nodes([python.jvm])
        await python.cluster.until(MemberStatus.UP, LIMIT_S)
        python.begin(remember=True)
        ClusterSharding(watcher.system)  # its messages; it is no member, only asks
        await python.entities.request("sharding", LIMIT_S)
        await python.settled({"jvm", "python"})
        python.cluster.leave()
        await until(lambda: python.cluster.is_terminated)
        region = watcher.remoting.resolve(f"{watcher.jvm}/system/sharding/Counter")
        running: set[str] = set()
        while running != set(IDS):
            await asyncio.sleep(0.2)
            state = await region.request(GetShardRegionState(), LIMIT_S)
            running = set().union(*state.shards.values())

    run(work)
