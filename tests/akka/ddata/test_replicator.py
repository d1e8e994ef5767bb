"""Replicators of three nodes over the wire, by the methods of `DistributedData`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import pytest

from smackbox.akka import Actor, ActorSystem, Props
from smackbox.akka.cluster.cluster import Cluster
from smackbox.akka.cluster.core import ClusterSettings
from smackbox.akka.cluster.member import MemberStatus
from smackbox.akka.ddata.consistency import All, Majority, Nodes
from smackbox.akka.ddata.counter import GCounter
from smackbox.akka.ddata.data import Key
from smackbox.akka.ddata.messages import Changed, Deleted
from smackbox.akka.ddata.orset import ORSet
from smackbox.akka.ddata.replica import ReplicatorSettings
from smackbox.akka.ddata.replicator import DistributedData, ReplicationError
from smackbox.akka.remote.remoting import Remoting

LIMIT_S = 40.0
FAST = ReplicatorSettings(gossip_s=0.2, notify_s=0.02)
HITS = Key[GCounter]("hits")
NAMES = Key[ORSet]("names")


def run(work: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(LIMIT_S):
            await work

    asyncio.run(limited())


async def until(condition: Callable[[], Any]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def started(stack: AsyncExitStack, count: int) -> list[DistributedData]:
    clusters = []
    for _ in range(count):
        system = await stack.enter_async_context(ActorSystem("lab"))
        clusters.append(Cluster(await Remoting.start(system), ClusterSettings(tick_s=0.03)))
    clusters[0].join()
    for cluster in clusters[1:]:
        cluster.join_seed_nodes([clusters[0].own.address])
    data = [DistributedData(cluster.system, FAST) for cluster in clusters]
    for cluster in clusters:
        await cluster.until(MemberStatus.UP, LIMIT_S)
        await until(lambda c=cluster: [member.status for member in c.members] == [MemberStatus.UP] * count)
    return data


class Collector(Actor[Any]):
    def __init__(self, heard: list[Any]) -> None:
        self._heard = heard

    def receive(self, message: Any) -> None:
        self._heard.append(message)


def test_changes_are_read_everywhere() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            first, second, third = await started(stack, 3)
            assert await second.get(HITS) is None
            await first.update(HITS, GCounter(), lambda data: data.increment(first.own, 3), Majority(5.0))
            await second.update(HITS, GCounter(), lambda data: data.increment(second.own, 4), All(5.0))
            found = await third.get(HITS, Majority(5.0))
            assert found is not None and found.value == 7
            await first.update(NAMES, ORSet(), lambda data: data.add(first.own, "a"))
            await third.update(NAMES, ORSet(), lambda data: data.add(third.own, "b"))
            names: ORSet | None = None
            while names is None or names.elements != {"a", "b"}:
                await asyncio.sleep(0.02)
                names = await second.get(NAMES)

    run(main())


def test_subscribers_hear_of_changes_here_and_elsewhere() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            first, second = await started(stack, 2)
            heard: list[Any] = []
            collector = first.replicator.system.spawn(Props.of(Collector, heard))
            first.subscribe(HITS, collector)
            await second.update(HITS, GCounter(), lambda data: data.increment(second.own, 3))
            await until(lambda: heard)
            assert isinstance(heard[0], Changed) and heard[0].key == HITS and heard[0].data.value == 3
            await first.update(HITS, GCounter(), lambda data: data.increment(first.own, 1))
            await until(lambda: heard[-1].data.value == 4)
            await second.delete(HITS, All(5.0))
            await until(lambda: heard[-1] == Deleted(HITS))
            with pytest.raises(ReplicationError, match="it was deleted"):
                await first.get(HITS)
            with pytest.raises(ReplicationError, match="it was deleted"):
                await first.update(HITS, GCounter(), lambda data: data)
            count = len(heard)
            first.unsubscribe(NAMES, collector)
            first.subscribe(NAMES, collector)
            first.unsubscribe(NAMES, collector)
            await first.update(NAMES, ORSet(), lambda data: data.add(first.own, "a"))
            await asyncio.sleep(3 * FAST.notify_s)
            assert len(heard) == count

    run(main())


def test_what_cannot_be_done_is_an_error_that_says_why() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            first, second = await started(stack, 2)
            with pytest.raises(ReplicationError, match="not enough nodes"):
                await first.get(HITS, Nodes(0.1, 3))
            with pytest.raises(ReplicationError, match="enough nodes"):
                await first.update(HITS, GCounter(), lambda data: data.increment(first.own), Nodes(0.1, 3))
            with pytest.raises(ReplicationError, match="only grows") as error:
                await second.update(HITS, GCounter(), lambda data: data.increment(second.own, -1))
            assert isinstance(error.value.__cause__, ValueError)
            again = DistributedData(first.replicator.system)
            assert again.replicator == first.replicator

    run(main())
