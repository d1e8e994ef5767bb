"""INSERT, UPDATE and DELETE: prepared once, executed as blind writes; with IF, after a look at the row."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from smackbox.cassandra.analysis.conditions import Conditions, compile_conditions
from smackbox.cassandra.analysis.operations import Operation, assign, deletion, operation
from smackbox.cassandra.analysis.restrictions import analyse
from smackbox.cassandra.analysis.terms import Compiler, Scope
from smackbox.cassandra.analysis.vector_search import check_vectors
from smackbox.cassandra.execution.consistency import check_conditional, check_write
from smackbox.cassandra.execution.context import UNSET, Context
from smackbox.cassandra.execution.restrictions import UNBOUNDED, Restrictions
from smackbox.cassandra.execution.results import Result, Void
from smackbox.cassandra.execution.terms import Term, constant
from smackbox.cassandra.execution.transactions import applied_result
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
from smackbox.cassandra.state.rows import (
    COMPLEX,
    DELETION,
    EXPIRING,
    MARKER,
    NULLS,
    STATIC,
    Row,
    bitmap_of,
)
from smackbox.cassandra.state.schema import Column, Table
from smackbox.cassandra.state.table_options import TTL_LIMIT
from smackbox.cassandra.values.json_values import from_json, parse_json_object
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import BIGINT, INT, TEXT

_INT = struct.Struct(">i")
_UINT = struct.Struct(">I")
_PAIR = struct.Struct(">II")
_NULL = b"\xff\xff\xff\xff"
MAX_EXPIRY_S = 2**32 - 2

Cells = dict[int, bytes | None]


class PreparedModification:
    """A write ready to run. `kind`: insert, update, delete."""

    def __init__(self, statement: ast.Modification, scope: Scope) -> None:
        """Raises `Invalid` for a statement that cannot be executed."""
        table = scope.table
        self.table = table
        self.scope = scope
        self.operations: list[Operation] = []
        self.json: Term | None = None
        self.json_default_unset = False
        self.refuses_ranges = False
        if table.is_view:
            raise Invalid("Cannot directly modify a materialized view")
        if table.virtual:
            raise Invalid(f"Modification is not supported by table {table.keyspace}.{table.name}")
        compiler = Compiler(scope)
        if isinstance(statement, ast.Insert):
            self.kind = "insert"
            self.conditions = Conditions.if_not_exists() if statement.if_not_exists else Conditions.none()
            self.restrictions = self._prepare_insert(statement, compiler)
        else:
            if isinstance(statement, ast.Update):
                self.kind = "update"
                self.operations = [operation(compiler, assignment) for assignment in statement.assignments]
            else:
                self.kind = "delete"
                self.operations = [deletion(compiler, target) for target in statement.targets]
            self.restrictions = analyse(statement.where, scope, kind=self.kind.upper())
            self.conditions = compile_conditions(statement.conditions, compiler, if_exists=statement.if_exists)
        self.timestamp = self._using(compiler, statement.using.timestamp, "[timestamp]", counter_allowed=False)
        self.ttl = self._using(compiler, statement.using.ttl, "[ttl]", counter_allowed=False)
        self._check_counter()
        self.touches_static = any(found.column.kind == "static" for found in self.operations)
        self.touches_regular = any(found.column.kind == "regular" for found in self.operations)
        self.needs_row = any(found.needs_row for found in self.operations)
        self.writes_several = (
            self.json is not None
            or self.restrictions.key_has_in
            or (self.touches_static and self.touches_regular)
            or any(found.operator == "IN" for found in self.restrictions.clustering)
        )
        if self.json is None:
            self._check_keys()
        if self.conditions and self.timestamp is not None:
            raise Invalid("Cannot provide custom timestamp for conditional updates")

    # ---- preparing --------------------------------------------------------------------------------------------------

    def _prepare_insert(self, statement: ast.Insert, compiler: Compiler) -> Restrictions:
        table = self.table
        if table.is_counter:
            raise Invalid("INSERT statements are not allowed on counter tables, use UPDATE instead")
        if statement.json is not None:
            self.json = compiler.compile(statement.json, TEXT, "[json]")
            self.json_default_unset = statement.default_unset
            return Restrictions(table)
        if len(statement.columns) != len(statement.values):
            raise Invalid("Unmatched column names/values")
        if len(set(statement.columns)) != len(statement.columns):
            raise Invalid("The column names contains duplicates")
        relations = []
        for name, value in zip(statement.columns, statement.values, strict=True):
            column = table.column(name)
            if column.kind in {"partition_key", "clustering"}:
                relations.append(ast.Relation((name,), "=", value))
            else:
                self.operations.append(assign(compiler, column, value))
        missing = [
            column.name
            for column in table.partition_key
            if all(relation.columns != (column.name,) for relation in relations)
        ]
        if missing:
            raise Invalid(f"Some partition key parts are missing: {', '.join(missing)}")
        return analyse(relations, self.scope, kind="INSERT")

    def _using(
        self, compiler: Compiler, value: ast.Expression | None, name: str, *, counter_allowed: bool
    ) -> Term | None:
        if value is None:
            return None
        if self.table.is_counter and not counter_allowed:
            what = "timestamp" if name == "[timestamp]" else "TTL"
            if what == "TTL":
                raise Invalid("Cannot provide custom TTL for counter updates")
            raise Invalid("Cannot provide custom timestamp for counter updates")
        return compiler.compile(value, BIGINT if name == "[timestamp]" else INT, name)

    def _check_counter(self) -> None:
        if self.kind == "update" and not self.table.is_counter and not self.operations:
            raise AssertionError("the grammar wants an assignment")
        if self.table.is_counter and self.conditions:
            raise Invalid("Conditions on counters are not supported")

    def _check_keys(self) -> None:
        restrictions = self.restrictions
        table = self.table
        sliced = any(found.operator not in {"=", "IN"} for found in restrictions.clustering)
        if restrictions.filters:
            column = restrictions.filters[0].column
            raise Invalid(f"Non PRIMARY KEY columns found in where clause: {column.name} ")
        if restrictions.key_has_in and self.conditions:
            raise Invalid(f"IN on the partition key is not supported with conditional {self.kind}s")
        of_rows = any(column.kind == "regular" for column in self.conditions.columns)
        if not restrictions.clustering_is_whole:
            only_static = self._is_of_statics()
            if of_rows and self.kind == "update" and not sliced:
                raise Invalid(self._missing_clustering())
            if self.conditions and self.kind == "delete" and (of_rows or self.touches_regular) and table.clustering:
                of_statics = self.touches_static and not self.touches_regular
                what = "use IF condition on non static columns" if of_statics else "delete non static columns"
                raise Invalid(
                    "DELETE statements must restrict all PRIMARY KEY columns with equality relations in order "
                    f"to {what}"
                )
            if self.kind == "delete" and not self.operations:
                if self.conditions and table.clustering:
                    raise Invalid(
                        "DELETE statements must restrict all PRIMARY KEY columns with equality relations in order "
                        "to delete non static columns"
                    )
                return
            if only_static and not restrictions.clustering:
                return
            if self.kind == "insert" and not table.clustering:
                return
            if self.kind == "insert" and not self.operations and table.has_statics and not restrictions.clustering:
                raise Invalid(self._missing_clustering())
            if sliced and self.kind == "update":
                raise Invalid(
                    f"Slice restrictions are not supported on the clustering columns in {self.kind.upper()} statements"
                )
            if only_static and self.kind in {"delete", "update"}:
                raise Invalid(
                    "Invalid restrictions on clustering columns since the "
                    f"{self.kind.upper()} statement modifies only static columns"
                )
            if self.kind == "delete":
                self.refuses_ranges = True
                return
            raise Invalid(self._missing_clustering())
        if sliced and self.kind == "update":
            raise Invalid("Slice restrictions are not supported on the clustering columns in UPDATE statements")
        if self.conditions and any(found.operator == "IN" for found in restrictions.clustering):
            raise Invalid(
                "IN on the clustering key columns is not supported with conditional updates"
                if self.kind == "update"
                else "IN on the clustering key columns is not supported with conditional deletions"
            )
        if self.kind in {"update", "delete"} and self._is_of_statics() and table.clustering:
            raise Invalid(
                "Invalid restrictions on clustering columns since the "
                f"{self.kind.upper()} statement modifies only static columns"
            )

    def _is_of_statics(self) -> bool:
        """Whether neither what it writes nor its conditions need a row."""
        conditions = self.conditions.columns
        deletes_row = self.kind == "delete" and not self.operations
        needs_row = self.touches_regular or deletes_row or any(column.kind == "regular" for column in conditions)
        return not needs_row and (self.touches_static or bool(conditions))

    def _missing_clustering(self) -> str:
        given = {column.name for found in self.restrictions.clustering for column in found.columns}
        missing = [column.name for column in self.table.clustering if column.name not in given]
        return f"Some clustering keys are missing: {', '.join(missing)}"

    # ---- executing --------------------------------------------------------------------------------------------------

    def execute(self, context: Context) -> Result:
        if self.conditions:
            check_conditional(context, self.table)
            return applied_result([self], [context], context, is_batch=False)
        check_write(context, self.table)
        if not self.writes_several:
            self.write(context, context.timestamp_us)
            return Void()
        engine = context.room.engine
        engine.begin()
        try:
            self.write(context, context.timestamp_us)
        except BaseException:
            engine.abandon()
            raise
        engine.commit()
        return Void()

    def write(self, context: Context, timestamp_us: int, *, conditional: bool = False) -> None:
        """Put the writes into the engine's batch."""
        restrictions, operations = self.restrictions, self.operations
        if self.json is not None:
            restrictions, operations = self._from_json(context)
        table = self.table
        timestamp = timestamp_us
        if self.timestamp is not None and not conditional:
            timestamp = self._timestamp(context, timestamp_us)
        if table.is_counter:
            timestamp = context.now_us
        ttl = self._ttl(context)
        keys = restrictions.partition_keys(context)
        now_s = context.statement_time_s
        if self.refuses_ranges and restrictions.ranges(context):
            raise Invalid("Range deletions are not supported for specific columns")
        for key in keys:
            partition = partition_prefix(table, key)
            if self.kind == "delete" and not operations:
                self._delete(context, restrictions, partition, timestamp, now_s, conditional=conditional)
                continue
            self._write_partition(context, restrictions, operations, partition, timestamp, ttl, now_s)

    @property
    def names_rows(self) -> bool:
        """Whether it is about rows, not about the static columns alone."""
        return self.json is not None or not self.table.clustering or bool(self.restrictions.clustering)

    def writes_static(self, context: Context) -> bool:
        """Whether it writes, or deletes, static columns."""
        operations = self.operations if self.json is None else self._from_json(context)[1]
        return any(found.column.kind == "static" for found in operations)

    def row_keys(self, context: Context) -> list[bytes]:
        """The keys of the rows written, for a statement with IF."""
        restrictions = self.restrictions
        if self.json is not None:
            restrictions, _ = self._from_json(context)
        rows = _clustering_rows(restrictions, context)
        return [
            partition_prefix(self.table, key) + ROW + clustering_key(self.table, values)
            for key in restrictions.partition_keys(context)
            for values in rows
        ]

    def partitions(self, context: Context) -> list[bytes]:
        restrictions = self.restrictions
        if self.json is not None:
            restrictions, _ = self._from_json(context)
        return [partition_prefix(self.table, key) for key in restrictions.partition_keys(context)]

    def _write_partition(
        self, context: Context, restrictions: Restrictions, operations: Sequence[Operation], partition: bytes,
        timestamp: int, ttl: int, now_s: int,
    ) -> None:  # fmt: skip
        engine = context.room.engine
        table = self.table
        static: Cells = {}
        if self.touches_static or self.json is not None:
            row = None
            if self.needs_row:
                if engine.pending:
                    engine.flush()
                row = engine.static_row(table, partition, engine.tombstones(table, partition))
            static = _cells(context, operations, row, "static")
            if static:
                self._check_indexed(context, partition, static, ())
                fragment = fragment_bytes(table, static, STATIC, ttl, now_s, ())
                engine.put(table, partition + STATIC_ROW, timestamp, fragment)
                if table.written_targets:
                    self._enter(context, partition, partition + STATIC_ROW, static, ())
        whole = restrictions.clustering_is_whole
        if not whole:
            return
        marker = MARKER if self.kind == "insert" else 0
        for values in _clustering_rows(restrictions, context):
            row_key = partition + ROW + written_clustering_key(table, values)
            row = None
            if self.needs_row:
                found = engine.row(table, row_key, merged=True)
                assert found is None or isinstance(found, Row)
                row = found
            cells = _cells(context, operations, row, "regular")
            if cells or marker:
                self._check_indexed(context, partition, cells, values)
                engine.put(table, row_key, timestamp, fragment_bytes(table, cells, marker, ttl, now_s, values))
                if table.written_targets:
                    self._enter(context, partition, row_key, cells, values)

    def _check_indexed(self, context: Context, partition: bytes, cells: Cells, clustering: tuple[bytes, ...]) -> None:
        """Raises as Cassandra does for values that an index cannot hold."""
        if self.table.index_targets:
            check_indexed_sizes(self.table, cells, clustering)
            parts = split_partition_key(partition[14:], len(self.table.partition_key))
            check_vectors(context, self.table, cells, parts, clustering)

    def _enter(
        self, context: Context, partition: bytes, row_key: bytes, cells: Cells, clustering: tuple[bytes, ...]
    ) -> None:
        parts = split_partition_key(partition[14:], len(self.table.partition_key))
        for entry in entries_of_row(self.table.written_targets, row_key, cells, parts, clustering):
            context.room.engine.enter(entry)

    def _delete(
        self, context: Context, restrictions: Restrictions, partition: bytes, timestamp: int, now_s: int, *,
        conditional: bool,
    ) -> None:  # fmt: skip
        """A partition or a range is deleted just before what the other statements of a transaction write."""
        engine = context.room.engine
        table = self.table
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

    def _timestamp(self, context: Context, default: int) -> int:
        assert self.timestamp is not None
        value = self.timestamp.evaluate(context, None)
        if value is UNSET:
            return default
        if value is None:
            raise Invalid("Invalid null value of timestamp")
        timestamp = BIGINT.decode(value)  # type: ignore[arg-type]
        if timestamp == MIN_TIMESTAMP or timestamp is None:
            raise Invalid("The timestamp value is out of bound")
        return int(timestamp)

    def _ttl(self, context: Context) -> int:
        default = 0 if self.table.is_counter or self.kind == "delete" else self.table.default_ttl
        if self.ttl is None:
            return default
        value = self.ttl.evaluate(context, None)
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

    def _from_json(self, context: Context) -> tuple[Restrictions, list[Operation]]:
        assert self.json is not None
        text = self.json.evaluate(context, None)
        if not isinstance(text, bytes):
            raise Invalid(f"Got {'unset' if text is UNSET else 'null'} for INSERT JSON values")
        document = parse_json_object(text.decode())
        table = self.table
        for name in document:
            if name not in table.by_name:
                raise Invalid(f"JSON values map contains unrecognized column: {name}")
        restrictions = Restrictions(table)
        operations = []
        for column in table.columns:
            if column.kind in {"partition_key", "clustering"}:
                value = _json_value(column, document.get(column.name))
                if value is None:
                    raise Invalid(f"Invalid null value in condition for column {column.name}")
                _fix(restrictions, column, value)
            elif column.name in document or not self.json_default_unset:
                value = _json_value(column, document.get(column.name))
                operations.append(_assign_value(self.scope, column, value))
        restrictions.key_is_whole = True
        restrictions.clustering_is_whole = True
        return restrictions, operations


def _json_value(column: Column, value: object) -> bytes | None:
    try:
        return from_json(column.type, value)
    except Invalid as error:
        raise Invalid(f"Error decoding JSON value for {column.name}: {error}") from error


def _assign_value(scope: Scope, column: Column, value: bytes | None) -> Operation:
    if not column.type.multi_cell:
        return Operation(column, lambda _context, _row: value)
    return assign(_Constant(scope, constant(column.type, value)), column, ast.Literal("null", "null"))


class _Constant(Compiler):
    """Compiles everything to one term."""

    def __init__(self, scope: Scope, term: Term) -> None:
        super().__init__(scope)
        self._term = term

    def compile(self, expression: ast.Expression, kind: object, receiver: str) -> Term:
        del expression, kind, receiver
        return self._term


def _fix(restrictions: Restrictions, column: Column, value: bytes) -> None:
    from smackbox.cassandra.execution.restrictions import Restriction

    found = Restriction((column,), "=", lambda _context: [value], None)
    if column.kind == "partition_key":
        restrictions.partition[column.name] = found
    else:
        restrictions.clustering.append(found)


def _clustering_rows(restrictions: Restrictions, context: Context) -> list[tuple[bytes, ...]]:
    """The clustering values of each row that the statement names."""
    rows: list[tuple[bytes, ...]] = [()]
    for found in restrictions.clustering:
        if found.multi:
            from smackbox.cassandra.execution.restrictions import components

            choices = [tuple(components(found, value)) for value in found.values(context)]
        else:
            choices = [(value,) for value in found.values(context)]
        rows = [(*row, *choice) for row in rows for choice in choices]
    return rows


def _cells(context: Context, operations: Sequence[Operation], row: Row | None, kind: str) -> Cells:
    cells: Cells = {}
    for found in operations:
        column = found.column
        if column.kind != kind:
            continue
        value = found.apply(context, row)
        if value is UNSET:
            continue
        assert value is None or isinstance(value, bytes)
        earlier = cells.get(column.number)
        if earlier is not None and value is not None and column.type.multi_cell:
            value = _join_complex(earlier, value)
        cells[column.number] = value
    return cells


def _join_complex(first: bytes, second: bytes) -> bytes:
    """Two operations on one multi-cell column, as one."""
    if second[0]:
        return second
    count = _INT.unpack_from(first, 1)[0] + _INT.unpack_from(second, 1)[0]
    return first[:1] + _INT.pack(count) + first[5:] + second[5:]


def fragment_bytes(table: Table, cells: Cells, flags: int, ttl: int, now_s: int, clustering: Sequence[bytes]) -> bytes:
    """The fragment of a write, see `state.rows`."""
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
