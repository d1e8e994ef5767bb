"""Durable keys: what is in the file of a node that has ended is there when it starts again."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from smackbox.akka import ActorSystem
from smackbox.akka.cluster.cluster import Cluster
from smackbox.akka.cluster.core import ClusterSettings
from smackbox.akka.cluster.member import MemberStatus
from smackbox.akka.ddata.counter import GCounter
from smackbox.akka.ddata.data import Key
from smackbox.akka.ddata.durable_store import DurableStore
from smackbox.akka.ddata.replica import ReplicatorSettings
from smackbox.akka.ddata.replicator import DistributedData
from smackbox.akka.remote.remoting import Remoting
from tests.akka.ddata.test_replicator import FAST, HITS, LIMIT_S, run


def test_the_last_envelope_of_each_key_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "new" / "store.sqlite"
    store = DurableStore(file)
    store.store("a", b"1")
    store.store("a", b"2")
    store.store("b", b"\0")
    store.close()
    again = DurableStore(file)
    assert sorted(again.load()) == [("a", b"2"), ("b", b"\0")]
    again.close()


def test_a_file_is_of_one_node(tmp_path: Path) -> None:
    store = DurableStore(tmp_path / "store")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        DurableStore(tmp_path / "store")
    store.close()
    DurableStore(tmp_path / "store").close()


@pytest.mark.parametrize(
    ("names", "key", "durable"),
    [
        (("hits",), "hits", True),
        (("hits",), "hits2", False),
        (("h*",), "hits", True),
        (("*",), "x", True),
        ((), "x", False),
    ],
)
def test_names_and_prefixes(names: tuple[str, ...], key: str, durable: bool, tmp_path: Path) -> None:
    assert ReplicatorSettings(durable_keys=names, durable_file=tmp_path / "store").is_durable(key) is durable
    assert not ReplicatorSettings(durable_keys=names).is_durable(key)


def test_durable_keys_outlive_all_nodes_and_others_do_not(tmp_path: Path) -> None:
    settings = replace(FAST, durable_keys=("hits",), durable_file=tmp_path / "store")
    other = Key[GCounter]("other")

    async def life(hits: int) -> None:
        async with ActorSystem("lab") as system:
            cluster = Cluster(await Remoting.start(system), ClusterSettings(tick_s=0.03))
            cluster.join()
            await cluster.until(MemberStatus.UP, LIMIT_S)
            data = DistributedData(system, settings)
            found = await data.get(HITS)
            assert (found.value if found else 0) == hits
            assert await data.get(other) is None
            for key in (HITS, other):
                await data.update(key, GCounter(), lambda counter: counter.increment(data.own, 2))

    async def main() -> None:
        for hits in (0, 2, 4):
            await life(hits)
            await asyncio.sleep(0)

    run(main())
