"""`kill -9` while actors persist: every acknowledged event is there, once, in order, and has its tag."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cassandra.cluster import Cluster

from smackbox.akka.persistence.cassandra import CassandraPersistence
from smackbox.akka.persistence.cassandra_settings import CassandraSettings
from smackbox.akka.persistence.offset import NO_OFFSET
from smackbox.akka.persistence.rocks import RocksPersistence
from smackbox.cassandra.server import CassandraServer
from smackbox.cassandra.settings import CassandraSettings as ServerSettings
from smackbox.net.service import ServiceThread
from tests.akka.persistence import crash_writer
from tests.akka.persistence.tck import Opened, Stores, all_of

LEAST_ACKNOWLEDGED = 40


def _write_and_kill(place: tuple[str, ...], chance: random.Random) -> dict[str, int]:
    """The highest acknowledged number of each id."""
    command = [sys.executable, crash_writer.__file__, *place]
    acknowledged: dict[str, int] = defaultdict(int)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        wanted = LEAST_ACKNOWLEDGED + chance.randrange(100 if len(place) > 1 else 400)
        lines = b""
        while lines.count(b"\n") < wanted or len(_ids(lines)) < crash_writer.ACTORS:
            more = process.stdout.read1(1 << 16)
            assert more, "the writer ended by itself"
            lines += more
        process.kill()
        lines += process.stdout.read()
    for line in lines.splitlines(keepends=True):
        if line.endswith(b"\n"):
            id_, number = line.decode().split()
            acknowledged[id_] = max(acknowledged[id_], int(number))
    return acknowledged


def _ids(lines: bytes) -> set[bytes]:
    return {line.split()[0] for line in lines.splitlines(keepends=True) if line.endswith(b"\n")}


@contextlib.asynccontextmanager
async def _rocks(directory: str) -> AsyncIterator[Opened]:
    opened = RocksPersistence(Path(directory))
    try:
        yield Opened(opened.journal, opened.snapshots)
    finally:
        opened.close()


@contextlib.asynccontextmanager
async def _cassandra(address: str, keyspace: str) -> AsyncIterator[Opened]:
    host, _, port = address.partition(":")
    cluster = Cluster([host], port=int(port), compression=False)
    try:
        settings = CassandraSettings(
            keyspace=keyspace, snapshot_keyspace=f"{keyspace}_snapshots", eventual_consistency_delay_s=0.0
        )
        opened = await CassandraPersistence.open(cluster.connect(), settings)
        yield Opened(opened.journal, opened.snapshots)
        await opened.settle()
    finally:
        cluster.shutdown()


def _check(place: tuple[str, ...], acknowledged: dict[str, int]) -> dict[str, int]:
    """The highest number of each id."""
    in_cassandra = len(place) > 1

    async def work(opened: Opened) -> Any:
        tagged = defaultdict(list)
        for one in await all_of(opened.journal.tag_reader("all", NO_OFFSET)):
            tagged[one.event.persistence_id].append(one.event.sequence_nr)
        highest = {}
        for id_ in await opened.journal.persistence_ids():
            events = [event async for batch in opened.journal.replay(id_) for event in batch]
            numbers = [event.sequence_nr for event in events]
            amounts = [msgspec.json.decode(event.data)["amount"] for event in events]
            assert numbers == list(range(1, len(events) + 1)) == amounts, f"{id_} has gaps or repetitions"
            if in_cassandra:  # what is not acknowledged has its tag after the next recovery
                assert tagged[id_] == numbers[: len(tagged[id_])]
                assert len(tagged[id_]) >= acknowledged[id_]
            else:
                assert tagged[id_] == numbers
            highest[id_] = len(events)
        return highest

    opened = partial(_cassandra, *place) if in_cassandra else partial(_rocks, *place)
    highest: dict[str, int] = Stores(opened).run(work)
    for id_, number in acknowledged.items():
        assert highest[id_] >= number, f"event {number} of {id_} was acknowledged, and {highest[id_]} is the last"
    return highest


def _rounds(place: tuple[str, ...], count: int) -> None:
    chance = random.Random(count)
    before: dict[str, int] = {}
    for _ in range(count):
        highest = _check(place, _write_and_kill(place, chance))
        assert len(highest) == crash_writer.ACTORS
        assert all(highest[id_] >= number for id_, number in before.items())
        assert sum(highest.values()) > sum(before.values())
        before = highest


def test_acknowledged_events_survive_kill_9(tmp_path: Path) -> None:
    _rounds((str(tmp_path / "data"),), 3)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_acknowledged_events_survive_100_kills(tmp_path: Path) -> None:
    _rounds((str(tmp_path / "data"),), 100)


@pytest.fixture
def cassandra(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A server of ours, and a keyspace."""
    with ServiceThread(CassandraServer(ServerSettings(dir=tmp_path / "cassandra"))) as server:
        yield server.url, "crash"


def test_acknowledged_events_in_cassandra_survive_kill_9(cassandra: tuple[str, str]) -> None:
    _rounds(cassandra, 2)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_acknowledged_events_in_cassandra_survive_30_kills(cassandra: tuple[str, str]) -> None:
    _rounds(cassandra, 30)


def test_the_writer_is_found_out_when_it_lies(tmp_path: Path) -> None:
    place = (str(tmp_path / "data"),)
    acknowledged = _write_and_kill(place, random.Random(1))
    acknowledged["counter|0"] += 1_000_000
    with pytest.raises(AssertionError, match="was acknowledged"):
        _check(place, acknowledged)
