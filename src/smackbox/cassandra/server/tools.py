"""The control-socket requests of `smack cql flush`, `compact` and `snapshot`.

If no server runs on the directory, the store is opened directly. A snapshot is a checkpoint of the store, and is itself
a data directory; named snapshots are in `snapshots/NAME` of the server's directory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from smackbox.base.clock import SystemClock
from smackbox.base.errors import StartError, UserError
from smackbox.cassandra.server.clients import Clients
from smackbox.cassandra.server.group_commit import GroupCommit
from smackbox.cassandra.server.snapshot import STORE, Copied, take
from smackbox.cassandra.server.upkeep import Upkeep, compacted, size_on_disk, tables_named
from smackbox.cassandra.state.catalog import Catalog
from smackbox.cassandra.state.engine import SCHEMA_FAMILY, Engine
from smackbox.cassandra.state.keys import successor
from smackbox.cassandra.state.sweep import sweep_all
from smackbox.net.control import Request, call
from smackbox.store.data_dir import DataDir
from smackbox.store.rocks import RocksStore, open_store

A = TypeVar("A", bound=msgspec.Struct)


class Snapshot(Request, frozen=True):
    """Take a checkpoint of the store as the data directory `target`."""

    target: str


class Flush(Request, frozen=True):
    """Write the data in memory and in the log to files."""


class Compact(Request, frozen=True):
    """Purge deleted and expired data from the tables of this name: `keyspace`, `keyspace.table`, or empty for all."""

    name: str


class Done(msgspec.Struct, frozen=True):
    """The result, as a line for a person."""

    text: str


REQUESTS = Snapshot | Flush | Compact


class Requests:
    """Serves the requests on one server's control socket."""

    def __init__(
        self, directory: Path, store: RocksStore, commit: GroupCommit, upkeep: Upkeep, clients: Clients
    ) -> None:
        self._directory = directory
        self._store = store
        self._commit = commit
        self._upkeep = upkeep
        self._clients = clients

    async def serve(self, request: Snapshot | Flush | Compact) -> msgspec.Struct:
        """Serve a request. Raises `OSError`, `StorageError` and `UserError`."""
        self._commit.flush()
        match request:
            case Snapshot(target=target):
                return await asyncio.to_thread(take, self._store, Path(target))
            case Flush():
                await asyncio.to_thread(self._store.flush)
                return Done(flushed(self._directory / STORE))
            case Compact(name=name):
                return Done(await self._upkeep.compact(name))

    def numbers(self) -> dict[str, int]:
        """The figures that the server's status shows."""
        return {
            "connections": len(self._clients.connected),
            "requests": self._clients.request_count(),
            "bytes on disk": size_on_disk(self._directory / STORE),
        }


def ask(directory: Path, target: Path, timeout_s: float) -> Copied:
    """Take a snapshot of `directory`, through its server if one is running on it. Raises `UserError`."""
    try:
        request = Snapshot(str(target.resolve()))
        return _done(directory, request, Copied, timeout_s, lambda store: take(store, target))
    except OSError as error:
        raise UserError(f"cannot take a snapshot to {target}: {error}") from error


def flush(directory: Path, timeout_s: float) -> str:
    """Write the data in memory and in the log to files. Raises `UserError`."""

    def here(store: RocksStore) -> Done:
        store.flush()
        return Done(flushed(directory / STORE))

    return _done(directory, Flush(), Done, timeout_s, here).text


def compact(directory: Path, name: str, timeout_s: float) -> str:
    """Purge deleted and expired data from the tables of that name. Raises `UserError`."""

    def here(store: RocksStore) -> Done:
        engine = Engine(store)
        tables = tables_named(Catalog(store, engine), name)
        before = size_on_disk(directory / STORE)
        removed = sum(sweep_all(engine, table, SystemClock().wall_ms() // 1000).removed for table in tables)
        for table in tables:
            store.compact(table.prefix, successor(table.prefix))
        return Done(compacted(len(tables), removed, before, size_on_disk(directory / STORE)))

    return _done(directory, Compact(name), Done, timeout_s, here).text


def flushed(store_directory: Path) -> str:
    """What `smack cassandra flush` prints."""
    return f"all data is flushed to files, {size_on_disk(store_directory) / 1e6:.1f} MB"


def _done(directory: Path, request: Request, answer: type[A], timeout_s: float, here: Callable[[RocksStore], A]) -> A:
    if not (directory / STORE / "CURRENT").exists():
        raise UserError(f"{directory} is not a Cassandra server's data directory")
    try:
        held = DataDir.open(directory)
    except StartError:
        return call(directory, request, answer, timeout_s)
    try:
        store = open_store(directory / STORE, families=(SCHEMA_FAMILY,))
        try:
            return here(store)
        finally:
            store.close()
    finally:
        held.close()
