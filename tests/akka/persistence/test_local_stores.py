"""The TCK on the stores in memory and in RocksDB, and what is RocksDB's own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from smackbox.akka.persistence.memory import MemoryJournal, MemorySnapshots, MemoryStates
from smackbox.akka.persistence.rocks import RocksPersistence
from smackbox.akka.persistence.snapshot_store import Criteria
from smackbox.base.errors import StartError, StorageError
from smackbox.store.rocks import open_store
from tests.akka.persistence.tck import JournalTck, Opened, SnapshotTck, StateTck, Stores


@pytest.fixture(params=["memory", "rocks", "rocks-sync"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Stores:
    kept: list[Any] = []

    @contextlib.asynccontextmanager
    async def open_memory() -> AsyncIterator[Opened]:
        if not kept:
            kept.extend((MemoryJournal(), MemorySnapshots(), MemoryStates()))
        yield Opened(*kept)

    @contextlib.asynccontextmanager
    async def open_rocks() -> AsyncIterator[Opened]:
        rocks = RocksPersistence(tmp_path / "data", sync=request.param == "rocks-sync")
        try:
            yield Opened(rocks.journal, rocks.snapshots, rocks.states)
        finally:
            rocks.close()

    return Stores(open_memory if request.param == "memory" else open_rocks)


class TestJournal(JournalTck):
    pass


class TestSnapshots(SnapshotTck):
    pass


class TestStates(StateTck):
    pass


def test_a_directory_is_one_process_own(tmp_path: Path) -> None:
    held = RocksPersistence(tmp_path / "data")
    try:
        with pytest.raises(StartError, match="data"):
            RocksPersistence(tmp_path / "data")
    finally:
        held.close()


def test_a_damaged_event_is_reported_by_its_id_and_number(tmp_path: Path) -> None:
    @contextlib.asynccontextmanager
    async def rocks() -> AsyncIterator[Opened]:
        opened = RocksPersistence(tmp_path / "data")
        try:
            yield Opened(opened.journal, opened.snapshots)
        finally:
            opened.close()

    async def write(opened: Opened) -> None:
        await opened.log.persist("cart|1", 1, ["a-1", "a-2"])

    async def read(opened: Opened) -> None:
        with pytest.raises(StorageError, match=r"event 2 of cart\|1 is damaged"):
            await opened.found("cart|1")
        with pytest.raises(StorageError, match="is damaged"):
            await opened.snapshots.load("cart|1", Criteria())

    stores = Stores(rocks)
    stores.run(write)
    store = open_store(tmp_path / "data")
    (_, (second, _)) = store.items(family="events")
    batch = store.batch()
    batch.put(second, b"\xff", store.family("events"))
    batch.put(second, b"\xff", store.family("snapshots"))
    store.write(batch)
    store.close()
    stores.run(read)
