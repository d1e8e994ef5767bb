"""The IF of a statement: IF NOT EXISTS, IF EXISTS, or conditions on columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.state.columns import Column

# the values of the row, by ordinal
Check = Callable[[Context, list[bytes | None]], bool]


@dataclass(frozen=True, slots=True)
class Conditions:
    """The IF clause of one statement; false when it has none.

    `columns` are the columns of the conditions, in the order of the answer: statics come last.
    """

    checks: tuple[Check, ...] = ()
    columns: tuple[Column, ...] = ()
    exists: bool = False
    not_exists: bool = False

    def __bool__(self) -> bool:
        return self.exists or self.not_exists or bool(self.checks)
