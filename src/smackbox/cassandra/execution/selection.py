"""What a SELECT returns for each row: its columns, and the aggregates of a group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from smackbox.cassandra.execution.aggregates import Accumulator
from smackbox.cassandra.execution.context import Bound, Context
from smackbox.cassandra.execution.row_view import RowView
from smackbox.cassandra.execution.terms import Term
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import CqlType


@dataclass(frozen=True, slots=True)
class OutColumn:
    """A column of the result; `ordinal` is that of the table's column, -1 if it depends on more than one."""

    name: str
    kind: CqlType
    term: Term
    ordinal: int = -1


@dataclass(frozen=True, slots=True)
class Selection:
    """The columns of the result.

    `ordinals` is set when each is a plain column of the table. `used` are the ordinals of all columns that are read.
    `aggregates` have the argument, None for all rows, and a factory of accumulators for a group.
    """

    columns: tuple[OutColumn, ...]
    ordinals: tuple[int, ...] | None
    used: frozenset[int]
    aggregates: tuple[tuple[Term | None, Callable[[], Accumulator]], ...]
    needs_stamps: bool

    def accumulators(self) -> list[Accumulator]:
        """New accumulators, one for each aggregate."""
        return [make() for _, make in self.aggregates]

    def add(self, accumulators: Sequence[Accumulator], context: Context, view: RowView) -> None:
        """Add a row to the accumulators."""
        for (argument, _), accumulator in zip(self.aggregates, accumulators, strict=True):
            accumulator.add(bytes_or_null(argument.evaluate(context, view)) if argument is not None else b"")

    def project(self, context: Context, view: RowView) -> list[bytes | None]:
        """The selected values of a row."""
        if self.ordinals is not None:
            values = view.values
            return [values[ordinal] for ordinal in self.ordinals]
        return [bytes_or_null(column.term.evaluate(context, view)) for column in self.columns]


def bytes_or_null(value: Bound) -> bytes | None:
    """The value of a term that must be set. Raises `Invalid`."""
    if value is None or isinstance(value, bytes):
        return value
    raise Invalid("Invalid unset value in a selection")
