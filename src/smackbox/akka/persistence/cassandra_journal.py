"""The journal in Cassandra, in the tables of `cassandra_schema.py`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from smackbox.akka.persistence import cassandra_schema as schema
from smackbox.akka.persistence.cassandra_session import CassandraStatements
from smackbox.akka.persistence.cassandra_settings import CassandraSettings
from smackbox.akka.persistence.cassandra_tag_reader import CassandraTagReader, stored_event
from smackbox.akka.persistence.cassandra_tags import Stamped, TagViews
from smackbox.akka.persistence.journal import LAST, REPLAY_BATCH, Done, Journal, StoredEvent, TagReader
from smackbox.akka.persistence.offset import Offset
from smackbox.akka.persistence.time_uuid import TimeUuids, unix_ms
from smackbox.base.errors import StorageError


class CassandraJournal(Journal):
    """`wall_us` gives microseconds since 1970, `node` tells this process from others."""

    is_remote = True

    def __init__(
        self, statements: CassandraStatements, settings: CassandraSettings, wall_us: Callable[[], int], node: int
    ) -> None:
        self._statements = statements
        self._settings = settings
        self._wall_us = wall_us
        self._uuids = TimeUuids(wall_us, node)
        self._tags = TagViews(statements, settings)
        self._writes: dict[str, asyncio.Task[None]] = {}
        self._deletes: dict[str, tuple[asyncio.Lock, int]] = {}

    # -- writing

    def write(self, events: Sequence[StoredEvent], done: Done) -> None:
        id_ = events[0].persistence_id
        task = asyncio.get_running_loop().create_task(self._write(events, self._writes.get(id_)))
        self._writes[id_] = task

        def finish(finished: asyncio.Task[None]) -> None:
            if self._writes.get(id_) is finished:
                del self._writes[id_]
            error = asyncio.CancelledError() if finished.cancelled() else finished.exception()
            if error is not None:
                self._tags.forget(id_)
            done(error)

        task.add_done_callback(finish)

    async def _write(self, events: Sequence[StoredEvent], before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        stamped = [(event, self._uuids.next()) for event in events]
        if events[0].sequence_nr == 1:
            await self._statements.execute(schema.ADD_ID, events[0].persistence_id)
        rows = self._rows(stamped)
        if len(rows) == 1:
            await self._statements.execute(schema.WRITE, *rows[0])
        else:
            await self._statements.batch((schema.WRITE, row) for row in rows)
        await self._tags.write(stamped)

    def _rows(self, stamped: Sequence[Stamped]) -> list[tuple[Any, ...]]:
        """All in the partition of the last event, so that a batch has one. Raises `StorageError` for too many."""
        first, last = stamped[0][0].sequence_nr, stamped[-1][0].sequence_nr
        partition = self._settings.partition_of(last)
        if partition - self._settings.partition_of(first) > 1:
            raise StorageError(
                f"events {first} to {last} are stored at once, and would span three partitions of "
                f"{self._settings.partition_size}: store fewer at once"
            )
        return [
            (
                event.persistence_id,
                partition,
                event.sequence_nr,
                stamp,
                str(self._settings.bucket_of(unix_ms(stamp))),
                event.writer_uuid,
                event.serializer,
                event.manifest,
                event.event_manifest,
                event.data,
                set(event.tags) or None,
            )
            for event, stamp in stamped
        ]

    # -- reading

    async def highest_sequence_nr(self, persistence_id: str, from_sequence_nr: int = 0) -> int:
        writing = self._writes.get(persistence_id)
        if writing is not None:
            await asyncio.wait([writing])
        return await self._highest(persistence_id, max(from_sequence_nr, await self._deleted_to(persistence_id)))

    async def _deleted_to(self, persistence_id: str) -> int:
        rows = await self._statements.execute(schema.DELETED_TO, persistence_id)
        return int(rows[0].deleted_to or 0) if rows else 0

    async def _highest(self, persistence_id: str, known: int) -> int:
        partition, empty = self._settings.partition_of(known), 0
        while empty < 2:  # a batch that crosses a partition's end may leave one empty
            rows = await self._statements.execute(schema.HIGHEST, persistence_id, partition)
            if rows and rows[0].sequence_nr:
                known, empty = max(known, int(rows[0].sequence_nr)), 0
            else:
                empty += 1
            partition += 1
        return known

    async def replay(
        self, persistence_id: str, from_sequence_nr: int = 1, to_sequence_nr: int = LAST, limit: int = LAST
    ) -> AsyncGenerator[list[StoredEvent], None]:
        async for batch in self._read(persistence_id, from_sequence_nr, to_sequence_nr, limit):
            yield [event for event, _ in batch]

    async def recover(
        self, persistence_id: str, from_sequence_nr: int, to_sequence_nr: int
    ) -> AsyncGenerator[list[StoredEvent], None]:
        is_new = from_sequence_nr == 1 and to_sequence_nr == 0
        first = await self._tags.begin(persistence_id, is_new=is_new)
        if first < from_sequence_nr:
            async for batch in self._read(persistence_id, first, from_sequence_nr - 1, LAST):
                await self._tags.repair(batch)
        async for batch in self._read(persistence_id, from_sequence_nr, to_sequence_nr, LAST):
            await self._tags.repair(batch)
            yield [event for event, _ in batch]

    async def _read(self, id_: str, first: int, last: int, limit: int) -> AsyncGenerator[list[Stamped], None]:
        first = max(first, 1)
        if first > last or limit < 1:
            return
        first = max(first, await self._deleted_to(id_) + 1)
        if first > last:
            return
        partition, empty = self._settings.partition_of(first), 0
        while empty < 2 and partition <= self._settings.partition_of(last) + 1:
            empty += 1
            async for rows in self._statements.pages(schema.READ, id_, partition, first, last):
                empty = 0
                batch = [
                    (stored_event(id_, row, tuple(sorted(row.tags or ()))), row.timestamp)
                    for row in rows[: min(limit, REPLAY_BATCH)]
                ]
                yield batch
                limit -= len(batch)
                if limit < 1:
                    return
            partition += 1

    async def delete_to(self, persistence_id: str, to_sequence_nr: int) -> None:
        """Deletes of one id run one after another, at most `max_concurrent_deletes` wait."""
        lock, waiting = self._deletes.get(persistence_id, (asyncio.Lock(), 0))
        if waiting >= self._settings.max_concurrent_deletes:
            raise StorageError(f"{waiting} deletes of {persistence_id} wait already")
        self._deletes[persistence_id] = (lock, waiting + 1)
        try:
            async with lock:
                await self._delete_to(persistence_id, to_sequence_nr)
        finally:
            lock, waiting = self._deletes[persistence_id]
            if waiting == 1:
                del self._deletes[persistence_id]
            else:
                self._deletes[persistence_id] = (lock, waiting - 1)

    async def _delete_to(self, persistence_id: str, to_sequence_nr: int) -> None:
        deleted = await self._deleted_to(persistence_id)
        to = min(to_sequence_nr, await self._highest(persistence_id, deleted))
        if to > deleted:
            await self._statements.execute(schema.SET_DELETED_TO, persistence_id, to)
        first, last = self._settings.partition_of(deleted + 1), self._settings.partition_of(to) + 1
        for partition in range(first, last + 1):
            await self._statements.execute(schema.DELETE, persistence_id, partition, to)

    # -- queries

    def tag_reader(self, tag: str, offset: Offset) -> TagReader:
        return CassandraTagReader(self._statements, self._settings, tag, offset, lambda: self._wall_us() // 1_000)

    async def persistence_ids(self) -> list[str]:
        return [row.persistence_id async for rows in self._statements.pages(schema.IDS) for row in rows]

    @property
    def version(self) -> int:
        return 0

    async def changed(self, seen: int, limit_s: float) -> None:
        await asyncio.sleep(limit_s)

    async def settle(self) -> None:
        """Wait for the writes that are under way."""
        while self._writes:
            await asyncio.wait(self._writes.values())
        await self._tags.settle()
