"""The steps of a program over event time, as pure data; `builder` makes and checks them.

Every row is a `msgspec.Struct`: `rows` is the type that a step takes, `gives` the type that it hands on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from smackbox.flow.aggregates import Aggregate
from smackbox.flow.windows import SessionGap, Window

Emit = Literal["current", "final"]
How = Literal["inner", "left"]
RowType = type[msgspec.Struct]


@dataclass(frozen=True, slots=True)
class Watermark:
    """The latest event time seen, less `delay_ms`. A source that is silent for `idle_ms` does not hold it back."""

    field: str
    delay_ms: int
    idle_ms: int | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Rows for which `function` is true."""

    function: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Map:
    """What `function` makes of each row, of type `gives`."""

    function: Callable[[Any], Any]
    gives: RowType


@dataclass(frozen=True, slots=True)
class Distinct:
    """The first row of each key, remembered for the watermark's delay."""

    rows: RowType
    keys: tuple[str, ...]
    delay_ms: int


@dataclass(frozen=True, slots=True)
class Aggregation:
    """Aggregates by key, in a window, a session, or (None) running, forgotten `ttl_ms` after the last change."""

    rows: RowType
    keys: tuple[str, ...]
    window: Window | SessionGap | None
    aggregates: tuple[tuple[str, Aggregate], ...]
    emit: Emit
    ttl_ms: int | None
    gives: RowType


@dataclass(frozen=True, slots=True)
class Stateful:
    """`function(key, rows, state)` by key of a batch, and `on_timer(key, timer, state)`; both give rows of `gives`."""

    rows: RowType
    keys: tuple[str, ...]
    state: RowType
    function: Callable[..., Any]
    on_timer: Callable[..., Any] | None
    ttl_ms: int | None
    gives: RowType


@dataclass(frozen=True, slots=True)
class Lookup:
    """Each row with columns of the row of a table that has its key; `on` is (column of the table, field)."""

    rows: RowType
    table: Any
    on: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    cache_rows: int
    cache_ms: int
    how: How
    gives: RowType


@dataclass(frozen=True, slots=True)
class Join:
    """Rows of two branches with equal `keys`, the right at most `before_ms` earlier and `after_ms` later."""

    left: RowType
    right: RowType
    right_branch: Branch
    keys: tuple[str, ...]
    before_ms: int
    after_ms: int
    how: How
    gives: RowType


Step = Watermark | Filter | Map | Distinct | Aggregation | Stateful | Lookup | Join


@dataclass(frozen=True, slots=True)
class Branch:
    """The sources of one type, by name, and the steps that their events pass."""

    sources: tuple[Any, ...]
    steps: tuple[Step, ...]
