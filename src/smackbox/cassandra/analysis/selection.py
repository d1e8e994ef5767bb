"""The result columns of a SELECT, compiled, including aggregates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smackbox.cassandra.analysis.collection_functions import ANY, parameter_type
from smackbox.cassandra.analysis.terms import Compiler, Scope
from smackbox.cassandra.execution.aggregates import NAMES, Accumulator, aggregate
from smackbox.cassandra.execution.column_masks import applied
from smackbox.cassandra.execution.context import Bound, Context
from smackbox.cassandra.execution.row_view import RowView
from smackbox.cassandra.execution.selection import OutColumn, Selection, bytes_or_null
from smackbox.cassandra.execution.terms import Term
from smackbox.cassandra.state.columns import PARTITION_KEY, REGULAR, STATIC, Column
from smackbox.cassandra.values.casts import cast_function
from smackbox.cassandra.values.json_values import to_json_text
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.cql.show import bare, show
from smackbox.cassandra.wire.errors import Invalid, SyntaxFault
from smackbox.cassandra.wire.types import (
    BIGINT,
    INT,
    TEXT,
    CqlType,
    ListType,
    MapType,
    SetType,
    TupleType,
    UserType,
    quoted,
)

_STAMP_FUNCTIONS = frozenset({"writetime", "maxwritetime", "ttl"})
_JSON_FUNCTIONS = frozenset({"tojson", "to_json"})


# order keys
Bounds = tuple[bytes | None, bytes | None]


def compile_selection(select: ast.Select, scope: Scope, *, masked: bool = False) -> Selection:
    """Compile the result columns. `masked` applies the columns' masks. Raises `Invalid` for unknown columns and
    functions.
    """
    compiler = SelectionCompiler(scope, masked=masked)
    hidden = scope.table.masks if masked else {}
    if not select.selectors:
        columns = [
            OutColumn(
                column.name,
                column.type,
                compiler.column(column.name),
                -1 if column.ordinal in hidden else column.ordinal,
            )
            for column in scope.table.columns
        ]
    else:
        columns = []
        for selector in select.selectors:
            term = compiler.compile_any(selector.value)
            ordinal = -1
            if isinstance(selector.value, ast.Column):
                ordinal = scope.table.column(selector.value.name).ordinal
            if ordinal in hidden:
                ordinal = -1
            name = selector.alias or compiler.name_of(selector.value)
            columns.append(OutColumn(name, term.kind, term, ordinal))
    shown = [_json_column(columns)] if select.json else columns
    plain = all(column.ordinal >= 0 for column in shown)
    return Selection(
        tuple(shown),
        tuple(column.ordinal for column in shown) if plain else None,
        frozenset(compiler.used),
        tuple(compiler.aggregates),
        compiler.needs_stamps,
    )


def _json_column(columns: list[OutColumn]) -> OutColumn:
    def evaluate(context: Context, row: Any) -> Bound:
        parts = []
        for column in columns:
            name = column.name if column.name == column.name.lower() else quoted(column.name)
            value = bytes_or_null(column.term.evaluate(context, row))
            parts.append(f"{to_json_text(TEXT, name.encode())}: {to_json_text(column.kind, value)}")
        return ("{" + ", ".join(parts) + "}").encode()

    return OutColumn("[json]", TEXT, Term(TEXT, evaluate))


class SelectionCompiler(Compiler):
    """Compiles terms with columns, aggregates and the functions that only a selection has."""

    resolves_inside_out = True

    def __init__(self, scope: Scope, *, masked: bool = False) -> None:
        super().__init__(scope)
        self.masks = scope.table.masks if masked else {}
        self.aggregates: list[tuple[Term | None, Callable[[], Accumulator]]] = []
        self.needs_stamps = False
        self.used: set[int] = set()
        self._inside_aggregate = False

    def compile(self, expression: ast.Expression, kind: CqlType, receiver: str) -> Term:
        term = self._own(expression)
        if term is not None:
            return term
        if isinstance(expression, ast.Bind) and not receiver.startswith("key("):
            receiver = "[selection]"
        return super().compile(expression, kind, receiver)

    def infer(self, expression: ast.Expression) -> CqlType | None:
        if isinstance(expression, ast.Column):
            return self.scope.table.column(expression.name).type
        if isinstance(expression, ast.Cast):
            return self.scope.type(expression.type)
        if isinstance(expression, ast.FieldOf | ast.ElementOf | ast.SliceOf):
            return self._part_type(expression)
        if isinstance(expression, ast.Call):
            name = expression.name.lower()
            if expression.keyspace in {None, "system"}:
                if name in _STAMP_FUNCTIONS:
                    return self._stamp(expression, name).kind
                if name in _JSON_FUNCTIONS:
                    return TEXT
                if name in {"fromjson", "from_json"}:
                    raise Invalid(f"{name}() cannot be used in the selection clause of a SELECT statement")
                if name in NAMES:
                    return self._aggregate_type(expression, name)
        if isinstance(expression, ast.TupleLiteral) and len(expression.items) > 1:
            parts = [self.infer(item) for item in expression.items]
            return TupleType(tuple(part for part in parts if part is not None)) if None not in parts else None
        if isinstance(expression, ast.ListLiteral) and expression.items:
            element = self.infer(expression.items[0])
            return ListType(element.frozen(), multi_cell=False) if element is not None else None
        return super().infer(expression)

    def column(self, name: str) -> Term:
        """A column as a term, masked if the reader may not see it."""
        column = self.scope.table.column(name)
        ordinal = column.ordinal
        self.used.add(ordinal)
        mask = self.masks.get(ordinal)
        if mask is not None:
            cover = applied(mask, column.type)
            return Term(column.type, lambda _context, row: cover(row.values[ordinal]))
        return Term(column.type, lambda _context, row: row.values[ordinal])

    def name_of(self, expression: ast.Expression) -> str:
        """Cassandra's name for a column of the result."""
        if isinstance(expression, ast.Call):
            name = expression.name.lower()
            if expression.star:
                return "count"
            inner = ", ".join(map(self.name_of, expression.arguments))
            prefix = "" if name in _STAMP_FUNCTIONS or expression.keyspace is None else f"{expression.keyspace}."
            if prefix == "" and name not in _STAMP_FUNCTIONS:
                prefix = "system."
            return f"{prefix}{name}({inner})"
        if isinstance(expression, ast.Cast):
            kind = self.scope.type(expression.type)
            if self.infer(expression.value) == kind:
                return self.name_of(expression.value)
            return f"cast({self.name_of(expression.value)} as {kind.cql})"
        return show(expression, self.name_of)

    # ---- kinds of expression ----------------------------------------------------------------------------------------

    def _own(self, expression: ast.Expression) -> Term | None:
        if isinstance(expression, ast.Column):
            return self.column(expression.name)
        if isinstance(expression, ast.Cast):
            return self._cast(expression)
        if isinstance(expression, ast.FieldOf):
            return self._field(expression)
        if isinstance(expression, ast.ElementOf):
            return self._element(expression)
        if isinstance(expression, ast.SliceOf):
            return self._slice(expression)
        if isinstance(expression, ast.Call) and expression.keyspace in {None, "system"}:
            name = expression.name.lower()
            if name in _STAMP_FUNCTIONS:
                return self._stamp(expression, name)
            if name in _JSON_FUNCTIONS:
                return self._json(expression)
            if name in NAMES:
                return self._aggregate(expression, name)
        return None

    def _cast(self, expression: ast.Cast) -> Term:
        value = self.compile_any(expression.value)
        target = self.scope.type(expression.type)
        if value.kind == target:
            return value
        convert = cast_function(value.kind, target)
        if convert is None:
            raise Invalid(f"{value.kind.cql} cannot be cast to {target.cql}")

        def evaluate(context: Context, row: Any) -> Bound:
            operand = bytes_or_null(value.evaluate(context, row))
            if not operand:
                return operand if value.kind.cql in {"ascii", "text"} else None
            return convert(operand)

        return Term(target, evaluate)

    def _json(self, expression: ast.Call) -> Term:
        kind = parameter_type(self, expression, ANY)
        value = self.compile(expression.arguments[0], kind, show(expression.arguments[0]))
        return Term(
            TEXT, lambda context, row: to_json_text(value.kind, bytes_or_null(value.evaluate(context, row))).encode()
        )

    def _aggregate_type(self, expression: ast.Call, name: str) -> CqlType:
        kind = None
        if not expression.star:
            if len(expression.arguments) != 1:
                raise Invalid(f"Invalid number of arguments for function system.{name}(anytype)")
            kind = TEXT if _counts_null(expression) else self.infer(_argument(expression, name))
            if kind is None:
                raise Invalid(
                    f"Cannot infer type for term {show(expression.arguments[0])} in selection clause "
                    "(try using a cast to force a type)"
                )
        return aggregate(name, kind)[0]

    def _aggregate(self, expression: ast.Call, name: str) -> Term:
        if self._inside_aggregate:
            raise Invalid("aggregate functions cannot be used as arguments of aggregate functions")
        kind = self._aggregate_type(expression, name)
        argument = None
        if not expression.star:
            self._inside_aggregate = True
            argument = _NOTHING if _counts_null(expression) else self.compile_any(_argument(expression, name))
            self._inside_aggregate = False
        make = aggregate(name, None if argument is None else argument.kind)[1]
        index = len(self.aggregates)
        self.aggregates.append((argument, make))
        return Term(kind, lambda _context, row: row.aggregates[index])

    def _stamp(self, expression: ast.Call, name: str) -> Term:
        if len(expression.arguments) != 1:
            raise SyntaxFault(f"{name} takes one column")
        target = expression.arguments[0]
        path = None
        if isinstance(target, ast.ElementOf | ast.FieldOf | ast.SliceOf) and isinstance(target.value, ast.Column):
            path = target
            target = target.value
        if not isinstance(target, ast.Column):
            raise SyntaxFault(f"no viable alternative: {name} takes a column or a part of one, not {show(target)}")
        column = self.scope.table.column(target.name)
        if column.kind not in {REGULAR, STATIC}:
            role = "PRIMARY KEY part " if column.kind == PARTITION_KEY or column.kind else ""
            raise Invalid(f"Cannot use selection function {name} on {role}{column.name}")
        if path is not None:
            self._part_type(path)
        self.needs_stamps = True
        self.used.add(column.ordinal)
        scalar: CqlType = INT if name == "ttl" else BIGINT
        if column.type.multi_cell and name != "maxwritetime" and path is None:
            return Term(ListType(scalar, multi_cell=False), _stamps_of(column, name, scalar))
        if isinstance(path, ast.SliceOf) and column.type.multi_cell and name != "maxwritetime":
            within = self._slice_bounds(path, column.type)
            return Term(ListType(scalar, multi_cell=False), _stamps_of(column, name, scalar, within))
        if isinstance(path, ast.ElementOf | ast.FieldOf) and column.type.multi_cell:
            return Term(scalar, _stamp_of_part(self, column, path, name, scalar))
        return Term(scalar, _stamp_of(column, name, scalar))

    def _slice_bounds(self, expression: ast.SliceOf, kind: CqlType) -> Callable[[Context, Any], Bounds]:
        """The order keys that bound the slice; None for an open end."""
        assert isinstance(kind, SetType | MapType)
        key_type = kind.key if isinstance(kind, MapType) else kind.element
        name = f"key({show(expression.value)})"
        ends = [None if end is None else self.compile(end, key_type, name) for end in (expression.low, expression.high)]

        def bounds(context: Context, row: Any) -> Bounds:
            values = [None if end is None else bytes_or_null(end.evaluate(context, row)) for end in ends]
            low, high = (None if value is None else key_type.order_key(value) for value in values)
            return low, high

        return bounds

    def _part_type(self, expression: ast.FieldOf | ast.ElementOf | ast.SliceOf) -> CqlType:
        kind = self.infer(expression.value)
        if isinstance(expression, ast.FieldOf):
            if not isinstance(kind, UserType):
                raise Invalid(
                    f"Invalid field selection: {show(expression.value)} of type "
                    f"{kind.cql if kind else 'unknown'} is not a user type"
                )
            if expression.name not in kind.field_names:
                raise Invalid(f"{show(expression.value)} of type {kind.cql} has no field {expression.name}")
            return kind.parts[kind.field_names.index(expression.name)]
        if isinstance(expression, ast.SliceOf):
            if not isinstance(kind, SetType | MapType):
                if isinstance(kind, ListType):
                    raise Invalid(
                        f"Slice selection is only allowed on sets and maps, but {show(expression.value)} is a list"
                    )
                raise Invalid(f"Invalid slice selection: {show(expression.value)} of type {kind} is not a collection")
            return kind.frozen()
        if isinstance(kind, MapType):
            return kind.value
        if isinstance(kind, SetType):
            return kind.element
        if isinstance(kind, ListType):
            raise Invalid(f"Element selection is only allowed on sets and maps, but {show(expression.value)} is a list")
        raise Invalid(f"Invalid element selection: {show(expression.value)} is of type {kind} is not a collection")

    def _field(self, expression: ast.FieldOf) -> Term:
        result = self._part_type(expression)
        value = self.compile_any(expression.value)
        kind = value.kind
        assert isinstance(kind, UserType)
        position = kind.field_names.index(expression.name)

        def evaluate(context: Context, row: Any) -> Bound:
            operand = bytes_or_null(value.evaluate(context, row))
            if operand is None:
                return None
            fields = kind.fields(operand)
            return fields[position] if position < len(fields) else None

        return Term(result, evaluate)

    def _element(self, expression: ast.ElementOf) -> Term:
        result = self._part_type(expression)
        value = self.compile_any(expression.value)
        kind = value.kind
        assert isinstance(kind, SetType | MapType)
        key_type = kind.key if isinstance(kind, MapType) else kind.element
        index = self.compile(expression.index, key_type, f"key({show(expression.value)})")

        def evaluate(context: Context, row: Any) -> Bound:
            operand = bytes_or_null(value.evaluate(context, row))
            key = bytes_or_null(index.evaluate(context, row))
            if operand is None or key is None:
                return None
            order_key = key_type.order_key(key)
            if isinstance(kind, MapType):
                return next((item for name, item in kind.pairs(operand) if key_type.order_key(name) == order_key), None)
            return next((item for item in kind.elements(operand) if key_type.order_key(item) == order_key), None)

        return Term(result, evaluate)

    def _slice(self, expression: ast.SliceOf) -> Term:
        result = self._part_type(expression)
        value = self.compile_any(expression.value)
        kind = value.kind
        assert isinstance(kind, SetType | MapType)
        key_type = kind.key if isinstance(kind, MapType) else kind.element
        name = f"key({show(expression.value)})"
        low = self.compile(expression.low, key_type, name) if expression.low is not None else None
        high = self.compile(expression.high, key_type, name) if expression.high is not None else None

        def evaluate(context: Context, row: Any) -> Bound:
            operand = bytes_or_null(value.evaluate(context, row))
            if operand is None:
                return None
            first = bytes_or_null(low.evaluate(context, row)) if low is not None else None
            last = bytes_or_null(high.evaluate(context, row)) if high is not None else None
            first_key = b"" if first is None else key_type.order_key(first)
            last_key = None if last is None else key_type.order_key(last)

            def inside(key: bytes) -> bool:
                order = key_type.order_key(key)
                return order >= first_key and (last_key is None or order <= last_key)

            if isinstance(kind, MapType):
                pairs = [pair for pair in kind.pairs(operand) if inside(pair[0])]
                return kind.join([part for pair in pairs for part in pair]) if pairs else None
            items = [item for item in kind.elements(operand) if inside(item)]
            return kind.join(items) if items else None

        return Term(result, evaluate)


def _row_of(view: RowView, column: Column) -> Any:
    return view.static if column.kind == STATIC else view.merged


def _stamp_of(column: Column, name: str, scalar: CqlType) -> Callable[[Context, Any], Bound]:
    def evaluate(_: Context, view: RowView) -> Bound:
        row = _row_of(view, column)
        if row is None:
            return None
        if column.type.multi_cell:
            stamps = [stamp for _, stamp in _live_parts(row, column, name, view.now_s)]
            known = [stamp for stamp in stamps if stamp is not None]
            return scalar.encode(max(known) if name == "maxwritetime" else min(known)) if known else None
        cell = row.cells.get(column.number)
        if cell is None or cell[3] is None or (cell[1] and cell[2] <= view.now_s):
            return None
        if name == "ttl":
            return scalar.encode(cell[2] - view.now_s) if cell[1] else None
        return scalar.encode(cell[0])

    return evaluate


def _live_parts(row: Any, column: Column, name: str, now_s: int) -> list[tuple[bytes, int | None]]:
    """(path, timestamp or remaining ttl) of the live cells of a multi-cell column, in order."""
    cells = []
    for key, (timestamp, ttl, time, value) in row.cells.items():
        if type(key) is tuple and key[0] == column.number and value is not None and (not ttl or time > now_s):
            stamp = (time - now_s if ttl else None) if name == "ttl" else timestamp
            cells.append((path_order(column.type, key[1]), stamp))
    return sorted(cells)


def _stamps_of(
    column: Column, name: str, scalar: CqlType, within: Callable[[Context, Any], Bounds] | None = None
) -> Callable[[Context, Any], Bound]:
    def evaluate(context: Context, view: RowView) -> Bound:
        row = _row_of(view, column)
        parts = _live_parts(row, column, name, view.now_s) if row is not None else []
        if within is not None:
            low, high = within(context, view)
            parts = [part for part in parts if (low or b"") <= part[0] and (high is None or part[0] <= high)]
        if not parts:
            return None
        body = len(parts).to_bytes(4, "big")
        for _path, stamp in parts:
            encoded = b"" if stamp is None else scalar.encode(stamp)
            body += b"\xff\xff\xff\xff" if stamp is None else len(encoded).to_bytes(4, "big") + encoded
        return body

    return evaluate


def _stamp_of_part(
    compiler: SelectionCompiler, column: Column, path: ast.ElementOf | ast.FieldOf, name: str, scalar: CqlType
) -> Callable[[Context, Any], Bound]:
    kind = column.type
    index: Term | None = None
    fixed = b""
    if isinstance(path, ast.FieldOf):
        assert isinstance(kind, UserType)
        if path.name not in kind.field_names:
            raise Invalid(f"{column.name} of type {kind.cql} has no field {path.name}")
        fixed = kind.field_names.index(path.name).to_bytes(2, "big")
    else:
        assert isinstance(kind, MapType | SetType)
        index = compiler.compile(path.index, kind.key if isinstance(kind, MapType) else kind.element, column.name)

    def evaluate(context: Context, view: RowView) -> Bound:
        row = _row_of(view, column)
        key = fixed if index is None else bytes_or_null(index.evaluate(context, view))
        if row is None or key is None:
            return None
        order_key = path_order(kind, key)
        stamp = dict(_live_parts(row, column, name, view.now_s)).get(order_key)
        return None if stamp is None else scalar.encode(stamp)

    return evaluate


def path_order(kind: CqlType, path: bytes) -> bytes:
    """The sort key of the cells of a multi-cell column."""
    if isinstance(kind, MapType):
        return kind.key.order_key(path)
    return kind.element.order_key(path) if isinstance(kind, SetType) else path


def _argument(call: ast.Call, name: str) -> ast.Expression:
    """The argument of an aggregate; min and max, which accept any type, require it without parentheses."""
    (argument,) = call.arguments
    return argument if name in {"min", "max"} else bare(argument)


def _counts_null(expression: ast.Call) -> bool:
    """`count(null)` counts nothing: no other function accepts a null of unknown type."""
    (argument,) = expression.arguments
    return expression.name.lower() == "count" and isinstance(argument, ast.Literal) and argument.kind == "null"


_NOTHING = Term(TEXT, lambda _context, _row: None)
