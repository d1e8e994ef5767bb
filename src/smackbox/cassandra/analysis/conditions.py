"""The compiled IF clause of a statement: IF NOT EXISTS, IF EXISTS and conditions on columns."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from smackbox.cassandra.analysis.duration_rules import holder_of_durations
from smackbox.cassandra.analysis.restrictions import contained
from smackbox.cassandra.analysis.terms import Compiler
from smackbox.cassandra.execution.conditions import Check, Conditions
from smackbox.cassandra.execution.context import UNSET, Context
from smackbox.cassandra.execution.restrictions import SLICES, contains
from smackbox.cassandra.execution.row_view import RowView
from smackbox.cassandra.execution.terms import Term
from smackbox.cassandra.state.columns import CLUSTERING, PARTITION_KEY, STATIC, Column
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import (
    INT,
    CqlType,
    ListType,
    MapType,
    SetType,
    UserType,
)

_INT = struct.Struct(">i")


def compile_conditions(conditions: Sequence[ast.Condition], compiler: Compiler, *, if_exists: bool) -> Conditions:
    """Compile an IF clause. Raises `Invalid` for conditions on the primary key or not allowed for the column's type."""
    checks: list[Check] = []
    columns: list[Column] = []
    for condition in conditions:
        column = compiler.scope.table.column(condition.column)
        if column.kind in {PARTITION_KEY, CLUSTERING}:
            raise Invalid(f"PRIMARY KEY column '{column.name}' cannot have IF conditions")
        columns.append(column)
        checks.append(_compile(condition, column, compiler))
    columns = sorted(dict.fromkeys(columns), key=lambda column: column.kind == STATIC)
    return Conditions(tuple(checks), tuple(columns), exists=if_exists)


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

        def check_field(context: Context, values: list[bytes | None]) -> bool:
            value = values[column.ordinal]
            fields = user_type.fields(value) if value is not None else []
            return compare(context, fields[position] if position < len(fields) else None)

        return check_field
    if operator in {"CONTAINS", "CONTAINS KEY"}:
        return _compile_contains(condition, column, compiler)
    compare = _comparison(condition, kind, column.name, compiler)
    return lambda context, values: compare(context, values[column.ordinal])


def _compile_element(condition: ast.Condition, column: Column, compiler: Compiler) -> Check:
    kind = column.type
    assert condition.element is not None
    if isinstance(kind, MapType):
        map_type = kind
        key = compiler.compile(condition.element, kind.key, f"key({column.name})")
        compare = _comparison(condition, kind.value, f"value({column.name})", compiler)

        def check_map(context: Context, values: list[bytes | None]) -> bool:
            map_key = key.evaluate(context, None)
            if map_key is UNSET:
                return compare(context, None)
            if not isinstance(map_key, bytes):
                raise Invalid("Invalid null value for map element access")
            value = values[column.ordinal]
            order = map_type.key.order_key
            pairs = map_type.pairs(value) if value is not None else iter(())
            return compare(context, next((item for name, item in pairs if order(name) == order(map_key)), None))

        return check_map
    if not isinstance(kind, ListType):
        sort = "set" if isinstance(kind, SetType) else "non-collection"
        raise Invalid(f"Invalid element access syntax for {sort} column {column.name}")
    list_type = kind
    index = compiler.compile(condition.element, INT, f"idx({column.name})")
    compare = _comparison(condition, kind.element, f"value({column.name})", compiler)

    def check_list(context: Context, values: list[bytes | None]) -> bool:
        position = index.evaluate(context, None)
        if not isinstance(position, bytes) or not position:
            raise Invalid("Invalid null value for list element access")
        value = values[column.ordinal]
        elements = list_type.elements_or_null(value) if value is not None else []
        number = INT.decode(position)
        if number < 0:
            raise Invalid(f"Invalid negative list index {number}")
        return compare(context, elements[number] if number < len(elements) else None)

    return check_list


def _compile_contains(condition: ast.Condition, column: Column, compiler: Compiler) -> Check:

    kind, name = contained(column, condition.operator)
    assert not isinstance(condition.value, tuple)
    term = compiler.compile(condition.value, kind, name)

    def check(context: Context, values: list[bytes | None]) -> bool:
        element = term.evaluate(context, None)
        if element is UNSET:
            return False
        if not isinstance(element, bytes):
            raise Invalid(f'Invalid comparison with null for operator "{condition.operator}"')
        matches = contains(column, element, keys=condition.operator == "CONTAINS KEY")
        return matches(RowView(values, None, None, context.statement_time_s))

    return check


def _comparison(
    condition: ast.Condition, kind: CqlType, receiver: str, compiler: Compiler
) -> Callable[[Context, bytes | None], bool]:
    operator = condition.operator
    order = kind.order_key
    if operator == "IN":
        operand = _in_values(condition, kind, receiver, compiler)

        def is_in(context: Context, value: bytes | None) -> bool:
            choices = [_null_if_empty(kind, choice) for choice in operand(context)]
            if value is None:
                return any(choice is None for choice in choices)
            return any(choice is not None and order(choice) == order(value) for choice in choices)

        return is_in
    assert not isinstance(condition.value, tuple)
    holder = holder_of_durations(kind, "durations") if operator in SLICES else None
    if holder is not None:
        shown = f" ( {operator} )" if holder == "durations" else ""
        raise Invalid(f"Slice conditions{shown} are not supported on {holder}")
    term = compiler.compile(condition.value, kind, receiver)

    def compare(context: Context, value: bytes | None) -> bool:
        operand = term.evaluate(context, None)
        if operand is UNSET:
            raise Invalid("Invalid 'unset' value in condition")
        assert operand is None or isinstance(operand, bytes)
        operand = _null_if_empty(kind, operand)
        if operator in {"=", "!="}:
            same = operand is None if value is None else operand is not None and order(operand) == order(value)
            return same == (operator == "=")
        if operand is None:
            raise Invalid(f'Invalid comparison with null for operator "{operator}"')
        if value is None:
            return False
        left, right = order(value), order(operand)
        return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator]

    return compare


def _null_if_empty(kind: CqlType, value: bytes | None) -> bytes | None:
    """A multi-cell collection without cells is null."""
    if isinstance(kind, ListType | SetType | MapType) and kind.multi_cell and value is not None:
        return value if kind.elements_or_null(value) else None
    return value


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
        bound_value = marker.evaluate(context, None)
        if bound_value is UNSET:
            raise Invalid("Invalid 'unset' value in condition")
        if not isinstance(bound_value, bytes):
            raise Invalid("Invalid null list in IN condition")
        return listed.elements_or_null(bound_value)

    return values
