"""Nodes that find each other in ZooKeeper, and a lease in it; on a ZooKeeper server of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from smackbox.akka import ActorSystem
from smackbox.akka.cluster.cluster import Cluster
from smackbox.akka.cluster.core import ClusterSettings
from smackbox.akka.cluster.member import MemberStatus
from smackbox.akka.cluster.zookeeper import ZooKeeperLease, ZooKeeperSeeds
from smackbox.akka.remote.remoting import Remoting
from smackbox.base.errors import SettingError
from smackbox.net.service import ServiceThread
from smackbox.zookeeper.server import ZooKeeperServer
from smackbox.zookeeper.settings import ZooKeeperSettings

LIMIT_S = 50.0


@pytest.fixture(scope="module")
def zookeeper() -> Iterator[ServiceThread]:
    with ServiceThread(ZooKeeperServer(ZooKeeperSettings())) as server:
        yield server


def run(work: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(LIMIT_S):
            await work

    asyncio.run(limited())


def test_three_nodes_that_start_at_once_form_one_cluster(zookeeper: ServiceThread) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            clusters = []
            for _ in range(3):
                system = await stack.enter_async_context(ActorSystem("lab"))
                clusters.append(Cluster(await Remoting.start(system), ClusterSettings(tick_s=0.03)))
            await asyncio.gather(*(cluster.join_zookeeper(f"zk://{zookeeper.url}/seeds") for cluster in clusters))
            for cluster in clusters:
                await cluster.until(MemberStatus.UP, LIMIT_S)
                while len(cluster.members) < len(clusters):
                    await asyncio.sleep(0.01)
            # who leads is known once all see all of them up: two clusters would never agree
            while len({cluster.leader for cluster in clusters}) > 1:
                await asyncio.sleep(0.01)

    run(main())


def test_who_becomes_the_lowest_asks_those_before_it_first() -> None:
    from smackbox.akka.actor.path import Address

    own, first, second = (Address("pekko", "lab", "h", port) for port in (1, 2, 3))
    asked: list[list[Address]] = []
    seeds = ZooKeeperSeeds("zk://h/lab", own, lambda addresses: asked.append(list(addresses)))
    seeds._changed(str(first).encode())
    seeds._changed(b"rubbish")
    seeds._changed(None)
    seeds._changed(str(second).encode())
    seeds._changed(str(own).encode())
    seeds._elected()
    assert asked == [[first], [second], [own, second, first]]


def test_a_lease_has_one_owner_and_is_free_after_its_session(zookeeper: ServiceThread) -> None:
    async def main() -> None:
        url = f"zk://{zookeeper.url}/leases"
        one, other = (ZooKeeperLease(url, "sbr", name) for name in ("one", "other"))
        await one.start()
        await other.start()
        try:
            assert await one.acquire() and one.is_held()
            assert await one.acquire(), "again"
            assert not await other.acquire() and not other.is_held()
            assert await one.release() and not one.is_held()
            assert await other.acquire()
            assert not await one.acquire()
            await other.stop()
            assert not other.is_held()
            assert await one.acquire()
        finally:
            await one.stop()

    run(main())


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(SettingError, match="not a ZooKeeper URL"):
        ZooKeeperLease("localhost:2181", "sbr", "one")
