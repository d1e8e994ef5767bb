"""Python nodes and a real Pekko 1.4 in one cluster: joining both ways, staying reachable, leaving, a killed JVM."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from bench.engines import real_pekko
from tests.contract.akka.jvm_lab import LIMIT_S, Lab, all_up, key, run, until

from smackbox.akka.cluster.member import MemberStatus
from smackbox.akka.cluster.messages import DomainEvent, UnreachableMember

pytestmark = [pytest.mark.polyglot, pytest.mark.xdist_group("pekko")]

STAY_S = 8.0
"""Longer than a silent node is forgiven."""


@pytest.fixture
def pekko() -> Iterator[real_pekko.RealPekko]:
    if reason := real_pekko.missing():
        pytest.skip(reason)
    with real_pekko.RealPekko(provider="cluster") as node:
        yield node


def test_a_python_node_joins_stays_reachable_leaves_and_is_removed(pekko: real_pekko.RealPekko) -> None:
    async def work(stack: AsyncExitStack) -> None:
        node, watcher = await Lab.start(stack, pekko), await Lab.start(stack, pekko)
        await watcher.say(f"join {pekko.address}")
        heard: list[DomainEvent] = []
        node.cluster.subscribe(heard.append, UnreachableMember)
        watcher.cluster.subscribe(heard.append, UnreachableMember)
        for joining in (node, watcher):
            joining.cluster.join_seed_nodes([joining.jvm])
            await joining.cluster.until(MemberStatus.UP, LIMIT_S)
        everybody = {key(node.jvm): "Up", key(node.address): "Up", key(watcher.address): "Up"}
        await watcher.jvm_sees(**everybody)
        await until(lambda: all_up(node.cluster, 3) and all_up(watcher.cluster, 3))
        await asyncio.sleep(STAY_S)
        await watcher.jvm_sees(**everybody)
        assert not heard
        assert node.cluster.leader == watcher.cluster.leader
        node.cluster.leave()
        await until(lambda: node.cluster.is_terminated)
        del everybody[key(node.address)]
        await watcher.jvm_sees(**everybody)
        await until(lambda: all_up(watcher.cluster, 2))

    run(work)


def test_a_jvm_joins_a_python_nodes_cluster_and_leaves_it(pekko: real_pekko.RealPekko) -> None:
    async def work(stack: AsyncExitStack) -> None:
        node = await Lab.start(stack, pekko)
        node.cluster.join()
        await node.say(f"join {node.address}")
        await until(lambda: all_up(node.cluster, 2))
        await node.jvm_sees(**{key(node.jvm): "Up", key(node.address): "Up"})
        await node.say(f"leave {node.jvm}")
        await until(lambda: all_up(node.cluster, 1))

    run(work)


def test_a_jvm_that_is_killed_becomes_unreachable_and_is_downed(pekko: real_pekko.RealPekko) -> None:
    async def work(stack: AsyncExitStack) -> None:
        node = await Lab.start(stack, pekko)
        node.cluster.join()
        await node.say(f"join {node.address}")
        await until(lambda: all_up(node.cluster, 2))
        await asyncio.sleep(2)
        pekko.kill()
        await until(lambda: node.cluster.state.reachability.unreachable)
        node.cluster.down(node.jvm)
        await until(lambda: all_up(node.cluster, 1))

    run(work)
