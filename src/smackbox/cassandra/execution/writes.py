"""INSERT, UPDATE and DELETE as blind writes: from a plan and bound values to fragments in the engine's batch."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from smackbox.cassandra.execution.conditions import Conditions
from smackbox.cassandra.execution.context import UNSET, Context
from smackbox.cassandra.execution.operations import Operation, assignment_of
from smackbox.cassandra.execution.restrictions import UNBOUNDED, Restriction, Restrictions, components
from smackbox.cassandra.execution.terms import Term, constant
from smackbox.cassandra.execution.vector_search import check_vectors
from smackbox.cassandra.state.columns import CLUSTERING, PARTITION_KEY, Column
from smackbox.cassandra.state.indexes import check_indexed_sizes, entries_of_row
from smackbox.cassandra.state.keys import (
    MIN_TIMESTAMP,
    ROW,
    STATIC_ROW,
    clustering_key,
    partition_prefix,
    split_partition_key,
    written_clustering_key,
)
from smackbox.cassandra.state.rows import COMPLEX, DELETION, EXPIRING, MARKER, NULLS, STATIC, Row, bitmap_of
from smackbox.cassandra.state.schema import Keyspace, Table
from smackbox.cassandra.state.table_options import TTL_LIMIT
from smackbox.cassandra.values.json_values import from_json, parse_json_object
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import BIGINT, INT

_INT = struct.Struct(">i")
_UINT = struct.Struct(">I")
_PAIR = struct.Struct(">II")
_NULL = b"\xff\xff\xff\xff"
MAX_EXPIRY_S = 2**32 - 2

Cells = dict[int, bytes | None]


@dataclass(frozen=True, slots=True)
class JsonRow:
    """The row of INSERT JSON: its document, and whether columns that it omits keep their values."""

    document: Term
    default_unset: bool


@dataclass(frozen=True, slots=True)
class ModificationPlan:
    """A write ready to run. `kind` is insert, update or delete.

    `needs_row` is set if an operation reads the row first, `writes_several` if more than one fragment may be written,
    and `refuses_ranges` if the rows to delete must be named individually.
    """

    kind: str
    keyspace: Keyspace
    table: Table
    restrictions: Restrictions
    operations: tuple[Operation, ...]
    conditions: Conditions
    timestamp: Term | None
    ttl: Term | None
    json: JsonRow | None
    refuses_ranges: bool
    touches_static: bool
    touches_regular: bool
    needs_row: bool
    writes_several: bool


def write(plan: ModificationPlan, context: Context, timestamp_us: int, *, conditional: bool = False) -> None:
    """Add the writes to the engine's batch."""
    restrictions, operations = plan.restrictions, plan.operations
    if plan.json is not None:
        restrictions, operations = _from_json(plan.table, plan.json, context)
    table = plan.table
    timestamp = timestamp_us
    if plan.timestamp is not None and not conditional:
        timestamp = _timestamp(plan, context, timestamp_us)
    if table.is_counter:
        timestamp = context.now_us
    ttl = _ttl(plan, context)
    keys = restrictions.partition_keys(context)
    now_s = context.statement_time_s
    if plan.refuses_ranges and restrictions.ranges(context):
        raise Invalid("Range deletions are not supported for specific columns")
    for key in keys:
        partition = partition_prefix(table, key)
        if plan.kind == "delete" and not operations:
            _delete(plan, context, restrictions, partition, timestamp, now_s, conditional=conditional)
            continue
        _write_partition(plan, context, restrictions, operations, partition, timestamp, ttl, now_s)


def _write_partition(
    plan: ModificationPlan, context: Context, restrictions: Restrictions, operations: Sequence[Operation],
    partition: bytes, timestamp: int, ttl: int, now_s: int,
) -> None:  # fmt: skip
    engine = context.state.engine
    table = plan.table
    static: Cells = {}
    if plan.touches_static or plan.json is not None:
        row = None
        if plan.needs_row:
            if engine.pending:
                engine.flush()
            row = engine.static_row(table, partition, engine.tombstones(table, partition))
        static = _cells(context, operations, row, "static")
        if static:
            _check_indexed(plan.table, context, partition, static, ())
            fragment = fragment_bytes(table, static, STATIC, ttl, now_s, ())
            engine.put(table, partition + STATIC_ROW, timestamp, fragment)
            if table.written_targets:
                _enter(plan.table, context, partition, partition + STATIC_ROW, static, ())
    is_whole_key = restrictions.clustering_is_whole
    if not is_whole_key:
        return
    marker = MARKER if plan.kind == "insert" else 0
    for values in _clustering_rows(restrictions, context):
        row_key = partition + ROW + written_clustering_key(table, values)
        row = None
        if plan.needs_row:
            stored_row = engine.row(table, row_key, merged=True)
            assert stored_row is None or isinstance(stored_row, Row)
            row = stored_row
        cells = _cells(context, operations, row, "regular")
        if cells or marker:
            _check_indexed(plan.table, context, partition, cells, values)
            engine.put(table, row_key, timestamp, fragment_bytes(table, cells, marker, ttl, now_s, values))
            if table.written_targets:
                _enter(plan.table, context, partition, row_key, cells, values)


def _check_indexed(
    table: Table, context: Context, partition: bytes, cells: Cells, clustering: tuple[bytes, ...]
) -> None:
    """Raises, as Cassandra does, for values that an index cannot hold."""
    if table.index_targets:
        check_indexed_sizes(table, cells, clustering)
        parts = split_partition_key(partition[14:], len(table.partition_key))
        check_vectors(context, table, cells, parts, clustering)


def _enter(
    table: Table, context: Context, partition: bytes, row_key: bytes, cells: Cells, clustering: tuple[bytes, ...]
) -> None:
    parts = split_partition_key(partition[14:], len(table.partition_key))
    for entry in entries_of_row(table.written_targets, row_key, cells, parts, clustering):
        context.state.engine.enter(entry)


def _delete(
    plan: ModificationPlan, context: Context, restrictions: Restrictions, partition: bytes, timestamp: int, now_s: int,
    *, conditional: bool,
) -> None:  # fmt: skip
    """Delete a partition or a range just before the writes of a transaction's other statements."""
    engine = context.state.engine
    table = plan.table
    if conditional and not (restrictions.clustering_is_whole and table.clustering):
        timestamp -= 1
    if restrictions.clustering_is_whole:
        for values in _clustering_rows(restrictions, context):
            row_key = partition + ROW + written_clustering_key(table, values)
            engine.put(table, row_key, timestamp, fragment_bytes(table, {}, DELETION, 0, now_s, values))
    elif not restrictions.clustering:
        engine.delete_partition(table, partition, timestamp, now_s)
    else:
        for low, high in restrictions.ranges(context):
            engine.delete_range(table, partition, low, high or UNBOUNDED, timestamp, now_s)


def _timestamp(plan: ModificationPlan, context: Context, default: int) -> int:
    assert plan.timestamp is not None
    value = plan.timestamp.evaluate(context, None)
    if value is UNSET:
        return default
    if value is None:
        raise Invalid("Invalid null value of timestamp")
    timestamp = BIGINT.decode(value)  # type: ignore[arg-type]
    if timestamp == MIN_TIMESTAMP or timestamp is None:
        raise Invalid("The timestamp value is out of bound")
    return int(timestamp)


def _ttl(plan: ModificationPlan, context: Context) -> int:
    default = 0 if plan.table.is_counter or plan.kind == "delete" else plan.table.default_ttl
    if plan.ttl is None:
        return default
    value = plan.ttl.evaluate(context, None)
    if value is UNSET:
        return default
    if value is None:
        return 0
    ttl = INT.decode(value)  # type: ignore[arg-type]
    if ttl is None:
        return 0
    if ttl < 0:
        raise Invalid(f"A TTL must be greater or equal to 0, but was {ttl}")
    if ttl > TTL_LIMIT:
        raise Invalid(f"ttl is too large. requested ({ttl}) maximum ({TTL_LIMIT})")
    return int(ttl)


def names_rows(plan: ModificationPlan) -> bool:
    """Whether it concerns rows, not static columns only."""
    return plan.json is not None or not plan.table.clustering or bool(plan.restrictions.clustering)


def writes_static(plan: ModificationPlan, context: Context) -> bool:
    """Whether it writes, or deletes, static columns."""
    operations = plan.operations if plan.json is None else _from_json(plan.table, plan.json, context)[1]
    return any(operation.column.kind == "static" for operation in operations)


def row_keys(plan: ModificationPlan, context: Context) -> list[bytes]:
    """The keys of the rows written, for a statement with IF."""
    restrictions = plan.restrictions
    if plan.json is not None:
        restrictions, _ = _from_json(plan.table, plan.json, context)
    rows = _clustering_rows(restrictions, context)
    return [
        partition_prefix(plan.table, key) + ROW + clustering_key(plan.table, values)
        for key in restrictions.partition_keys(context)
        for values in rows
    ]


def partitions(plan: ModificationPlan, context: Context) -> list[bytes]:
    """The keys of the partitions of a modification."""
    restrictions = plan.restrictions
    if plan.json is not None:
        restrictions, _ = _from_json(plan.table, plan.json, context)
    return [partition_prefix(plan.table, key) for key in restrictions.partition_keys(context)]


def _from_json(table: Table, json: JsonRow, context: Context) -> tuple[Restrictions, tuple[Operation, ...]]:
    """The row in a JSON document, and the writes to it."""
    text = json.document.evaluate(context, None)
    if not isinstance(text, bytes):
        raise Invalid(f"Got {'unset' if text is UNSET else 'null'} for INSERT JSON values")
    document = parse_json_object(text.decode())
    for name in document:
        if name not in table.by_name:
            raise Invalid(f"JSON values map contains unrecognized column: {name}")
    partition: dict[str, Restriction] = {}
    clustering: list[Restriction] = []
    operations = []
    for column in table.columns:
        if column.kind in {PARTITION_KEY, CLUSTERING}:
            value = _json_value(column, document.get(column.name))
            if value is None:
                raise Invalid(f"Invalid null value in condition for column {column.name}")
            restriction = _equal_to(column, value)
            if column.kind == PARTITION_KEY:
                partition[column.name] = restriction
            else:
                clustering.append(restriction)
        elif column.name in document or not json.default_unset:
            value = _json_value(column, document.get(column.name))
            operations.append(assignment_of(column, constant(column.type, value)))
    restrictions = Restrictions(table, partition, tuple(clustering), key_is_whole=True, clustering_is_whole=True)
    return restrictions, tuple(operations)


def _equal_to(column: Column, value: bytes) -> Restriction:
    return Restriction((column,), "=", lambda _context: [value])


def _json_value(column: Column, value: object) -> bytes | None:
    try:
        return from_json(column.type, value)
    except Invalid as error:
        raise Invalid(f"Error decoding JSON value for {column.name}: {error}") from error


def _clustering_rows(restrictions: Restrictions, context: Context) -> list[tuple[bytes, ...]]:
    """The clustering values of each row that the statement names."""
    rows: list[tuple[bytes, ...]] = [()]
    for restriction in restrictions.clustering:
        if restriction.multi:
            choices = [tuple(components(restriction, value)) for value in restriction.values(context)]
        else:
            choices = [(value,) for value in restriction.values(context)]
        rows = [(*row, *choice) for row in rows for choice in choices]
    return rows


def _cells(context: Context, operations: Sequence[Operation], row: Row | None, kind: str) -> Cells:
    cells: Cells = {}
    for operation in operations:
        column = operation.column
        if column.kind != kind:
            continue
        value = operation.apply(context, row)
        if value is UNSET:
            continue
        assert value is None or isinstance(value, bytes)
        earlier = cells.get(column.number)
        if earlier is not None and value is not None and column.type.multi_cell:
            value = _join_complex(earlier, value)
        cells[column.number] = value
    return cells


def _join_complex(first: bytes, second: bytes) -> bytes:
    """Combine two operations on one multi-cell column."""
    if second[0]:
        return second
    count = _INT.unpack_from(first, 1)[0] + _INT.unpack_from(second, 1)[0]
    return first[:1] + _INT.pack(count) + first[5:] + second[5:]


def fragment_bytes(table: Table, cells: Cells, flags: int, ttl: int, now_s: int, clustering: Sequence[bytes]) -> bytes:
    """The fragment of a write; see `state.rows`."""
    numbers = sorted(cells)
    by_number = table.by_number
    body = []
    for component in clustering:
        body.append(_INT.pack(len(component)))
        body.append(component)
    for number in numbers:
        value = cells[number]
        if value is None:
            flags |= NULLS
            body.append(_NULL)
        else:
            if by_number[number].type.multi_cell:
                flags |= COMPLEX | NULLS
            body.append(_INT.pack(len(value)))
            body.append(value)
    head = b""
    if ttl and not flags & DELETION:
        flags |= EXPIRING
        head = _PAIR.pack(ttl, min(now_s + ttl, MAX_EXPIRY_S))
    if flags & (DELETION | NULLS):
        head += _UINT.pack(now_s)
    return bytes((flags,)) + bitmap_of(numbers) + head + b"".join(body)
