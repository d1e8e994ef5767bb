"""A leader's records in an SQLite file, for a single process without a successor."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from smackbox.base.errors import StartError, StorageError
from smackbox.election.serial_executor import SerialExecutor

T = TypeVar("T")


class FileStateStore:
    """`DIR/state.sqlite`. Stored records survive `kill -9`; with `sync`, power loss."""

    def __init__(self, directory: Path, *, sync: bool = False) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(directory / "state.sqlite", check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if sync else 'OFF'}")
            self._connection.execute("CREATE TABLE IF NOT EXISTS record (name TEXT PRIMARY KEY, value BLOB NOT NULL)")
        except (OSError, sqlite3.Error) as error:
            raise StartError(f"cannot use {directory / 'state.sqlite'}: {error}") from error
        self._executor = SerialExecutor()

    async def load(self) -> dict[str, bytes]:
        """All records by name."""
        return await self._in_thread(lambda: dict(self._connection.execute("SELECT name, value FROM record")))

    async def store(self, changes: dict[str, bytes | None]) -> None:
        """Write (bytes) and delete (None) these records in one transaction. Raises `StorageError`."""

        def write() -> None:
            with self._connection:
                for name, value in changes.items():
                    if value is None:
                        self._connection.execute("DELETE FROM record WHERE name = ?", (name,))
                    else:
                        self._connection.execute("REPLACE INTO record VALUES (?, ?)", (name, value))

        await self._in_thread(write)

    async def close(self) -> None:
        """Close the file after the writes in progress."""
        await self._executor.run(self._connection.close)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await self._executor.run(work)
        except sqlite3.Error as error:
            raise StorageError(f"the state file cannot be used: {error}") from error
