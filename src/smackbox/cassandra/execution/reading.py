"""From the engine's rows to values in the order of `SELECT *`."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from smackbox.cassandra.execution.row_view import KeyedRow, RowView
from smackbox.cassandra.state.columns import Column
from smackbox.cassandra.state.engine import Engine, Item
from smackbox.cassandra.state.keys import SECTION_STATIC, partition_of, split_partition_key
from smackbox.cassandra.state.rows import Row
from smackbox.cassandra.state.schema import Table
from smackbox.cassandra.wire.types import (
    CqlType,
    ListType,
    MapType,
    SetType,
    UserType,
)

_INT = struct.Struct(">i")
LAYOUT_LIMIT = 4096


class RowReader:
    """Decodes the rows of one table. Plain fragments are split by a layout that is computed once for each head."""

    __slots__ = ("_key_count", "_layouts", "table", "width")

    def __init__(self, table: Table) -> None:
        self.table = table
        self.width = len(table.columns)
        self._key_count = len(table.partition_key)
        self._layouts: dict[bytes, tuple[int, ...]] = {}

    def values(
        self, partition_key: Sequence[bytes], item: Item, statics: Sequence[bytes | None], now_s: int
    ) -> list[bytes | None] | None:
        """The row, or None when none of it is live."""
        values: list[bytes | None] = [None] * self.width
        values[: self._key_count] = partition_key
        table = self.table
        if statics:
            first = self._key_count + len(table.clustering)
            values[first : first + len(statics)] = statics
        if type(item) is bytes:
            head_end = 2 + item[1]
            head = item[:head_end]
            layout = self._layouts.get(head)
            if layout is None:
                layout = self._layout(head)
            offset = head_end
            read = _INT.unpack_from
            for ordinal in layout:
                end = offset + 4 + read(item, offset)[0]
                if ordinal >= 0:
                    values[ordinal] = item[offset + 4 : end]
                offset = end
            return values
        assert isinstance(item, Row)
        if not item.is_live(now_s):
            return None
        for column, value in zip(table.clustering, item.clustering, strict=True):
            values[column.ordinal] = value
        for column in table.regulars:
            values[column.ordinal] = column_value(item, column, now_s)
        return values

    def statics(self, row: Row | None, now_s: int) -> list[bytes | None]:
        """The values of the static columns."""
        if row is None:
            return [None] * len(self.table.statics)
        return [column_value(row, column, now_s) for column in self.table.statics]

    def _layout(self, head: bytes) -> tuple[int, ...]:
        table = self.table
        ordinals = [column.ordinal for column in table.clustering]
        bitmap = int.from_bytes(head[2:], "little")
        number = 0
        while bitmap:
            if bitmap & 1:
                column = table.by_number.get(number)
                ordinals.append(-1 if column is None else column.ordinal)
            bitmap >>= 1
            number += 1
        if len(self._layouts) >= LAYOUT_LIMIT:
            self._layouts.clear()
        layout = tuple(ordinals)
        self._layouts[head] = layout
        return layout


def column_value(row: Row, column: Column, now_s: int) -> bytes | None:
    """A column's value in wire form; a multi-cell column is assembled from its cells."""
    if not column.type.multi_cell:
        return row.value(column.number, now_s)
    return assemble(column.type, row.parts(column.number, now_s))


def assemble(kind: CqlType, parts: list[tuple[bytes, bytes]]) -> bytes | None:
    """The value of a multi-cell column from its live (path, value) cells."""
    if not parts:
        return None
    if isinstance(kind, ListType):
        parts.sort(key=lambda part: list_path_order(part[0]))
        return kind.join([value for _, value in parts])
    if isinstance(kind, SetType):
        return kind.sorted_join([path for path, _ in parts])
    if isinstance(kind, MapType):
        return kind.sorted_join(parts)
    assert isinstance(kind, UserType)
    fields: list[bytes | None] = [None] * len(kind.parts)
    for path, value in parts:
        position = int.from_bytes(path, "big")
        if position < len(fields):
            fields[position] = value
    return kind.join(fields)


def list_path_order(path: bytes) -> bytes:
    """List cells are sorted by their time UUIDs."""
    return path[6:8] + path[4:6] + path[:4] + path[8:]


def rows_at(
    engine: Engine, table: Table, reader: RowReader, row_key: bytes, now_s: int, *, stamps: bool = False
) -> Iterator[KeyedRow]:
    """The row under that key; for the key of a static row the rows of its partition, or the static row if there are
    none.
    """
    owner = partition_of(row_key)
    parts = split_partition_key(owner[14:], len(table.partition_key))
    static: Row | None = None
    statics: Sequence[bytes | None] = ()
    if table.has_statics:
        static = engine.static_row(table, owner, engine.tombstones(table, owner))
        statics = reader.statics(static, now_s)
    if row_key[len(owner)] != SECTION_STATIC:
        item = engine.row(table, row_key, merged=stamps)
        values = reader.values(parts, item, statics, now_s) if item is not None else None
        if values is not None:
            yield row_key, RowView(values, item if stamps else None, static, now_s)  # type: ignore[arg-type]
        return
    if static is None or not static.is_live(now_s):
        return
    empty = True
    for key, item in engine.slice(table, owner, b"", b"", merged=stamps):
        values = reader.values(parts, item, statics, now_s)
        if values is not None:
            empty = False
            yield key, RowView(values, item if stamps else None, static, now_s)  # type: ignore[arg-type]
    if empty:
        alone: list[bytes | None] = [None] * len(table.columns)
        alone[: len(parts)] = parts
        first = len(parts) + len(table.clustering)
        alone[first : first + len(statics)] = statics
        yield row_key, RowView(alone, None, static, now_s)
