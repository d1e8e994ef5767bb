"""One signature of a function, and the type of an argument if any type is accepted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from smackbox.cassandra.analysis.terms import Compiler
from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.digits import number_of
from smackbox.cassandra.wire.types import (
    ASCII,
    BIGINT,
    BLOB,
    BOOLEAN,
    DOUBLE,
    DURATION,
    INT,
    TEXT,
    UUID_TYPE,
    VARINT,
    CqlType,
    ListType,
    MapType,
    SetType,
)

Values = Sequence[bytes | None]


class Overload(NamedTuple):
    """The types of the arguments and of the result, and the function on values in wire form."""

    arguments: tuple[CqlType, ...]
    result: CqlType
    run: Callable[[Context, Values], bytes | None]


_CONSTANTS = {"float": DOUBLE, "boolean": BOOLEAN, "uuid": UUID_TYPE, "hex": BLOB, "duration": DURATION}


def argument_type(compiler: Compiler, argument: ast.Expression) -> CqlType | None:
    """The type of an argument whose function accepts any: a constant gets the narrowest type that holds it."""
    if isinstance(argument, ast.Negate):
        return argument_type(compiler, argument.value)
    if not isinstance(argument, ast.Literal):
        return compiler.infer(argument)
    if argument.kind == "string":
        return ASCII if argument.text.isascii() else TEXT
    if argument.kind == "integer":
        number = number_of(argument.text)
        return INT if -(2**31) <= number < 2**31 else BIGINT if -(2**63) <= number < 2**63 else VARINT
    return _CONSTANTS.get(argument.kind)


def exact_type(compiler: Compiler, expression: ast.Expression) -> CqlType | None:
    """The type of an expression on its own, if it has one: a text may have one of many types, and null any.

    A list or set has the type of its first element with a known type (`Lists.getExactListTypeIfKnown`), a map of its
    first entry.
    """
    if isinstance(expression, ast.Literal):
        return None if expression.kind == "string" else argument_type(compiler, expression)
    if isinstance(expression, ast.ListLiteral):
        element = _first_type(compiler, expression.items)
        return None if element is None else ListType(element, multi_cell=False)
    if isinstance(expression, ast.SetLiteral):
        element = _first_type(compiler, expression.items)
        return None if element is None else SetType(element, multi_cell=False)
    if isinstance(expression, ast.MapLiteral):
        key = _first_type(compiler, [key for key, _ in expression.items])
        value = _first_type(compiler, [value for _, value in expression.items])
        return None if key is None or value is None else MapType(key, value, multi_cell=False)
    return compiler.infer(expression)


def _first_type(compiler: Compiler, items: Sequence[ast.Expression]) -> CqlType | None:
    return next((kind for item in items if (kind := exact_type(compiler, item)) is not None), None)
