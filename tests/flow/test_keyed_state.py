"""Functions with state by key: the state itself, its time to live, timers of both kinds, functions that fail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from smackbox.flow import KeyState, Timer
from smackbox.flow.builder import Flow
from smackbox.flow.errors import FlowFunctionError, FlowResultError, FlowStateError
from smackbox.flow.program import Program
from smackbox.flow.state import StateView
from tests.flow.model import CLICKS, Click, Run, at, ms


class Visit(msgspec.Struct, frozen=True):
    count: int
    last: int


class Seen(msgspec.Struct, frozen=True):
    key: str
    count: int
    timer: str = ""


def visits(key: str, rows: list[Click], state: KeyState) -> Iterator[Seen]:
    known = state.get() or Visit(0, 0)
    state.set(Visit(known.count + len(rows), rows[-1].at))
    state.set_timer(at(rows[-1].at + 10))
    if known.count:
        state.delete_timer(at(known.last + 10))
    yield Seen(key, known.count + len(rows))


def ended(key: str, timer: Timer, state: KeyState) -> list[Seen]:
    known = state.get()
    state.clear()
    return [Seen(key, known.count, timer.kind)]


MARKED = Flow.of([CLICKS]).with_watermark("at", ms(0)).group_by("key")


def test_a_session_by_hand_ends_by_an_event_timer() -> None:
    run = Run(MARKED.stateful(visits, state=Visit, to=Seen, on_timer=ended))
    assert run.batch(Click(1, "a"), Click(2, "b"), Click(3, "a"), tries=2).rows == [Seen("a", 2), Seen("b", 1)]
    assert run.batch(Click(8, "a")).rows == [Seen("a", 3)]
    assert run.batch(Click(13, "c"), tries=2).rows == [Seen("c", 1), Seen("b", 1, "event")]
    assert run.batch(Click(30, "d")).rows == [Seen("d", 1), Seen("a", 3, "event"), Seen("c", 1, "event")]
    assert run.batch(Click(31, "a")).rows == [Seen("a", 1)], "the state was cleared"
    assert run.batch(Click(31, "a")).late == [Click(31, "a")], "what the watermark has reached is late, as in Spark"


def test_a_timer_by_processing_time_makes_a_batch_due() -> None:
    def wait(key: str, rows: list[Click], state: KeyState) -> None:
        state.set(Visit(len(rows), 0))
        state.set_timer(state.now + timedelta(seconds=5), "processing")

    run = Run(Flow.of([CLICKS]).group_by("key").stateful(wait, state=Visit, to=Seen, on_timer=ended))
    assert run.batch(Click(0, "a"), Click(0, "a")).rows == []
    assert not run.program.is_due(StateView(run.backing), 4_999)
    assert run.program.is_due(StateView(run.backing), 5_000)
    run.now_ms = 5_000
    assert run.batch(tries=2).rows == [Seen("a", 2, "processing")]
    assert not run.program.is_due(StateView(run.backing), 10_000)


def test_a_state_is_forgotten_when_nothing_changed_it_for_its_time_to_live() -> None:
    def count(key: str, rows: list[Click], state: KeyState) -> list[Seen]:
        known = state.get() or Visit(0, 0)
        state.set(Visit(known.count + len(rows), 0))
        return [Seen(key, known.count + len(rows))]

    run = Run(Flow.of([CLICKS]).group_by("key").stateful(count, state=Visit, to=Seen, ttl=ms(100)))
    for now, n in ((0, 1), (99, 2), (198, 3), (298, 1)):
        run.now_ms = now
        assert run.batch(Click(0, "a")).rows == [Seen("a", n)]
    assert len([key for key in run.backing.entries if key[0]]) == 2, "the state, and when it is forgotten"


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda key, rows, state: 1 / 0, "failed on key 'a': ZeroDivisionError"),
        (lambda key, rows, state: [key], "gives 'a', not a Seen"),
        (lambda key, rows, state: state.set(Seen("a", 1)), "state is a Visit, not Seen"),
    ],
)
def test_functions_that_fail_are_named(function: Any, message: str) -> None:
    run = Run(Flow.of([CLICKS]).group_by("key").stateful(function, state=Visit, to=Seen))
    with pytest.raises(FlowFunctionError, match=message):
        run.batch(Click(0, "a"))


def test_a_timer_that_nothing_is_called_for_is_refused() -> None:
    def wait(key: str, rows: list[Click], state: KeyState) -> None:
        state.set_timer(state.now, "processing")

    run = Run(Flow.of([CLICKS]).group_by("key").stateful(wait, state=Visit, to=Seen))
    with pytest.raises(FlowFunctionError, match="give stateful an on_timer="):
        run.batch(Click(0, "a"))


def test_no_event_is_to_blame_for_a_timer_that_fails() -> None:
    def fail(key: str, timer: Timer, state: KeyState) -> None:
        raise KeyError(key)

    run = Run(MARKED.stateful(visits, state=Visit, to=Seen, on_timer=fail))
    run.batch(Click(1, "a"))
    with pytest.raises(FlowResultError, match="fail failed on key 'a': KeyError"):
        run.batch(Click(30, "b"))


class Wider(msgspec.Struct, frozen=True):
    count: int
    last: int
    name: str = "new"


class Narrower(msgspec.Struct, frozen=True):
    count: int


class Needy(msgspec.Struct, frozen=True):
    count: int
    last: int
    name: str


class Retyped(msgspec.Struct, frozen=True):
    count: str
    last: int


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Wider, None),
        (Narrower, None),
        (Needy, "has no name: give it a default"),
        (Retyped, "has count as int, the program says str"),
    ],
)
def test_a_state_that_cannot_be_read_is_an_error_before_anything_is_done(kind: Any, message: str | None) -> None:
    run = Run(MARKED.stateful(visits, state=Visit, to=Seen, on_timer=ended))
    run.batch(Click(1, "a"))

    def read(key: str, rows: list[Click], state: KeyState) -> list[Seen]:
        return [Seen(key, state.get().count)]

    other = Program(MARKED.stateful(read, state=kind, to=Seen))
    view = StateView(run.backing)
    if message is not None:
        with pytest.raises(FlowStateError, match=message):
            other.check(view)
        assert view.changes == {}
        return
    other.check(view)
    assert other.run({"clicks": [Click(5, "a")]}, view, 0).rows == [Seen("a", 1)]
