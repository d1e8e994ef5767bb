"""A Python node beside a JVM's, for the contract tests of the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from bench.engines import real_pekko

from smackbox.akka import ActorSystem
from smackbox.akka.actor.path import Address
from smackbox.akka.cluster.cluster import Cluster
from smackbox.akka.cluster.core import ClusterSettings
from smackbox.akka.cluster.member import MemberStatus
from smackbox.akka.remote.remoting import Remoting

LIMIT_S = 40.0


class Lab:
    """A Python node beside a JVM's; `say` commands the JVM's node."""

    def __init__(
        self, remoting: Remoting, pekko: real_pekko.RealPekko, settings: ClusterSettings | None = None
    ) -> None:
        self.remoting = remoting
        self.system = remoting.system
        self.cluster = Cluster(remoting, settings)
        self.jvm = Address.parse(pekko.address)
        self._control = remoting.resolve(f"{pekko.address}/user/control")

    @classmethod
    async def start(
        cls, stack: AsyncExitStack, pekko: real_pekko.RealPekko, settings: ClusterSettings | None = None
    ) -> Lab:
        system = await stack.enter_async_context(ActorSystem("lab"))
        return cls(await Remoting.start(system), pekko, settings)

    @property
    def address(self) -> Address:
        return self.remoting.address

    async def say(self, command: str) -> Any:
        return await self._control.request(command, LIMIT_S)

    async def jvm_sees(self, **ports: str) -> None:
        while sorted((await self.say("members")).split()) != sorted(f"{port[1:]}:{s}" for port, s in ports.items()):
            await asyncio.sleep(0.1)


def key(address: Address) -> str:
    return f"p{address.port}"


async def until(condition: Callable[[], Any]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def run(work: Callable[[AsyncExitStack], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(3 * LIMIT_S), AsyncExitStack() as stack:
            await work(stack)

    asyncio.run(main())


def all_up(cluster: Cluster, count: int) -> bool:
    return [member.status for member in cluster.members] == [MemberStatus.UP] * count
