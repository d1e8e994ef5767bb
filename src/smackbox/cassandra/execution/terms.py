"""Terms: expressions that evaluate to a value in wire form, given an execution's `Context` and a row.

Where columns are allowed the row is a `RowView`, elsewhere None. `analysis.terms` compiles syntax to terms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smackbox.cassandra.execution.context import UNSET, Bound, Context
from smackbox.cassandra.wire.types import CollectionType, CqlType

Evaluate = Callable[[Context, Any], Bound]


class Term:
    """A compiled expression. `bind_index` is set when it is just a bind marker."""

    __slots__ = ("bind_index", "constant", "evaluate", "kind", "value")

    def __init__(
        self, kind: CqlType, evaluate: Evaluate, *, bind_index: int = -1, constant: bool = False, value: Bound = None
    ) -> None:
        self.kind = kind
        self.evaluate = evaluate
        self.bind_index = bind_index
        self.constant = constant
        self.value = value


def constant(kind: CqlType, value: Bound) -> Term:
    """A constant term."""
    return Term(kind, lambda _context, _row: value, constant=True, value=value)


def bound(kind: CqlType, index: int) -> Term:
    """A bind marker; its value is checked when it is used."""

    def evaluate(context: Context, _row: Any) -> Bound:
        value = context.values[index]
        if value is not None and value is not UNSET:
            kind.validate(value)  # type: ignore[arg-type]
        return value

    def evaluate_collection(context: Context, row: Any) -> Bound:
        value = evaluate(context, row)
        return kind.normalised(value) if isinstance(value, bytes) and value else value

    return Term(kind, evaluate_collection if isinstance(kind, CollectionType) else evaluate, bind_index=index)
