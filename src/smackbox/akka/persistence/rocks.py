"""Journal, snapshots and durable states in one RocksDB of this process: the default.

    family      key                                     value
    events      id, sequence number (8 bytes)           an event
    highest     id                                      highest sequence number ever, deleted up to
    tags        tag, place (8 bytes)                    id, sequence number
    meta        "place"                                 the place of the last tagged event
    snapshots   id, sequence number                     a snapshot
    states      id                                      revision, and a state or nothing

Numbers in keys are big-endian; an id or tag is its length (2 bytes) and its UTF-8. Values are msgpack arrays. An event
and the entries of its tags are one atomic write. All writes of one turn of the loop are one batch; they are answered
when it is in the write-ahead log, that is in the kernel, and with `sync` when it is on the disk.

Reads run on threads of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from smackbox.akka.persistence.rocks_journal import RocksJournal
from smackbox.akka.persistence.rocks_stores import RocksSnapshots, RocksStates
from smackbox.store.rocks import open_store

T = TypeVar("T")

FAMILIES = ("events", "highest", "tags", "meta", "snapshots", "states")
READERS = 2


class RocksPersistence:
    """An open store. Raises `StartError` when the directory is in use, or cannot be used."""

    def __init__(self, directory: Path, *, sync: bool = False) -> None:
        self._store = open_store(directory, families=FAMILIES)
        self._readers = ThreadPoolExecutor(READERS, "persistence")
        self.journal = RocksJournal(self._store, self._read, sync=sync)
        self.snapshots = RocksSnapshots(self._store, self._read, sync=sync)
        self.states = RocksStates(self._store, self._read, sync=sync)

    async def _read(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, work, *arguments)

    def close(self) -> None:
        """Wait for the reads and writes that are under way, and release the directory."""
        self.journal.close()
        self._readers.shutdown(wait=True, cancel_futures=True)
        self._store.close()
