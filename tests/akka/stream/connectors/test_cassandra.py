"""Cassandra's sources, flows and sinks on a CQL server: pages, token ranges, writes, batches by partition."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest
from cassandra import InvalidRequest

from smackbox.akka import ActorSystem
from smackbox.akka.stream import Source, resuming_decider
from smackbox.akka.stream.connectors.cassandra import TOKEN_MAX, TOKEN_MIN, Cassandra, token_ranges
from smackbox.testing.fixtures import SmackCassandra


def run(work: Callable[[ActorSystem], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(60), ActorSystem("c") as system:
            await work(system)

    asyncio.run(main())


@pytest.fixture
def session(smack_cassandra: SmackCassandra) -> Any:
    session = smack_cassandra.connect()
    session.execute("CREATE KEYSPACE ads WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    session.execute("CREATE TABLE ads.event (day int, id int, text text, PRIMARY KEY (day, id))")
    return session


def insert(session: Any) -> Any:
    return session.prepare("INSERT INTO ads.event (day, id, text) VALUES (?, ?, ?)")


def bound(number: int) -> tuple[int, int, str]:
    return number % 7, number, f"event {number}"


def test_a_sink_writes_and_a_source_reads_pages(session: Any) -> None:
    async def main(system: ActorSystem) -> None:
        await Source.range(1, 700).run_with(Cassandra.sink(session, insert(session), bound), system)
        query = "SELECT id FROM ads.event WHERE day = %s"
        rows = await Cassandra.source(session, query, [3], page=9).run_list(system)
        assert [row.id for row in rows] == list(range(3, 701, 7))
        prepared = session.prepare("SELECT id FROM ads.event WHERE day = ?")
        assert len(await Cassandra.source(session, prepared, [3], page=9).take(20).run_list(system)) == 20
        assert await Cassandra.source(session, query, [99]).run_list(system) == []
        with pytest.raises(InvalidRequest):
            await Cassandra.source(session, "SELECT id FROM ads.nothing").run_list(system)

    run(main)


def test_token_ranges_give_every_row_once(session: Any) -> None:
    async def main(system: ActorSystem) -> None:
        await Source.range(1, 300).run_with(Cassandra.sink(session, insert(session), bound), system)
        for splits in (1, 5, 64):
            rows = Cassandra.token_ranges(session, "ads", "event", splits=splits, page=11)
            assert sorted(row.id for row in await rows.run_list(system)) == list(range(1, 301))
        with pytest.raises(LookupError, match="no table ads.nothing"):
            Cassandra.token_ranges(session, "ads", "nothing")

    run(main)


@pytest.mark.parametrize("splits", [1, 2, 3, 7, 64, 1_000])
def test_ranges_cover_the_ring_once(splits: int) -> None:
    ranges = token_ranges(splits)
    assert len(ranges) == splits
    assert ranges[0][0] == TOKEN_MIN and ranges[-1][1] == TOKEN_MAX
    assert all(before[1] == after[0] and before[0] < before[1] for before, after in pairwise(ranges))


def test_a_flow_gives_elements_on_in_order_and_resumes(session: Any) -> None:
    async def main(system: ActorSystem) -> None:
        flow: Any = Cassandra.flow(session, insert(session), bound, 8)
        assert await Source.range(1, 100).via(flow).run_list(system) == list(range(1, 101))
        bad: Any = Cassandra.flow(session, insert(session), lambda x: (x, "no number" if x == 2 else x, ""), 8)
        with pytest.raises(TypeError):
            await Source.range(1, 3).via(bad).run_list(system)
        resumed = Source.range(1, 3).via(bad).with_attributes(decider=resuming_decider)
        assert await resumed.run_list(system) == [1, 3]

    run(main)


def test_batches_by_partition(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(system: ActorSystem) -> None:
        batches: list[int] = []
        execute = session.execute_async

        def counted(statement: Any, parameters: Any = None) -> Any:
            batches.append(len(getattr(statement, "_statements_and_parameters", ())))
            return execute(statement, parameters)

        statement = insert(session)
        monkeypatch.setattr(session, "execute_async", counted)
        flow: Any = Cassandra.batch_flow(session, statement, bound, lambda x: x % 7, batch=35, parallelism=2)
        given = await Source.range(1, 70).via(flow).run_list(system)
        assert sorted(given) == list(range(1, 71))
        assert [x for x in given if x % 7 == 3] == list(range(3, 71, 7))
        assert batches == [10] * 7

    run(main)
