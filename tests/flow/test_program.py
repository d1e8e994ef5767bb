"""Windows, sessions, duplicates and joins against a plain model, over any batches, each of them tried several times."""

from __future__ import annotations

from collections import Counter as Bag
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smackbox.flow import window_totals
from smackbox.flow.aggregates import Count, Sum
from smackbox.flow.builder import Flow
from smackbox.flow.errors import FlowFunctionError, FlowResultError
from smackbox.flow.program import Program
from smackbox.flow.state import MemoryBacking, StateView
from tests.flow.model import (
    CLICKS,
    VIEWS,
    Click,
    Run,
    at,
    distinct_model,
    join_model,
    ms,
    sessions_model,
    windows_model,
)

CLICK = st.builds(Click, at=st.integers(-50, 200), key=st.sampled_from("abc"), value=st.integers(-5, 5))
BATCHES = st.lists(st.lists(CLICK, max_size=8), max_size=8)
TRIES = st.integers(1, 2)
LIMITS = st.sampled_from([1, 2, 100_000])


class Pair(msgspec.Struct, frozen=True):
    key: str
    at: int
    value: int
    seen: int | None


class View(msgspec.Struct, frozen=True):
    at: int
    key: str
    seen: int


@given(BATCHES, st.integers(1, 40), st.integers(0, 3), st.integers(0, 30), TRIES, LIMITS)
@settings(max_examples=100, deadline=None)
def test_windows_close_as_in_the_model(
    batches: list[list[Click]], step: int, more: int, delay: int, tries: int, limit: int
) -> None:
    size = step * (more + 1) + (more and 1)
    flow = Flow.of([CLICKS]).with_watermark("at", ms(delay)).group_by("key").hopping_window(ms(size), ms(step))
    run = Run(flow.agg(n=Count(), total=Sum("value")).final(), limit=limit)
    closed, late = windows_model(batches, size, step, delay)
    for batch, expected, expected_late in zip(batches, closed, late, strict=True):
        output = run.batch(*batch, tries=tries)
        found = [(row.key, row.window_start, row.window_end, row.n, row.total) for row in output.rows]
        assert found == [(key, at(start), at(start + size), n, total) for key, start, n, total in expected]
        assert output.late == expected_late


@given(BATCHES, st.integers(1, 40), st.integers(0, 30), TRIES, LIMITS)
@settings(max_examples=70, deadline=None)
def test_current_windows_end_at_the_final_values(
    batches: list[list[Click]], size: int, delay: int, tries: int, limit: int
) -> None:
    windowed = Flow.of([CLICKS]).with_watermark("at", ms(delay)).group_by("key").tumbling_window(ms(size))
    current, final = (
        Run(windowed.agg(n=Count()).current()),
        Run(windowed.agg(n=Count(), total=Sum("value")).final(), limit=limit),
    )
    shown: dict[tuple[str, Any], int] = {}
    closed = 0
    for batch in batches:
        for row in current.batch(*batch, tries=tries).rows:
            shown[row.key, row.window_start] = row.n
        for row in final.batch(*batch).rows:
            assert shown[row.key, row.window_start] == row.n
            closed += 1
    # what is left in the state are the windows that are still open, and nothing else
    assert len([key for key in final.backing.entries if key[1:2] == b"w" and key[0]]) == len(shown) - closed


@given(BATCHES, st.integers(1, 40), st.integers(0, 30), TRIES, LIMITS)
@settings(max_examples=100, deadline=None)
def test_sessions_end_as_in_the_model(batches: list[list[Click]], gap: int, delay: int, tries: int, limit: int) -> None:
    grouped = Flow.of([CLICKS]).with_watermark("at", ms(delay)).group_by("key")
    run = Run(grouped.session_window(ms(gap)).agg(n=Count()).final(), limit=limit)
    for batch, expected in zip(batches, sessions_model(batches, gap, delay), strict=True):
        rows = run.batch(*batch, tries=tries).rows
        found = [(row.key, row.window_start, row.window_end, row.n) for row in rows]
        assert len(found) == len(set(found))
        assert set(found) == {(key, at(start), at(end), n) for key, start, end, n in expected}


@given(BATCHES, st.integers(0, 30), TRIES, LIMITS)
@settings(max_examples=100, deadline=None)
def test_duplicates_are_dropped_as_in_the_model(batches: list[list[Click]], delay: int, tries: int, limit: int) -> None:
    run = Run(Flow.of([CLICKS]).with_watermark("at", ms(delay)).drop_duplicates_within_watermark("key"), limit=limit)
    for batch, expected in zip(batches, distinct_model(batches, delay), strict=True):
        output = run.batch(*batch, tries=tries)
        assert output.rows == expected
        assert len(output.rows) + len(output.late) + output.duplicates == len(batch)


@given(
    st.lists(st.tuples(st.lists(CLICK, max_size=6), st.lists(CLICK, max_size=6)), max_size=8),
    st.integers(0, 30),
    st.integers(0, 30),
    st.integers(0, 30),
    TRIES,
    LIMITS,
)
@settings(max_examples=100, deadline=None)
def test_joins_are_those_of_the_model(
    batches: list[tuple[list[Click], list[Click]]], before: int, after: int, delay: int, tries: int, limit: int
) -> None:
    views = Flow.of([VIEWS]).map(lambda click: View(click.at, click.key, click.value), to=View)
    flow = (
        Flow.of([CLICKS])
        .with_watermark("at", ms(delay))
        .join(
            views.with_watermark("at", ms(delay)), on="key", before=ms(before), after=ms(after), into=Pair, how="left"
        )
    )
    run = Run(flow, limit=limit)
    rows: list[Pair] = []
    for left, right in batches:
        rows += run.batch(*left, views=right, tries=tries).rows
    pairs, alone = join_model(batches, before, after, delay)
    expected = [Pair(a.key, a.at, a.value, b.value) for a, b in pairs]
    expected += [Pair(a.key, a.at, a.value, None) for a in alone]
    assert Bag(rows) == Bag(expected)


@given(BATCHES, st.integers(0, 3), TRIES, LIMITS)
@settings(max_examples=70, deadline=None)
def test_running_totals_are_exact_and_forgotten(batches: list[list[Click]], ttl: int, tries: int, limit: int) -> None:
    run = Run(
        Flow.of([CLICKS]).group_by("key").agg(ttl=ms(ttl) if ttl else None, n=Count(), total=Sum("value")), limit=limit
    )
    known: dict[str, tuple[int, int, int]] = {}
    for now, batch in enumerate(batches):
        run.now_ms = now
        known = {key: entry for key, entry in known.items() if not ttl or entry[0] > now}
        for click in batch:
            _, n, total = known.get(click.key, (0, 0, 0))
            known[click.key] = (now + ttl, n + 1, total + click.value)
        found = {row.key: (row.n, row.total) for row in run.batch(*batch, tries=tries).rows}
        assert found == {click.key: known[click.key][1:] for click in batch}


def test_a_source_that_is_silent_holds_the_watermark_unless_it_may_be_idle() -> None:
    def totals(idle: Any) -> Run:
        flow = Flow.of([CLICKS, VIEWS]).with_watermark("at", ms(0), idle=idle)
        return Run(flow.group_by("key").tumbling_window(ms(10)).agg(n=Count()).final())

    held, free = totals(None), totals(ms(100))
    for run in (held, free):
        assert run.batch(Click(5, "a"), views=[Click(5, "a")]).rows == []
        run.now_ms = 100
        run.batch(Click(25, "a"))
    assert [row.n for row in free.batch(Click(26, "a")).rows] == []
    free_rows: Sequence[Any] = [row for row in free.backing.entries if row[:2] == b"\x01w"]
    held_rows: Sequence[Any] = [row for row in held.backing.entries if row[:2] == b"\x01w"]
    assert (len(free_rows), len(held_rows)) == (1, 2)


def test_the_last_window_of_a_stream_that_falls_silent_closes_by_the_clock() -> None:
    flow = Flow.of([CLICKS]).with_watermark("at", ms(0), idle=ms(1_000))
    run = Run(flow.group_by("key").tumbling_window(ms(10)).agg(n=Count()).final())
    run.batch(Click(15, "a"))
    assert not run.program.is_due(StateView(run.backing), 999)
    assert run.program.is_due(StateView(run.backing), 1_000)
    run.now_ms = 1_000
    assert [(row.window_start, row.n) for row in run.batch().rows] == [(at(10), 1)]
    assert not run.program.is_due(StateView(run.backing), 5_000)


def test_time_in_which_a_stream_did_not_run_is_no_silence() -> None:
    def totals() -> Run:
        flow = Flow.of([CLICKS, VIEWS]).with_watermark("at", ms(0), idle=ms(1_000))
        run = Run(flow.group_by("key").tumbling_window(ms(10)).agg(n=Count()).final())
        run.batch(Click(15, "a"), views=[Click(15, "a")])
        run.now_ms = 100_500
        return run

    run = totals()
    assert run.program.is_due(StateView(run.backing), 100_500)
    run.since_ms = 100_000
    assert not run.program.is_due(StateView(run.backing), 100_500, 100_000)
    run.batch(Click(45, "a"), tries=2)
    assert run.batch(views=[Click(16, "a")], tries=2).late == [], "it waited while nobody read it"
    run.now_ms = 101_500
    assert run.program.is_due(StateView(run.backing), 101_500, 100_000)
    assert [(row.window_start, row.n) for row in run.batch(tries=2).rows] == [(at(10), 3), (at(40), 1)]


class Moved(msgspec.Struct, frozen=True):
    moment: int
    key: str


def test_event_time_may_be_a_field_that_a_function_has_made() -> None:
    flow = Flow.of([CLICKS]).filter(lambda click: click.value >= 0)
    moved = flow.map(lambda click: Moved(click.at + 100, click.key), to=Moved).with_watermark("moment", ms(0))
    run = Run(moved.group_by("key").tumbling_window(ms(10)).agg(n=Count()).final())
    (row,) = run.batch(Click(5, "a"), Click(11, "a"), Click(90, "a", -1), tries=2).rows
    assert (row.window_start, row.n) == (at(100), 1), "what was filtered out does not move the watermark"


@pytest.mark.parametrize("wild", [1_792_000_000_000_000, -(10**15)])
def test_a_time_that_is_none_does_not_carry_the_watermark_away(wild: int) -> None:
    run = Run(Flow.of([CLICKS]).with_watermark("at", ms(0)).drop_duplicates_within_watermark("key"))
    with pytest.raises(ValueError, match="at is outside the years 2 to 9998; as a number it must be in ms"):
        run.batch(Click(5, "a"), Click(wild, "b"))
    assert run.batch(Click(5, "a")).rows == [Click(5, "a")]


class Rate(msgspec.Struct, frozen=True):
    key: str
    each: float


@pytest.mark.parametrize(("emit", "failure"), [("final", FlowResultError), ("current", FlowFunctionError)])
def test_no_event_is_to_blame_for_a_function_that_fails_on_a_window_that_closes(emit: str, failure: Any) -> None:
    windows = Flow.of([CLICKS]).with_watermark("at", ms(0)).group_by("key").tumbling_window(ms(10))
    totals = getattr(windows.agg(total=Sum("value")), emit)()
    run = Run(totals.map(lambda row: Rate(row.key, 1 / row.total), to=Rate))
    if emit == "final":
        run.batch(Click(5, "a", 0))
        with pytest.raises(failure, match="ZeroDivisionError"):
            run.batch(Click(20, "b", 1))
    else:
        with pytest.raises(failure, match="ZeroDivisionError"):
            run.batch(Click(5, "a", 0))


def test_a_function_must_not_change_what_events_are_divided_by() -> None:
    flow = Flow.of([CLICKS]).map(lambda click: Click(click.at, click.key.lower()), to=Click)
    counted = flow.group_by("key").agg(n=Count())
    state = StateView(MemoryBacking())
    program = Program(counted, divided_by="key")
    assert [row.n for row in program.run({"clicks": [Click(1, "a")]}, state, 0).rows] == [1]
    with pytest.raises(FlowResultError, match="changes key, by which the events are divided among the instances"):
        program.run({"clicks": [Click(1, "A")]}, state, 0)
    after = Flow.of([CLICKS]).group_by("key").agg(n=Count()).map(lambda row: Rate(row.key.upper(), row.n), to=Rate)
    state = StateView(MemoryBacking())
    assert Program(after, divided_by="key").run({"clicks": [Click(1, "a")]}, state, 0).rows == [Rate("A", 1)]


def test_a_total_outlives_a_ttl_that_was_taken_back_and_given_again() -> None:
    grouped = Flow.of([CLICKS]).group_by("key")
    run = Run(grouped.agg(ttl=ms(100), n=Count()))
    for now, ttl, n in ((0, 100, 1), (50, None, 2), (120, 100, 3)):
        run.program = Program(grouped.agg(ttl=ms(ttl) if ttl else None, n=Count()))
        run.now_ms = now
        assert [row.n for row in run.batch(Click(0, "a")).rows] == [n]


def test_what_one_batch_leaves_is_done_before_the_next_events_come() -> None:
    grouped = Flow.of([CLICKS]).with_watermark("at", ms(0)).group_by("key")
    run = Run(grouped.tumbling_window(ms(10)).agg(n=Count()).final(), limit=3)
    clicks = [Click(number, f"k{number}") for number in range(8)]
    run.batch(*clicks)
    view = StateView(run.backing)
    with patch.object(window_totals, "CLOSED_LIMIT", 3):
        output = run.program.run({"clicks": [Click(20, "end")]}, view, 0)
    run.backing.apply(view.changes)
    assert output.is_behind and [row.key for row in output.rows] == ["k0", "k1", "k2"]
    assert Program(run.flow).is_behind(StateView(run.backing), 0), "another process knows it, too"
    assert [row.key for row in run.batch().rows] == ["k3", "k4", "k5", "k6", "k7"]
    assert not run.program.is_behind(StateView(run.backing), 0)


def test_a_session_that_would_end_at_the_watermark_is_late() -> None:
    grouped = Flow.of([CLICKS]).with_watermark("at", ms(0)).group_by("key")
    run = Run(grouped.session_window(ms(10)).agg(n=Count()).final())
    run.batch(Click(20, "a"))
    assert run.batch(Click(10, "b"), Click(11, "c")).late == [Click(10, "b")]
    assert [(row.key, row.window_end) for row in run.batch(Click(21, "a")).rows] == [("c", at(21))]


def test_a_row_waits_for_a_partner_until_the_watermark_has_passed_its_time() -> None:
    views = Flow.of([VIEWS]).map(lambda click: View(click.at, click.key, click.value), to=View)
    left = Flow.of([CLICKS]).with_watermark("at", ms(0))
    flow = left.join(views.with_watermark("at", ms(0)), on="key", after=ms(5), into=Pair, how="left")
    run = Run(flow)
    assert run.batch(Click(0, "a"), Click(5, "a"), views=[Click(10, "z")]).rows == []
    run.batch(Click(10, "b"))
    assert run.backing.entries, "0 + 5 is passed and 5 + 5 is not"
    rows = run.batch(Click(11, "b"), views=[Click(11, "z")]).rows
    assert rows == [Pair("a", 5, 0, None)]
