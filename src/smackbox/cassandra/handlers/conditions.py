"""Lightweight transactions: IF NOT EXISTS, IF EXISTS and IF column conditions, and the rows that answer them.

The room's one owner executes statements one after another, so looking and then writing is atomic by itself.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from smackbox.cassandra.handlers.consistency import check_mutation
from smackbox.cassandra.handlers.context import UNSET, Context
from smackbox.cassandra.handlers.reading import RowReader
from smackbox.cassandra.handlers.results import ColumnSpec, Rows
from smackbox.cassandra.handlers.terms import Compiler, Term
from smackbox.cassandra.state.keys import ROW, partition_of, split_partition_key, successor
from smackbox.cassandra.state.rows import Row
from smackbox.cassandra.state.schema import CLUSTERING, PARTITION_KEY, STATIC, Column, Table
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import (
    BOOLEAN,
    INT,
    CqlType,
    ListType,
    MapType,
    SetType,
    UserType,
)

if TYPE_CHECKING:
    from smackbox.cassandra.handlers.modify import PreparedModification

_INT = struct.Struct(">i")
Check = Callable[[Context, list[bytes | None], Row | None], bool]


class Conditions:
    """The IF of one statement; false when it has none."""

    __slots__ = ("checks", "columns", "exists", "not_exists")

    def __init__(
        self, checks: list[Check], columns: list[Column], *, exists: bool = False, not_exists: bool = False
    ) -> None:
        self.checks = checks
        self.columns = columns
        self.exists = exists
        self.not_exists = not_exists

    @classmethod
    def none(cls) -> Conditions:
        return cls([], [])

    @classmethod
    def if_not_exists(cls) -> Conditions:
        return cls([], [], not_exists=True)

    def __bool__(self) -> bool:
        return self.exists or self.not_exists or bool(self.checks)


def compile_conditions(conditions: Sequence[ast.Condition], compiler: Compiler, *, if_exists: bool) -> Conditions:
    """Raises `Invalid` for conditions on the primary key or of a kind that the type does not allow."""
    checks = []
    columns: list[Column] = []
    for condition in conditions:
        column = compiler.scope.table.column(condition.column)
        if column.kind in {PARTITION_KEY, CLUSTERING}:
            raise Invalid(f"PRIMARY KEY column '{column.name}' cannot have IF conditions")
        checks.append(_compile(condition, column, compiler))
        if column not in columns:
            columns.append(column)
    return Conditions(checks, columns, exists=if_exists)


def _compile(condition: ast.Condition, column: Column, compiler: Compiler) -> Check:
    kind = column.type
    operator = condition.operator
    if condition.element is not None:
        return _compile_element(condition, column, compiler)
    if condition.field is not None:
        if not isinstance(kind, UserType) or condition.field not in kind.field_names:
            raise Invalid(f"Unknown field {condition.field} for column {column.name}")
        position = kind.field_names.index(condition.field)
        user_type = kind
        compare = _comparison(condition, kind.parts[position], f"{column.name}.{condition.field}", compiler)

        def check_field(context: Context, values: list[bytes | None], _row: Row | None) -> bool:
            value = values[column.ordinal]
            fields = user_type.fields(value) if value is not None else []
            return compare(context, fields[position] if position < len(fields) else None)

        return check_field
    if operator in {"CONTAINS", "CONTAINS KEY"}:
        return _compile_contains(condition, column, compiler)
    compare = _comparison(condition, kind, column.name, compiler)
    return lambda context, values, _row: compare(context, values[column.ordinal])


def _compile_element(condition: ast.Condition, column: Column, compiler: Compiler) -> Check:
    kind = column.type
    assert condition.element is not None
    if isinstance(kind, MapType):
        map_type = kind
        key = compiler.compile(condition.element, kind.key, f"key({column.name})")
        compare = _comparison(condition, kind.value, f"value({column.name})", compiler)

        def check_map(context: Context, values: list[bytes | None], _row: Row | None) -> bool:
            wanted = key.evaluate(context, None)
            if not isinstance(wanted, bytes):
                raise Invalid("Invalid null value for map element access")
            value = values[column.ordinal]
            order = map_type.key.order_key
            pairs = map_type.pairs(value) if value is not None else iter(())
            return compare(context, next((item for name, item in pairs if order(name) == order(wanted)), None))

        return check_map
    if not isinstance(kind, ListType):
        raise Invalid(f"Invalid element access syntax for non-collection column {column.name}")
    list_type = kind
    index = compiler.compile(condition.element, INT, f"idx({column.name})")
    compare = _comparison(condition, kind.element, f"value({column.name})", compiler)

    def check_list(context: Context, values: list[bytes | None], _row: Row | None) -> bool:
        position = index.evaluate(context, None)
        if not isinstance(position, bytes):
            raise Invalid("Invalid null value for list element access")
        value = values[column.ordinal]
        elements = list_type.elements(value) if value is not None else []
        number = INT.decode(position)
        if number < 0:
            raise Invalid(f"Invalid negative list index {number}")
        return compare(context, elements[number] if number < len(elements) else None)

    return check_list


def _compile_contains(condition: ast.Condition, column: Column, compiler: Compiler) -> Check:
    from smackbox.cassandra.handlers.restrictions import _contained, _contains
    from smackbox.cassandra.handlers.terms import RowView

    kind, name = _contained(column, condition.operator)
    assert not isinstance(condition.value, tuple)
    term = compiler.compile(condition.value, kind, name)

    def check(context: Context, values: list[bytes | None], _row: Row | None) -> bool:
        wanted = term.evaluate(context, None)
        if not isinstance(wanted, bytes):
            raise Invalid(f'Invalid comparison with null for operator "{condition.operator}"')
        matches = _contains(column, wanted, keys=condition.operator == "CONTAINS KEY")
        return matches(RowView(values, None, None, context.statement_time_s))

    return check


def _comparison(
    condition: ast.Condition, kind: CqlType, receiver: str, compiler: Compiler
) -> Callable[[Context, bytes | None], bool]:
    operator = condition.operator
    order = kind.order_key
    if operator == "IN":
        wanted = _in_values(condition, kind, receiver, compiler)

        def is_in(context: Context, value: bytes | None) -> bool:
            choices = wanted(context)
            if value is None:
                return any(choice is None for choice in choices)
            return any(choice is not None and order(choice) == order(value) for choice in choices)

        return is_in
    assert not isinstance(condition.value, tuple)
    term = compiler.compile(condition.value, kind, receiver)

    def compare(context: Context, value: bytes | None) -> bool:
        wanted = term.evaluate(context, None)
        if wanted is UNSET:
            raise Invalid("Invalid 'unset' value in condition")
        assert wanted is None or isinstance(wanted, bytes)
        if isinstance(kind, ListType | SetType | MapType) and kind.multi_cell and wanted is not None:
            wanted = wanted if kind.elements(wanted) else None
        if operator in {"=", "!="}:
            same = wanted is None if value is None else wanted is not None and order(wanted) == order(value)
            return same == (operator == "=")
        if wanted is None:
            raise Invalid(f'Invalid comparison with null for operator "{operator}"')
        if value is None:
            return False
        left, right = order(value), order(wanted)
        return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator]

    return compare


def _in_values(
    condition: ast.Condition, kind: CqlType, receiver: str, compiler: Compiler
) -> Callable[[Context], list[bytes | None]]:
    if isinstance(condition.value, tuple):
        terms: list[Term] = [compiler.compile(value, kind, receiver) for value in condition.value]
        return lambda context: [
            value  # type: ignore[misc]
            for term in terms
            if (value := term.evaluate(context, None)) is not UNSET
        ]
    listed = ListType(kind.frozen(), multi_cell=False)
    marker = compiler.compile(condition.value, listed, f"in({receiver})")

    def values(context: Context) -> list[bytes | None]:
        given = marker.evaluate(context, None)
        if not isinstance(given, bytes):
            raise Invalid("Invalid null list in IN condition")
        return list(listed.elements(given))

    return values


# ---- executing ------------------------------------------------------------------------------------------------------


def applied_result(
    modifications: Sequence[PreparedModification], contexts: Sequence[Context], context: Context
) -> Rows:
    """Check all conditions, write all or nothing, and answer as Cassandra does: `[applied]`, and what stood there."""
    engine = context.room.engine
    if engine.pending:
        engine.flush()
    _check_mixture(modifications, contexts)
    applied = True
    rows: dict[bytes, tuple[PreparedModification, list[bytes | None] | None]] = {}
    first_rows: dict[bytes, tuple[PreparedModification, list[bytes | None] | None]] = {}
    for modification, own in zip(modifications, contexts, strict=True):
        if not modification.conditions:
            continue
        table = modification.table
        for row_key in _condition_rows(modification, own):
            values, row, exists = _look(context, table, row_key)
            conditions = modification.conditions
            if conditions.not_exists:
                good = not exists
            elif conditions.exists:
                good = exists
            else:
                good = all(check(own, values, row) for check in conditions.checks)
            applied = applied and good
            if conditions.not_exists and exists and row_key == partition_of(row_key):
                first_rows[_show_first_row(own, table, row_key, values)] = (modification, values)
                continue
            rows.setdefault(row_key, (modification, values if exists or _shows_static(conditions, values) else None))
    if applied:
        check_mutation(context, modifications[0].table)
        engine.begin()
        try:
            for modification, own in zip(modifications, contexts, strict=True):
                modification.write(own, context.now_us, conditional=True)
        except BaseException:
            engine.abandon()
            raise
        engine.commit()
        first = modifications[0].table
        return Rows([ColumnSpec(first.keyspace, first.name, "[applied]", BOOLEAN)], 1, _INT.pack(1) + b"\x01")
    return _refusal(modifications, {**first_rows, **rows})


def _check_mixture(modifications: Sequence[PreparedModification], contexts: Sequence[Context]) -> None:
    """Raises `Invalid` when a batch asks for a row's existence and for something else of it.

    The static columns of a partition are a row.
    """
    kinds: dict[bytes, str] = {}
    for modification, own in zip(modifications, contexts, strict=True):
        conditions = modification.conditions
        if not conditions or len(modifications) == 1:
            continue
        kind = "IF EXISTS" if conditions.exists else "IF NOT EXISTS" if conditions.not_exists else "IF"
        for row_key in _condition_rows(modification, own):
            places = {row_key}
            if kind == "IF":
                places = {partition_of(row_key) if found.kind == STATIC else row_key for found in conditions.columns}
            for place in places:
                before = kinds.setdefault(place, kind)
                if before == kind:
                    continue
                if "IF" not in {kind, before}:
                    raise Invalid("Cannot mix IF EXISTS and IF NOT EXISTS conditions for the same row")
                # Cassandra names NOT EXISTS for whatever came first
                raise Invalid(
                    f"Cannot mix IF conditions and {'IF NOT EXISTS' if kind == 'IF' else kind} for the same row"
                )


def _condition_rows(modification: PreparedModification, context: Context) -> list[bytes]:
    if modification.restrictions.clustering_is_whole or modification.json is not None:
        return modification.row_keys(context)
    return modification.partitions(context)


def _look(context: Context, table: Table, row_key: bytes) -> tuple[list[bytes | None], Row | None, bool]:
    """The row's values, the merged row, and whether it exists; a bare partition stands for its static row."""
    from smackbox.cassandra.handlers.modify import merged_row

    engine = context.room.engine
    now_s = context.statement_time_s
    partition = partition_of(row_key)
    static = engine.static_row(table, partition, engine.tombstones(table, partition))
    reader = RowReader(table)
    statics = reader.statics(static, now_s) if table.has_statics else []
    parts = split_partition_key(partition[14:], len(table.partition_key))
    values: list[bytes | None] = [None] * len(table.columns)
    values[: len(parts)] = parts
    first = len(parts) + len(table.clustering)
    values[first : first + len(statics)] = statics
    if row_key == partition:
        return values, static, static is not None and static.is_live(now_s)
    row = merged_row(context, table, row_key)
    found = reader.values(parts, row, statics, now_s) if row is not None else None
    if found is None:
        return values, static, False
    return found, row, True


def _show_first_row(context: Context, table: Table, partition: bytes, values: list[bytes | None]) -> bytes:
    """A refused INSERT of static columns alone is answered with the clustering columns of the partition's first row.

    The key of that row; of the partition when it has none.
    """
    engine = context.room.engine
    reader = RowReader(table)
    parts = split_partition_key(partition[14:], len(table.partition_key))
    for row_key, item in engine.scan(table, partition + ROW, successor(partition + ROW)):
        found = reader.values(parts, item, (), context.statement_time_s)
        if found is not None:
            for column in table.clustering:
                values[column.ordinal] = found[column.ordinal]
            return row_key
    return partition


def _shows_static(conditions: Conditions, values: list[bytes | None]) -> bool:
    """A row that is not there is answered all the same when a condition asks for a static column that is."""
    return any(column.kind == STATIC and values[column.ordinal] is not None for column in conditions.columns)


def _refusal(
    modifications: Sequence[PreparedModification],
    rows: dict[bytes, tuple[PreparedModification, list[bytes | None] | None]],
) -> Rows:
    table = modifications[0].table
    batch = len(modifications) > 1
    conditions = [found.conditions for found in modifications if found.conditions]
    whole = any(found.exists or found.not_exists for found in conditions)
    if whole:
        columns = list(table.columns)
    else:
        named = [column for found in conditions for column in found.columns]
        named.sort(key=lambda column: column.kind == STATIC)
        columns = list(dict.fromkeys(named))
        if batch:
            columns = [*table.partition_key, *table.clustering, *columns]
    specs = [ColumnSpec(table.keyspace, table.name, "[applied]", BOOLEAN)]
    specs += [ColumnSpec(table.keyspace, table.name, column.name, column.type) for column in columns]
    present = [values for _, values in rows.values() if values is not None]
    if not present:
        if batch:
            return Rows(specs[:1], 1, _INT.pack(1) + b"\x00")
        if whole:
            return Rows(specs[:1], 1, _INT.pack(1) + b"\x00")
        return Rows(specs[:1], 1, _INT.pack(1) + b"\x00")
    body = bytearray()
    for values in present:
        body += _INT.pack(1) + b"\x00"
        for column in columns:
            value = values[column.ordinal]
            body += b"\xff\xff\xff\xff" if value is None else _INT.pack(len(value)) + value
    return Rows(specs, len(present), bytes(body))
