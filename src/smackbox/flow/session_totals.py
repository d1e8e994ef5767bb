"""Aggregates in sessions: events of a key with gaps shorter than `gap_ms` between them.

State: `operator, "s", key` -> [[start, end, states], …] by start; `operator, "e", end, key` -> nothing, to find the
sessions that the watermark has passed. A batch closes at most `CLOSED_LIMIT` of them, for their rows are in memory
together; batches without events close the rest.
"""

from __future__ import annotations

from typing import Any

from smackbox.flow.state import MOMENT_BYTES, moment, moment_ms
from smackbox.flow.steps import Aggregation
from smackbox.flow.totals import Totals
from smackbox.flow.turn import Keys, Rows, Turn, decoder, moment_of
from smackbox.flow.windows import Session, SessionGap, joined_sessions

CLOSED_LIMIT = 100_000


class SessionTotals:
    """One aggregation; a row is given when the session has ended."""

    gives_later = True

    def __init__(self, number: int, step: Aggregation) -> None:
        assert isinstance(step.window, SessionGap)
        self._gap_ms = step.window.gap_ms
        self._keys = Keys(step.rows, step.keys)
        self._totals = Totals(step)
        kept: Any = list[tuple[int, int, self._totals.state_type]]  # type: ignore[name-defined]
        self._decode = decoder(kept, f"the sessions by {', '.join(step.keys)}")
        self._sessions = bytes([number]) + b"s"
        self._ends = bytes([number]) + b"e"

    def run(self, rows: Rows, turn: Turn) -> Rows:
        """Rows of the sessions that the watermark has passed."""
        arrived: dict[bytes, list[Session]] = {}
        first = self._totals.first()
        for key, row, time in zip(self._keys.of(rows.rows), rows.rows, rows.times, strict=True):
            if turn.late_ms is not None and time + self._gap_ms <= turn.late_ms:
                turn.late.append(row)
                continue
            states = self._totals.add(first, (row,), (time,))
            arrived.setdefault(key, []).append((time, time + self._gap_ms, states))
        for key, sessions in arrived.items():
            before = self._load(key, turn)
            self._store(key, before, joined_sessions([*before, *sessions], self._totals.merge), turn)
        has_changed = turn.watermark_ms != turn.late_ms or not rows
        return self._close(turn, turn.watermark_ms) if turn.watermark_ms is not None and has_changed else Rows()

    def is_behind(self, turn: Turn) -> bool:
        """Whether sessions have ended that are not closed yet."""
        due_ms = self.due_ms(turn) if turn.watermark_ms is not None else None
        return due_ms is not None and turn.watermark_ms is not None and due_ms <= turn.watermark_ms

    def due_ms(self, turn: Turn) -> int | None:
        """The end of the session that ends first."""
        first = next(turn.state.items(self._ends, self._ends + b"\xff" * MOMENT_BYTES, 1), None)
        return None if first is None else moment_ms(first[0][len(self._ends) :][:MOMENT_BYTES])

    def _close(self, turn: Turn, watermark_ms: int) -> Rows:
        closed = Rows()
        ended = turn.first(self._ends, self._ends + moment(watermark_ms + 1), CLOSED_LIMIT)
        for key in dict.fromkeys(place[len(self._ends) + MOMENT_BYTES :] for place, _ in ended):
            before = self._load(key, turn)
            self._store(key, before, [session for session in before if session[1] > watermark_ms], turn)
            for start, end, states in before:
                if end <= watermark_ms:
                    bounds = (moment_of(start), moment_of(end))
                    closed.rows.append(self._totals.row(self._keys.unpack(key), bounds, states))
                    closed.times.append(end)
        return closed

    def _load(self, key: bytes, turn: Turn) -> list[Session]:
        found = turn.state.get(self._sessions + key)
        return [] if found is None else self._decode(found)

    def _store(self, key: bytes, before: list[Session], after: list[Session], turn: Turn) -> None:
        for _, end, _ in before:
            turn.state.delete(self._ends + moment(end) + key)
        for _, end, _ in after:
            turn.state.put(self._ends + moment(end) + key, b"")
        if after:
            turn.state.put(self._sessions + key, self._totals.encode(after))
        else:
            turn.state.delete(self._sessions + key)
