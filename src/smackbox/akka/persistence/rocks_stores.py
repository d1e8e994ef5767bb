"""Snapshots and durable states of `rocks.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from smackbox.akka.persistence.memory import check_revision
from smackbox.akka.persistence.rocks_keys import number_of, numbered, prefix
from smackbox.akka.persistence.snapshot_store import (
    LATEST,
    LOAD_ATTEMPTS,
    Criteria,
    SnapshotMetadata,
    SnapshotStore,
    StoredSnapshot,
)
from smackbox.akka.persistence.state_store import StateStore, StoredState
from smackbox.base.errors import StorageError
from smackbox.store.rocks import RocksStore

Read = Callable[..., Awaitable[Any]]


class _Snapshot(msgspec.Struct, array_like=True, frozen=True):
    timestamp_ms: int
    serializer: int
    manifest: str
    data: bytes


class _State(msgspec.Struct, array_like=True, frozen=True):
    """`data` None: deleted."""

    revision: int
    serializer: int
    manifest: str
    data: bytes | None
    tag: str


class _RocksPart:
    def __init__(self, store: RocksStore, read: Read, *, sync: bool) -> None:
        self._store = store
        self._read = read
        self._sync = sync

    async def _write(self, batch: Any) -> None:
        self._store.write(batch)
        if self._sync:
            await asyncio.to_thread(self._store.sync)


class RocksSnapshots(_RocksPart, SnapshotStore):
    """Of one RocksDB."""

    async def load(self, persistence_id: str, criteria: Criteria) -> list[StoredSnapshot]:
        return list(await self._read(self._load, persistence_id, criteria))

    def _load(self, persistence_id: str, criteria: Criteria) -> list[StoredSnapshot]:
        key = prefix(persistence_id)
        iterator = self._store.view("snapshots").iter()
        iterator.seek_for_prev(numbered(key, criteria.max_sequence_nr))
        found: list[StoredSnapshot] = []
        while iterator.valid() and iterator.key().startswith(key) and len(found) < LOAD_ATTEMPTS:
            number = number_of(iterator.key())
            if number < criteria.min_sequence_nr:
                break
            value = _decoded(iterator.value(), _Snapshot, persistence_id)
            metadata = SnapshotMetadata(persistence_id, number, value.timestamp_ms)
            if criteria.matches(metadata):
                found.append(StoredSnapshot(metadata, value.serializer, value.manifest, value.data))
            iterator.prev()
        return found

    async def save(self, snapshot: StoredSnapshot) -> None:
        metadata = snapshot.metadata
        value = _Snapshot(metadata.timestamp_ms, snapshot.serializer, snapshot.manifest, snapshot.data)
        batch = self._store.batch()
        key = numbered(prefix(metadata.persistence_id), metadata.sequence_nr)
        batch.put(key, msgspec.msgpack.encode(value), self._store.family("snapshots"))
        await self._write(batch)

    async def delete(self, persistence_id: str, criteria: Criteria) -> None:
        key = prefix(persistence_id)
        batch = self._store.batch()
        family = self._store.family("snapshots")
        first = numbered(key, max(0, criteria.min_sequence_nr))
        last = numbered(key, criteria.max_sequence_nr + 1)
        if criteria.min_timestamp_ms <= 0 and criteria.max_timestamp_ms == LATEST:
            batch.delete_range(first, last, family)
        else:
            for full in await self._read(self._matching, persistence_id, first, last, criteria):
                batch.delete(full, family)
        await self._write(batch)

    def _matching(self, persistence_id: str, first: bytes, last: bytes, criteria: Criteria) -> list[bytes]:
        found = []
        for key, value in self._store.items(first, last, "snapshots"):
            stamp = _decoded(value, _Snapshot, persistence_id).timestamp_ms
            if criteria.matches(SnapshotMetadata(persistence_id, number_of(key), stamp)):
                found.append(key)
        return found


class RocksStates(_RocksPart, StateStore):
    """Of one RocksDB."""

    async def get(self, persistence_id: str) -> tuple[StoredState | None, int]:
        value = await self._read(self._get, persistence_id)
        if value is None:
            return None, 0
        if value.data is None:
            return None, value.revision
        return StoredState(
            persistence_id, value.revision, value.serializer, value.manifest, value.data, value.tag
        ), value.revision

    def _get(self, persistence_id: str) -> _State | None:
        stored = self._store.get(prefix(persistence_id), "states")
        return None if stored is None else _decoded(stored, _State, persistence_id)

    async def put(self, state: StoredState) -> None:
        value = _State(state.revision, state.serializer, state.manifest, state.data, state.tag)
        await self._replace(state.persistence_id, value)

    async def delete(self, persistence_id: str, revision: int) -> None:
        await self._replace(persistence_id, _State(revision, 0, "", None, ""))

    async def _replace(self, persistence_id: str, value: _State) -> None:
        stored = self._get(persistence_id)  # on the loop: nothing may come between the check and the write
        check_revision(persistence_id, 0 if stored is None else stored.revision, value.revision)
        batch = self._store.batch()
        batch.put(prefix(persistence_id), msgspec.msgpack.encode(value), self._store.family("states"))
        await self._write(batch)


def _decoded(stored: bytes, kind: Any, persistence_id: str) -> Any:
    try:
        return msgspec.msgpack.decode(stored, type=kind)
    except msgspec.MsgspecError as error:
        raise StorageError(f"what is stored for {persistence_id} is damaged: {error}") from error
