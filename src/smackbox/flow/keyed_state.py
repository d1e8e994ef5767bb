"""A function of the user with a typed state for each key, and timers, as Spark's `transformWithState`.

State: `operator, "v", key` -> [when it is forgotten, the struct]; `operator, "x", moment, key` as `expiry` has it;
`operator, "t", moment, key` and `operator, "p", moment, key` -> nothing: timers by event and by processing time.

In a batch the function is called for each key with its rows, in the order in which the keys came; then come the timers
that are due, by event time first. A timer that is set meanwhile fires in the next batch at the earliest. Where the
program has event time, rows whose time the watermark has reached are late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Literal, NamedTuple

import msgspec

from smackbox.base.errors import SmackError
from smackbox.flow.errors import FlowFunctionError, FlowResultError
from smackbox.flow.expiry import Expiry
from smackbox.flow.steps import Stateful
from smackbox.flow.turn import NEVER_MS, Keys, Rows, Turn, decoder, encode, moment_of, ms_of

TimerKind = Literal["event", "processing"]


class Timer(NamedTuple):
    """A timer that has fired."""

    kind: TimerKind
    moment: datetime


class KeyState:
    """The state of one key, as a function sees it during one call."""

    def __init__(self, operator: KeyedState, key: bytes, turn: Turn) -> None:
        self._operator = operator
        self._key = key
        self._turn = turn

    @property
    def watermark(self) -> datetime | None:
        """No event before this moment is expected any more; None before the first event."""
        ms = self._turn.watermark_ms
        return None if ms is None else moment_of(ms)

    @property
    def now(self) -> datetime:
        """The processing time of the batch: the same when the batch is repeated."""
        return moment_of(self._turn.now_ms)

    def get(self) -> Any:
        """The saved struct; None where there is none. Raises `FlowStateError` where it cannot be read."""
        return self._operator.load(self._key, self._turn)[1]

    def set(self, value: Any) -> None:
        """Save a struct of the declared type. Raises `FlowFunctionError` for anything else."""
        self._operator.save(self._key, value, self._turn)

    def clear(self) -> None:
        """Forget the struct; timers stay."""
        self._operator.save(self._key, None, self._turn)

    def set_timer(self, moment: datetime, kind: TimerKind = "event") -> None:
        """Call `on_timer` once when the watermark, or the clock, has reached `moment`.

        Raises `FlowFunctionError` where the program has no `on_timer`.
        """
        if not self._operator.gives_later:
            raise FlowFunctionError("it sets a timer, and nothing is called then: give stateful an on_timer=")
        self._operator.timers(kind).add(self._turn.state, ms_of(moment), self._key)

    def delete_timer(self, moment: datetime, kind: TimerKind = "event") -> None:
        """Cancel the timer, if there is one."""
        self._operator.timers(kind).remove(self._turn.state, ms_of(moment), self._key)


class KeyedState:
    """One operator. Raises `FlowFunctionError` for a function that fails or gives rows of another type.

    Of `on_timer` that is a `FlowResultError`: it is called for what came long ago.
    """

    def __init__(self, number: int, step: Stateful, *, event_time: bool) -> None:
        self._step = step
        self.gives_later = step.on_timer is not None
        self._keys = Keys(step.rows, step.keys)
        self._event_time = event_time
        kept: Any = tuple[int, step.state]  # type: ignore[name-defined]
        self._decode = decoder(kept, step.state.__name__)
        self._values = bytes([number]) + b"v"
        self._expiry = Expiry(bytes([number]) + b"x")
        self._event_timers = Expiry(bytes([number]) + b"t")
        self._processing_timers = Expiry(bytes([number]) + b"p")

    def run(self, rows: Rows, turn: Turn) -> Rows:
        """The rows that the functions give."""
        if self._step.ttl_ms is not None:
            for _, key in self._expiry.take(turn, turn.now_ms):
                turn.state.delete(self._values + key)
        groups: dict[bytes, list[Any]] = {}
        for key, row, time in zip(self._keys.of(rows.rows), rows.rows, rows.times, strict=True):
            if self._event_time and turn.late_ms is not None and time <= turn.late_ms:
                turn.late.append(row)
            else:
                groups.setdefault(key, []).append(row)
        given = Rows()
        for key, arrived in groups.items():
            self._call(self._step.function, key, arrived, turn, given)
        if self._step.on_timer is not None:
            for kind, key, moment_ms in self._due(turn):
                try:
                    self._call(self._step.on_timer, key, Timer(kind, moment_of(moment_ms)), turn, given)
                except FlowFunctionError as error:
                    raise FlowResultError(str(error)) from error
        return given

    def due_ms(self, turn: Turn) -> int | None:
        """When the next timer by event time fires."""
        return self._event_timers.first_ms(turn.state)

    def is_behind(self, turn: Turn) -> bool:
        """Whether timers have not fired that are due, or states are still there that are to be forgotten."""
        return (
            (self._step.ttl_ms is not None and self._expiry.is_due(turn.state, turn.now_ms))
            or self._event_timers.is_due(turn.state, turn.watermark_ms)
            or self._processing_timers.is_due(turn.state, turn.now_ms)
        )

    def timers(self, kind: TimerKind) -> Expiry:
        """The timers of a kind."""
        return self._event_timers if kind == "event" else self._processing_timers

    def load(self, key: bytes, turn: Turn) -> tuple[int, Any]:
        """When the state of a key is forgotten, and the state."""
        found = turn.state.get(self._values + key)
        until_ms, value = (NEVER_MS, None) if found is None else self._decode(found)
        is_over = self._step.ttl_ms is not None and until_ms <= turn.now_ms  # and its turn has not come yet
        return until_ms, None if is_over else value

    def save(self, key: bytes, value: Any, turn: Turn) -> None:
        """Change the state of a key; None removes it."""
        if value is not None and not isinstance(value, self._step.state):
            raise FlowFunctionError(f"state is a {self._step.state.__name__}, not {value!r}")
        former_ms, _ = self.load(key, turn)
        if former_ms != NEVER_MS:
            self._expiry.remove(turn.state, former_ms, key)
        if value is None:
            turn.state.delete(self._values + key)
            return
        until_ms = NEVER_MS if self._step.ttl_ms is None else turn.now_ms + self._step.ttl_ms
        if until_ms != NEVER_MS:
            self._expiry.add(turn.state, until_ms, key)
        turn.state.put(self._values + key, encode((until_ms, value)))

    def _due(self, turn: Turn) -> list[tuple[TimerKind, bytes, int]]:
        due: list[tuple[TimerKind, bytes, int]] = []
        if turn.watermark_ms is not None:
            due += [("event", key, at) for at, key in self._event_timers.take(turn, turn.watermark_ms)]
        due += [("processing", key, at) for at, key in self._processing_timers.take(turn, turn.now_ms)]
        return due

    def _call(self, function: Callable[..., Any], key: bytes, given: Any, turn: Turn, out: Rows) -> None:
        values = self._keys.unpack(key)
        shown = values[0] if len(values) == 1 else values
        try:
            found: Iterable[Any] = function(shown, given, KeyState(self, key, turn)) or ()
            for row in found:
                if not isinstance(row, self._step.gives):
                    raise FlowFunctionError(f"it gives {row!r}, not a {self._step.gives.__name__}")
                out.rows.append(row)
                out.times.append(turn.watermark_ms or 0)
        except FlowFunctionError as error:
            raise FlowFunctionError(f"{function.__name__} of key {shown!r}: {error}") from error
        except (SmackError, msgspec.MsgspecError):
            raise
        except Exception as error:
            raise FlowFunctionError(
                f"{function.__name__} failed on key {shown!r}: {type(error).__name__}: {error}"
            ) from error
