"""Where a leader keeps what its successor must know: a few thousand named records, changed all or none at a time.

In memory, in a file of SQLite, or in a folder of ZooKeeper. In ZooKeeper each change is one multi operation that also
checks that the writer's own election node is still there: a leader that was succeeded cannot store anything
any more, whatever it believes (`Fenced`).

Names are any text; in ZooKeeper a name is one node, percent-encoded.
"""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote

from kazoo.exceptions import KazooException, NoNodeError, RolledBackError, RuntimeInconsistency

from smackbox.base.errors import StartError, StorageError
from smackbox.coordination.coordinator import Coordinator

NODE_LIMIT = 1_000_000
"""Bytes of one multi operation; ZooKeeper's `jute.maxbuffer` is 1 MiB."""


class Fenced(StorageError):  # noqa: N818 - it is the state of the writer
    """Another leader has taken over: this one must store nothing."""


class StateStore(Protocol):
    async def load(self) -> dict[str, bytes]:
        """Every record. Raises `StorageError`."""
        ...

    async def store(self, changes: dict[str, bytes | None]) -> None:
        """Set these records, or remove those that are None: all or none. Raises `StorageError`, `Fenced`."""
        ...

    async def close(self) -> None: ...


class MemoryStateStore:
    """Gone with its process."""

    def __init__(self) -> None:
        self.records: dict[str, bytes] = {}

    async def load(self) -> dict[str, bytes]:
        return dict(self.records)

    async def store(self, changes: dict[str, bytes | None]) -> None:
        for name, value in changes.items():
            if value is None:
                self.records.pop(name, None)
            else:
                self.records[name] = value

    async def close(self) -> None:
        pass


class FileStateStore:
    """`DIR/state.sqlite`. What was stored survives `kill -9`; with `sync`, power loss."""

    def __init__(self, directory: Path, *, sync: bool = False) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(directory / "state.sqlite", check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if sync else 'OFF'}")
            self._connection.execute("CREATE TABLE IF NOT EXISTS record (name TEXT PRIMARY KEY, value BLOB NOT NULL)")
        except (OSError, sqlite3.Error) as error:
            raise StartError(f"cannot use {directory / 'state.sqlite'}: {error}") from error
        self._one_at_a_time = asyncio.Lock()

    async def load(self) -> dict[str, bytes]:
        return await self._in_thread(lambda: dict(self._connection.execute("SELECT name, value FROM record")))

    async def store(self, changes: dict[str, bytes | None]) -> None:
        def write() -> dict[str, bytes]:
            with self._connection:
                for name, value in changes.items():
                    if value is None:
                        self._connection.execute("DELETE FROM record WHERE name = ?", (name,))
                    else:
                        self._connection.execute("REPLACE INTO record VALUES (?, ?)", (name, value))
            return {}

        await self._in_thread(write)

    async def close(self) -> None:
        async with self._one_at_a_time:
            self._connection.close()

    async def _in_thread(self, work: _Work) -> dict[str, bytes]:
        async with self._one_at_a_time:
            try:
                return await asyncio.to_thread(work)
            except sqlite3.Error as error:
                raise StorageError(f"the state file cannot be used: {error}") from error


class _Work(Protocol):
    def __call__(self) -> dict[str, bytes]: ...


class ZooKeeperStateStore:
    """A folder below the coordinator's path."""

    def __init__(self, coordinator: Coordinator, folder: str) -> None:
        self._coordinator = coordinator
        self._path = f"{coordinator.url.path}/{folder}"
        self._names: set[str] = set()
        self._one_at_a_time = asyncio.Lock()

    async def load(self) -> dict[str, bytes]:
        async with self._one_at_a_time:
            try:
                return await asyncio.to_thread(self._load)
            except KazooException as error:
                raise StorageError(f"cannot read {self._path} of ZooKeeper: {error!r}") from error

    async def store(self, changes: dict[str, bytes | None]) -> None:
        async with self._one_at_a_time:
            fence = self._coordinator.leading_node
            if fence is None:
                raise Fenced("this process does not lead")
            try:
                await asyncio.to_thread(self._store, fence, changes)
            except KazooException as error:
                raise StorageError(f"cannot write {self._path} of ZooKeeper: {error!r}") from error

    async def close(self) -> None:
        pass

    def _load(self) -> dict[str, bytes]:
        client = self._coordinator.client
        client.ensure_path(self._path)
        names = client.get_children(self._path)
        reading = [(name, client.get_async(f"{self._path}/{name}")) for name in names]
        records: dict[str, bytes] = {}
        for name, result in reading:
            try:
                records[unquote(name)] = result.get(timeout=self._coordinator.session_timeout_s)[0]
            except NoNodeError:
                continue
        self._names = set(records)
        return records

    def _store(self, fence: str, changes: dict[str, bytes | None]) -> None:
        size = sum(len(name) + len(value or b"") for name, value in changes.items())
        if size > NODE_LIMIT:
            raise StorageError(f"a change of {size} bytes is larger than ZooKeeper takes ({NODE_LIMIT})")
        transaction = self._coordinator.client.transaction()
        transaction.check(fence, -1)
        names = set(self._names)
        for name, value in changes.items():
            path = f"{self._path}/{quote(name, safe='')}"
            if value is None:
                if name in names:
                    transaction.delete(path)
                names.discard(name)
            elif name in names:
                transaction.set_data(path, value)
            else:
                transaction.create(path, value)
                names.add(name)
        results = transaction.commit()
        failed = [one for one in results if isinstance(one, Exception)]
        if isinstance(results[0], NoNodeError):
            raise Fenced(f"{fence} is gone: another leader has taken over")
        if failed:
            cause = next(
                (one for one in failed if not isinstance(one, RolledBackError | RuntimeInconsistency)), failed[0]
            )
            raise StorageError(f"cannot write {self._path} of ZooKeeper: {cause!r}") from cause
        self._names = names
