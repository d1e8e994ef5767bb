"""Queries as streams, current and live, on the journals in memory and in RocksDB."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from smackbox.akka import ActorSystem
from smackbox.akka.persistence.extension import Persistence
from smackbox.akka.persistence.memory import MemoryJournal
from smackbox.akka.persistence.offset import NO_OFFSET, Sequence, TimeBasedUuid
from smackbox.akka.persistence.query import EventEnvelope, ReadJournal
from smackbox.akka.persistence.time_uuid import start_of
from smackbox.akka.stream.sink import Sink
from tests.akka.persistence.bank import Add, Added, Balance, account

LIMIT_S = 30.0


class Lab:
    def __init__(self, system: ActorSystem) -> None:
        self.system = system
        self.journal = ReadJournal.of(system)
        self._actors: dict[str, Any] = {}

    async def add(self, id_: str, *amounts: int) -> None:
        if id_ not in self._actors:
            behavior = account(id_).with_tagger(lambda event: ("even",) if event.amount % 2 == 0 else ())
            self._actors[id_] = self.system.spawn(behavior)
        reply: Balance = await self._actors[id_].ask(lambda reply_to: Add(amounts, reply_to), LIMIT_S)
        assert isinstance(reply, Balance)

    async def all(self, source: Any) -> list[Any]:
        found: list[Any] = await source.run_with(Sink.seq(), self.system)
        return found


@pytest.fixture(params=["memory", "rocks"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Callable[[Lab], Awaitable[None]]], None]:
    async def main(work: Callable[[Lab], Awaitable[None]]) -> None:
        async with asyncio.timeout(LIMIT_S), ActorSystem("lab") as system:
            if request.param == "memory":
                persistence = Persistence(system, MemoryJournal())
            else:
                persistence = Persistence.open(system, tmp_path / "data")
            persistence.register("bank.Added", Added)
            await work(Lab(system))

    return lambda work: asyncio.run(main(work))


def short(envelopes: list[EventEnvelope]) -> list[tuple[str, int, int]]:
    return [(envelope.persistence_id, envelope.sequence_nr, envelope.event.amount) for envelope in envelopes]


def test_current_queries_end(run: Any) -> None:
    async def work(lab: Lab) -> None:
        await lab.add("a", 1, 2)
        await lab.add("b", 4)
        await lab.add("a", 6)
        journal = lab.journal
        assert short(await lab.all(journal.current_events_by_persistence_id("a", 2))) == [("a", 2, 2), ("a", 3, 6)]
        assert short(await lab.all(journal.current_events_by_persistence_id("a", 1, 1))) == [("a", 1, 1)]
        tagged = await lab.all(journal.current_events_by_tag("even"))
        assert short(tagged) == [("a", 2, 2), ("b", 1, 4), ("a", 3, 6)]
        assert all(envelope.timestamp_ms > 0 and envelope.tags == ("even",) for envelope in tagged)
        rest = await lab.all(journal.current_events_by_tag("even", tagged[0].offset))
        assert short(rest) == [("b", 1, 4), ("a", 3, 6)]
        assert await lab.all(journal.current_events_by_tag("even", tagged[-1].offset)) == []
        assert await lab.all(journal.current_events_by_tag("odd", NO_OFFSET)) == []
        assert sorted(await lab.all(journal.current_persistence_ids())) == ["a", "b"]

    run(work)


def test_live_queries_go_on(run: Any) -> None:
    async def work(lab: Lab) -> None:
        await lab.add("a", 2)
        journal = lab.journal
        queries = [
            journal.events_by_persistence_id("a", 1, 3),
            journal.events_by_tag("even").take(3),
            journal.persistence_ids().take(2),
        ]
        results = [asyncio.ensure_future(lab.all(query)) for query in queries]
        await lab.add("a", 4)
        await asyncio.sleep(0.01)
        await lab.add("b", 6)
        await lab.add("a", 7)
        by_id, by_tag, ids = await asyncio.gather(*results)
        assert short(by_id) == [("a", 1, 2), ("a", 2, 4), ("a", 3, 7)]
        assert short(by_tag) == [("a", 1, 2), ("a", 2, 4), ("b", 1, 6)]
        assert sorted(ids) == ["a", "b"]

    run(work)


def test_an_offset_of_another_journal_fails_the_stream(run: Any) -> None:
    async def work(lab: Lab) -> None:
        with pytest.raises(ValueError, match="offset of another"):
            await lab.all(lab.journal.current_events_by_tag("even", TimeBasedUuid(start_of(0))))

    run(work)


def test_deleted_events_are_left_out(run: Any) -> None:
    async def work(lab: Lab) -> None:
        await lab.add("a", 2, 4, 6)
        await Persistence.of(lab.system).log.journal.delete_to("a", 2)
        assert short(await lab.all(lab.journal.current_events_by_persistence_id("a"))) == [("a", 3, 6)]

    run(work)


def test_offsets_of_a_tag_increase(run: Any) -> None:
    async def work(lab: Lab) -> None:
        for number in range(20):
            await lab.add(f"a{number % 3}", 2 * number)
        found = await lab.all(lab.journal.current_events_by_tag("even"))
        offsets = [envelope.offset.value for envelope in found if isinstance(envelope.offset, Sequence)]
        assert len(offsets) == 20 and offsets == sorted(set(offsets))

    run(work)
