"""The masking functions in an expression: their signatures and error messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from smackbox.cassandra.analysis.overloads import Overload, argument_type
from smackbox.cassandra.analysis.terms import Compiler
from smackbox.cassandra.values.masking import Mask, argument_kinds, mask_function
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.cql.show import show
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import (
    ASCII,
    BLOB,
    TEXT,
    CqlType,
)

_TEXTS = "[text|varchar|ascii]"
_SIGNATURES = {
    "mask_null": "any",
    "mask_default": "any",
    "mask_replace": "any, any",
    "mask_hash": "any, [text]",
    "mask_inner": f"{_TEXTS}, int, int, [text]",
    "mask_outer": f"{_TEXTS}, int, int, [text]",
}
_COUNTS = {
    "mask_null": (1, 1), "mask_default": (1, 1), "mask_replace": (2, 2), "mask_hash": (1, 2), "mask_inner": (3, 4),
    "mask_outer": (3, 4),
}  # fmt: skip
MASKS = frozenset(_SIGNATURES)


class Argument(NamedTuple):
    """An argument as error messages show it, its type, and whether it can take the expected one."""

    shown: str
    kind: CqlType | None
    fits: Callable[[CqlType], bool]


def mask_overloads(compiler: Compiler, call: ast.Call, name: str) -> list[Overload]:
    """The only overload for the given arguments. Raises `Invalid` as Cassandra does."""
    arguments = [argument_of(compiler, argument) for argument in call.arguments]
    kinds, result, mask = choose(name, arguments)
    return [Overload(tuple(kinds), result, lambda _, values: mask(values))]


def argument_of(compiler: Compiler, argument: ast.Expression) -> Argument:
    """An argument of a masking function, with its text and type."""
    return Argument(show(argument), argument_type(compiler, argument), partial(compiler.assignable, argument))


def choose(name: str, arguments: Sequence[Argument]) -> tuple[list[CqlType], CqlType, Mask]:
    """The argument types, the result type and the function. Raises `Invalid`."""
    least, most = _COUNTS[name]
    signature = f"system.{name}({_SIGNATURES[name]})"
    if not least <= len(arguments) <= most:
        raise Invalid(f"Invalid number of arguments for function {signature}")
    first = arguments[0].kind
    of_text = name in {"mask_inner", "mask_outer"}
    if first is None:
        if not of_text:
            raise Invalid(
                f"Cannot infer type of argument {arguments[0].shown} in call to function {signature}: "
                "use type casts to disambiguate"
            )
        first = TEXT
    if of_text and first not in {TEXT, ASCII}:
        raise _wrong_type(name, _TEXTS, arguments[0])
    kinds = [first]
    expected = argument_kinds(name, first)
    for index, (argument, kind) in enumerate(zip(arguments[1:], expected, strict=False), 1):
        if name == "mask_replace" and not argument.fits(kind):
            raise Invalid(
                f"Type error: {argument.shown} cannot be passed as argument {index} of function system.{name} "
                f"of type {kind.cql}"
            )
        if name != "mask_replace" and argument.kind is not None and not argument.fits(kind):
            raise _wrong_type(name, kind.cql, argument)
        kinds.append(kind)
    return kinds, BLOB if name == "mask_hash" else first, mask_function(name, first)


def _wrong_type(name: str, expected: str, argument: Argument) -> Invalid:
    kind = argument.kind
    return Invalid(
        f"Function system.{name} requires an argument of type {expected}, but found argument {argument.shown} "
        f"of type {'' if kind is None else kind.cql}"
    )


# ---- masks of columns ------------------------------------------------------------------------------------------------
