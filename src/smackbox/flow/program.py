"""A program over event time, run batch by batch: events in, rows out, changes of the state beside them.

Nothing here reads a clock, a socket or a store: the committed state and the processing time come in with each batch,
so that a batch that is repeated gives the same rows.

State: 0x00 "w" -> the watermarks; 0x00 "s" -> the signature; then `operator number, …` as each operator says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from smackbox.base.errors import SettingError, SmackError
from smackbox.flow.builder import Flow
from smackbox.flow.distinct import DistinctRows
from smackbox.flow.errors import FlowFunctionError, FlowResultError, FlowStateError
from smackbox.flow.interval_join import IntervalJoin
from smackbox.flow.keyed_state import KeyedState
from smackbox.flow.lookups import LookupRows, Reader
from smackbox.flow.running_totals import RunningTotals
from smackbox.flow.session_totals import SessionTotals
from smackbox.flow.signature import StepSignature, check_same, signature
from smackbox.flow.state import StateView
from smackbox.flow.steps import Aggregation, Branch, Distinct, Filter, Join, Lookup, Map, Stateful, Step, Watermark
from smackbox.flow.turn import Rows, Turn, times_of
from smackbox.flow.watermarks import Watermarks
from smackbox.flow.window_totals import WindowTotals
from smackbox.flow.windows import SessionGap

WATERMARKS, SIGNATURE = b"\x00w", b"\x00s"
MAX_OPERATORS = 200
Plain = LookupRows | Filter | Map
Keyed = DistinctRows | WindowTotals | SessionTotals | RunningTotals | KeyedState | IntervalJoin
Operator = Plain | Keyed


@dataclass(slots=True)
class Output:
    """Rows that a batch gives, rows that were too late, how many were dropped as repeated, and the watermark."""

    rows: list[Any] = field(default_factory=list)
    late: list[Any] = field(default_factory=list)
    duplicates: int = 0
    watermark_ms: int | None = None
    is_behind: bool = False
    """Whether the next batch must come without events, to do what this one left."""


@dataclass(slots=True)
class _Branch:
    """A branch ready to run: its sources, its mark, and its operators; a join comes with the branch on its right.

    The mark reads the rows that the first `marked_at` operators give.
    """

    sources: list[str]
    mark: Watermark | None = None
    marked_at: int = 0
    operators: list[tuple[Operator, _Branch | None]] = field(default_factory=list)


class Program:
    """`readers` read the tables that are looked up, by the table's name. Raises `SettingError` for what cannot run.

    `divided_by` is the field by which events are divided among instances; a function must not change it.
    """

    def __init__(
        self, flow: Flow, readers: Mapping[str, Reader] | None = None, *, divided_by: str | None = None
    ) -> None:
        self._readers = readers or {}
        self._divided_by = divided_by
        self._numbers = 0
        self._signature = signature(flow.branch)
        self._marks: dict[str, Watermark] = {}
        self._branch = self._compile(flow.branch)

    def check(self, state: StateView) -> None:
        """Claim the state for this program. Raises `FlowStateError` where it is another program's."""
        saved = state.get(SIGNATURE)
        if saved is not None:
            try:
                known = msgspec.json.decode(saved, type=list[StepSignature])
            except msgspec.MsgspecError as error:
                raise FlowStateError(
                    f"the saved state is of another version: {error}; remove the checkpoint"
                ) from error
            check_same(known, self._signature)
        current = msgspec.json.encode(self._signature)
        if current != saved:
            state.put(SIGNATURE, current)

    @property
    def gives_later(self) -> bool:
        """Whether rows may come for which no event of their batch is to blame: of windows that end, of timers."""
        return any(_gives_later(operator) for operator in self._operators(self._branch))

    def run(self, events: Mapping[str, Sequence[Any]], state: StateView, now_ms: int, since_ms: int = 0) -> Output:
        """One batch: the events of each source, in order. `since_ms`: when the stream was started.

        Raises `FlowFunctionError`, `FlowResultError`, `FlowStateError`.
        """
        marks = self._load(state)
        turn = Turn(state, now_ms, late_ms=marks.watermark_ms)
        arrived = self._arrived(self._branch, events, marks, turn)
        if self._marks:
            marks.advance(self._marks, now_ms, since_ms)
            state.put(WATERMARKS, msgspec.json.encode(marks))
        turn.watermark_ms = marks.watermark_ms
        rows = self._pass(self._branch, arrived, turn)
        return Output(rows.rows, turn.late, turn.duplicates, turn.watermark_ms, turn.is_behind)

    def is_behind(self, state: StateView, now_ms: int) -> bool:
        """Whether the batches so far have left something that is due: the next one must come without events."""
        marks = self._load(state)
        turn = Turn(state, now_ms, marks.watermark_ms, marks.watermark_ms)
        return any(
            isinstance(operator, Keyed) and operator.is_behind(turn) for operator in self._operators(self._branch)
        )

    def is_due(self, state: StateView, now_ms: int, since_ms: int = 0) -> bool:
        """Whether a batch without events would do something: a timer fires, a silent stream's window closes."""
        if self.is_behind(state, now_ms):
            return True
        marks = self._load(state)
        turn = Turn(state, now_ms, late_ms=marks.watermark_ms)
        if not any(mark.idle_ms is not None for mark in self._marks.values()):
            return False
        expected_ms = marks.expected(self._marks, now_ms, since_ms)
        if expected_ms is None or (marks.watermark_ms is not None and expected_ms <= marks.watermark_ms):
            return False
        for operator in self._operators(self._branch):
            if isinstance(operator, WindowTotals | SessionTotals | KeyedState | IntervalJoin):
                due_ms = operator.due_ms(turn)
                if due_ms is not None and due_ms <= expected_ms:
                    return True
        return False

    def watermark_ms(self, state: StateView) -> int | None:
        """The watermark after the last batch."""
        return self._load(state).watermark_ms

    def _load(self, state: StateView) -> Watermarks:
        saved = state.get(WATERMARKS)
        return Watermarks() if saved is None else msgspec.json.decode(saved, type=Watermarks)

    def _operators(self, branch: _Branch) -> list[Operator]:
        found: list[Operator] = []
        for operator, right in branch.operators:
            found += [operator, *(self._operators(right) if right is not None else [])]
        return found

    def _compile(self, branch: Branch) -> _Branch:
        made = _Branch([source.name for source in branch.sources])
        for step in branch.steps:
            if isinstance(step, Watermark):
                made.mark, made.marked_at = step, len(made.operators)
                self._marks.update(dict.fromkeys(made.sources, step))
                continue
            right = self._compile(step.right_branch) if isinstance(step, Join) else None
            made.operators.append((self._operator(step, event_time=made.mark is not None), right))
        return made

    def _operator(self, step: Step, *, event_time: bool) -> Operator:
        if isinstance(step, Filter | Map):
            return step
        if isinstance(step, Lookup):
            reader = self._readers.get(step.table.name)
            if reader is None:
                raise SettingError(f"the table {step.table.name} cannot be looked up here")
            return LookupRows(step, reader)
        assert not isinstance(step, Watermark)
        self._numbers += 1
        number = self._numbers
        if number > MAX_OPERATORS:
            raise SettingError(f"a program has at most {MAX_OPERATORS} steps that keep state")
        if isinstance(step, Distinct):
            return DistinctRows(number, step)
        if isinstance(step, Stateful):
            return KeyedState(number, step, event_time=event_time)
        if isinstance(step, Join):
            return IntervalJoin(number, step)
        assert isinstance(step, Aggregation)
        if step.window is None:
            return RunningTotals(number, step)
        return SessionTotals(number, step) if isinstance(step.window, SessionGap) else WindowTotals(number, step)

    def _arrived(
        self, branch: _Branch, events: Mapping[str, Sequence[Any]], marks: Watermarks, turn: Turn
    ) -> dict[int, Rows]:
        """By branch: its rows at the mark, with their times. The sources' event times are noted on the way."""
        found = {id(branch): Rows()}
        rows = found[id(branch)]
        for source in branch.sources:
            came = list(events.get(source, ()))
            arrived = Rows(came, [0] * len(came))
            for operator, _ in branch.operators[: branch.marked_at]:
                assert isinstance(operator, Plain), "the builder lets nothing else come before the mark"
                arrived = self._plain(operator, arrived, turn, divided=True)
            if branch.mark is not None:
                arrived.times = times_of(arrived.rows, branch.mark.field)
                marks.see(source, arrived.times, turn.now_ms)
            rows.rows += arrived.rows
            rows.times += arrived.times
        for _, right in branch.operators:
            if right is not None:
                found |= self._arrived(right, events, marks, turn)
        return found

    def _pass(self, branch: _Branch, arrived: dict[int, Rows], turn: Turn) -> Rows:
        rows = arrived[id(branch)]
        is_keyed = gives_later = False
        for operator, right in branch.operators[branch.marked_at :]:
            if isinstance(operator, Plain):
                try:
                    rows = self._plain(operator, rows, turn, divided=not is_keyed)
                except FlowFunctionError as error:
                    if gives_later:
                        raise FlowResultError(str(error)) from error
                    raise
                continue
            if isinstance(operator, IntervalJoin):
                assert right is not None
                rows = operator.run(rows, self._pass(right, arrived, turn), turn)
            else:
                rows = operator.run(rows, turn)
            is_keyed |= not isinstance(operator, DistinctRows)
            gives_later |= _gives_later(operator)
        return rows

    def _plain(self, operator: Plain, rows: Rows, turn: Turn, *, divided: bool) -> Rows:
        """`divided`: the rows are still to come to the instance that has their key."""
        if isinstance(operator, LookupRows):
            return operator.run(rows, turn)
        if isinstance(operator, Filter):
            return _filtered(operator, rows)
        made = _mapped(operator, rows)
        if divided and self._divided_by is not None:
            self._check_division(operator, rows, made)
        return made

    def _check_division(self, step: Map, rows: Rows, made: Rows) -> None:
        name = self._divided_by
        assert name is not None
        for before, after in zip(rows.rows, made.rows, strict=True):
            if getattr(before, name, None) != getattr(after, name, None):
                raise FlowResultError(
                    f"{_name(step.function)} changes {name}, by which the events are divided among the instances: rows "
                    f"of one {name} would be in several. Copy into a topic with the new key first, and read that"
                )


def _gives_later(operator: Operator) -> bool:
    return isinstance(operator, WindowTotals | SessionTotals | KeyedState | IntervalJoin) and operator.gives_later


def _filtered(step: Filter, rows: Rows) -> Rows:
    passing = Rows()
    for row, time in zip(rows.rows, rows.times, strict=True):
        if _called(step.function, row):
            passing.rows.append(row)
            passing.times.append(time)
    return passing


def _mapped(step: Map, rows: Rows) -> Rows:
    made = [_called(step.function, row) for row in rows.rows]
    for row in made:
        if not isinstance(row, step.gives):
            raise FlowFunctionError(f"{_name(step.function)} gives {row!r}, not a {step.gives.__name__}")
    return Rows(made, rows.times)


def _called(function: Any, row: Any) -> Any:
    try:
        return function(row)
    except SmackError:
        raise
    except Exception as error:
        raise FlowFunctionError(f"{_name(function)} failed on {row!r}: {type(error).__name__}: {error}") from error


def _name(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)
