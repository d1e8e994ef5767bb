"""The journal of `rocks.py`."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any

import msgspec

from smackbox.akka.persistence.journal import LAST, REPLAY_BATCH, Done, Journal, StoredEvent, TaggedEvent, TagReader
from smackbox.akka.persistence.memory import sequence_of
from smackbox.akka.persistence.offset import Offset
from smackbox.akka.persistence.offset import Sequence as SequenceOffset
from smackbox.akka.persistence.rocks_keys import name_of, number_of, numbered, prefix
from smackbox.akka.persistence.wake import Wake
from smackbox.base.errors import StorageError
from smackbox.store.group_commit import GroupCommit
from smackbox.store.rocks import RocksStore

Read = Callable[..., Awaitable[Any]]
Waiting = tuple[Sequence[StoredEvent], Done]

PLACE = b"place"
PREFIXES = 10_000
"""Prefixes of ids that are kept encoded."""


class _Value(msgspec.Struct, array_like=True, frozen=True):
    """An event without what its key says."""

    serializer: int
    manifest: str
    data: bytes
    event_manifest: str
    writer_uuid: str
    timestamp_ms: int
    tags: tuple[str, ...]


class RocksJournal(Journal):
    """`read` runs a function on a thread of the store."""

    def __init__(self, store: RocksStore, read: Read, *, sync: bool) -> None:
        self._store = store
        self._read = read
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(_Value).decode
        self._waiting: list[Waiting] = []
        self._prefixes: dict[str, bytes] = {}
        self._wake = Wake()
        place = store.get(PLACE, "meta")
        self._place = 0 if place is None else int.from_bytes(place, "big")
        self._commits = GroupCommit("journal", self._take, self._commit_synced, self._finish) if sync else None
        self._scheduled = False

    # -- writing

    def write(self, events: Sequence[StoredEvent], done: Done) -> None:
        self._waiting.append((events, done))
        if self._commits is not None:
            self._commits.want()
        elif not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._commit)

    def _commit(self) -> None:
        self._scheduled = False
        waiting = self._take()
        if waiting is None:
            return
        error: StorageError | None = None
        try:
            self._store.write(self._batch(waiting))
        except StorageError as failure:
            error = failure
        self._finish(waiting, error)

    def _take(self) -> list[Waiting] | None:
        waiting, self._waiting = self._waiting, []
        return waiting or None

    async def _commit_synced(self, waiting: list[Waiting]) -> None:
        self._store.write(self._batch(waiting))
        await asyncio.to_thread(self._store.sync)

    def _finish(self, waiting: list[Waiting], error: StorageError | None) -> None:
        for _, done in waiting:
            done(error)
        if error is None:
            self._wake.set()

    def _batch(self, waiting: list[Waiting]) -> Any:
        batch = self._store.batch()
        put = batch.put
        family = self._store.family
        events_family, highest_family, tags_family = family("events"), family("highest"), family("tags")
        place = self._place
        for events, _ in waiting:
            for event in events:
                key = self._prefix(event.persistence_id)
                value = _Value(
                    event.serializer,
                    event.manifest,
                    event.data,
                    event.event_manifest,
                    event.writer_uuid,
                    event.timestamp_ms,
                    event.tags,
                )
                full = numbered(key, event.sequence_nr)
                put(full, self._encode(value), events_family)
                if event.sequence_nr == 1:
                    put(key, b"", highest_family)
                for tag in event.tags:
                    place += 1
                    put(numbered(self._prefix(tag), place), full, tags_family)
        if place != self._place:
            self._place = place
            put(PLACE, place.to_bytes(8, "big"), family("meta"))
        return batch

    def _prefix(self, name: str) -> bytes:
        found = self._prefixes.get(name)
        if found is None:
            found = prefix(name)
            if len(self._prefixes) >= PREFIXES:
                self._prefixes.clear()
            self._prefixes[name] = found
        return found

    # -- reading

    async def highest_sequence_nr(self, persistence_id: str, from_sequence_nr: int = 0) -> int:
        return int(await self._read(self._highest, persistence_id))

    def _highest(self, persistence_id: str) -> int:
        key = prefix(persistence_id)
        found = self._store.view("events").iter()
        found.seek_for_prev(numbered(key, LAST))
        stored = number_of(found.key()) if found.valid() and found.key().startswith(key) else 0
        return max(stored, self._deleted_to(key))

    def _deleted_to(self, key: bytes) -> int:
        return int.from_bytes(self._store.get(key, "highest") or b"", "big")

    async def replay(
        self, persistence_id: str, from_sequence_nr: int = 1, to_sequence_nr: int = LAST, limit: int = LAST
    ) -> AsyncGenerator[list[StoredEvent], None]:
        number = max(1, from_sequence_nr)
        while limit > 0 and number <= to_sequence_nr:
            wanted = min(limit, REPLAY_BATCH)
            found = await self._read(self._events, persistence_id, number, to_sequence_nr, wanted)
            if found:
                yield found
            if len(found) < wanted:
                return
            limit -= len(found)
            number = found[-1].sequence_nr + 1

    def _events(self, persistence_id: str, first: int, last: int, limit: int) -> list[StoredEvent]:
        key = prefix(persistence_id)
        first = max(first, self._deleted_to(key) + 1)
        found: list[StoredEvent] = []
        if first > last:
            return found
        for full, value in self._store.items(numbered(key, first), numbered(key, min(last, LAST) + 1), "events"):
            found.append(self._event(full, value))
            if len(found) == limit:
                break
        return found

    def _event(self, key: bytes, stored: bytes) -> StoredEvent:
        try:
            value = self._decode(stored)
        except msgspec.MsgspecError as error:
            raise StorageError(f"event {number_of(key)} of {name_of(key)} is damaged: {error}") from error
        return StoredEvent(
            name_of(key),
            number_of(key),
            value.serializer,
            value.manifest,
            value.data,
            value.event_manifest,
            value.writer_uuid,
            value.timestamp_ms,
            value.tags,
        )

    async def delete_to(self, persistence_id: str, to_sequence_nr: int) -> None:
        to = min(to_sequence_nr, await self.highest_sequence_nr(persistence_id))
        key = prefix(persistence_id)
        if to <= self._deleted_to(key):
            return
        batch = self._store.batch()
        batch.put(key, to.to_bytes(8, "big"), self._store.family("highest"))
        batch.delete_range(numbered(key, 0), numbered(key, to + 1), self._store.family("events"))
        self._store.write(batch)

    # -- queries

    def tag_reader(self, tag: str, offset: Offset) -> TagReader:
        return _RocksTagReader(self, tag, sequence_of(offset))

    def tagged(self, tag: str, after: int) -> tuple[list[TaggedEvent], int]:
        """The next events of a tag, and the place that was read up to. Those that were deleted are left out."""
        key = prefix(tag)
        found: list[TaggedEvent] = []
        entries = self._store.items(numbered(key, after + 1), numbered(key, LAST + 1), "tags")
        for full, event_key in itertools.islice(entries, REPLAY_BATCH):
            after = number_of(full)
            value = self._store.get(event_key, "events")
            if value is not None:
                found.append(TaggedEvent(SequenceOffset(after), self._event(event_key, value)))
        return found, after

    async def persistence_ids(self) -> list[str]:
        return list(await self._read(lambda: [name_of(key) for key, _ in self._store.items(family="highest")]))

    @property
    def version(self) -> int:
        return self._wake.version

    async def changed(self, seen: int, limit_s: float) -> None:
        await self._wake.wait(seen, limit_s)

    def close(self) -> None:
        """Write what waits."""
        self._commit()


class _RocksTagReader(TagReader):
    def __init__(self, journal: RocksJournal, tag: str, after: int) -> None:
        self._journal = journal
        self._tag = tag
        self._after = after

    async def read(self) -> list[TaggedEvent]:
        while True:
            before = self._after
            found, self._after = await self._journal._read(self._journal.tagged, self._tag, before)
            if found or self._after == before:
                return list(found)
