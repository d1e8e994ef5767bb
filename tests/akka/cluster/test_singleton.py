"""A singleton and its proxies on three nodes over the wire: it moves with what waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import pytest

from smackbox.akka import Actor, ActorRef, ActorSystem, DeadLetter
from smackbox.akka.cluster.cluster import Cluster
from smackbox.akka.cluster.core import ClusterSettings
from smackbox.akka.cluster.member import MemberStatus
from smackbox.akka.cluster.singleton import ClusterSingleton, SingletonActor, SingletonSettings
from smackbox.akka.cluster.singleton_manager import HandOver
from smackbox.akka.remote.remoting import Remoting

LIMIT_S = 50.0
FAST_S = 0.03


class Where(Actor[Any]):
    def __init__(self, running: list[str]) -> None:
        self._running = running
        self._name = str(self.context.system.address.port)
        running.append(self._name)

    def receive(self, message: Any) -> None:
        if message == "last words":
            self.context.stop()
        else:
            self.context.sender.tell(f"{message} at {self._name}")

    def post_stop(self) -> None:
        self._running.remove(self._name)


class Running(list[str]):
    stopped: Callable[[], object] = staticmethod(lambda: None)

    def remove(self, value: str) -> None:
        super().remove(value)
        self.stopped()


def run(work: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(LIMIT_S):
            await work

    asyncio.run(limited())


async def until(condition: Callable[[], Any]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


class Node:
    def __init__(self, cluster: Cluster, singleton: SingletonActor) -> None:
        self.cluster = cluster
        self.proxy: ActorRef[Any] = ClusterSingleton(cluster.system).init(singleton)

    @classmethod
    async def start(cls, stack: AsyncExitStack, singleton: SingletonActor, *roles: str) -> Node:
        system = await stack.enter_async_context(ActorSystem("lab"))
        remoting = await Remoting.start(system)
        return cls(Cluster(remoting, ClusterSettings(frozenset(roles), tick_s=FAST_S)), singleton)

    async def where(self) -> str:
        answer = await self.proxy.request("here", LIMIT_S)
        return str(answer).removeprefix("here at ")

    @property
    def port(self) -> str:
        return str(self.cluster.own.address.port)


def singleton(running: list[str], role: str | None = None) -> SingletonActor:
    from smackbox.akka import Props

    return SingletonActor(
        Props.of(Where, running), "where", "last words", SingletonSettings(role, identify_s=0.1, retry_s=0.1)
    )


def test_it_runs_on_the_oldest_and_moves_when_that_one_leaves() -> None:
    async def main() -> None:
        running: list[str] = []
        async with AsyncExitStack() as stack:
            nodes = [await Node.start(stack, singleton(running)) for _ in range(3)]
            nodes[0].cluster.join()
            await nodes[0].cluster.until(MemberStatus.UP, LIMIT_S)
            for node in nodes[1:]:
                node.cluster.join_seed_nodes([nodes[0].cluster.own.address])
                await node.cluster.until(MemberStatus.UP, LIMIT_S)
            assert [await node.where() for node in nodes] == [nodes[0].port] * 3
            assert running == [nodes[0].port]
            nodes[0].cluster.leave()
            await until(lambda: running == [nodes[1].port])
            assert [await node.where() for node in nodes[1:]] == [nodes[1].port] * 2
            nodes[1].cluster.leave()
            await until(lambda: running == [nodes[2].port])
            assert await nodes[2].where() == nodes[2].port

    run(main())


def test_what_is_told_while_it_moves_waits() -> None:
    async def main() -> None:
        running = Running()
        async with AsyncExitStack() as stack:
            first, second = [await Node.start(stack, singleton(running)) for _ in range(2)]
            asked = asyncio.ensure_future(second.where())
            await asyncio.sleep(0)
            first.cluster.join()
            second.cluster.join_seed_nodes([first.cluster.own.address])
            assert await asked == first.port
            asked_late: list[asyncio.Future[str]] = []
            running.stopped = lambda: asked_late.append(asyncio.ensure_future(second.where()))
            first.cluster.leave()
            await until(lambda: asked_late)
            assert await asked_late[0] == second.port

    run(main())


def test_a_role_decides_where_it_runs_and_others_have_a_proxy() -> None:
    async def main() -> None:
        running: list[str] = []
        async with AsyncExitStack() as stack:
            front = await Node.start(stack, singleton(running, "back"))
            back = await Node.start(stack, singleton(running, "back"), "back")
            front.cluster.join()
            back.cluster.join_seed_nodes([front.cluster.own.address])
            assert await front.where() == back.port
            again = ClusterSingleton(front.cluster.system).init(singleton(running, "back"))
            assert again == front.proxy

    run(main())


def test_a_full_proxy_drops_the_oldest_message() -> None:
    async def main() -> None:
        async with ActorSystem("lab") as system:
            Cluster(await Remoting.start(system))
            dropped: list[Any] = []
            system.events.subscribe(DeadLetter, lambda letter: dropped.append(letter.message))
            proxy = ClusterSingleton(system).proxy("none", SingletonSettings(buffer_limit=2))
            for number in range(4):
                proxy.tell(number)
            await until(lambda: dropped == [0, 1])

    run(main())


def test_a_system_without_a_cluster_has_no_singleton() -> None:
    async def main() -> None:
        async with ActorSystem("lab") as system:
            with pytest.raises(LookupError, match="make a Cluster"):
                ClusterSingleton(system)

    run(main())


@pytest.mark.parametrize("message", list(HandOver))
def test_messages_on_the_wire(message: HandOver) -> None:
    async def main() -> None:
        async with ActorSystem("lab") as system:
            cluster = Cluster(await Remoting.start(system))
            ClusterSingleton(system)
            assert cluster.serialization.write(message) == (14, message.value, b"")
            assert cluster.serialization.read(14, message.value, b"") is message

    run(main())
