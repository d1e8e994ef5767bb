"""Distributed data that outlives its nodes: the last envelope of each durable key, in a file of SQLite.

One table, `data(key, envelope)`; an envelope is serializer 12's DurableDataEnvelope. A write is in the file before it
is acknowledged and survives the end of the process; a loss of power may take the last ones. A file is of one node.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

LOCK_TIMEOUT_S = 1.0


class DurableStore:
    """Of one replicator. Raises `sqlite3.Error` where the file cannot be used, or another node does."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(file, timeout=LOCK_TIMEOUT_S, isolation_level=None)
        self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute("CREATE TABLE IF NOT EXISTS data (key TEXT PRIMARY KEY, envelope BLOB NOT NULL)")
        self._connection.execute("BEGIN EXCLUSIVE")  # held from now on
        self._connection.execute("COMMIT")

    def load(self) -> Iterator[tuple[str, bytes]]:
        """All keys and their envelopes."""
        yield from self._connection.execute("SELECT key, envelope FROM data").fetchall()

    def store(self, key: str, envelope: bytes) -> None:
        """Replace the envelope of a key."""
        self._connection.execute("INSERT OR REPLACE INTO data VALUES (?, ?)", (key, envelope))

    def close(self) -> None:
        """Nothing can be stored after this."""
        self._connection.close()
