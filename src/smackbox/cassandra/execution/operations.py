"""How a write changes one column: each operation gives the cell to write.

An operation on a list by position or by value must read the list first; all others write without reading.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from smackbox.cassandra.execution.context import UNSET, Bound, Context
from smackbox.cassandra.execution.terms import Term
from smackbox.cassandra.state.columns import Column
from smackbox.cassandra.state.rows import Row, complex_bytes
from smackbox.cassandra.values.timeuuids import UUID_EPOCH_TICKS, timeuuid
from smackbox.cassandra.wire.types import CqlType, ListType, MapType, SetType, UserType

# prepended list cells get times mirrored at this one, 2010-01-01
REFERENCE_TICKS = 1_262_304_000_000_000 * 10 + UUID_EPOCH_TICKS
# the row before the write, if it is needed; the result is the cell's bytes, None to delete it, UNSET to keep it
Apply = Callable[[Context, Row | None], Bound]


@dataclass(frozen=True, slots=True)
class Operation:
    """One column's part of a modification. `bind_index` is set if the marker's value is the cell."""

    column: Column
    apply: Apply
    needs_row: bool = False
    bind_index: int = -1


def assignment_of(column: Column, term: Term) -> Operation:
    """The operation `column = term`."""
    kind = column.type
    if not kind.multi_cell:
        return Operation(column, lambda context, _row: term.evaluate(context, None), bind_index=term.bind_index)

    def replace(context: Context, _row: Row | None) -> Bound:
        value = term.evaluate(context, None)
        if value is UNSET:
            return UNSET
        return complex_bytes(cells_of(kind, value, context), replace=True)  # type: ignore[arg-type]

    return Operation(column, replace)


def cells_of(kind: CqlType, value: bytes | None, context: Context) -> list[tuple[bytes, bytes | None]]:
    """The cells of a whole value."""
    if not value:
        return []
    if isinstance(kind, ListType):
        return list_cells(kind.elements(value), context)
    if isinstance(kind, SetType):
        return [(element, b"") for element in kind.elements(value)]
    if isinstance(kind, MapType):
        return list(kind.pairs(value))
    assert isinstance(kind, UserType)
    return [
        (position.to_bytes(2, "big"), field) for position, field in enumerate(kind.fields(value)) if field is not None
    ]


def list_cells(elements: list[bytes], context: Context) -> list[tuple[bytes, bytes | None]]:
    """The cells of a list: each element under its own time UUID, in order."""
    tick = context.state.take_ticks(context.now_us, len(elements))
    low = context.random_bytes(8)
    return [(timeuuid(tick + index, low), element) for index, element in enumerate(elements)]
