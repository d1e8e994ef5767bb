"""Builds a program over event time: `app.flow(source)` and its methods, each checked when it is called.

    views = (
        app.flow(raw)
        .with_watermark("ts", timedelta(minutes=10), late_to=late)
        .drop_duplicates_within_watermark("id")
        .group_by("campaign")
        .tumbling_window(timedelta(minutes=1))
        .agg(views=Count(), spent=Sum("price"))
        .current()
    )
    app.stream(views, to=per_minute)

`with_watermark` and `drop_duplicates_within_watermark` are Spark's; windows, `agg`, `current` (Spark's update mode) and
`final` (Spark's append mode) are Quix's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, get_type_hints

import msgspec

from smackbox.base.errors import SettingError
from smackbox.base.settings import near
from smackbox.flow.aggregates import Aggregate, ByTime
from smackbox.flow.steps import (
    Aggregation,
    Branch,
    Distinct,
    Emit,
    Filter,
    How,
    Join,
    Lookup,
    Map,
    RowType,
    Stateful,
    Step,
    Watermark,
)
from smackbox.flow.windows import SessionGap, Window

WINDOW_COLUMNS = ("window_start", "window_end")
CACHE_ROWS = 100_000
CACHE_TIME = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Flow:
    """Events of one type or of one after another, on their way. Immutable: every method gives another flow."""

    branch: Branch
    rows: RowType
    watermark: Watermark | None = None
    late_to: Any = None
    stateful_step: str | None = None
    keys: tuple[str, ...] | None = None

    @classmethod
    def of(cls, sources: Sequence[Any]) -> Flow:
        """The events of `sources`, which must be of one type. Raises `SettingError` otherwise."""
        if not sources:
            raise SettingError("a flow needs at least one source")
        first, *others = sources
        for other in others:
            if other.event is not first.event:
                raise SettingError(
                    f"{first.name} has events of type {first.event.__name__}, {other.name} of type "
                    f"{other.event.__name__}: sources of one stream share their type; join flows of different types"
                )
        names = [source.name for source in sources]
        if len(set(names)) != len(names):
            raise SettingError(f"a source is named twice: {', '.join(names)}")
        return cls(Branch(tuple(sources), ()), first.event)

    def with_watermark(
        self, field: str, delay: timedelta, *, late_to: Any = None, idle: timedelta | None = None
    ) -> Flow:
        """Event time is `field` (a datetime, or an int of ms since 1970); events may be `delay` out of order.

        What is later than all windows that it belongs to is counted, and goes to `late_to` (a topic or another target).
        The watermark is the least over the sources; one that was silent for `idle` (processing time) does not count,
        and when all were, the watermark follows the clock, so that the last windows close.
        """
        if self.watermark is not None:
            raise SettingError("with_watermark is given twice")
        if self.stateful_step is not None:
            raise SettingError(f"with_watermark must come before {self.stateful_step}")
        kind = _fields(self.rows, (field,), "with_watermark")[0]
        if kind not in {datetime, int}:
            raise SettingError(
                f"with_watermark: {self.rows.__name__}.{field} must be a datetime, or an int of ms since 1970, and not "
                "None"
            )
        idle_ms = None if idle is None else milliseconds(idle, "idle")
        mark = Watermark(field, milliseconds(delay, "delay", zero=True), idle_ms)
        return replace(self._with(mark), watermark=mark, late_to=late_to)

    def filter(self, function: Callable[[Any], Any]) -> Flow:
        """Rows for which `function(row)` is true."""
        return self._with(Filter(function))

    def map(self, function: Callable[[Any], Any], *, to: RowType) -> Flow:
        """`function(row)` for each row, which must be of type `to`."""
        check_row_type("map", to)
        return replace(self._with(Map(function, to)), rows=to)

    def drop_duplicates_within_watermark(self, *fields: str) -> Flow:
        """The first event of each key, which is remembered for the watermark's delay after it."""
        mark = self._needs_watermark("drop_duplicates_within_watermark")
        if not fields:
            raise SettingError("drop_duplicates_within_watermark needs the fields that make an event itself")
        _fields(self.rows, fields, "drop_duplicates_within_watermark")
        return self._with(Distinct(self.rows, fields, mark.delay_ms))

    def group_by(self, *fields: str) -> Grouped:
        """By key: windows, running aggregates, or a function with state follow."""
        if not fields:
            raise SettingError("group_by needs at least one field")
        if self.stateful_step is not None:
            raise SettingError(
                f"group_by after {self.stateful_step}: aggregate once, and let another stream read this one's topic"
            )
        _fields(self.rows, fields, "group_by")
        return Grouped(self, fields)

    def lookup(
        self,
        table: Any,
        *,
        on: str | dict[str, str],
        into: RowType,
        how: How = "left",
        cache_rows: int = CACHE_ROWS,
        cache_time: timedelta = CACHE_TIME,
    ) -> Flow:
        """Each row with columns of `table` (a Cassandra table, or a compacted topic by its key), as a row of `into`.

        `on` names the field that is the table's key, or maps the table's key columns to fields. Fields of `into` that
        the row does not have come from the table; with `how="left"` they are None where the table has no such row, with
        "inner" the row is dropped. Of a table at most `cache_rows` are kept, each for `cache_time`: what it says is as
        of about the time of processing. A topic is held whole, up to `cache_rows` keys.
        """
        check_row_type("lookup", into)
        pairs = tuple(sorted(on.items())) if isinstance(on, dict) else ((on, on),)
        _fields(self.rows, [field for _, field in pairs], "lookup")
        columns = tuple(name for name in into.__struct_fields__ if name not in self.rows.__struct_fields__)
        if not columns:
            raise SettingError(f"lookup: {into.__name__} has no field that {self.rows.__name__} has not")
        if cache_rows < 1:
            raise SettingError("lookup: cache_rows must be at least 1")
        step = Lookup(
            self.rows, table, pairs, columns, cache_rows, milliseconds(cache_time, "cache_time", zero=True), how, into
        )
        return replace(self._with(step), rows=into)

    def join(
        self,
        right: Flow,
        *,
        on: str | tuple[str, ...],
        before: timedelta = timedelta(0),
        after: timedelta = timedelta(0),
        into: RowType,
        how: How = "inner",
    ) -> Flow:
        """Rows of two flows with equal fields `on`, the right one at most `before` earlier and `after` later.

        Both need a watermark, which drops rows that can no longer find a partner. A field of `into` comes from
        the left row, or from the right one where the left type has none of that name. With `how="left"`, a left row
        without a partner comes with None when the watermark has passed its time.
        """
        keys = (on,) if isinstance(on, str) else on
        for side in (self, right):
            side._needs_watermark("join")
            if side.stateful_step is not None:
                raise SettingError(f"join after {side.stateful_step}: join first, and aggregate the result")
            _fields(side.rows, keys, "join")
        names = {source.name for source in self.branch.sources}
        twice = names & {source.name for source in right.branch.sources}
        if twice:
            raise SettingError(f"join: {', '.join(twice)} is on both sides: declare the source twice under two names")
        check_row_type("join", into)
        for name in into.__struct_fields__:
            if name not in self.rows.__struct_fields__ and name not in right.rows.__struct_fields__:
                hint = near(name, [*self.rows.__struct_fields__, *right.rows.__struct_fields__])
                raise SettingError(f"join: neither side has the field {name!r} of {into.__name__}{hint}")
        bounds = milliseconds(before, "before", zero=True), milliseconds(after, "after", zero=True)
        step = Join(self.rows, right.rows, right.branch, keys, *bounds, how, into)
        late_to = self.late_to or right.late_to
        return replace(self._with(step), rows=into, late_to=late_to, stateful_step="join", keys=keys)

    @property
    def all_sources(self) -> tuple[Any, ...]:
        """Every source, those of joined flows too."""
        return tuple(sources_of(self.branch))

    def _with(self, step: Step) -> Flow:
        return replace(self, branch=replace(self.branch, steps=(*self.branch.steps, step)))

    def _needs_watermark(self, what: str) -> Watermark:
        if self.watermark is None:
            raise SettingError(f"{what} needs event time: call with_watermark(field, delay) before it")
        if self.stateful_step is not None:
            raise SettingError(f"{what} must come before {self.stateful_step}")
        return self.watermark


@dataclass(frozen=True, slots=True)
class Grouped:
    """Events by key."""

    flow: Flow
    keys: tuple[str, ...]

    def tumbling_window(self, size: timedelta) -> Windowed:
        """Windows of `size`, one after the other."""
        size_ms = milliseconds(size, "size")
        return self._windowed(Window(size_ms, size_ms))

    def hopping_window(self, size: timedelta, step: timedelta) -> Windowed:
        """Windows of `size`, one each `step`."""
        return self._windowed(Window(milliseconds(size, "size"), milliseconds(step, "step")))

    def session_window(self, gap: timedelta) -> Windowed:
        """Windows that end when no event of the key came for `gap`."""
        return self._windowed(SessionGap(milliseconds(gap, "gap")))

    def agg(self, *, ttl: timedelta | None = None, **aggregates: Aggregate) -> Flow:
        """Running aggregates by key; the rows that a batch has changed are given.

        A key that does not change for `ttl` (processing time, as Spark's) is forgotten, and begins again when it comes.
        """
        ttl_ms = None if ttl is None else milliseconds(ttl, "ttl")
        return _aggregated(self, None, aggregates, "current", ttl_ms)

    def stateful(
        self,
        function: Callable[..., Any],
        *,
        state: RowType,
        to: RowType,
        on_timer: Callable[..., Any] | None = None,
        ttl: timedelta | None = None,
    ) -> Flow:
        """`function(key, rows, state)` for each key of a batch, which gives rows of type `to`.

        `state` is a `KeyState`: `get()`, `set(value)` and `clear()` of a struct, the watermark, and timers by event or
        processing time, for which `on_timer(key, timer, state)` is called. `ttl` is as for `agg`.
        """
        check_row_type("stateful", state)
        check_row_type("stateful", to)
        ttl_ms = None if ttl is None else milliseconds(ttl, "ttl")
        step = Stateful(self.flow.rows, self.keys, state, function, on_timer, ttl_ms, to)
        return replace(self.flow._with(step), rows=to, stateful_step="stateful", keys=self.keys)

    def _windowed(self, window: Window | SessionGap) -> Windowed:
        window.check()
        self.flow._needs_watermark("a window")
        return Windowed(self, window)


@dataclass(frozen=True, slots=True)
class Windowed:
    """Events by key and window."""

    grouped: Grouped
    window: Window | SessionGap

    def agg(self, **aggregates: Aggregate) -> Aggregated:
        """One column for each aggregate. `current()` or `final()` says when rows are given."""
        _check_aggregates(self.grouped, aggregates, WINDOW_COLUMNS)
        return Aggregated(self, tuple(aggregates.items()))


@dataclass(frozen=True, slots=True)
class Aggregated:
    """Aggregates by key and window: columns of the key, `window_start`, `window_end`, and one for each aggregate."""

    windowed: Windowed
    aggregates: tuple[tuple[str, Aggregate], ...]

    def current(self) -> Flow:
        """A row whenever a batch has changed a window: for targets that replace rows, such as tables."""
        if isinstance(self.windowed.window, SessionGap):
            raise SettingError(
                "a session that grows changes its start or end, and the row that was written would stay: use final()"
            )
        return _aggregated(self.windowed.grouped, self.windowed.window, dict(self.aggregates), "current", None)

    def final(self) -> Flow:
        """One row for each window, when the watermark has passed its end."""
        return _aggregated(self.windowed.grouped, self.windowed.window, dict(self.aggregates), "final", None)


def sources_of(branch: Branch) -> list[Any]:
    """The sources of a branch, and of the branches that it joins."""
    found = list(branch.sources)
    for step in branch.steps:
        if isinstance(step, Join):
            found += sources_of(step.right_branch)
    return found


def milliseconds(duration: timedelta, what: str, *, zero: bool = False) -> int:
    """A duration in whole ms. Raises `SettingError` for one that is not more than 0 (or 0, where it may be)."""
    if not isinstance(duration, timedelta):
        raise SettingError(f"{what} must be a timedelta, not {duration!r}")
    ms = duration // timedelta(milliseconds=1)
    if ms < 0 or (ms == 0 and not zero):
        raise SettingError(f"{what} must be {'0' if zero else '1 ms'} or more, not {duration}")
    return ms


def check_row_type(what: str, kind: Any) -> None:
    """Raises `SettingError` unless it is a `msgspec.Struct`."""
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        raise SettingError(f"{what}: rows and state are a msgspec.Struct, not {kind!r}")


def _fields(rows: RowType, names: Sequence[str], what: str) -> list[Any]:
    """The types of fields. Raises `SettingError` for one that is not there."""
    hints = get_type_hints(rows)
    for name in names:
        if name not in rows.__struct_fields__:
            hint = near(name, rows.__struct_fields__)
            raise SettingError(f"{what}: {rows.__name__} has no field {name!r}{hint}")
    return [hints[name] for name in names]


def _check_aggregates(grouped: Grouped, aggregates: dict[str, Aggregate], taken: Sequence[str]) -> None:
    if not aggregates:
        raise SettingError("agg needs at least one aggregate, such as agg(views=Count())")
    for name, aggregate in aggregates.items():
        if not isinstance(aggregate, Aggregate):
            raise SettingError(f"agg: {name} must be an aggregate such as Count() or Sum('field'), not {aggregate!r}")
        if name in grouped.keys or name in taken:
            raise SettingError(f"agg: {name} is a column of the result already")
        aggregate.check(name, grouped.flow.rows)
        if isinstance(aggregate, ByTime) and grouped.flow.watermark is None:
            raise SettingError(
                f"agg: {name}={type(aggregate).__name__}() goes by event time: call with_watermark(field, delay) "
                "before group_by, or use First or Last, which go by arrival"
            )


def _aggregated(
    grouped: Grouped,
    window: Window | SessionGap | None,
    aggregates: dict[str, Aggregate],
    emit: Emit,
    ttl_ms: int | None,
) -> Flow:
    rows = grouped.flow.rows
    taken = WINDOW_COLUMNS if window is not None else ()
    _check_aggregates(grouped, aggregates, taken)
    hints = get_type_hints(rows)
    fields = [(name, hints[name]) for name in grouped.keys]
    fields += [(name, datetime) for name in taken]
    fields += [(name, aggregate.result_type(rows)) for name, aggregate in aggregates.items()]
    gives = msgspec.defstruct(f"{rows.__name__}Totals", fields, frozen=True)
    step = Aggregation(rows, grouped.keys, window, tuple(aggregates.items()), emit, ttl_ms, gives)
    what = "agg" if window is None else "a window"
    return replace(grouped.flow._with(step), rows=gives, stateful_step=what, keys=grouped.keys)
