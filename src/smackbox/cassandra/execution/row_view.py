"""A row under evaluation."""

from __future__ import annotations

from collections.abc import Sequence

from smackbox.cassandra.state.rows import Row


class RowView:
    """A row under evaluation."""

    __slots__ = ("aggregates", "merged", "now_s", "static", "values")

    def __init__(self, values: list[bytes | None], merged: Row | None, static: Row | None, now_s: int) -> None:
        self.values = values
        self.merged = merged
        self.static = static
        self.now_s = now_s
        self.aggregates: Sequence[bytes | None] = ()


# the key of a row, the row
KeyedRow = tuple[bytes, RowView]
