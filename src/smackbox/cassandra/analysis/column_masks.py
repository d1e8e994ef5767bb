"""Attaches masks to columns. A mask is a masking function without its first argument, which is the column."""

from __future__ import annotations

from functools import partial

from smackbox.cassandra.analysis.assignment import is_assignable
from smackbox.cassandra.analysis.functions import argument_count, known_function
from smackbox.cassandra.analysis.mask_functions import MASKS, Argument, argument_of, choose
from smackbox.cassandra.analysis.terms import Compiler, Scope
from smackbox.cassandra.state.columns import MaskRecord
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.cql.show import show
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import CqlType

DISABLED = (
    "Cannot mask columns because dynamic data masking is not enabled. You can enable it with the "
    "dynamic_data_masking_enabled property on cassandra.yaml"
)


def attach(mask: ast.Mask | None, column: str, kind: CqlType, scope: Scope) -> MaskRecord | None:
    """The mask of a column of that type. Raises `Invalid` for a function that is not a mask for it."""
    if mask is None:
        return None
    shown = f"{mask.name}({', '.join(map(show, mask.arguments))})"
    qualified = f"{mask.keyspace}.{shown}" if mask.keyspace else shown
    name = mask.name.lower()
    if mask.keyspace not in {None, "system"} or name not in MASKS:
        raise Invalid(_no_mask(mask, name, column, qualified))
    compiler = Compiler(scope)
    own = Argument(kind.java, kind, partial(is_assignable, kind))
    others = [argument_of(compiler, argument) for argument in mask.arguments]
    kinds, result, _ = choose(name, [own, *others])
    if result != kind:
        raise Invalid(
            f"Masking function {qualified} return type is {result.cql}. This is different to the type of the masked "
            f"column {column} of type {kind.cql}. Masking functions can only be attached to table columns if they "
            "return the same data type as the masked column."
        )
    values = []
    for argument, expected_type in zip(mask.arguments, kinds[1:], strict=True):
        term = compiler.compile(argument, expected_type, f"arg(system.{name})")
        constant = term.evaluate(None, None)  # type: ignore[arg-type]
        assert constant is None or isinstance(constant, bytes)
        values.append(constant)
    return MaskRecord(name, tuple(None if value is None else value.hex() for value in values))


def _no_mask(mask: ast.Mask, name: str, column: str, shown: str) -> str:
    count = argument_count(name)
    if mask.keyspace in {None, "system"} and known_function(name):
        if count is not None and count != len(mask.arguments) + 1:
            return (
                f"Invalid number of arguments in call to function system.{name}: {count} required but "
                f"{len(mask.arguments) + 1} provided"
            )
        return f"Not-masking function {shown} cannot be used for masking table columns"
    return f"Unable to find masking function for {column}, no declared function matches the signature {shown}"
