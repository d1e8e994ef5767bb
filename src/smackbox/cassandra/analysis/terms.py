"""Compiles expressions: `Compiler` turns syntax into terms, and `Scope` resolves their names.

The scope's `Functions` resolve functions and operators; they compile their arguments with the same compiler.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from smackbox.cassandra.analysis.assignment import is_assignable
from smackbox.cassandra.execution.context import Bound
from smackbox.cassandra.execution.terms import Term, bound, constant
from smackbox.cassandra.state.schema import Keyspace, Table
from smackbox.cassandra.state.type_names import resolve
from smackbox.cassandra.values.literals import accepts, literal_value
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.cql.show import function_name, operation_name, show
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import (
    CqlType,
    ListType,
    MapType,
    SetType,
    TupleType,
    UserType,
    VectorType,
)


class BindSpec:
    """The type and name of a bind marker: the metadata in the answer to PREPARE."""

    __slots__ = ("kind", "name", "table")

    def __init__(self, name: str, kind: CqlType, table: Table) -> None:
        self.name = name
        self.kind = kind
        self.table = table


class Scope:
    """Where a statement's names are looked up, and where its bind markers are collected."""

    def __init__(self, keyspace: Keyspace, table: Table, bind_count: int, functions: Functions) -> None:
        self.functions = functions
        self.keyspace = keyspace
        self.table = table
        self.binds: list[BindSpec | None] = [None] * bind_count
        self.marks = 0

    def declare(self, marker: ast.Bind, name: str, kind: CqlType) -> None:
        """Declare a marker for a value of that type and name."""
        self.marks += 1
        self.binds[marker.index] = BindSpec(marker.name or name, kind, self.table)

    def type(self, name: ast.TypeName) -> CqlType:
        """The type with that name in this keyspace. Raises `Invalid`."""
        return resolve(name, self.keyspace.types, self.keyspace.name)


class Functions(Protocol):
    """The functions and operators that expressions may use."""

    def infer(self, compiler: Compiler, expression: ast.Call | ast.Binary | ast.Negate) -> CqlType | None:
        """The result type; None if it is the receiver's. Raises `Invalid`."""
        ...

    def compile(self, compiler: Compiler, expression: ast.Call | ast.Binary | ast.Negate, kind: CqlType) -> Term:
        """The term, for a receiver of that type if possible. Raises `Invalid`."""
        ...

    def fits(self, compiler: Compiler, expression: ast.Binary | ast.Negate, kind: CqlType) -> bool:
        """Whether the operation can return a value of that type."""
        ...


class Compiler:
    """Compiles terms, that is expressions without columns. `selection` adds columns and aggregates."""

    # whether the parts of an expression have types of their own, without their receiver
    resolves_inside_out = False

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        # how well operands fit types, by the operand's identity: see `arithmetic`
        self.fits: dict[tuple[int, CqlType], Any] = {}

    def compile(self, expression: ast.Expression, kind: CqlType, receiver: str) -> Term:
        """A term for a receiver of that name and type. Raises `Invalid` when it cannot be assigned to it."""
        if isinstance(expression, ast.Literal):
            return constant(kind, literal_value(expression, kind, receiver))
        if isinstance(expression, ast.Bind):
            self.scope.declare(expression, receiver, kind)
            return bound(kind, expression.index)
        if isinstance(expression, ast.TypeHint):
            return self._hint(expression, kind, receiver)
        if isinstance(expression, ast.ListLiteral):
            return self._list(expression, kind, receiver)
        if isinstance(expression, ast.SetLiteral):
            return self._set(expression, kind, receiver)
        if isinstance(expression, ast.MapLiteral):
            return self._map(expression, kind, receiver)
        if isinstance(expression, ast.TupleLiteral):
            return self._tuple(expression, kind, receiver)
        if isinstance(expression, ast.UserTypeLiteral):
            return self._user_type(expression, kind, receiver)
        if isinstance(expression, ast.Call | ast.Binary | ast.Negate):
            return self._function(expression, kind, receiver)
        raise Invalid(f"Invalid expression for {receiver} of type {kind.cql}")

    def assignable(self, expression: ast.Expression, kind: CqlType) -> bool:
        """Whether types allow `compile` for a receiver of that type."""
        if isinstance(expression, ast.Literal):
            return accepts(expression, kind)
        if isinstance(expression, ast.Bind):
            return True
        if isinstance(expression, ast.TypeHint):
            return is_assignable(self.scope.type(expression.type), kind)
        if isinstance(expression, ast.ListLiteral):
            return isinstance(kind, ListType | VectorType) and all(
                self.assignable(item, kind.element) for item in expression.items
            )
        if isinstance(expression, ast.SetLiteral):
            if not expression.items and isinstance(kind, MapType):
                return True
            return isinstance(kind, SetType) and all(self.assignable(item, kind.element) for item in expression.items)
        if isinstance(expression, ast.MapLiteral):
            return isinstance(kind, MapType) and all(
                self.assignable(key, kind.key) and self.assignable(value, kind.value) for key, value in expression.items
            )
        if isinstance(expression, ast.TupleLiteral) and len(expression.items) == 1 and not isinstance(kind, TupleType):
            return self.assignable(expression.items[0], kind)
        if isinstance(expression, ast.TupleLiteral):
            return isinstance(kind, TupleType) and len(expression.items) <= len(kind.parts)
        if isinstance(expression, ast.UserTypeLiteral):
            return isinstance(kind, UserType)
        if isinstance(expression, ast.Binary | ast.Negate):
            return self.scope.functions.fits(self, expression, kind)
        own_type = self.infer(expression)
        return own_type is None or is_assignable(own_type, kind)

    def infer(self, expression: ast.Expression) -> CqlType | None:
        """The type of an expression on its own; None for literals and bind markers."""
        if isinstance(expression, ast.TypeHint):
            return self.scope.type(expression.type)
        if isinstance(expression, ast.Call | ast.Binary | ast.Negate):
            return self.scope.functions.infer(self, expression)
        return None

    def compile_any(self, expression: ast.Expression) -> Term:
        """A term with its own type. Raises `Invalid` when it has none."""
        kind = self.infer(expression)
        if kind is None:
            raise Invalid(
                f"Cannot infer type for term {show(expression)} in selection clause (try using a cast to force a type)"
            )
        return self.compile(expression, kind, show(expression))

    # ---- one kind of expression each --------------------------------------------------------------------------------

    def _hint(self, expression: ast.TypeHint, kind: CqlType, receiver: str) -> Term:
        hinted = self.scope.type(expression.type)
        if not self.assignable(expression.value, hinted):
            raise Invalid(f"Cannot cast value {show(expression.value)} to type {hinted.cql}")
        if not is_assignable(hinted, kind):
            raise Invalid(f"Cannot assign value {show(expression)} to {receiver} of type {kind.cql}")
        return self.compile(expression.value, hinted, receiver)

    def _list(self, expression: ast.ListLiteral, kind: CqlType, receiver: str) -> Term:
        if not isinstance(kind, ListType | VectorType):
            raise Invalid(f"Unexpected receiver type '{kind.cql}'; only list and vector are expected")
        self._check_items(expression.items, kind.element, kind.keyword, receiver)
        if isinstance(kind, ListType):
            items = self._values(expression.items, kind.element, "list", receiver)
        else:
            items = [self.compile(item, kind.element, f"value({receiver})") for item in expression.items]
        if isinstance(kind, VectorType) and len(items) != kind.dimension:
            raise Invalid(
                f"Invalid vector literal for {receiver} of type {kind.cql}; "
                f"expected {kind.dimension} elements, but given {len(items)}"
            )
        return self._composite(kind, items, lambda values: kind.join(_whole(values, kind.keyword)))

    def _set(self, expression: ast.SetLiteral, kind: CqlType, receiver: str) -> Term:
        if isinstance(kind, MapType) and not expression.items:
            return constant(kind, kind.join([]))
        if not isinstance(kind, SetType):
            raise Invalid(f"Invalid set literal for {receiver} of type {kind.cql}")
        self._check_items(expression.items, kind.element, "set", receiver)
        items = self._values(expression.items, kind.element, "set", receiver)
        return self._composite(kind, items, lambda values: kind.sorted_join(_whole(values, "set")))

    def _values(
        self, items: Sequence[ast.Expression], kind: CqlType, sort: str, receiver: str, part: str = "value"
    ) -> list[Term]:
        """The parts of a collection literal, which may not contain markers."""
        before = self.scope.marks
        terms = [self.compile(item, kind, f"{part}({receiver})") for item in items]
        if self.scope.marks != before:
            raise Invalid(
                f"Invalid {sort} literal for {receiver}: bind variables are not supported inside collection literals"
            )
        return terms

    def _map(self, expression: ast.MapLiteral, kind: CqlType, receiver: str) -> Term:
        if not isinstance(kind, MapType):
            raise Invalid(f"Invalid map literal for {receiver} of type {kind.cql}")
        self._check_items([key for key, _ in expression.items], kind.key, "map", receiver, "key")
        self._check_items([value for _, value in expression.items], kind.value, "map", receiver)
        items = []
        for key, value in expression.items:
            items += self._values([key], kind.key, "map", receiver, "key")
            items += self._values([value], kind.value, "map", receiver)

        def join(values: Sequence[Bound]) -> bytes:
            parts = _whole(values, "map")
            return kind.sorted_join(list(zip(parts[::2], parts[1::2], strict=True)))

        return self._composite(kind, items, join)

    def _check_items(
        self, items: Sequence[ast.Expression], element: CqlType, sort: str, receiver: str, part: str = "value"
    ) -> None:
        for item in items:
            if isinstance(item, ast.Literal) and item.kind == "null":
                raise Invalid(f"null is not supported inside {'vectors' if sort == 'vector' else 'collections'}")
            if not self.assignable(item, element):
                raise Invalid(
                    f"Invalid {sort} literal for {receiver}: {part} {show(item)} is not of type {element.cql}"
                )

    def _tuple(self, expression: ast.TupleLiteral, kind: CqlType, receiver: str) -> Term:
        if not isinstance(kind, TupleType) or isinstance(kind, UserType):
            if len(expression.items) == 1:
                return self.compile(expression.items[0], kind, receiver)
            raise Invalid(f"Invalid tuple type literal for {receiver} of type {kind.cql}")
        if len(expression.items) > len(kind.parts):
            raise Invalid(
                f"Invalid tuple literal for {receiver}: too many elements. Type {kind.cql} expects "
                f"{len(kind.parts)} but got {len(expression.items)}"
            )
        items = []
        for index, (item, part) in enumerate(zip(expression.items, kind.parts, strict=False)):
            if not self.assignable(item, part):
                raise Invalid(f"Invalid tuple literal for {receiver}: component {index} is not of type {part.cql}")
            items.append(self.compile(item, part, f"{receiver}[{index}]"))
        return self._composite(kind, items, lambda values: kind.join([_plain(value) for value in values]))

    def _user_type(self, expression: ast.UserTypeLiteral, kind: CqlType, receiver: str) -> Term:
        if not isinstance(kind, UserType):
            raise Invalid(f"Invalid user type literal for {receiver} of type {kind.cql}")
        given_fields = dict(expression.fields)
        for name in given_fields:
            if name not in kind.field_names:
                raise Invalid(f"Unknown field '{name}' in value of user defined type {kind.name}")
        items = []
        for name, part in zip(kind.field_names, kind.parts, strict=True):
            item = given_fields.get(name, ast.Literal("null", "null"))
            if not self.assignable(item, part):
                raise Invalid(f"Invalid user type literal for {receiver}: field {name} is not of type {part.cql}")
            items.append(self.compile(item, part, f"{receiver}.{name}"))
        return self._composite(kind, items, lambda values: kind.join([_plain(value) for value in values]))

    def _composite(self, kind: CqlType, items: Sequence[Term], join: Callable[[Sequence[Bound]], bytes]) -> Term:
        if all(item.constant for item in items):
            return constant(kind, join([item.value for item in items]))
        return Term(kind, lambda context, row: join([item.evaluate(context, row) for item in items]))

    def _function(self, expression: ast.Call | ast.Binary | ast.Negate, kind: CqlType, receiver: str) -> Term:
        term = self.scope.functions.compile(self, expression, kind)
        if not is_assignable(term.kind, kind):
            name = function_name(expression) if isinstance(expression, ast.Call) else operation_name(expression)
            raise Invalid(
                f"Type error: cannot assign result of function {name} (type {term.kind.cql}) to {receiver} "
                f"(type {kind.cql})"
            )
        return term


def _whole(values: Sequence[Bound], sort: str) -> list[bytes]:
    elements = []
    for value in values:
        if sort == "vector" and not isinstance(value, bytes):
            raise Invalid("null is not supported inside vectors")
        if value is None:
            raise Invalid("null is not supported inside collections")
        if not isinstance(value, bytes):
            raise Invalid(f"unset value is not supported inside collections ({sort})")
        elements.append(value)
    return elements


def _plain(value: Bound) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    raise Invalid("Invalid unset value for tuple field")
