"""Services on three nodes over the wire: found everywhere, gone when their actor or their node is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import pytest

from smackbox.akka import Actor, ActorRef, ActorSystem, Listing, PoisonPill, Props, Routers, ServiceKey
from smackbox.akka.cluster.cluster import Cluster
from smackbox.akka.cluster.core import ClusterSettings
from smackbox.akka.cluster.member import MemberStatus
from smackbox.akka.cluster.receptionist import KEYS, ClusterReceptionist, Entry, data_key
from smackbox.akka.ddata.replica import ReplicatorSettings
from smackbox.akka.remote.remoting import Remoting
from smackbox.akka.remote.serialization import SerializationError

LIMIT_S = 40.0
PARSER = ServiceKey[str]("parser")


class Where(Actor[str]):
    def receive(self, message: str) -> None:
        self.context.sender.tell(f"{message} at {self.context.system.address.port}")


class Collector(Actor[Any]):
    def __init__(self, heard: list[Any]) -> None:
        self._heard = heard

    def receive(self, message: Any) -> None:
        self._heard.append(message)


def run(work: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(LIMIT_S):
            await work

    asyncio.run(limited())


async def until(condition: Callable[[], Any]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def started(stack: AsyncExitStack, count: int) -> list[Cluster]:
    clusters: list[Cluster] = []
    for _ in range(count):
        system = await stack.enter_async_context(ActorSystem("lab"))
        clusters.append(Cluster(await Remoting.start(system), ClusterSettings(tick_s=0.03)))
    clusters[0].join()
    for cluster in clusters[1:]:
        cluster.join_seed_nodes([clusters[0].own.address])
    for cluster in clusters:
        await until(lambda c=cluster: [m.status for m in c.members] == [MemberStatus.UP] * count)
        ClusterReceptionist(cluster.system, ReplicatorSettings(gossip_s=0.2, notify_s=0.02))
    return clusters


def services(cluster: Cluster) -> frozenset[ActorRef[Any]]:
    return cluster.system.receptionist.find(PARSER)


def test_services_are_found_on_all_nodes_and_are_gone_with_their_actor_or_node() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            clusters = await started(stack, 3)
            first, _, third = clusters
            heard: list[Listing[str]] = []
            first.system.receptionist.subscribe(PARSER, first.system.spawn(Props.of(Collector, heard)))
            refs = [cluster.system.spawn(Where, "where") for cluster in clusters]
            for cluster, ref in zip(clusters, refs, strict=True):
                cluster.system.receptionist.register(PARSER, ref)
            for cluster in clusters:
                await until(lambda c=cluster: len(services(c)) == 3)
            await until(lambda: heard and len(heard[-1].instances) == 3)
            router = first.system.spawn(Routers.group(PARSER), "router")
            places = set()
            while len(places) < 3:
                places.add(await router.request("hello", LIMIT_S))
            refs[1].tell(PoisonPill())
            for cluster in clusters:
                await until(lambda c=cluster: len(services(c)) == 2)
            third.leave()
            await until(lambda: len(services(first)) == 1)
            assert services(first) == {refs[0]}

    run(main())


def test_who_registers_before_the_receptionist_of_the_cluster_is_found_as_well() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            (cluster,) = await started(stack, 1)
            system = await stack.enter_async_context(ActorSystem("lab"))
            late = Cluster(await Remoting.start(system), ClusterSettings(tick_s=0.03))
            system.receptionist.register(PARSER, system.spawn(Where, "early"))
            late.join_seed_nodes([cluster.own.address])
            ClusterReceptionist(system, ReplicatorSettings(gossip_s=0.2, notify_s=0.02))
            await until(lambda: len(services(cluster)) == 1)

    run(main())


def test_keys_and_entries_on_the_wire() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            (cluster,) = await started(stack, 1)
            both = cluster.serialization
            key = ServiceKey[str]("parser", "lab.Parse")
            assert both.write(key) == (26, "lab.Parse", b"parser") and both.read(26, "lab.Parse", b"parser") == key
            entry = Entry("pekko://lab@h:1/user/a#5", -7, 1_000)
            serializer, manifest, data = both.write(entry)
            assert (serializer, manifest) == (28, "a")
            found = both.read(28, "a", data)
            assert found == entry and found.created_ms == 1_000 and found.node.uid == -7
            with pytest.raises(SerializationError):
                both.read(28, "a", b"\x0a\x01x\x10\x01")

    run(main())


def test_the_map_of_a_service_is_a_jvms() -> None:
    assert [key.id for key in KEYS] == [f"ReceptionistKey_{number}" for number in (0, 4, 1, 3, 2)]
    assert data_key(ServiceKey("hello")) == KEYS[99162322 % 5]
