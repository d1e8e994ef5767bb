"""A copy of a server's data as it is at one moment, taken while the server goes on.

The copy is a checkpoint of the store: files that never change are linked, so it takes little time and at first no room;
on another file system they are copied. A server started on it finds all that had been acknowledged.

A request comes as `snapshot-request.json` in the data directory and the signal SIGUSR1, the answer is
`snapshot-answer.json`: `smack cassandra snapshot` does both. Where no server runs, it opens the store itself.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from smackbox.base.errors import StartError, UserError
from smackbox.cassandra.state.engine import SCHEMA_FAMILY
from smackbox.store.data_dir import LOCK_FILE, DataDir
from smackbox.store.rocks import RocksStore, open_store

if TYPE_CHECKING:
    from smackbox.cassandra.server.service import CassandraServer

log = logging.getLogger(__name__)

REQUEST = "snapshot-request.json"
ANSWER = "snapshot-answer.json"
STORE = "data"
SIGNAL = signal.SIGUSR1
POLL_S = 0.02


class Taken(msgspec.Struct, frozen=True):
    """What a snapshot holds; `error` is empty when it went well."""

    files: int = 0
    bytes: int = 0
    error: str = ""


class _Request(msgspec.Struct, frozen=True):
    target: str


class Snapshots:
    """The snapshots that one server is asked for."""

    def __init__(self, server: CassandraServer, directory: Path) -> None:
        self._server = server
        self._directory = directory
        self._task: asyncio.Task[None] | None = None

    def listen(self) -> None:
        """Take requests, where this is the process's own loop; signals come to no other."""
        try:
            asyncio.get_running_loop().add_signal_handler(SIGNAL, self._is_asked_for)
        except (ValueError, RuntimeError):
            log.debug("not the main thread: snapshots are taken by `snapshot` alone")

    async def take(self, target: Path) -> Taken:
        """All that has been acknowledged, and what is on its way."""
        store = self._server.store
        assert store is not None
        self._server.flush()
        try:
            return await asyncio.to_thread(take, store, target)
        except OSError as error:
            log.error("cassandra cannot take a snapshot to %s: %s", target, error)
            return Taken(error=str(error))

    async def close(self) -> None:
        if self._task is not None:
            await self._task

    def _is_asked_for(self) -> None:
        target = _read_request(self._directory)
        if target is None or self._task is not None:
            return

        async def work() -> None:
            _write_answer(self._directory, await self.take(target))
            self._task = None

        self._task = asyncio.get_running_loop().create_task(work())


def take(store: RocksStore, target: Path) -> Taken:
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
    return Taken(len(sizes), sum(sizes))


def ask(directory: Path, target: Path, timeout_s: float) -> Taken:
    """Take a snapshot of `directory`, by its server when one runs on it. Raises `UserError`."""
    if not (directory / STORE / "CURRENT").exists():
        raise UserError(f"{directory} is not a Cassandra server's data directory")
    try:
        held = DataDir.open(directory)
    except StartError:
        return _ask_server(directory, target.resolve(), timeout_s)
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


def _ask_server(directory: Path, target: Path, timeout_s: float) -> Taken:
    pid = int((directory / LOCK_FILE).read_text())
    if not _takes_requests(pid):
        raise UserError(f"the process {pid}, which holds {directory}, takes no requests for snapshots")
    answer = directory / ANSWER
    answer.unlink(missing_ok=True)
    (directory / REQUEST).write_bytes(msgspec.json.encode(_Request(str(target))))
    os.kill(pid, SIGNAL)
    deadline = time.monotonic() + timeout_s
    while not answer.exists():
        if time.monotonic() > deadline:
            raise UserError(f"the server (process {pid}) did not finish within {timeout_s:.0f} s")
        time.sleep(POLL_S)
    taken = msgspec.json.decode(answer.read_bytes(), type=Taken)
    answer.unlink()
    if taken.error:
        raise UserError(f"cannot take a snapshot to {target}: {taken.error}")
    return taken


def _takes_requests(pid: int) -> bool:
    """Whether the process catches the signal; one that does not would die of it."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return True  # not Linux: the kernel does not say
    caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (SIGNAL - 1) & 1)


def _read_request(directory: Path) -> Path | None:
    """Where to a snapshot is asked for, once."""
    file = directory / REQUEST
    try:
        asked = msgspec.json.decode(file.read_bytes(), type=_Request)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    file.unlink(missing_ok=True)
    return Path(asked.target)


def _write_answer(directory: Path, answer: Taken) -> None:
    fresh = directory / (ANSWER + ".fresh")
    fresh.write_bytes(msgspec.json.encode(answer))
    fresh.replace(directory / ANSWER)
