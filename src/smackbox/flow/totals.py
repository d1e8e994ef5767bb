"""Shared by aggregates by key: the states of several aggregates as one value, and rows of results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from smackbox.flow.aggregates import Count
from smackbox.flow.steps import Aggregation
from smackbox.flow.turn import decoder, encode


class Totals:
    """The states of an aggregation's columns, as a tuple."""

    def __init__(self, step: Aggregation) -> None:
        self._aggregates = [aggregate for _, aggregate in step.aggregates]
        self._gives = step.gives
        self.state_type: Any = tuple[tuple(each.state_type(step.rows) for each in self._aggregates)]  # type: ignore[misc]
        self.decode = decoder(self.state_type, f"the aggregates by {', '.join(step.keys)}")
        self.encode = encode
        self.only_counts = all(type(each) is Count and each.field is None for each in self._aggregates)
        """Whether the rows themselves do not matter, only how many there are."""

    def first(self) -> tuple[Any, ...]:
        """The states before any row."""
        return tuple(each.first() for each in self._aggregates)

    def add(self, states: Sequence[Any], rows: Sequence[Any], times: Sequence[int]) -> tuple[Any, ...]:
        """The states after more rows."""
        return tuple(each.add(state, rows, times) for each, state in zip(self._aggregates, states, strict=True))

    def merge(self, states: Sequence[Any], later: Sequence[Any]) -> tuple[Any, ...]:
        """Two groups as one."""
        return tuple(
            each.merge(state, other) for each, state, other in zip(self._aggregates, states, later, strict=True)
        )

    def row(self, key: tuple[Any, ...], bounds: tuple[Any, ...], states: Sequence[Any]) -> Any:
        """A result. `bounds` are start and end of its window, or nothing."""
        values = [each.value(state) for each, state in zip(self._aggregates, states, strict=True)]
        return self._gives(*key, *bounds, *values)
