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
    """The IF of one statement; false when it has none.

    `columns` are those of the checks, in the order in which an answer has them: statics after the others.
    """

    checks: tuple[Check, ...] = ()
    columns: tuple[Column, ...] = ()
    exists: bool = False
    not_exists: bool = False

    def __bool__(self) -> bool:
        return self.exists or self.not_exists or bool(self.checks)
