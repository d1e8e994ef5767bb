"""The rows that an index has for a restriction."""

from __future__ import annotations

from collections.abc import Iterator

from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.execution.restrictions import SLICES, Predicate, Restriction, predicate_of
from smackbox.cassandra.state.index_target import IndexTarget
from smackbox.cassandra.state.keys import successor
from smackbox.cassandra.state.schema import Table
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import MapType

INDEXED_ROWS_LIMIT = 1_000_000


class IndexChoice:
    """One indexed restriction, and the index that answers it."""

    __slots__ = ("_restriction", "_table", "_target")

    def __init__(self, table: Table, restriction: Restriction, target: IndexTarget) -> None:
        self._table = table
        self._restriction = restriction
        self._target = target

    @property
    def restriction(self) -> Restriction:
        """The restriction that the index serves."""
        return self._restriction

    def predicate(self, context: Context) -> Predicate:
        """The condition that rows must still be checked for, as an index may return too many."""
        return predicate_of(self._restriction, context)

    def row_keys(self, context: Context) -> Iterator[tuple[bytes, bytes]]:
        """(entry, row key of the base table), each row once and in the order of the base table."""
        engine = context.state.engine
        if engine.pending:
            engine.flush()
        operator = self._restriction.operator
        if operator not in SLICES:
            start = self._target.prefix + self._wanted(context)
            size = len(start)
            for entry, _ in engine.store.items(start, successor(start)):
                yield entry, self._table.prefix + entry[size:]
            return
        entries: dict[bytes, bytes] = {}
        prefix = self._target.prefix
        order = self._restriction.column.type.order_key
        bound = prefix + order(self._restriction.values(context)[0])
        low = bound if operator == ">=" else successor(bound) if operator == ">" else prefix
        high = bound if operator == "<" else successor(bound) if operator == "<=" else successor(prefix)
        for entry, _ in engine.store.items(low, high):
            row_key = self._row_key(entry)
            if row_key is not None:
                entries[row_key] = entry
            if len(entries) > INDEXED_ROWS_LIMIT:
                raise Invalid(f"a range of an index stands for {INDEXED_ROWS_LIMIT} rows at most; narrow it")
        for row_key in sorted(entries):
            yield entries[row_key], row_key

    def _row_key(self, entry: bytes) -> bytes | None:
        """The row key after the value's order key, whose encoding marks its end."""
        size = order_key_length(entry, len(self._target.prefix), self._restriction.column.type.fixed_length)
        return self._table.prefix + entry[size:]

    def _wanted(self, context: Context) -> bytes:
        restriction = self._restriction
        value = restriction.values(context)[0]
        if self._target.analyse is not None:
            value = self._target.analyse(value)
        kind = restriction.column.type
        if restriction.element is not None:
            assert isinstance(kind, MapType)
            key = restriction.element.evaluate(context, None)
            if not isinstance(key, bytes):
                raise Invalid(f"Invalid null map key for column {restriction.column.name}")
            return kind.key.order_key(key) + kind.value.order_key(value)
        if restriction.operator == "CONTAINS KEY":
            assert isinstance(kind, MapType)
            return kind.key.order_key(value)
        if restriction.operator == "CONTAINS":
            element = kind.value if isinstance(kind, MapType) else kind.element  # type: ignore[attr-defined]
            return bytes(element.order_key(value))
        return kind.order_key(value)


def order_key_length(entry: bytes, start: int, fixed_length: int | None) -> int:
    """The end of an order key that begins at `start`: after a fixed length, or after two zero bytes."""
    if entry[start] == 0:
        return start + 1
    if fixed_length is not None:
        return start + 1 + fixed_length
    end = start + 1
    while True:
        end = entry.index(b"\x00", end)
        if entry[end + 1] == 0:
            return end + 2
        end += 2
