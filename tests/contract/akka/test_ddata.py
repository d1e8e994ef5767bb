"""Distributed data of Python nodes and a real Pekko: each reads what the other wrote, and their digests are equal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from bench.engines import real_pekko
from tests.contract.akka.jvm_lab import LIMIT_S, Lab, all_up, run, until

from smackbox.akka.cluster.member import MemberStatus
from smackbox.akka.ddata.consistency import All, Majority
from smackbox.akka.ddata.counter import PNCounter
from smackbox.akka.ddata.data import Key
from smackbox.akka.ddata.gset import GSet
from smackbox.akka.ddata.ormap import LWWMap, ORMultiMap
from smackbox.akka.ddata.orset import ORSet
from smackbox.akka.ddata.register import LWWRegister
from smackbox.akka.ddata.replicator import DistributedData

pytestmark = [pytest.mark.polyglot, pytest.mark.xdist_group("pekko")]

QUIET_S = 8.0
"""Four gossips of each side."""


@pytest.fixture
def pekko() -> Iterator[real_pekko.RealPekko]:
    if reason := real_pekko.missing():
        pytest.skip(reason)
    with real_pekko.RealPekko(provider="cluster") as node:
        yield node


async def joined(stack: AsyncExitStack, pekko: real_pekko.RealPekko, count: int) -> list[tuple[Lab, DistributedData]]:
    labs = [await Lab.start(stack, pekko) for _ in range(count)]
    await labs[0].say(f"join {pekko.address}")
    for lab in labs:
        lab.cluster.join_seed_nodes([lab.jvm])
        await lab.cluster.until(MemberStatus.UP, LIMIT_S)
    for lab in labs:
        await until(lambda lab=lab: all_up(lab.cluster, count + 1))
    await labs[0].say("read counter warm")
    return [(lab, DistributedData(lab.system)) for lab in labs]


def test_each_side_reads_what_the_other_wrote(pekko: real_pekko.RealPekko) -> None:
    async def work(stack: AsyncExitStack) -> None:
        (lab, one), (_, other) = await joined(stack, pekko, 2)
        majority, everybody = Majority(10.0), All(10.0)
        now_ms = int(time.time() * 1_000)
        assert await lab.say("change counter hits 5") == "UpdateSuccess"
        await one.update(Key[PNCounter]("hits"), PNCounter(), lambda d: d.decrement(one.own, 2), majority)
        await lab.say("change set names jvm")
        await lab.say("change set names gone")
        await other.update(Key[ORSet]("names"), ORSet(), lambda d: d.add(other.own, "python"), everybody)
        await one.update(Key[ORSet]("names"), ORSet(), lambda d: d.remove(one.own, "gone"), everybody)
        await lab.say("change long-set numbers 7")
        await one.update(Key[GSet]("numbers"), GSet(), lambda d: d.add(8), everybody)
        await lab.say("change register last jvm")
        later = now_ms + 60_000
        await one.update(
            Key[LWWRegister]("last"),
            LWWRegister.of(one.own, "first", 0),
            lambda d: d.with_value(one.own, "python", later),
            everybody,
        )
        await lab.say("change map who jvm")
        await one.update(Key[LWWMap]("who"), LWWMap(), lambda d: d.put(one.own, "python", "ours", now_ms), everybody)
        await lab.say("change multi services jvm")
        initial = ORMultiMap.with_value_deltas()
        await one.update(Key[ORMultiMap]("services"), initial, lambda d: d.add(one.own, "names", "python"), everybody)
        assert await lab.say("read counter hits") == "3"
        assert await lab.say("read set names") == "[jvm, python]"
        assert await lab.say("read long-set numbers") == "2", "7 as Int and as Long are equal in Scala as well"
        assert await lab.say("read register last") == "python"
        assert await lab.say("read map who") == "{jvm=of jvm, python=ours}"
        assert await lab.say("read multi services") == "{names=[jvm, python]}"
        for data in (one, other):
            found: Any = await data.get(Key[PNCounter]("hits"), majority)
            assert found.value == 3
            found = await data.get(Key[ORSet]("names"), majority)
            assert found.elements == {"jvm", "python"}
            found = await data.get(Key[LWWMap]("who"), majority)
            assert found.entries == {"jvm": "of jvm", "python": "ours"}
            found = await data.get(Key[ORMultiMap]("services"), majority)
            assert found.entries == {"names": {"jvm", "python"}}

    run(work)


def test_what_is_only_local_spreads_and_then_digests_are_equal(pekko: real_pekko.RealPekko) -> None:
    async def work(stack: AsyncExitStack) -> None:
        ((lab, data),) = await joined(stack, pekko, 1)
        await lab.say("change set names jvm")
        await lab.say("change map who jvm")
        await data.update(Key[ORSet]("names"), ORSet(), lambda d: d.add(data.own, "python"))
        await data.update(Key[LWWMap]("who"), LWWMap(), lambda d: d.put(data.own, "python", "x", 5))
        await data.update(Key[PNCounter]("hits"), PNCounter(), lambda d: d.increment(data.own, 2))
        while await lab.say("read set names") != "[jvm, python]":
            await asyncio.sleep(0.2)
        while await lab.say("read counter hits") != "2":
            await asyncio.sleep(0.2)
        await asyncio.sleep(QUIET_S / 2)
        gossips: list[bytes] = []
        serialization: Any = lab.remoting.serialization
        read = serialization._readers[12, "N"]
        serialization.add({}, {(12, "N"): lambda own, body: gossips.append(body) or read(own, body)})
        await asyncio.sleep(QUIET_S)
        assert not gossips, "the digests of the two differ: full data is sent again and again"

    run(work)
