"""The two statements that a store lives on, compiled: a whole-row INSERT and a SELECT of one row by its whole key.

Both are what the general way does, without its objects: values go from the request's bytes into the fragment (by
`row_reader`, many rows of a batch at once) and from the fragment into the answer as they are. Whatever is out of the
ordinary (a null, a value of a wrong length, a row that has to be merged) is left to the general way, which also words
the errors. `bench/cassandra_vs_real.py` measures them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from smackbox.cassandra.analysis.modify import PreparedModification
from smackbox.cassandra.analysis.select import PreparedSelect
from smackbox.cassandra.execution.restrictions import Restrictions
from smackbox.cassandra.execution.row_reader import ReadRows, row_reader
from smackbox.cassandra.state.engine import Engine
from smackbox.cassandra.state.keys import (
    PARTITION_KEY_LIMIT,
    ROW,
    compose_partition_key,
)
from smackbox.cassandra.state.rows import MARKER, bitmap_of
from smackbox.cassandra.state.schema import Column, Table
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.murmur3 import token_of
from smackbox.cassandra.wire.types import CqlType, invert

_INT = struct.Struct(">i")
_HEAD = struct.Struct(">QH")
_BIAS = 1 << 63
_UTF8 = frozenset({"text"})
_ANYTHING = frozenset({"blob"})
_LENGTHS = frozenset(
    {
        "bigint",
        "boolean",
        "date",
        "double",
        "float",
        "int",
        "smallint",
        "time",
        "timestamp",
        "tinyint",
        "uuid",
    }
)
LAYOUT_LIMIT = 1024
_NULL = b"\xff\xff\xff\xff"

# the values as [bytes], and the offset after them; None where the general way has to look
ReadValues = Callable[[bytes, int], tuple[list[bytes], int] | None]


def value_reader(kinds: Sequence[CqlType]) -> ReadValues | None:
    """Cuts as many values out of a request and checks them; None when one of them is kept in several cells."""
    checks: list[int] = []
    for kind in kinds:
        if kind.cql in _LENGTHS:
            assert kind.fixed_length is not None
            checks.append(kind.fixed_length)
        elif kind.cql in _UTF8:
            checks.append(-1)
        elif kind.cql in _ANYTHING:
            checks.append(-2)
        elif kind.multi_cell or kind.cql == "counter":
            return None
        else:
            checks.append(-3)
    validators = [kind.validate_normal for kind in kinds]
    unpack = _INT.unpack_from

    def read(buffer: bytes, offset: int) -> tuple[list[bytes], int] | None:
        values = []
        try:
            for check, validate in zip(checks, validators, strict=True):
                end = offset + 4 + unpack(buffer, offset)[0]
                if check >= 0:
                    if end - offset - 4 != check:
                        return None
                    values.append(buffer[offset:end])
                else:
                    if end < offset + 4:
                        return None
                    value = buffer[offset:end]
                    if check == -3:
                        validate(value[4:])
                    elif check == -1 and not value[4:].isascii():
                        value[4:].decode()
                    values.append(value)
                offset = end
        except (struct.error, UnicodeDecodeError, Invalid):
            return None
        return (values, offset) if offset <= len(buffer) else None

    return read


class _RowKey:
    """From values to the key of a row."""

    __slots__ = ("_clustering", "_partition", "_prefix")

    def __init__(self, prefix: bytes, partition: tuple[int, ...], clustering: tuple[tuple[int, Column], ...]) -> None:
        self._prefix = prefix
        self._partition = partition
        self._clustering = clustering

    def key(self, values: list[bytes]) -> bytes | None:
        """None when the partition key is empty or too long."""
        partition = self._partition
        if len(partition) == 1:
            key = values[partition[0]][4:]
        else:
            key = compose_partition_key([values[index][4:] for index in partition])
        if not key or len(key) > PARTITION_KEY_LIMIT:
            return None
        row_key = self._prefix + _HEAD.pack(token_of(key) + _BIAS, len(key)) + key + ROW
        for index, column in self._clustering:
            part = column.type.order_key(values[index][4:])
            row_key += invert(part) if column.descending else part
        return row_key


class FastInsert:
    """A whole-row INSERT whose values are all bind markers."""

    __slots__ = ("count", "rows", "table")

    def __init__(self, table: Table, rows: ReadRows, count: int) -> None:
        self.table = table
        self.rows = rows
        self.count = count


def fast_insert(modification: PreparedModification, kinds: Sequence[CqlType]) -> FastInsert | None:
    """The INSERT compiled, when it is of the ordinary kind."""
    table = modification.table
    if (
        modification.kind != "insert"
        or modification.json is not None
        or modification.conditions
        or modification.timestamp is not None
        or modification.ttl is not None
        or modification.touches_static
        or not modification.restrictions.clustering_is_whole
        or table.is_counter
        or table.default_ttl
        or table.written_targets
    ):
        return None
    if any(found.bind_index < 0 or found.column.type.multi_cell for found in modification.operations):
        return None
    keys = _key_binds(modification.restrictions)
    if keys is None:
        return None
    partition, clustering = keys
    cells = sorted(modification.operations, key=lambda found: found.column.number)
    order = (*(index for index, _ in clustering), *(found.bind_index for found in cells))
    head = bytes((MARKER,)) + bitmap_of(found.column.number for found in cells)
    rows = row_reader(kinds, table.prefix, partition, clustering, head, order)
    return FastInsert(table, rows, len(kinds)) if rows is not None else None


class FastSelect:
    """A SELECT of plain columns of one row."""

    __slots__ = ("_key_count", "_layouts", "_ordinals", "_row_key", "count", "read", "table")

    def __init__(self, select: PreparedSelect, read: ReadValues, count: int, row_key: _RowKey) -> None:
        assert select.selection.ordinals is not None
        self.table = select.table
        self.read = read
        self.count = count
        self._row_key = row_key
        self._ordinals = select.selection.ordinals
        self._key_count = len(select.table.partition_key)
        self._layouts: dict[bytes, tuple[int, ...]] = {}

    def row(self, engine: Engine, values: list[bytes], key_values: Sequence[bytes]) -> tuple[int, bytes] | None:
        """How many rows there are, and the row; None when it is not a plain one."""
        row_key = self._row_key.key(values)
        if row_key is None:
            return None
        item = engine.row(self.table, row_key)
        if item is None:
            return 0, b""
        if type(item) is not bytes:
            return None
        head_end = 2 + item[1]
        head = item[:head_end]
        layout = self._layouts.get(head)
        if layout is None:
            layout = self._layout(head)
        pieces = list(key_values)
        offset = head_end
        unpack = _INT.unpack_from
        size = len(item)
        while offset < size:
            end = offset + 4
            length = unpack(item, offset)[0]
            if length > 0:
                end += length
            pieces.append(item[offset:end])
            offset = end
        pieces.append(_NULL)
        return 1, b"".join([pieces[index] for index in layout])

    def _layout(self, head: bytes) -> tuple[int, ...]:
        """For each column of the answer, the place among the key's values, the fragment's and a null."""
        table = self.table
        places: dict[int, int] = {}
        for column in (*table.partition_key, *table.clustering):
            places[column.ordinal] = len(places)
        place = len(places)
        bitmap = int.from_bytes(head[2:], "little")
        number = 0
        while bitmap:
            if bitmap & 1:
                found = table.by_number.get(number)
                if found is not None:
                    places[found.ordinal] = place
                place += 1
            bitmap >>= 1
            number += 1
        if len(self._layouts) >= LAYOUT_LIMIT:
            self._layouts.clear()
        layout = tuple(places.get(ordinal, place) for ordinal in self._ordinals)
        self._layouts[head] = layout
        return layout

    def key_values(self, values: list[bytes], partition: tuple[int, ...]) -> list[bytes]:
        return [values[index] for index in partition]


def fast_select(select: PreparedSelect, kinds: Sequence[CqlType]) -> tuple[FastSelect, tuple[int, ...]] | None:
    """The SELECT compiled and the markers of its partition key, when it is of the ordinary kind."""
    restrictions = select.restrictions
    table = select.table
    if (
        table.virtual
        or table.is_view
        or table.has_statics
        or not restrictions.key_is_whole
        or (table.clustering and not restrictions.clustering_is_whole)
        or restrictions.filters
        or restrictions.residual
        or select.selection.ordinals is None
        or select.limit is not None
        or select.per_partition_limit is not None
        or select.grouped
        or select.sorts
        or select.ann is not None
        or table.masks
        or any(column.type.multi_cell for column in table.columns)
    ):
        return None
    keys = _key_binds(restrictions)
    read = value_reader(kinds)
    if keys is None or read is None:
        return None
    partition, clustering = keys
    return FastSelect(select, read, len(kinds), _RowKey(table.prefix, partition, clustering)), partition


def _key_binds(restrictions: Restrictions) -> tuple[tuple[int, ...], tuple[tuple[int, Column], ...]] | None:
    """The markers of the partition key and of the clustering columns; None when one of them is something else."""
    table = restrictions.table
    partition = []
    for column in table.partition_key:
        found = restrictions.partition[column.name]
        if found.operator != "=" or found.term is None or found.term.bind_index < 0:
            return None
        partition.append(found.term.bind_index)
    clustering = []
    for restriction in restrictions.clustering:
        if restriction.operator != "=" or restriction.multi or restriction.term is None:
            return None
        if restriction.term.bind_index < 0:
            return None
        clustering.append((restriction.term.bind_index, restriction.column))
    return tuple(partition), tuple(clustering)
