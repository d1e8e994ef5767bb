"""Aggregates over the rows of a group: how a state begins, takes more rows, and gives a value.

`None` in the column does not change an aggregate, and `Count("field")` does not count it, as in SQL. The names are
Quix's, their meaning is that of Spark's functions: `Earliest` and `Latest` go by event time, `First` and `Last` by the
order in which rows arrive.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, get_type_hints

import msgspec

from smackbox.base.errors import SettingError
from smackbox.base.settings import near

COLLECT_LIMIT = 10_000
_NUMBERS = (int, float, Decimal)


class Aggregate(msgspec.Struct, frozen=True):
    """One column of a result. `field` is the column that it reads; only `Count` does without."""

    field: str | None = None

    def check(self, name: str, row_type: type[msgspec.Struct]) -> None:
        """Raises `SettingError` for a field that the rows do not have, or whose type the aggregate does not accept."""
        if self.field is None:
            raise SettingError(f"{name}={type(self).__name__}() needs the field that it aggregates")
        if self.field not in row_type.__struct_fields__:
            hint = near(self.field, row_type.__struct_fields__)
            raise SettingError(f"{name}: {row_type.__name__} has no field {self.field!r}{hint}")

    def hint(self, row_type: type[msgspec.Struct]) -> Any:
        """The type of the field, without None."""
        assert self.field is not None
        return _present(get_type_hints(row_type)[self.field])

    def state_type(self, row_type: type[msgspec.Struct]) -> Any:
        """The type of the state, by which it is read again."""
        raise NotImplementedError

    def first(self) -> Any:
        """The state before any row."""
        raise NotImplementedError

    def add(self, state: Any, rows: Sequence[Any], times: Sequence[int]) -> Any:
        """The state after more rows, in the order of their arrival."""
        raise NotImplementedError

    def merge(self, state: Any, later: Any) -> Any:
        """Two states as one; the rows of `later` began later."""
        raise NotImplementedError

    def result_type(self, row_type: type[msgspec.Struct]) -> Any:
        """The type of the result's column."""
        return self.hint(row_type) | None

    def value(self, state: Any) -> Any:
        """The value in the result."""
        return state

    def values(self, rows: Sequence[Any]) -> list[Any]:
        """The field of each row, without None."""
        assert self.field is not None
        name = self.field
        return [value for row in rows if (value := getattr(row, name)) is not None]


class Count(Aggregate, frozen=True):
    """The number of rows; with a field, of those in which it is not None."""

    def check(self, name: str, row_type: type[msgspec.Struct]) -> None:
        if self.field is not None:
            super().check(name, row_type)

    def state_type(self, row_type: type[msgspec.Struct]) -> Any:
        return int

    def result_type(self, row_type: type[msgspec.Struct]) -> Any:
        return int

    def first(self) -> int:
        return 0

    def add(self, state: int, rows: Sequence[Any], times: Sequence[int]) -> int:
        return state + len(rows if self.field is None else self.values(rows))

    def merge(self, state: int, later: int) -> int:
        return state + later


class _OfNumbers(Aggregate, frozen=True):
    """Aggregates that need numbers."""

    def check(self, name: str, row_type: type[msgspec.Struct]) -> None:
        super().check(name, row_type)
        if self.hint(row_type) not in _NUMBERS:
            raise SettingError(
                f"{name}: {type(self).__name__} needs a number, {row_type.__name__}.{self.field} is "
                f"{getattr(self.hint(row_type), '__name__', self.hint(row_type))}"
            )


class Sum(_OfNumbers, frozen=True):
    """The sum; None where no row has a value."""

    def state_type(self, row_type: type[msgspec.Struct]) -> Any:
        return self.hint(row_type) | None

    def first(self) -> Any:
        return None

    def add(self, state: Any, rows: Sequence[Any], times: Sequence[int]) -> Any:
        values = self.values(rows)
        if not values:
            return state
        return sum(values) if state is None else sum(values, state)

    def merge(self, state: Any, later: Any) -> Any:
        return later if state is None else state if later is None else state + later


class Mean(_OfNumbers, frozen=True):
    """The arithmetic mean; None where no row has a value."""

    def state_type(self, row_type: type[msgspec.Struct]) -> Any:
        return tuple[self.hint(row_type), int]  # type: ignore[misc]

    def result_type(self, row_type: type[msgspec.Struct]) -> Any:
        return (Decimal if self.hint(row_type) is Decimal else float) | None

    def first(self) -> Any:
        return (0, 0)

    def add(self, state: Any, rows: Sequence[Any], times: Sequence[int]) -> Any:
        values = self.values(rows)
        return (sum(values, state[0]), state[1] + len(values))

    def merge(self, state: Any, later: Any) -> Any:
        return (state[0] + later[0], state[1] + later[1])

    def value(self, state: Any) -> Any:
        return state[0] / state[1] if state[1] else None


class _OfOne(Aggregate, frozen=True):
    """Aggregates that are one of the values."""

    def state_type(self, row_type: type[msgspec.Struct]) -> Any:
        return self.hint(row_type) | None

    def first(self) -> Any:
        return None


class Min(_OfOne, frozen=True):
    """The least value."""

    def add(self, state: Any, rows: Sequence[Any], times: Sequence[int]) -> Any:
        least = min(self.values(rows), default=None)
        return self.merge(state, least)

    def merge(self, state: Any, later: Any) -> Any:
        return later if state is None else state if later is None else min(state, later)


class Max(_OfOne, frozen=True):
    """The greatest value."""

    def add(self, state: Any, rows: Sequence[Any], times: Sequence[int]) -> Any:
        greatest = max(self.values(rows), default=None)
        return self.merge(state, greatest)

    def merge(self, state: Any, later: Any) -> Any:
        return later if state is None else state if later is None else max(state, later)


class First(_OfOne, frozen=True):
    """The value that arrived first."""

    def add(self, state: Any, rows: Sequence[Any], times: Sequence[int]) -> Any:
        return state if state is not None else next(iter(self.values(rows)), None)

    def merge(self, state: Any, later: Any) -> Any:
        return later if state is None else state


class Last(_OfOne, frozen=True):
    """The value that arrived last."""

    def add(self, state: Any, rows: Sequence[Any], times: Sequence[int]) -> Any:
        return (self.values(rows) or [state])[-1]

    def merge(self, state: Any, later: Any) -> Any:
        return state if later is None else later


class ByTime(Aggregate, frozen=True):
    """The value at one end of event time; of two at one moment, the one that arrived first."""

    def state_type(self, row_type: type[msgspec.Struct]) -> Any:
        return tuple[int, self.hint(row_type)] | None  # type: ignore[misc]

    def first(self) -> Any:
        return None

    def add(self, state: Any, rows: Sequence[Any], times: Sequence[int]) -> Any:
        assert self.field is not None
        for row, time in zip(rows, times, strict=True):
            if (value := getattr(row, self.field)) is not None:
                state = self.merge(state, (time, value))
        return state

    def value(self, state: Any) -> Any:
        return None if state is None else state[1]


class Earliest(ByTime, frozen=True):
    """The value with the earliest event time."""

    def merge(self, state: Any, later: Any) -> Any:
        if state is None or later is None:
            return later if state is None else state
        return later if later[0] < state[0] else state


class Latest(ByTime, frozen=True):
    """The value with the latest event time."""

    def merge(self, state: Any, later: Any) -> Any:
        if state is None or later is None:
            return later if state is None else state
        return later if later[0] > state[0] else state


class Collect(Aggregate, frozen=True):
    """The first `limit` values (at most 10,000), in the order of their arrival."""

    limit: int = 1_000

    def check(self, name: str, row_type: type[msgspec.Struct]) -> None:
        super().check(name, row_type)
        if not 1 <= self.limit <= COLLECT_LIMIT:
            raise SettingError(f"{name}: Collect's limit must be 1 to {COLLECT_LIMIT}, not {self.limit}")

    def state_type(self, row_type: type[msgspec.Struct]) -> Any:
        return list[self.hint(row_type)]  # type: ignore[misc]

    def result_type(self, row_type: type[msgspec.Struct]) -> Any:
        return self.state_type(row_type)

    def first(self) -> Any:
        return []

    def add(self, state: Any, rows: Sequence[Any], times: Sequence[int]) -> Any:
        return [*state, *self.values(rows)[: self.limit - len(state)]]

    def merge(self, state: Any, later: Any) -> Any:
        return [*state, *later][: self.limit]


def _present(hint: Any) -> Any:
    """A type without its None."""
    arguments = [argument for argument in getattr(hint, "__args__", ()) if argument is not type(None)]
    is_optional = type(None) in getattr(hint, "__args__", ())
    return arguments[0] if is_optional and len(arguments) == 1 else hint
