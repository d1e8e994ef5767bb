"""Reclaims space while the server runs: in small steps in the background, and in whole passes on request.

A step takes about a millisecond, followed by a pause of `PAUSE_S`. It uses a few hundredths of a core while there is
something to purge, and nothing otherwise.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from smackbox.base.errors import StorageError, UserError
from smackbox.cassandra.execution.context import ServerState
from smackbox.cassandra.server.server_clock import ServerClock
from smackbox.cassandra.server.snapshot import STORE, clear_expired
from smackbox.cassandra.state.catalog import Catalog
from smackbox.cassandra.state.keys import successor
from smackbox.cassandra.state.schema import Table
from smackbox.cassandra.state.sweep import Sweep, Sweeper
from smackbox.store.rocks import RocksStore

log = logging.getLogger(__name__)

PAUSE_S = 0.025
IDLE_S = 5.0
EXTENSIONS = 50
SNAPSHOT_CHECK_S = 60


class Upkeep:
    """The passes of one server."""

    def __init__(self, directory: Path, store: RocksStore, state: ServerState, clock: ServerClock) -> None:
        self._directory = directory
        self._store = store
        self._state = state
        self._clock = clock
        self.sweeper = Sweeper(state.engine, state.catalog.table_of)
        self._task: asyncio.Task[None] | None = None
        self._compacted: list[Sweep] = []
        self._waits_for_compaction = asyncio.Lock()
        self._snapshots_checked_s = 0

    def start(self) -> None:
        """Start to sweep in the background."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Stop the running sweep."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def compact(self, name: str) -> str:
        """Purge the tables of that name; returns what was done. Raises `UserError`."""
        tables = tables_named(self._state.catalog, name)
        before = size_on_disk(self._directory / STORE)
        removed = 0
        async with self._waits_for_compaction:
            for table in tables:
                removed += await self._sweep(table)
                await asyncio.to_thread(self._store.compact, table.prefix, successor(table.prefix))
        return compacted(len(tables), removed, before, size_on_disk(self._directory / STORE))

    def under_way(self) -> list[Sweep]:
        """The passes in progress."""
        return self._compacted or self.sweeper.under_way()

    async def _sweep(self, table: Table) -> int:
        self.sweeper.abandon()  # two concurrent passes would miss each other's late writes
        sweep = Sweep(self._state.engine, table)
        self._compacted = [sweep]
        try:
            return await self._finish(sweep)
        finally:
            self._compacted = []

    async def _finish(self, sweep: Sweep) -> int:
        while True:
            current = self._state.catalog.table_of(sweep.number)
            if current is None:
                return sweep.removed
            now_s = self._clock.now_s()
            if sweep.step(current, now_s):
                self.sweeper.finish(sweep, current, now_s)
                return sweep.removed
            await asyncio.sleep(0)

    async def _run(self) -> None:
        is_busy = False
        while True:
            await asyncio.sleep(PAUSE_S if is_busy else IDLE_S)
            is_busy = False
            try:
                is_busy = not self._compacted and self.sweeper.step(self._clock.now_s())
                for index in self._state.vectors.step(self._clock.now_s()):
                    is_busy = True
                    for _ in range(EXTENSIONS):
                        if index.is_lagging:
                            await asyncio.to_thread(index.extend)
                await self.clear_snapshots()
            except StorageError as error:
                log.error("cassandra cannot reclaim space: %s", error)

    async def clear_snapshots(self) -> None:
        """Remove expired snapshots, checking every `SNAPSHOT_CHECK_S`."""
        now_s = self._clock.now_s()
        if now_s < self._snapshots_checked_s + SNAPSHOT_CHECK_S:
            return
        self._snapshots_checked_s = now_s
        try:
            for name in await asyncio.to_thread(clear_expired, self._directory, now_s):
                log.info("the snapshot %s has expired and is removed", name)
        except (OSError, UserError) as error:
            log.error("cassandra cannot remove expired snapshots: %s", error)


def tables_named(catalog: Catalog, name: str) -> Sequence[Table]:
    """The stored tables of `keyspace.table`, of `keyspace`, or all for ''. Raises `UserError` when there are none."""
    keyspace_name, _, table_name = name.partition(".")
    tables = [
        table
        for keyspace in catalog.user_keyspaces()
        for table in keyspace.tables.values()
        if not table.is_view
        and (not name or keyspace.name == keyspace_name)
        and (not table_name or table.name == table_name)
    ]
    if name and not tables and (table_name or keyspace_name not in catalog.keyspaces):
        raise UserError(f"there is no {'table' if table_name else 'keyspace'} {name}")
    return tables


def compacted(tables: int, removed: int, before: int, after: int) -> str:
    """What `smack cassandra compact` prints."""
    return f"{tables} tables: {removed} entries dropped, {before / 1e6:.1f} MB before, {after / 1e6:.1f} MB after"


def size_on_disk(directory: Path) -> int:
    """Bytes of the files in a directory, ignoring files that disappear meanwhile."""
    total = 0
    for entry in os.scandir(directory):
        try:
            total += entry.stat().st_size
        except FileNotFoundError:
            continue  # the store has just removed it
    return total
