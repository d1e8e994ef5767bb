"""The journal and snapshots in Cassandra: the TCK, tags, partitions, what a crash leaves; on ours and a real one."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from tests.akka.persistence.tck import JournalTck, Opened, SnapshotTck, Stores, all_of, unique

from smackbox.akka import ActorSystem
from smackbox.akka.persistence.cassandra import CassandraPersistence
from smackbox.akka.persistence.cassandra_settings import CassandraSettings
from smackbox.akka.persistence.errors import MissingTaggedEventError
from smackbox.akka.persistence.extension import Persistence
from smackbox.akka.persistence.offset import NO_OFFSET, Sequence, TimeBasedUuid
from smackbox.akka.persistence.query import ReadJournal
from smackbox.akka.persistence.time_uuid import start_of
from smackbox.akka.stream.sink import Sink
from smackbox.base.errors import StorageError

SETTINGS = CassandraSettings(
    keyspace=f"journal_{uuid.uuid4().hex[:8]}",
    snapshot_keyspace=f"snapshots_{uuid.uuid4().hex[:8]}",
    eventual_consistency_delay_s=0.0,
    partition_size=100,
)


@pytest.fixture(scope="module")
def session(cassandra_address: tuple[str, int]) -> Iterator[Any]:
    from cassandra.cluster import Cluster

    host, port = cassandra_address
    cluster = Cluster([host], port=port, compression=False)
    try:
        yield cluster.connect()
    finally:
        cluster.shutdown()


class CassandraStores(Stores):
    """`settings` after the restart."""

    def __init__(self, session: Any) -> None:
        super().__init__(self._opened)
        self.session = session
        self.settings = SETTINGS

    @contextlib.asynccontextmanager
    async def _opened(self) -> AsyncIterator[Opened]:
        cassandra = await CassandraPersistence.open(self.session, self.settings)
        try:
            yield Opened(cassandra.journal, cassandra.snapshots)
        finally:
            await cassandra.settle()

    def rows(self, table: str, id_: str) -> list[Any]:
        query = f"SELECT * FROM {SETTINGS.keyspace}.{table} WHERE persistence_id = %s"
        return list(self.session.execute(query, [id_]))


@pytest.fixture
def stores(session: Any) -> CassandraStores:
    return CassandraStores(session)


class TestJournal(JournalTck):
    pass


class TestSnapshots(SnapshotTck):
    pass


def texts(first: int, last: int) -> list[str]:
    return [f"a-{number}" for number in range(first, last + 1)]


def test_events_go_on_in_the_next_partition(stores: CassandraStores) -> None:
    async def work(opened: Opened) -> Any:
        id_ = unique("long")
        for start in range(1, 251, 50):
            await opened.log.persist(id_, start, texts(start, start + 49))
        windows = [await opened.found(id_, *window) for window in ((99, 102), (201, 260), (150, 400, 60))]
        await opened.journal.delete_to(id_, 199)
        return windows, await opened.found(id_), await opened.journal.highest_sequence_nr(id_)

    windows, rest, highest = stores.run(work)
    assert windows == [[99, 100, 101, 102], list(range(201, 251)), list(range(150, 210))]
    assert (rest, highest) == (list(range(200, 251)), 250)


def test_events_stored_at_once_stay_in_one_partition(stores: CassandraStores) -> None:
    async def work(opened: Opened) -> Any:
        id_ = unique("jump")
        await opened.log.persist(id_, 1, texts(1, 90))
        await opened.log.persist(id_, 91, texts(91, 120))
        with pytest.raises(Exception, match="three partitions"):
            await opened.log.persist(id_, 121, texts(121, 350))
        await opened.journal.delete_to(id_, 90)
        return id_, await opened.found(id_), await opened.journal.highest_sequence_nr(id_)

    id_, found, highest = stores.run(work)
    assert (found, highest) == (list(range(91, 121)), 120)
    query = f"SELECT count(*) AS rows FROM {SETTINGS.keyspace}.messages WHERE persistence_id = %s AND partition_nr = 1"
    assert stores.session.execute(query, [id_]).one().rows == 30


def test_events_that_are_deleted_by_number_alone_are_not_read(stores: CassandraStores) -> None:
    """As after a crash between the two steps of a delete."""
    id_ = unique("half")

    async def work(opened: Opened) -> Any:
        await opened.log.persist(id_, 1, texts(1, 5))
        metadata = f"INSERT INTO {SETTINGS.keyspace}.metadata (persistence_id, deleted_to) VALUES (%s, 3)"
        await asyncio.to_thread(stores.session.execute, metadata, [id_])
        return [await opened.found(id_, *window) for window in ((1, 9), (2, 4), (1, 3), (5, 5))]

    assert stores.run(work) == [[4, 5], [4], [], [5]]


def test_views_of_a_tag_are_numbered_without_gaps(stores: CassandraStores) -> None:
    tag, id_ = unique("tag"), unique("tagged")

    async def first(opened: Opened) -> None:
        assert [batch async for batch in opened.journal.recover(id_, 1, 0)] == []
        await opened.log.persist(id_, 1, texts(1, 3), (tag,))
        await opened.log.persist(id_, 4, texts(4, 4))

    async def second(opened: Opened) -> Any:
        batches = [batch async for batch in opened.journal.recover(id_, 1, 4)]
        await opened.log.persist(id_, 5, texts(5, 5), (tag, "other"))
        return [event.sequence_nr for batch in batches for event in batch]

    stores.run(first)
    assert stores.run(second) == [1, 2, 3, 4]
    assert {row.tag: (row.sequence_nr, row.tag_pid_sequence_nr) for row in stores.rows("tag_write_progress", id_)} == {
        tag: (5, 4),
        "other": (5, 1),
    }
    assert [row.sequence_nr for row in stores.rows("tag_scanning", id_)] == [5]
    assert [row.persistence_id for row in stores.rows("all_persistence_ids", id_)] == [id_]


@pytest.mark.parametrize("from_nr", [1, 5, 6])
def test_a_recovery_writes_the_views_that_a_crash_left_out(stores: CassandraStores, from_nr: int) -> None:
    """From 5 and 6: a snapshot is newer than the views."""
    tag, id_ = unique("tag"), unique("crashed")

    async def crash(opened: Opened) -> None:
        await opened.log.persist(id_, 1, texts(1, 2), (tag,))
        await opened.log.persist(id_, 3, texts(3, 5), (tag,))

    stores.run(crash)
    keyspace = SETTINGS.keyspace
    (row, *_) = stores.session.execute(
        f"SELECT timebucket FROM {keyspace}.messages WHERE persistence_id = %s AND partition_nr = 0", [id_]
    )
    stores.session.execute(
        f"DELETE FROM {keyspace}.tag_views WHERE tag_name = %s AND timebucket = %s", [tag, int(row.timebucket)]
    )
    stores.session.execute(f"DELETE FROM {keyspace}.tag_write_progress WHERE persistence_id = %s", [id_])
    stores.session.execute(f"DELETE FROM {keyspace}.tag_scanning WHERE persistence_id = %s", [id_])

    async def again(opened: Opened) -> Any:
        for _ in range(2):
            assert [batch async for batch in opened.journal.recover(id_, from_nr, 5)] or from_nr == 6
        await opened.log.persist(id_, 6, texts(6, 6), (tag,))
        found = await all_of(opened.journal.tag_reader(tag, NO_OFFSET))
        return [tagged.event.sequence_nr for tagged in found]

    assert stores.run(again) == [1, 2, 3, 4, 5, 6]


def test_a_missing_view_is_waited_for_and_then_an_error(stores: CassandraStores) -> None:
    tag, id_ = unique("tag"), unique("gap")
    stores.settings = CassandraSettings(
        keyspace=SETTINGS.keyspace,
        snapshot_keyspace=SETTINGS.snapshot_keyspace,
        eventual_consistency_delay_s=0.0,
        gap_timeout_s=0.5,
    )

    async def work(opened: Opened) -> None:
        await opened.log.persist(id_, 1, texts(1, 4), (tag,))
        found = await all_of(opened.journal.tag_reader(tag, NO_OFFSET))
        third = found[2]
        bucket = SETTINGS.bucket_of(third.event.timestamp_ms)
        key = [tag, bucket, third.offset.value, id_, 3]
        where = (
            "tag_name = %s AND timebucket = %s AND timestamp = %s AND persistence_id = %s AND tag_pid_sequence_nr = %s"
        )
        await asyncio.to_thread(stores.session.execute, f"DELETE FROM {SETTINGS.keyspace}.tag_views WHERE {where}", key)
        reader = opened.journal.tag_reader(tag, NO_OFFSET)
        assert [tagged.event.sequence_nr for tagged in await reader.read()] == [1, 2]
        waiting = asyncio.ensure_future(reader.read())
        await asyncio.sleep(0.1)
        assert not waiting.done()
        columns = "tag_name, timebucket, timestamp, persistence_id, tag_pid_sequence_nr, sequence_nr, ser_id, event"
        await asyncio.to_thread(
            stores.session.execute,
            f"INSERT INTO {SETTINGS.keyspace}.tag_views ({columns}) VALUES (%s, %s, %s, %s, %s, 3, 20, %s)",
            [*key, b"a-3"],
        )
        assert [tagged.event.sequence_nr for tagged in await waiting] == [3, 4]
        await asyncio.to_thread(stores.session.execute, f"DELETE FROM {SETTINGS.keyspace}.tag_views WHERE {where}", key)
        reader = opened.journal.tag_reader(tag, NO_OFFSET)
        await reader.read()
        with pytest.raises(MissingTaggedEventError, match=r"the numbers \[3\]"):
            await reader.read()

    stores.run(work)


def test_a_query_stays_behind_the_clock(stores: CassandraStores) -> None:
    stores.settings = CassandraSettings(
        keyspace=SETTINGS.keyspace, snapshot_keyspace=SETTINGS.snapshot_keyspace, eventual_consistency_delay_s=3_600.0
    )
    tag = unique("tag")

    async def work(opened: Opened) -> Any:
        await opened.log.persist(unique("late"), 1, ["a-1"], (tag,))
        return await all_of(opened.journal.tag_reader(tag, NO_OFFSET))

    assert stores.run(work) == []


def test_offsets_in_old_buckets_are_read_from_there(stores: CassandraStores) -> None:
    tag, id_ = unique("tag"), unique("old")

    async def write(opened: Opened) -> None:
        await opened.log.persist(id_, 1, texts(1, 2), (tag,))

    async def read(opened: Opened) -> Any:
        ago_ms = int(time.time() * 1_000)
        hours = [
            len(await all_of(opened.journal.tag_reader(tag, TimeBasedUuid(start_of(ago_ms - hour * 3_600_000)))))
            for hour in (2, 30, 24 * 400)
        ]
        with pytest.raises(ValueError, match="orders its tagged events by time"):
            opened.journal.tag_reader(tag, Sequence(1))
        return hours

    stores.run(write)
    assert stores.run(read) == [2, 2, 2]


def test_deletes_of_one_id_wait_for_each_other_and_are_bounded(stores: CassandraStores) -> None:
    async def work(opened: Opened) -> Any:
        id_ = unique("deleted")
        await opened.log.persist(id_, 1, texts(1, 20))
        results = await asyncio.gather(
            *(opened.journal.delete_to(id_, number) for number in range(1, 13)), return_exceptions=True
        )
        return results, await opened.found(id_)

    results, found = stores.run(work)
    refused = [result for result in results if result is not None]
    assert len(refused) == 2 and all(isinstance(result, StorageError) for result in refused)
    assert found == list(range(11, 21))


def test_wrong_settings_are_named() -> None:
    for wrong in ({"keyspace": "No Name"}, {"bucket_size": "Week"}, {"partition_size": 0}):
        with pytest.raises(ValueError):
            CassandraSettings(**wrong)  # type: ignore[arg-type]


def test_queries_as_streams_go_on_as_events_come(stores: CassandraStores) -> None:
    tag, id_ = unique("tag"), unique("live")

    async def main() -> None:
        async with asyncio.timeout(60), ActorSystem("queries") as system:
            cassandra = await CassandraPersistence.open(stores.session, SETTINGS)
            persistence = Persistence(system, cassandra.journal, cassandra.snapshots)
            cassandra.add_to(system)
            log = persistence.log
            await log.persist(id_, 1, texts(1, 2), (tag,))
            queries = ReadJournal.of(system, refresh_s=0.05)
            sources = [
                queries.current_events_by_tag(tag).map(lambda one: one.event),
                queries.events_by_tag(tag).take(4).map(lambda one: one.event),
                queries.events_by_persistence_id(id_, 2, 4).map(lambda one: one.event),
                queries.persistence_ids().filter(lambda one: one.startswith(id_)).take(2),
            ]
            running = [asyncio.ensure_future(source.run_with(Sink.seq(), system)) for source in sources]
            assert await running[0] == texts(1, 2)
            await log.persist(id_, 3, texts(3, 4), (tag,))
            await log.persist(id_ + "-2", 1, texts(1, 1))
            assert await running[1] == texts(1, 4)
            assert await running[2] == texts(2, 4)
            assert sorted(await running[3]) == [id_, id_ + "-2"]

    asyncio.run(main())
