"""What `smack cql flush`, `compact` and `snapshot` ask a server for, by a `store.copy_request`.

Where no server runs on the directory, the same is done to the store itself. A snapshot is a checkpoint of the store,
which is a data directory of its own; named ones lie in `snapshots/NAME` of the server's directory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from smackbox.base.clock import SystemClock
from smackbox.base.errors import StartError, StorageError, UserError
from smackbox.cassandra.server.group_commit import GroupCommit
from smackbox.cassandra.server.snapshot import STORE, take
from smackbox.cassandra.server.upkeep import Upkeep, compacted, size_on_disk, tables_named
from smackbox.cassandra.state.catalog import Catalog
from smackbox.cassandra.state.engine import SCHEMA_FAMILY, Engine
from smackbox.cassandra.state.keys import successor
from smackbox.cassandra.state.sweep import sweep_all
from smackbox.store import copy_request
from smackbox.store.copy_request import Copied, Request
from smackbox.store.data_dir import DataDir
from smackbox.store.rocks import RocksStore, open_store

log = logging.getLogger(__name__)

FLUSH = "flush"
COMPACT = "compact"
COPY = "copy"


class Requests:
    """What one server is asked for, one after another."""

    def __init__(self, directory: Path, store: RocksStore, commit: GroupCommit, upkeep: Upkeep) -> None:
        self._directory = directory
        self._store = store
        self._commit = commit
        self._upkeep = upkeep
        self._task: asyncio.Task[None] | None = None

    def listen(self) -> None:
        """Take requests, where this is the process's own loop; signals come to no other."""
        try:
            asyncio.get_running_loop().add_signal_handler(copy_request.SIGNAL, self._is_asked_for)
        except (ValueError, RuntimeError):
            log.debug("not the main thread: nobody can ask for snapshots by a signal")

    async def serve(self, request: Request) -> Copied:
        """Do what is asked for; what went wrong is in the answer."""
        try:
            self._commit.flush()
            if request.verb == COPY:
                return await asyncio.to_thread(take, self._store, Path(request.target))
            if request.verb == FLUSH:
                await asyncio.to_thread(self._store.flush)
                return Copied(text=flushed(self._directory / STORE))
            if request.verb == COMPACT:
                return Copied(text=await self._upkeep.compact(request.target))
        except (OSError, StorageError, UserError) as error:
            log.error("cassandra cannot %s %s: %s", request.verb, request.target, error)
            return Copied(error=str(error))
        return Copied(error=f"this server knows nothing of {request.verb!r}")

    async def close(self) -> None:
        if self._task is not None:
            await self._task

    def _is_asked_for(self) -> None:
        if self._task is not None:
            return
        request = copy_request.take(self._directory)
        if request is None:
            return

        async def work(asked: Request) -> None:
            copy_request.answer(self._directory, await self.serve(asked))
            self._task = None

        self._task = asyncio.get_running_loop().create_task(work(request))


def ask(directory: Path, target: Path, timeout_s: float) -> Copied:
    """Take a snapshot of `directory`, by its server when one runs on it. Raises `UserError`."""
    try:
        return _done(directory, Request(str(target.resolve())), timeout_s, lambda store: take(store, target))
    except OSError as error:
        raise UserError(f"cannot take a snapshot to {target}: {error}") from error


def flush(directory: Path, timeout_s: float) -> str:
    """Write to files what is in memory and in the log. Raises `UserError`."""

    def here(store: RocksStore) -> Copied:
        store.flush()
        return Copied(text=flushed(directory / STORE))

    return _done(directory, Request("", FLUSH), timeout_s, here).text


def compact(directory: Path, name: str, timeout_s: float) -> str:
    """Drop what may be dropped from the tables of that name. Raises `UserError`."""

    def here(store: RocksStore) -> Copied:
        engine = Engine(store)
        tables = tables_named(Catalog(store, engine), name)
        before = size_on_disk(directory / STORE)
        removed = sum(sweep_all(engine, table, SystemClock().wall_ms() // 1000).removed for table in tables)
        for table in tables:
            store.compact(table.prefix, successor(table.prefix))
        return Copied(text=compacted(len(tables), removed, before, size_on_disk(directory / STORE)))

    return _done(directory, Request(name, COMPACT), timeout_s, here).text


def flushed(store_directory: Path) -> str:
    return f"all of memory is in files, {size_on_disk(store_directory) / 1e6:.1f} MB"


def _done(directory: Path, request: Request, timeout_s: float, here: Callable[[RocksStore], Copied]) -> Copied:
    if not (directory / STORE / "CURRENT").exists():
        raise UserError(f"{directory} is not a Cassandra server's data directory")
    try:
        held = DataDir.open(directory)
    except StartError:
        done = copy_request.send(directory, request, timeout_s)
        if done.error:
            raise UserError(f"cannot {request.verb} {request.target}: {done.error}") from None
        return done
    try:
        store = open_store(directory / STORE, families=(SCHEMA_FAMILY,))
        try:
            return here(store)
        finally:
            store.close()
    finally:
        held.close()
