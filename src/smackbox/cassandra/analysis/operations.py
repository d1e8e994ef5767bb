"""How SET, VALUES and the targets of DELETE change one column: each gives the cell to write.

An operation on a list by position or by value must read the list first; all others write without reading.
"""

from __future__ import annotations

from smackbox.cassandra.analysis.terms import Compiler
from smackbox.cassandra.execution.context import UNSET, Bound, Context
from smackbox.cassandra.execution.operations import REFERENCE_TICKS, Operation, assignment_of, cells_of
from smackbox.cassandra.execution.reading import list_path_order
from smackbox.cassandra.execution.terms import Term
from smackbox.cassandra.state.columns import CLUSTERING, PARTITION_KEY, Column
from smackbox.cassandra.state.rows import Row, complex_bytes, deleted_complex
from smackbox.cassandra.values.timeuuids import timeuuid
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.cql.show import show
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import (
    BIGINT,
    INT,
    ListType,
    MapType,
    SetType,
    UserType,
)


def assign(compiler: Compiler, column: Column, value: ast.Expression) -> Operation:
    """The operation `column = value`."""
    _check_settable(column)
    kind = column.type
    if kind.cql == "counter":
        raise Invalid(
            f"Cannot set the value of counter column {column.name} "
            "(counters can only be incremented/decremented, not set)"
        )
    return assignment_of(column, compiler.compile(value, kind, column.name))


def operation(compiler: Compiler, assignment: ast.Assignment) -> Operation:
    """One assignment of UPDATE. Raises `Invalid` if the column's type does not allow it."""
    column = compiler.scope.table.column(assignment.column)
    _check_settable(column)
    kind = column.type
    if assignment.kind == "set":
        return assign(compiler, column, assignment.value)
    if assignment.kind == "element":
        assert assignment.element is not None
        return _set_element(compiler, column, assignment.element, assignment.value)
    if assignment.kind == "field":
        assert assignment.field is not None
        return _set_field(compiler, column, assignment.field, assignment.value)
    if kind.cql == "counter":
        if assignment.kind == "prepend":
            raise Invalid(
                f"Invalid operation ({column.name} = {show(assignment.value)} + {column.name}) "
                f"for counter column {column.name}"
            )
        return _count(compiler, column, assignment)
    sign = "-" if assignment.kind == "subtract" else "+"
    shown = f"{column.name} = {column.name} {sign} {show(assignment.value)}"
    if assignment.kind == "prepend":
        # the sign is Cassandra's own mistake
        shown = f"{column.name} = {show(assignment.value)} - {column.name}"
    if not isinstance(kind, ListType | SetType | MapType):
        raise Invalid(f"Invalid operation ({shown}) for non counter column {column.name}")
    if not kind.multi_cell:
        raise Invalid(f"Invalid operation ({shown}) for frozen collection column {column.name}")
    if assignment.kind == "subtract":
        return _subtract(compiler, column, assignment.value)
    if assignment.kind == "prepend" and not isinstance(kind, ListType):
        raise Invalid(f"Invalid operation ({shown}) for non list column {column.name}")
    return _add(compiler, column, assignment.value, prepend=assignment.kind == "prepend")


def deletion(compiler: Compiler, target: ast.Deletion) -> Operation:
    """A target of DELETE. Raises `Invalid` if the column's type does not allow it."""
    column = compiler.scope.table.column(target.column)
    if column.kind in {PARTITION_KEY, CLUSTERING}:
        raise Invalid(f"Invalid identifier {column.name} for deletion (should not be a PRIMARY KEY part)")
    kind = column.type
    if target.field is not None:
        return _set_field(compiler, column, target.field, ast.Literal("null", "null"))
    if target.element is None:
        if kind.multi_cell:
            return Operation(column, lambda _context, _row: deleted_complex())
        return Operation(column, lambda _context, _row: None)
    if not kind.multi_cell:
        sort = "frozen collection" if isinstance(kind, ListType | SetType | MapType) else "non collection"
        raise Invalid(f"Invalid deletion operation for {sort} column {column.name}")
    if isinstance(kind, ListType):
        null = ast.Literal("null", "null")
        return _set_list_element(compiler, column, kind, target.element, null, ignores_unset=True)
    if not isinstance(kind, SetType | MapType):
        raise Invalid(f"Invalid deletion operation for non collection column {column.name}")
    key = compiler.compile(
        target.element, kind.element if isinstance(kind, SetType) else kind.key, f"key({column.name})"
    )

    def remove(context: Context, _row: Row | None) -> Bound:
        path = key.evaluate(context, None)
        if path is UNSET and isinstance(kind, SetType):
            return UNSET
        if not isinstance(path, bytes):
            sort = "unset" if path is UNSET else "null"
            raise Invalid(f"Invalid {sort} {'set element' if isinstance(kind, SetType) else 'map key'}")
        return complex_bytes([(path, None)], replace=False)

    return Operation(column, remove)


# ---- counters -------------------------------------------------------------------------------------------------------


def _count(compiler: Compiler, column: Column, assignment: ast.Assignment) -> Operation:
    term = compiler.compile(assignment.value, column.type, column.name)
    sign = -1 if assignment.kind == "subtract" else 1

    def increment(context: Context, _row: Row | None) -> Bound:
        bound_value = term.evaluate(context, None)
        if bound_value is UNSET:
            return UNSET
        if bound_value is None:
            raise Invalid("Invalid null value for counter increment/decrement")
        amount = BIGINT.decode(bound_value)  # type: ignore[arg-type]
        if amount == -(2**63) and sign < 0:
            raise Invalid(f"The negation of {amount} overflows supported counter precision (signed 8 bytes integer)")
        return BIGINT.encode(sign * amount)

    return Operation(column, increment)


# ---- collections ----------------------------------------------------------------------------------------------------


def _add(compiler: Compiler, column: Column, value: ast.Expression, *, prepend: bool) -> Operation:
    kind = column.type
    term = compiler.compile(value, kind, column.name)

    def add(context: Context, _row: Row | None) -> Bound:
        bound_value = term.evaluate(context, None)
        if bound_value is UNSET:
            return UNSET
        if bound_value is None:
            return UNSET
        assert isinstance(bound_value, bytes)
        if prepend:
            assert isinstance(kind, ListType)
            elements = kind.elements(bound_value)
            tick = context.state.take_ticks(context.now_us, len(elements))
            low = context.random_bytes(8)
            # the later the write, the earlier its time
            first = 2 * REFERENCE_TICKS - tick - len(elements)
            return complex_bytes(
                [(timeuuid(first + index, low), element) for index, element in enumerate(elements)], replace=False
            )
        cells = cells_of(kind, bound_value, context)
        return complex_bytes(cells, replace=False) if cells else UNSET

    return Operation(column, add)


def _subtract(compiler: Compiler, column: Column, value: ast.Expression) -> Operation:
    kind = column.type
    if isinstance(kind, ListType):
        return _discard_from_list(compiler, column, kind, value)
    assert isinstance(kind, SetType | MapType)
    if isinstance(kind, MapType) and isinstance(value, ast.MapLiteral):
        raise Invalid(f"Value for a map substraction has to be a set, but was: '{show(value)}'")
    removed = kind if isinstance(kind, SetType) else SetType(kind.key, multi_cell=True)
    term = compiler.compile(value, removed, column.name)

    def discard(context: Context, _row: Row | None) -> Bound:
        bound_value = term.evaluate(context, None)
        if bound_value is UNSET or bound_value is None:
            return UNSET
        assert isinstance(bound_value, bytes)
        paths: list[tuple[bytes, bytes | None]] = [(element, None) for element in removed.elements(bound_value)]
        return complex_bytes(paths, replace=False) if paths else UNSET

    return Operation(column, discard)


def _discard_from_list(compiler: Compiler, column: Column, kind: ListType, value: ast.Expression) -> Operation:
    term = compiler.compile(value, kind, column.name)

    def discard(context: Context, row: Row | None) -> Bound:
        bound_value = term.evaluate(context, None)
        if bound_value is UNSET or bound_value is None or row is None:
            return UNSET
        assert isinstance(bound_value, bytes)
        unwanted = {kind.element.order_key(element) for element in kind.elements(bound_value)}
        paths: list[tuple[bytes, bytes | None]] = [
            (path, None)
            for path, item in row.parts(column.number, context.statement_time_s)
            if kind.element.order_key(item) in unwanted
        ]
        return complex_bytes(paths, replace=False) if paths else UNSET

    return Operation(column, discard, needs_row=True)


def _set_element(compiler: Compiler, column: Column, element: ast.Expression, value: ast.Expression) -> Operation:
    kind = column.type
    if not isinstance(kind, ListType | SetType | MapType):
        raise Invalid(
            f"Invalid operation ({column.name}[{show(element)}] = {show(value)}) "
            f"for non collection column {column.name}"
        )
    if not kind.multi_cell:
        raise Invalid(
            f"Invalid operation ({column.name}[{show(element)}] = {show(value)}) "
            f"for frozen collection column {column.name}"
        )
    if isinstance(kind, SetType):
        raise Invalid(
            f"Invalid operation ({column.name}[{show(element)}] = {show(value)}) for set column {column.name}"
        )
    if isinstance(kind, ListType):
        return _set_list_element(compiler, column, kind, element, value)
    key = compiler.compile(element, kind.key, f"key({column.name})")
    item = compiler.compile(value, kind.value, f"value({column.name})")

    def put(context: Context, _row: Row | None) -> Bound:
        path = key.evaluate(context, None)
        if path is None:
            raise Invalid("Invalid null map key")
        if path is UNSET:
            raise Invalid("Invalid unset map key")
        bound_value = item.evaluate(context, None)
        if bound_value is UNSET:
            return UNSET
        return complex_bytes([(path, bound_value)], replace=False)  # type: ignore[list-item]

    return Operation(column, put)


def _set_list_element(
    compiler: Compiler,
    column: Column,
    kind: ListType,
    element: ast.Expression,
    value: ast.Expression,
    *,
    ignores_unset: bool = False,
) -> Operation:
    index: Term = compiler.compile(element, INT, f"idx({column.name})")
    item = compiler.compile(value, kind.element, f"value({column.name})")

    def put(context: Context, row: Row | None) -> Bound:
        position_bytes = index.evaluate(context, None)
        if position_bytes is UNSET and ignores_unset:
            return UNSET
        if not isinstance(position_bytes, bytes) or not position_bytes:
            raise Invalid(f"Invalid {'unset' if position_bytes is UNSET else 'null'} value for list index")
        bound_value = item.evaluate(context, None)
        if bound_value is UNSET:
            return UNSET
        parts = row.parts(column.number, context.statement_time_s) if row is not None else []
        position = INT.decode(position_bytes)
        if not parts:
            raise Invalid("Attempted to set an element on a list which is null")
        if not 0 <= position < len(parts):
            raise Invalid(f"List index {position} out of bound, list has size {len(parts)}")
        parts.sort(key=lambda part: list_path_order(part[0]))
        return complex_bytes([(parts[position][0], bound_value)], replace=False)  # type: ignore[list-item]

    return Operation(column, put, needs_row=True)


def _set_field(compiler: Compiler, column: Column, field: str, value: ast.Expression) -> Operation:
    kind = column.type
    if not isinstance(kind, UserType):
        raise Invalid(f"Invalid operation ({column.name}.{field} = {show(value)}) for non-UDT column {column.name}")
    if not kind.multi_cell:
        raise Invalid(f"Invalid operation ({column.name}.{field} = {show(value)}) for frozen UDT column {column.name}")
    if field not in kind.field_names:
        raise Invalid(f"UDT column {column.name} does not have a field named {field}")
    position = kind.field_names.index(field)
    term = compiler.compile(value, kind.parts[position], f"{column.name}.{field}")

    def put(context: Context, _row: Row | None) -> Bound:
        bound_value = term.evaluate(context, None)
        if bound_value is UNSET:
            return UNSET
        return complex_bytes([(position.to_bytes(2, "big"), bound_value)], replace=False)  # type: ignore[list-item]

    return Operation(column, put)


def _check_settable(column: Column) -> None:
    if column.kind in {PARTITION_KEY, CLUSTERING}:
        raise Invalid(f"PRIMARY KEY part {column.name} found in SET part")
