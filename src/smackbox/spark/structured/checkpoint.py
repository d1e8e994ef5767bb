"""What a streaming query keeps in its checkpoint directory: a RocksDB store with these families, keys big-endian.

    meta     "id" -> the query's UUID
    offsets  batch id (8 bytes) -> JSON: the planned batch: start and end offsets of each source, time, watermarks
    commits  batch id (8 bytes) -> JSON: the watermarks after the batch, and how many keys each operator keeps
    state    operator (1 byte), key -> value: the state of stateful operators
    sources  source (1 byte), key -> value: what a source remembers, as the names of files it has read

A batch is planned (one write), computed, written to the sink, and committed with the changes of the state in one write.
Killed between any two of these steps, the next run finds the plan without its commit and repeats exactly that batch
from the state before it. Writes survive the death of the process.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from smackbox.base.errors import StartError
from smackbox.flow.state import StateView
from smackbox.spark.front.errors import SPARK, SparkError
from smackbox.store.fs import Disk
from smackbox.store.rocks import RocksStore, open_store

FAMILIES = ("meta", "offsets", "commits", "state", "sources")
KEPT_BATCHES = 100
"""Plans and commits of so many batches are kept, as `spark.sql.streaming.minBatchesToRetain` is by default."""
FOLDER = "smackbox"
ID_FILE = "smackbox.id"
MEMTABLE_BYTES = 4 * 1024 * 1024
CACHE_BYTES = 8 * 1024 * 1024


class Checkpoint:
    """Raises `SparkError` for a directory that another query uses or that a JVM Spark has written."""

    def __init__(self, path: Path | None) -> None:
        """None is a directory of its own that goes with the query."""
        self._temporary = Path(tempfile.mkdtemp(prefix="smackbox-stream-")) if path is None else None
        self.path = path or self._temporary
        assert self.path is not None
        if (self.path / "offsets").exists():
            raise SparkError(
                f"The checkpoint in {self.path} was written by Spark on a JVM, and its state cannot be read here: give "
                "the query another checkpointLocation",
                classes=SPARK,
            )
        try:
            self._store: RocksStore = open_store(
                self.path / FOLDER, families=FAMILIES, memtable_bytes=MEMTABLE_BYTES, cache_bytes=CACHE_BYTES
            )
        except StartError as error:
            raise SparkError(
                f"Concurrent update to the log. Multiple streaming jobs detected for {self.path} ({error}): stop the "
                "other query, or give this one another checkpointLocation",
                condition="CONCURRENT_STREAM_LOG_UPDATE",
                classes=SPARK,
                sql_state="40000",
            ) from error
        found = self._store.get(b"id", "meta")
        if found is None:
            found = str(uuid.uuid4()).encode()
            batch = self._store.batch()
            batch.put(b"id", found, self._store.family("meta"))
            self._store.write(batch)
        self.id = found.decode()
        Disk().replace(self.path / ID_FILE, found)
        self._committed = self._last("commits")[0]

    @staticmethod
    def id_of(path: Path) -> str | None:
        """The query's id without opening its store, which may be in use; None for a directory without one."""
        try:
            return (path / ID_FILE).read_text().strip()
        except OSError:
            return None

    @property
    def committed(self) -> int:
        """The last committed batch; -1 before the first."""
        return self._committed

    def planned(self) -> tuple[int, dict[str, Any]] | None:
        """The last planned batch, committed or not."""
        number, text = self._last("offsets")
        return None if number < 0 else (number, json.loads(text))

    def commit_of(self, batch: int) -> dict[str, Any]:
        """What was committed with a batch; empty for none."""
        text = self._store.get(_number(batch), "commits") if batch >= 0 else None
        return {} if text is None else json.loads(text)

    def plan(self, number: int, plan: dict[str, Any]) -> None:
        """Record what batch `number` is going to read."""
        batch = self._store.batch()
        batch.put(_number(number), json.dumps(plan).encode(), self._store.family("offsets"))
        self._store.write(batch)

    def commit(self, number: int, state: StateChanges, record: dict[str, Any]) -> None:
        """Batch `number` is done: its record and the changes of the state, in one write."""
        batch = self._store.batch()
        family = self._store.family("state")
        for key, value in state.changes.items():
            if value is None:
                batch.delete(key, family)
            else:
                batch.put(key, value, family)
        batch.put(_number(number), json.dumps(record).encode(), self._store.family("commits"))
        if number >= KEPT_BATCHES:
            for name in ("offsets", "commits"):
                batch.delete(_number(number - KEPT_BATCHES), self._store.family(name))
        self._store.write(batch)
        self._committed = number

    def state(self) -> StateChanges:
        """A view of the committed state that collects changes."""
        return StateChanges(self._store)

    def source_log(self, source: int) -> SourceLog:
        """What source number `source` remembers."""
        return SourceLog(self._store, source)

    def close(self) -> None:
        """Close the store; a temporary directory goes."""
        self._store.close()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _last(self, family: str) -> tuple[int, bytes]:
        """The entry with the highest number: at most `KEPT_BATCHES` are there."""
        number, text = -1, b""
        for key, value in self._store.items(family=family):
            number, text = int.from_bytes(key, "big"), value
        return number, text


class _Committed:
    """The committed state of all operators."""

    def __init__(self, store: RocksStore) -> None:
        self._store = store

    def get_many(self, keys: list[bytes]) -> list[bytes | None]:
        return list(self._store.view("state").get(keys))

    def items(self, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        return self._store.items(start, end, "state")


class StateChanges(StateView):
    """State as a batch sees it: committed values under its own changes."""

    def __init__(self, store: RocksStore) -> None:
        super().__init__(_Committed(store))


class SourceLog:
    """What one source remembers over restarts; each `put` is a write of its own."""

    def __init__(self, store: RocksStore, source: int) -> None:
        self._store = store
        self._prefix = bytes([source])

    def get(self, key: bytes) -> bytes | None:
        """The value of a key; None for none."""
        return self._store.get(self._prefix + key, "sources")

    def put(self, key: bytes, value: bytes) -> None:
        """Change a value, at once."""
        batch = self._store.batch()
        batch.put(self._prefix + key, value, self._store.family("sources"))
        self._store.write(batch)

    def items(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Entries whose key begins with `prefix`, in order."""
        start = self._prefix + prefix
        end = start[:-1] + bytes([start[-1] + 1])
        for key, value in self._store.items(start, end, "sources"):
            yield key[1:], value


def _number(batch: int) -> bytes:
    return batch.to_bytes(8, "big")
