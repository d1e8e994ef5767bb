"""The statements that clients have prepared, kept across restarts: under `q/` + id in the store's `schema` column
family.

A client that continues after a restart executes by id. The text is looked up when its id is first used, so a start
reads none.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from smackbox.cassandra.state.engine import SCHEMA_FAMILY, Engine
from smackbox.cassandra.state.node import Endpoint
from smackbox.cassandra.state.system_rows import Values

_PREFIX = b"q/"
_END = b"q0"


class PreparedRecord(msgspec.Struct, frozen=True):
    """`keyspace` is the client's keyspace, for tables without one; `schema` is a digest of its tables."""

    text: str
    keyspace: str | None = None
    schema: str = ""


class PreparedRows:
    """The stored statements, at most `limit`."""

    def __init__(self, engine: Engine, limit: int) -> None:
        self._engine = engine
        self._limit = limit
        self._count: int | None = None

    def keep(self, statement_id: bytes, text: str, keyspace: str | None, schema: str) -> None:
        """Store a statement with the next flush."""
        record = PreparedRecord(text, keyspace, schema)
        before = self.find(statement_id)
        if before == record:
            return
        if before is not None:
            self._put(_PREFIX + statement_id, msgspec.json.encode(record))
            return
        if self._count is None:
            self._count = sum(1 for _ in self._items())
        if self._count >= self._limit:
            # statements in use come back with their next EXECUTE
            for key, _ in list(self._items()):
                self._put(key, None)
            self._count = 0
        self._put(_PREFIX + statement_id, msgspec.json.encode(record))
        self._count += 1

    def find(self, statement_id: bytes) -> PreparedRecord | None:
        """A statement that was prepared before the last start, or None."""
        body = self._engine.store.get(_PREFIX + statement_id, SCHEMA_FAMILY)
        return msgspec.json.decode(body, type=PreparedRecord) if body is not None else None

    def forget(self, statement_id: bytes) -> None:
        """Delete a stored statement."""
        if self.find(statement_id) is not None:
            self._put(_PREFIX + statement_id, None)
            self._count = None

    def rows(self, _: Endpoint) -> Iterator[Values]:
        """The rows of system.prepared_statements."""
        for key, value in self._items():
            record = msgspec.json.decode(value, type=PreparedRecord)
            yield {
                "prepared_id": key[len(_PREFIX) :],
                "logged_keyspace": record.keyspace,
                "query_string": record.text,
            }

    def _items(self) -> Iterator[tuple[bytes, bytes]]:
        self._engine.flush()
        return self._engine.store.items(_PREFIX, _END, SCHEMA_FAMILY)

    def _put(self, key: bytes, value: bytes | None) -> None:
        engine = self._engine
        family = engine.store.family(SCHEMA_FAMILY)
        if value is None:
            engine.batch.delete(key, family)
        else:
            engine.batch.put(key, value, family)
        engine.pending += 1
