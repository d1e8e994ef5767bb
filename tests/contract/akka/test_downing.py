"""The split brain resolver beside a real Pekko's: who may join, who downs whom."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from bench.engines import real_pekko
from tests.contract.akka.jvm_lab import LIMIT_S, Lab, all_up, key, run, until

from smackbox.akka.cluster.core import ClusterSettings
from smackbox.akka.cluster.downing import PROVIDER, KeepMajority, KeepOldest, LeaseMajority
from smackbox.akka.cluster.member import MemberStatus
from smackbox.akka.cluster.resolver import DowningSettings

pytestmark = [pytest.mark.polyglot, pytest.mark.xdist_group("pekko")]

STABLE_S = 3.0
CONFIG = f"""
pekko.cluster.downing-provider-class = "{PROVIDER}"
pekko.cluster.split-brain-resolver {{ active-strategy = keep-oldest, stable-after = {STABLE_S}s }}
"""


@pytest.fixture
def pekko() -> Iterator[real_pekko.RealPekko]:
    if reason := real_pekko.missing():
        pytest.skip(reason)
    with real_pekko.RealPekko(provider="cluster", config=CONFIG) as node:
        yield node


def settings(strategy: KeepMajority | KeepOldest | LeaseMajority | None = None) -> ClusterSettings:
    return ClusterSettings(downing=DowningSettings(strategy or KeepOldest(), STABLE_S))


def test_a_jvm_lets_the_same_strategy_join_and_no_other(pekko: real_pekko.RealPekko) -> None:
    async def work(stack: AsyncExitStack) -> None:
        same = await Lab.start(stack, pekko, settings())
        await same.say(f"join {pekko.address}")
        other = await Lab.start(stack, pekko, settings(KeepMajority()))
        none = await Lab.start(stack, pekko)
        for node in (same, other, none):
            node.cluster.join_seed_nodes([node.jvm])
        await same.cluster.until(MemberStatus.UP, LIMIT_S)
        await until(lambda: other.cluster.is_terminated and none.cluster.is_terminated)
        await same.jvm_sees(**{key(same.jvm): "Up", key(same.address): "Up"})

    run(work)


def test_a_jvm_with_another_strategy_does_not_join_us(pekko: real_pekko.RealPekko) -> None:
    async def work(stack: AsyncExitStack) -> None:
        node = await Lab.start(stack, pekko, settings(KeepMajority()))
        node.cluster.join()
        await node.say(f"seeds {node.address}")
        with pytest.raises(OSError):
            while True:
                pekko.alive()
                await asyncio.sleep(0.1)
        assert all_up(node.cluster, 1)

    run(work)


def test_a_jvm_with_the_same_strategy_joins_us_and_is_downed_when_it_is_killed(pekko: real_pekko.RealPekko) -> None:
    async def work(stack: AsyncExitStack) -> None:
        node = await Lab.start(stack, pekko, settings())
        node.cluster.join()
        await node.say(f"seeds {node.address}")
        await until(lambda: all_up(node.cluster, 2))
        await asyncio.sleep(2)
        pekko.kill()
        await until(lambda: all_up(node.cluster, 1))
        assert not node.cluster.is_terminated

    run(work)


def test_the_jvms_resolver_downs_a_python_node_that_falls_silent(pekko: real_pekko.RealPekko) -> None:
    async def work(stack: AsyncExitStack) -> None:
        node, silent = await Lab.start(stack, pekko, settings()), await Lab.start(stack, pekko, settings())
        await node.say(f"join {pekko.address}")
        for joining in (node, silent):
            joining.cluster.join_seed_nodes([joining.jvm])
            await joining.cluster.until(MemberStatus.UP, LIMIT_S)
        await node.jvm_sees(**{key(one): "Up" for one in (node.jvm, node.address, silent.address)})
        await silent.remoting.close()
        await node.jvm_sees(**{key(one): "Up" for one in (node.jvm, node.address)})
        await until(lambda: all_up(node.cluster, 2))

    run(work)
