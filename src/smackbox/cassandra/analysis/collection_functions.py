"""Functions over one collection, whose signature depends on the argument's type.

The rules and their errors are those of Cassandra's `FunctionFactory`, `FunctionParameter` and `CollectionFcts`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from smackbox.cassandra.analysis.overloads import Overload, Values, exact_type
from smackbox.cassandra.analysis.terms import Compiler
from smackbox.cassandra.execution.aggregates import fold
from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.cql.show import function_name, show
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import INT, NUMBERS, CqlType, ListType, MapType, SetType


class Parameter(NamedTuple):
    """A function's parameter. `name` is shown in its signature, `wants` in the error for another type."""

    name: str
    wants: str
    takes: Callable[[CqlType], bool]


ANY = Parameter("any", "an argument", lambda _: True)
MAP = Parameter("map", "a map argument", lambda kind: isinstance(kind, MapType))
COLLECTION = Parameter(
    "collection", "a collection argument", lambda kind: isinstance(kind, ListType | SetType | MapType)
)
SET_OR_LIST = Parameter(
    "numeric_set_or_list", "a set or list argument", lambda kind: isinstance(kind, ListType | SetType)
)
NUMERIC_SET_OR_LIST = Parameter(
    "numeric_set_or_list",
    "a numeric set/list argument",
    lambda kind: isinstance(kind, ListType | SetType) and kind.element in NUMBERS,
)
"""Cassandra uses the same name for the last two."""


def collection_overload(compiler: Compiler, call: ast.Call) -> Overload:
    """The signature for the argument of the call. Raises `Invalid` if the function does not accept it."""
    parameter, make = COLLECTION_FUNCTIONS[call.name]
    return make(parameter_type(compiler, call, parameter))


def parameter_type(compiler: Compiler, call: ast.Call, parameter: Parameter) -> CqlType:
    """The type of the only argument. Raises `Invalid` for several arguments, for one whose type is unknown, and for a
    type that is not accepted.
    """
    signature = f"{function_name(call)}({parameter.name})"
    if len(call.arguments) != 1:
        raise Invalid(f"Invalid number of arguments for function {signature}")
    argument = call.arguments[0]
    kind = exact_type(compiler, argument)
    if kind is None:
        raise Invalid(
            f"Cannot infer type of argument {show(argument)} in call to function {signature}: "
            "use type casts to disambiguate"
        )
    if not parameter.takes(kind):
        raise Invalid(
            f"Function {function_name(call)} requires {parameter.wants}, but found argument {show(argument)} "
            f"of type {kind.cql}"
        )
    return kind


def _map_part(which: int) -> Callable[[CqlType], Overload]:
    def make(kind: CqlType) -> Overload:
        assert isinstance(kind, MapType)
        result = ListType(kind.value, multi_cell=False) if which else SetType(kind.key, multi_cell=False)

        def run(_: Context, values: Values) -> bytes | None:
            return None if values[0] is None else result.join([pair[which] for pair in kind.pairs(values[0])])

        return Overload((kind,), result, run)

    return make


def _items(kind: CqlType, value: bytes) -> list[bytes]:
    if isinstance(kind, MapType):
        return [key for key, _ in kind.pairs(value)]
    if isinstance(kind, ListType):
        return [element for element in kind.elements_or_null(value) if element is not None]
    assert isinstance(kind, SetType)
    return kind.elements(value)


def _count(kind: CqlType) -> Overload:
    def run(_: Context, values: Values) -> bytes | None:
        return None if values[0] is None else INT.encode(len(_items(kind, values[0])))

    return Overload((kind,), INT, run)


def _edge(pick: Callable[..., bytes]) -> Callable[[CqlType], Overload]:
    def make(kind: CqlType) -> Overload:
        assert isinstance(kind, ListType | SetType)

        def run(_: Context, values: Values) -> bytes | None:
            items = _items(kind, values[0]) if values[0] is not None else []
            return pick(items, key=kind.element.order_key) if items else None

        return Overload((kind,), kind.element, run)

    return make


def _folded(name: str) -> Callable[[CqlType], Overload]:
    def make(kind: CqlType) -> Overload:
        assert isinstance(kind, ListType | SetType)

        def run(_: Context, values: Values) -> bytes | None:
            return None if values[0] is None else fold(name, kind.element, _items(kind, values[0]))

        return Overload((kind,), kind.element, run)

    return make


COLLECTION_FUNCTIONS: dict[str, tuple[Parameter, Callable[[CqlType], Overload]]] = {
    "map_keys": (MAP, _map_part(0)),
    "mapkeys": (MAP, _map_part(0)),
    "map_values": (MAP, _map_part(1)),
    "mapvalues": (MAP, _map_part(1)),
    "collection_count": (COLLECTION, _count),
    "collection_max": (SET_OR_LIST, _edge(max)),
    "collection_min": (SET_OR_LIST, _edge(min)),
    "collection_sum": (NUMERIC_SET_OR_LIST, _folded("sum")),
    "collection_avg": (NUMERIC_SET_OR_LIST, _folded("avg")),
}
