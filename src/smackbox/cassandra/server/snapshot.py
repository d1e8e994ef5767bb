"""A copy of a server's data as it is at one moment, taken while the server goes on.

The copy is a checkpoint of the store: files that never change are linked, so it takes little time and at first no room;
on another file system they are copied. A server started on it finds all that had been acknowledged.

`smack cassandra snapshot` asks for it by a `store.copy_request`; where no server runs, it opens the store itself.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from smackbox.base.errors import StartError, UserError
from smackbox.cassandra.state.engine import SCHEMA_FAMILY
from smackbox.store import copy_request
from smackbox.store.copy_request import Copied
from smackbox.store.data_dir import DataDir
from smackbox.store.rocks import RocksStore, open_store

if TYPE_CHECKING:
    from smackbox.cassandra.server.service import CassandraServer

log = logging.getLogger(__name__)

STORE = "data"


class Snapshots:
    """The snapshots that one server is asked for."""

    def __init__(self, server: CassandraServer, directory: Path) -> None:
        self._server = server
        self._directory = directory
        self._task: asyncio.Task[None] | None = None

    def listen(self) -> None:
        """Take requests, where this is the process's own loop; signals come to no other."""
        try:
            asyncio.get_running_loop().add_signal_handler(copy_request.SIGNAL, self._is_asked_for)
        except (ValueError, RuntimeError):
            log.debug("not the main thread: snapshots are taken by `snapshot` alone")

    async def take(self, target: Path) -> Copied:
        """All that has been acknowledged, and what is on its way."""
        store = self._server.store
        assert store is not None
        self._server.flush()
        try:
            return await asyncio.to_thread(take, store, target)
        except OSError as error:
            log.error("cassandra cannot take a snapshot to %s: %s", target, error)
            return Copied(error=str(error))

    async def close(self) -> None:
        if self._task is not None:
            await self._task

    def _is_asked_for(self) -> None:
        target = copy_request.take_request(self._directory)
        if target is None or self._task is not None:
            return

        async def work() -> None:
            copy_request.answer(self._directory, await self.take(target))
            self._task = None

        self._task = asyncio.get_running_loop().create_task(work())


def take(store: RocksStore, target: Path) -> Copied:
    """A checkpoint of `store` as the data directory `target`, which must not be there or be empty. Raises `OSError`."""
    target.mkdir(parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise OSError(f"{target} is not empty")
    try:
        store.checkpoint(target / STORE)
    except Exception as error:  # rocksdict raises bare Exception for every RocksDB status
        if type(error) is not Exception:
            raise
        raise OSError(str(error)) from error
    sizes = [entry.stat().st_size for entry in os.scandir(target / STORE)]
    return Copied(len(sizes), sum(sizes))


def ask(directory: Path, target: Path, timeout_s: float) -> Copied:
    """Take a snapshot of `directory`, by its server when one runs on it. Raises `UserError`."""
    if not (directory / STORE / "CURRENT").exists():
        raise UserError(f"{directory} is not a Cassandra server's data directory")
    try:
        held = DataDir.open(directory)
    except StartError:
        return copy_request.ask(directory, target, timeout_s)
    try:
        store = open_store(directory / STORE, families=(SCHEMA_FAMILY,))
        try:
            return take(store, target)
        finally:
            store.close()
    except OSError as error:
        raise UserError(f"cannot take a snapshot to {target}: {error}") from error
    finally:
        held.close()
