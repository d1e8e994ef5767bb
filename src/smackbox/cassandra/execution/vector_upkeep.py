"""The vector indexes in memory: filled from the store's entries, and kept up to date with the writes.

A write records its row (`Engine.enter`); before a search the recorded rows are read. Deletions and expired values
record nothing: they are detected when a search meets them. If too many rows are recorded, the index is rebuilt.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from smackbox.cassandra.execution.reading import RowReader, rows_at
from smackbox.cassandra.state.catalog import Catalog
from smackbox.cassandra.state.engine import Engine
from smackbox.cassandra.state.index_target import IndexTarget, is_vector_index, similarity_of
from smackbox.cassandra.state.keys import successor
from smackbox.cassandra.state.schema import Table
from smackbox.cassandra.state.vectors import VectorIndex, vectors_available
from smackbox.cassandra.values.similarity import unsearchable
from smackbox.cassandra.wire.types import VectorType

STEP_ROWS = 256


class Vectors:
    """The vector indexes of all tables, by number."""

    def __init__(self, catalog: Catalog, engine: Engine, lock: AbstractContextManager[object]) -> None:
        self._lock = lock
        self._catalog = catalog
        self._engine = engine
        # with the rows to be read: another dictionary in the engine means that the index was truncated
        self._found: dict[bytes, tuple[VectorIndex, dict[bytes, None]]] = {}

    def up_to_date(self, table: Table, target: IndexTarget, now_s: int) -> VectorIndex | None:
        """The index including all writes; None if its vectors are not kept in memory."""
        if not vectors_available:
            return None
        index, changed = self._of(target)
        self._read(index, changed, table, target, now_s, len(changed))
        return index

    def step(self, now_s: int) -> list[VectorIndex]:
        """Read some of the recorded rows of each index, and return the indexes whose graphs lag. Call it while no graph
        is being extended.
        """
        if not vectors_available:
            return []
        used = set()
        for keyspace in self._catalog.user_keyspaces():
            for table in keyspace.tables.values():
                for target in table.index_targets:
                    if is_vector_index(target):
                        used.add(target.prefix)
                        index, changed = self._of(target)
                        index.compact()
                        self._read(index, changed, table, target, now_s, STEP_ROWS)
        for gone in self._found.keys() - used:
            del self._found[gone]
            self._engine.noted.pop(gone, None)
        return [index for index, changed in self._found.values() if index.is_lagging or changed]

    def _of(self, target: IndexTarget) -> tuple[VectorIndex, dict[bytes, None]]:
        engine = self._engine
        known = self._found.get(target.prefix)
        if known is not None and engine.noted.get(target.prefix) is known[1]:
            return known
        engine.flush()
        kind = target.column.type
        assert isinstance(kind, VectorType)
        prefix = target.prefix
        changed = engine.noted[prefix] = {entry[4:]: None for entry, _ in engine.store.items(prefix, successor(prefix))}
        known = self._found[prefix] = VectorIndex(kind.dimension, similarity_of(target), self._lock), changed
        return known

    def _read(
        self, index: VectorIndex, changed: dict[bytes, None], table: Table, target: IndexTarget, now_s: int, count: int
    ) -> None:
        if not changed:
            return
        engine = self._engine
        engine.flush()
        reader = RowReader(table)
        measure = index.similarity
        column = target.column
        for _ in range(min(count, len(changed))):
            rest, _ = changed.popitem()
            row_key = table.prefix + rest
            keyed_row = next(rows_at(engine, table, reader, row_key, now_s), None)
            value = None if keyed_row is None else keyed_row[1].values[column.ordinal]
            if value is not None and unsearchable(column.type.decode(value), measure) is not None:
                value = None
            index.put(row_key, value)
