"""Lightweight transactions: evaluate the conditions, write all or nothing, and answer as Cassandra does.

A single owner executes statements one after another, so a read followed by a write is atomic. The rules are those of
Cassandra's `CQL3CasRequest`: it reads the rows in the conditions, or the partition's first row if they concern static
columns only. It reads the columns in the conditions, or all columns to check existence.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from smackbox.cassandra.execution.conditions import Conditions
from smackbox.cassandra.execution.consistency import check_mutation
from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.execution.reading import RowReader
from smackbox.cassandra.execution.results import ColumnSpec, Rows
from smackbox.cassandra.execution.writes import ModificationPlan, names_rows, partitions, row_keys, write, writes_static
from smackbox.cassandra.state.columns import REGULAR, STATIC, Column
from smackbox.cassandra.state.keys import partition_of, split_partition_key
from smackbox.cassandra.state.rows import Row
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import BOOLEAN

_INT = struct.Struct(">i")
_NULL = b"\xff\xff\xff\xff"
_TRUE = _INT.pack(1) + b"\x01"
_FALSE = _INT.pack(1) + b"\x00"
Values = list[bytes | None]


def applied_result(
    modifications: Sequence[ModificationPlan], contexts: Sequence[Context], context: Context, *, is_batch: bool
) -> Rows:
    """Check all conditions and write, or answer `[applied]` false with the current values."""
    engine = context.state.engine
    if engine.pending:
        engine.flush()
    pairs = list(zip(modifications, contexts, strict=True))
    if is_batch:
        _check_mixture(pairs)
    table = modifications[0].table
    applied = [ColumnSpec(table.keyspace, table.name, "[applied]", BOOLEAN)]
    seen = _Partition(pairs, context)
    if not all(seen.fulfils(modification.conditions, own, place) for modification, own, place in seen.places()):
        columns = _columns(modifications, is_batch=is_batch)
        rows = seen.rows()
        if not rows:
            return Rows(applied, 1, _FALSE)
        body = bytearray()
        for values in rows:
            body += _FALSE
            for column in columns:
                value = values[column.ordinal]
                body += _NULL if value is None else _INT.pack(len(value)) + value
        specs = [ColumnSpec(table.keyspace, table.name, column.name, column.type) for column in columns]
        return Rows([*applied, *specs], len(rows), bytes(body))
    check_mutation(context, table)
    engine.begin()
    try:
        for modification, own in pairs:
            write(modification, own, context.now_us, conditional=True)
    except BaseException:
        engine.abandon()
        raise
    engine.commit()
    return Rows(applied, 1, _TRUE)


class _Partition:
    """The partition as the conditions see it."""

    def __init__(self, pairs: Sequence[tuple[ModificationPlan, Context]], context: Context) -> None:
        self._pairs = pairs
        self._context = context
        self.table = pairs[0][0].table
        self._reader = RowReader(self.table)
        self._key = next(place for _, _, place in self.places(whole=True))
        self._named = sorted({place for modification, _, place in self.places() if _asks_for_row(modification)})
        self._queried = self._queried_columns()
        self._now_s = context.statement_time_s
        engine = context.state.engine
        static = engine.static_row(self.table, self._key, engine.tombstones(self.table, self._key))
        self._statics: Values = [None] * len(self.table.columns)
        for column, value in zip(self.table.statics, self._reader.statics(static, self._now_s), strict=True):
            if column in self._queried:
                self._statics[column.ordinal] = value
        self._rows = dict(self._live_rows())

    def places(self, *, whole: bool = False) -> Iterator[tuple[ModificationPlan, Context, bytes]]:
        """What each conditional statement reads: rows, or the static columns, which the partition represents."""
        for modification, own in self._pairs:
            if modification.conditions and (whole or not names_rows(modification)):
                for partition in partitions(modification, own):
                    yield modification, own, partition
            elif modification.conditions:
                for row_key in row_keys(modification, own):
                    yield modification, own, row_key

    def fulfils(self, conditions: Conditions, own: Context, place: bytes) -> bool:
        values = self._rows.get(place)
        exists = values is not None if place != self._key else any(value is not None for value in self._statics)
        if conditions.not_exists:
            return not exists
        if conditions.exists:
            return exists
        seen = values if values is not None else self._statics
        return all(check(own, seen) for check in conditions.checks)

    def rows(self) -> list[Values]:
        """The current rows: those that are live, in order, or the statics alone."""
        if self._rows:
            return list(self._rows.values())
        if all(value is None for value in self._statics):
            return []
        values = list(self._statics)
        parts = self._key_parts()
        values[: len(parts)] = parts
        return [values]

    def _key_parts(self) -> list[bytes]:
        return split_partition_key(self._key[14:], len(self.table.partition_key))

    def _queried_columns(self) -> frozenset[Column]:
        """The columns that are read; other columns do not prove that a row exists."""
        asking = [(modification, own) for modification, own in self._pairs if modification.conditions]
        queried = {column for modification, _ in asking for column in modification.conditions.columns}
        if any(writes_static(modification, own) for modification, own in asking):
            queried.update(self.table.statics)
        if any(names_rows(modification) for modification, _ in self._pairs):
            queried.update(self.table.regulars)
        return frozenset(queried)

    def _live_rows(self) -> Iterator[tuple[bytes, Values]]:
        engine = self._context.state.engine
        if self._named:
            for row_key in self._named:
                row = engine.row(self.table, row_key, merged=True)
                values = self._values(row) if isinstance(row, Row) else None
                if values is not None:
                    yield row_key, values
            return
        for row_key, row in engine.slice(self.table, self._key, b"", b"", merged=True):
            values = self._values(row) if isinstance(row, Row) else None
            if values is not None:
                yield row_key, values
                return

    def _values(self, row: Row) -> Values | None:
        """The row, if its marker or a column that is read is live."""
        values = self._reader.values(self._key_parts(), row, (), self._now_s)
        if values is None:
            return None
        for column in self.table.columns:
            if column.kind == STATIC:
                values[column.ordinal] = self._statics[column.ordinal]
            elif column.kind == REGULAR and column not in self._queried:
                values[column.ordinal] = None
        is_seen = row.has_marker(self._now_s) or any(
            values[column.ordinal] is not None for column in self.table.regulars
        )
        return values if is_seen else None


def _asks_for_row(modification: ModificationPlan) -> bool:
    """Whether its conditions concern a row, rather than static columns only."""
    conditions = modification.conditions
    if not names_rows(modification):
        return False
    return conditions.exists or conditions.not_exists or any(column.kind == REGULAR for column in conditions.columns)


def _columns(modifications: Sequence[ModificationPlan], *, is_batch: bool) -> list[Column]:
    """The result columns when the conditions do not hold."""
    table = modifications[0].table
    conditions = [modification.conditions for modification in modifications if modification.conditions]
    if any(modification.exists or modification.not_exists for modification in conditions):
        return list(table.columns)
    columns = dict.fromkeys(column for modification in conditions for column in modification.columns)
    if is_batch:
        columns = dict.fromkeys([*table.partition_key, *table.clustering, *columns])
    return list(columns)


def _check_mixture(pairs: Sequence[tuple[ModificationPlan, Context]]) -> None:
    """Raises `Invalid` when a batch has both an existence condition and another condition on the same row.

    The static columns of a partition count as a row.
    """
    kinds: dict[bytes, str] = {}
    for modification, own in pairs:
        conditions = modification.conditions
        if not conditions:
            continue
        kind = "IF EXISTS" if conditions.exists else "IF NOT EXISTS" if conditions.not_exists else "IF"
        for row_key in row_keys(modification, own) if names_rows(modification) else partitions(modification, own):
            places = {row_key}
            if kind == "IF":
                places = {partition_of(row_key) if column.kind == STATIC else row_key for column in conditions.columns}
            for place in places:
                before = kinds.setdefault(place, kind)
                if before == kind:
                    continue
                if "IF" not in {kind, before}:
                    raise Invalid("Cannot mix IF EXISTS and IF NOT EXISTS conditions for the same row")
                # Cassandra says NOT EXISTS whichever came first
                raise Invalid(
                    f"Cannot mix IF conditions and {'IF NOT EXISTS' if kind == 'IF' else kind} for the same row"
                )
