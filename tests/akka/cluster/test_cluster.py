"""Nodes of ours on the wire: they join by seed nodes, become Up, hear events, leave and are removed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import pytest

from smackbox.akka import ActorSystem
from smackbox.akka.actor.path import Address
from smackbox.akka.cluster.cluster import Cluster
from smackbox.akka.cluster.core import ClusterSettings
from smackbox.akka.cluster.member import MemberStatus
from smackbox.akka.cluster.messages import DomainEvent, MemberEvent, MemberRemoved
from smackbox.akka.remote.remoting import Remoting

LIMIT_S = 50.0
FAST_S = 0.03


def run(work: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(LIMIT_S):
            await work

    asyncio.run(limited())


async def until(condition: Callable[[], Any]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def node(stack: AsyncExitStack, name: str = "lab") -> Cluster:
    system = await stack.enter_async_context(ActorSystem(name))
    return Cluster(await Remoting.start(system), ClusterSettings(tick_s=FAST_S))


def statuses(cluster: Cluster) -> list[MemberStatus]:
    return [member.status for member in cluster.members]


def test_three_nodes_form_a_cluster_and_one_leaves() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            first, second, third = [await node(stack) for _ in range(3)]
            heard: list[DomainEvent] = []
            first.subscribe(heard.append)
            seeds = [first.own.address, second.own.address]
            for cluster in (first, second, third):
                cluster.join_seed_nodes(seeds)
            for cluster in (first, second, third):
                await cluster.until(MemberStatus.UP, LIMIT_S)
                await until(lambda cluster=cluster: statuses(cluster) == [MemberStatus.UP] * 3)
            assert first.leader == second.leader == third.leader
            third.leave()
            await until(lambda: third.is_terminated and third.system.is_terminated)
            for cluster in (first, second):
                await until(lambda cluster=cluster: statuses(cluster) == [MemberStatus.UP] * 2)
            removed = [event for event in heard if isinstance(event, MemberRemoved)]
            assert [event.member.node for event in removed] == [third.own]
            assert removed[0].previous is MemberStatus.EXITING
            ups = {event.member.node for event in heard if type(event) is MemberEvent and event.member.up_number == 1}
            assert ups

    run(main())


def test_a_node_alone_forms_a_cluster_and_shuts_down() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            cluster = await node(stack)
            cluster.join()
            assert cluster.self_status is MemberStatus.UP and cluster.leader == cluster.own.address
            await cluster.system.shutdown.run("the end")
            assert cluster.is_terminated

    run(main())


def test_a_shutdown_leaves_the_cluster() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            first, second = await node(stack), await node(stack)
            first.join()
            second.join_seed_nodes([first.own.address])
            await second.until(MemberStatus.UP, LIMIT_S)
            await second.system.shutdown.run("the end")
            await until(lambda: statuses(first) == [MemberStatus.UP])

    run(main())


def test_a_node_that_is_downed_ends_its_system() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            first, second = await node(stack), await node(stack)
            first.join()
            second.join_seed_nodes([first.own.address])
            await second.until(MemberStatus.UP, LIMIT_S)
            first.down(second.own.address)
            await until(lambda: second.system.is_terminated)
            await until(lambda: statuses(first) == [MemberStatus.UP])

    run(main())


def test_a_system_of_another_name_cannot_be_joined() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            cluster = await node(stack)
            with pytest.raises(ValueError, match="no node of this cluster"):
                cluster.join_seed_nodes([Address.parse("pekko://other@127.0.0.1:1")])
            with pytest.raises(TimeoutError):
                await cluster.until(MemberStatus.UP, 0.01)

    run(main())
