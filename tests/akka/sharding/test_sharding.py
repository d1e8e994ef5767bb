"""Entities on three nodes over the wire: found by id, moved, passivated, asked through proxies."""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from smackbox.akka import Actor, ActorRef, ActorSystem, AskTimeoutError, DeadLetter, Props
from smackbox.akka.cluster.cluster import Cluster
from smackbox.akka.cluster.core import ClusterSettings
from smackbox.akka.cluster.member import MemberStatus
from smackbox.akka.ddata.replica import ReplicatorSettings
from smackbox.akka.remote.remoting import Remoting
from smackbox.akka.sharding.allocation import LimitedShardAllocation
from smackbox.akka.sharding.messages import (
    CurrentRegions,
    CurrentShardRegionState,
    GetClusterShardingStats,
    GetCurrentRegions,
    GetShardRegionState,
    Passivate,
    ShardingEnvelope,
    StartEntity,
    StartEntityAck,
)
from smackbox.akka.sharding.sharding import ClusterSharding, Entity, EntityContext, EntityTypeKey, ShardingSettings

LIMIT_S = 40.0
FAST_S = 0.03
SHARDS = 6


class Ask(msgspec.Struct, frozen=True, rename="camel"):
    reply_to: ActorRef[Any]


COUNTER = EntityTypeKey[Any]("a counter")
IDS = [f"id {number}" for number in range(12)]


class Counter(Actor[Any]):
    """Says where it is and how many messages it had."""

    def __init__(self, entity: EntityContext, living: set[str]) -> None:
        self._entity = entity
        self._count = 0
        self._living = living
        assert entity.entity_id not in living, "an entity in two places"
        living.add(entity.entity_id)

    def receive(self, message: Any) -> None:
        if message == "passivate":
            self._entity.shard.tell(Passivate("stop"), self.context.ref)
        elif message == "stop":
            self.context.stop()
        elif isinstance(message, Ask):
            message.reply_to.tell(f"{self._entity.entity_id} is asked")
        else:
            self._count += 1
            self.context.sender.tell(f"{self.context.system.address.port} {self._entity.entity_id} {self._count}")

    def post_stop(self) -> None:
        self._living.discard(self._entity.entity_id)


class Node:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        cluster.serialization.register("lab.Ask", Ask)
        self.sharding = ClusterSharding(cluster.system)

    @property
    def port(self) -> str:
        return str(self.cluster.own.address.port)

    def init(self, living: set[str], **settings: Any) -> ActorRef[Any]:
        settings.setdefault("replicator", ReplicatorSettings(gossip_s=0.3, prefer_oldest=True))
        made = ShardingSettings(
            number_of_shards=SHARDS,
            retry_s=0.2,
            rebalance_s=0.3,
            strategy=LimitedShardAllocation(relative_limit=0.5),
            **settings,
        )
        return self.sharding.init(Entity(COUNTER, lambda entity: Props.of(Counter, entity, living), settings=made))

    async def ask(self, entity_id: str) -> list[str]:
        answer: str = await self.sharding.entity_ref_for(COUNTER, entity_id).request("count", LIMIT_S)
        return answer.replace(entity_id, "").split()

    async def places(self) -> dict[str, str]:
        return {entity_id: await self._place(entity_id) for entity_id in IDS}

    async def _place(self, entity_id: str) -> str:
        """Asked again where it is under way: what waits at a region that hands over is dropped."""
        entity = self.sharding.entity_ref_for(COUNTER, entity_id)
        while True:
            try:
                answer: str = await entity.request("count", 1.0)
            except AskTimeoutError:
                continue
            return answer.partition(" ")[0]


def run(work: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(LIMIT_S):
            await work

    asyncio.run(limited())


async def until(condition: Callable[[], Any]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def node(stack: AsyncExitStack, seed: Node | None, *roles: str) -> Node:
    system = await stack.enter_async_context(ActorSystem("lab"))
    made = Node(Cluster(await Remoting.start(system), ClusterSettings(frozenset(roles), tick_s=FAST_S)))
    if seed is None:
        made.cluster.join()
    else:
        made.cluster.join_seed_nodes([seed.cluster.own.address])
    await made.cluster.until(MemberStatus.UP, LIMIT_S)
    return made


def test_entities_are_found_from_every_node_and_move_to_a_new_one() -> None:
    async def main() -> None:
        living: set[str] = set()
        async with AsyncExitStack() as stack:
            first = await node(stack, None)
            first.init(living)
            assert set((await first.places()).values()) == {first.port}
            second = await node(stack, first)
            second.init(living)
            while len(set((await second.places()).values())) < 2:
                await asyncio.sleep(0.05)
            places = await second.places()
            assert await first.places() == places, "the same entities, asked from both"
            assert living == set(IDS)
            regions = await second.sharding.shard_region(COUNTER).request(GetCurrentRegions(), LIMIT_S)
            assert regions == CurrentRegions(frozenset({first.cluster.own.address, second.cluster.own.address}))
            answer = await second.sharding.shard_region(COUNTER).request(GetClusterShardingStats(5.0), LIMIT_S)
            counted = {str(address.port): sum(one.stats.values()) for address, one in answer.regions.items()}
            assert counted == dict(collections.Counter(places.values()))

    run(main())


def test_a_leaving_node_hands_its_entities_over_and_the_coordinator_moves_with_the_oldest() -> None:
    async def main() -> None:
        living: set[str] = set()
        async with AsyncExitStack() as stack:
            first = await node(stack, None)
            others = [await node(stack, first) for _ in range(2)]
            for one in (first, *others):
                one.init(living)
            while len(set((await others[0].places()).values())) < 3:
                await asyncio.sleep(0.05)
            first.cluster.leave()
            await until(lambda: first.cluster.system.is_terminated)
            ports = {one.port for one in others}
            places = await others[0].places()
            assert set(places.values()) == ports and await others[1].places() == places
            assert living == set(IDS)

    run(main())


def test_an_idle_entity_is_passivated_and_comes_back() -> None:
    async def main() -> None:
        living: set[str] = set()
        async with AsyncExitStack() as stack:
            first = await node(stack, None)
            region = first.init(living, passivate_after_s=0.2)
            assert (await first.ask("id 1"))[1] == "1" and (await first.ask("id 1"))[1] == "2"
            await until(lambda: not living)
            assert (await first.ask("id 1"))[1] == "1", "another instance"
            state = await region.request(GetShardRegionState(), LIMIT_S)
            assert isinstance(state, CurrentShardRegionState)
            assert {"id 1"} in state.shards.values() and state.failed == set()

    run(main())


def test_those_that_were_asked_longest_ago_go_where_there_are_too_many() -> None:
    async def main() -> None:
        living: set[str] = set()
        async with AsyncExitStack() as stack:
            first = await node(stack, None)
            first.init(living, passivate_after_s=None, active_entities=2 * SHARDS)
            for number in range(60):
                assert await first.ask(f"guest {number}") == [first.port, "1"]
                assert (await first.ask("id 1"))[1] == str(number + 1), "asked all the time, it stays"
            await until(lambda: len(living) <= 2 * SHARDS)
            assert {"id 1", "guest 59"} <= living
            assert await first.ask("guest 0") == [first.port, "1"], "another instance"

    run(main())


def test_what_comes_while_an_entity_passivates_waits_for_its_next_instance() -> None:
    async def main() -> None:
        living: set[str] = set()
        async with AsyncExitStack() as stack:
            first = await node(stack, None)
            first.init(living, passivate_after_s=None)
            assert (await first.ask("x"))[1] == "1"
            lost: list[DeadLetter] = []
            first.cluster.system.events.subscribe(DeadLetter, lost.append)
            entity = first.sharding.entity_ref_for(COUNTER, "x")
            entity.tell("passivate")
            answers = [await first.ask("x") for _ in range(3)]
            assert [count for _, count in answers] in (["1", "2", "3"], ["2", "1", "2"])
            assert not [letter for letter in lost if letter.message == "count"]

    run(main())


def test_a_node_without_the_role_asks_through_a_proxy() -> None:
    async def main() -> None:
        living: set[str] = set()
        async with AsyncExitStack() as stack:
            front = await node(stack, None)
            back = await node(stack, front, "back")
            for one in (front, back):
                one.init(living, role="back")
            assert set((await front.places()).values()) == {back.port}
            entity = front.sharding.entity_ref_for(COUNTER, "id 1")
            assert await entity.ask(Ask, LIMIT_S) == "id 1 is asked"
            region = front.sharding.shard_region(COUNTER)
            assert region.path.elements == ("system", "sharding", "a+counterProxy")
            assert isinstance(await region.request(StartEntity("new"), LIMIT_S), StartEntityAck)
            assert "new" in living
            assert front.sharding is ClusterSharding(front.cluster.system)

    run(main())


def test_what_cannot_be_found_is_an_error_that_says_why() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            first = await node(stack, None)
            with pytest.raises(LookupError, match="call init"):
                first.sharding.entity_ref_for(COUNTER, "x")
            region = first.init(set())
            assert first.init(set()) is region
            with pytest.raises(ValueError, match="not empty"):
                first.sharding.entity_ref_for(COUNTER, "")
            lost: list[DeadLetter] = []
            first.cluster.system.events.subscribe(DeadLetter, lost.append)
            region.tell(ShardingEnvelope("", "count"))
            await until(lambda: any("without an id" in letter.reason for letter in lost))

    run(main())


def test_messages_of_ones_own_are_routed_by_a_function() -> None:
    async def main() -> None:
        living: set[str] = set()
        async with AsyncExitStack() as stack:
            first = await node(stack, None)
            entity = Entity(
                COUNTER,
                lambda entity: Props.of(Counter, entity, living),
                settings=ShardingSettings(number_of_shards=SHARDS, retry_s=0.2),
                extract=lambda message: ("own", message) if message == "count" else None,
            )
            region = first.sharding.init(entity)
            assert str(await region.request("count", LIMIT_S)).endswith("own 1")

    run(main())


def test_remembered_entities_start_again_where_their_shard_goes_and_passivated_ones_do_not() -> None:
    async def main() -> None:
        living: set[str] = set()
        async with AsyncExitStack() as stack:
            first = await node(stack, None)
            second = await node(stack, first)
            for one in (first, second):
                one.init(living, remember_entities=True)
            await second.places()
            assert living == set(IDS)
            second.sharding.entity_ref_for(COUNTER, IDS[0]).tell("passivate")
            await until(lambda: living == set(IDS[1:]))
            await until_forgotten(second, IDS[0])
            first.cluster.leave()
            await until(lambda: first.cluster.system.is_terminated)
            await until(lambda: living == set(IDS[1:]))
            assert set((await second.places()).values()) == {second.port}

    run(main())


async def until_forgotten(node: Node, entity_id: str) -> None:
    """Until the replicator of sharding has it in no set."""
    region = node.sharding.shard_region(COUNTER)
    ids: set[str] = {entity_id}
    while entity_id in ids:
        await asyncio.sleep(0.02)
        state: CurrentShardRegionState = await region.request(GetShardRegionState(), LIMIT_S)
        ids = {one for entities in state.shards.values() for one in entities}
    await asyncio.sleep(0.3)


def test_remembered_entities_come_back_after_all_nodes_were_down(tmp_path: Path) -> None:
    async def main() -> None:
        living: set[str] = set()
        for round_number in range(2):
            async with AsyncExitStack() as stack:
                first = await node(stack, None)
                replicator = ReplicatorSettings(
                    gossip_s=0.3, durable_keys=("shard-*",), durable_file=tmp_path / "ddata" / "sharding.sqlite"
                )
                first.init(living, remember_entities=True, replicator=replicator)
                if round_number == 0:
                    await first.places()
                await until(lambda: living == set(IDS))
            assert not living

    run(main())


def test_a_remembered_entity_that_stops_by_itself_is_started_again() -> None:
    async def main() -> None:
        living: set[str] = set()
        async with AsyncExitStack() as stack:
            first = await node(stack, None)
            first.init(living, remember_entities=True, restart_s=0.1)
            assert (await first.ask("x"))[1] == "1"
            first.sharding.entity_ref_for(COUNTER, "x").tell("stop")
            await until(lambda: not living)
            await until(lambda: living == {"x"})
            assert (await first.ask("x"))[1] == "1"

    run(main())
