"""The first row of each key within the watermark's delay, as Spark's `dropDuplicatesWithinWatermark`.

State: `operator, "d", key` -> nothing; `operator, "x", moment, key` as `expiry` has it: a key is forgotten when the
watermark has reached its event time plus the delay. Rows whose time the watermark has reached are late.
"""

from __future__ import annotations

from smackbox.flow.expiry import Expiry
from smackbox.flow.steps import Distinct
from smackbox.flow.turn import Keys, Rows, Turn


class DistinctRows:
    """One operator."""

    def __init__(self, number: int, step: Distinct) -> None:
        self._delay_ms = step.delay_ms
        self._keys = Keys(step.rows, step.keys)
        self._seen = bytes([number]) + b"d"
        self._expiry = Expiry(bytes([number]) + b"x")

    def run(self, rows: Rows, turn: Turn) -> Rows:
        """The rows that pass."""
        passing = Rows()
        state = turn.state
        keys = self._keys.of(rows.rows)
        known = state.get_many([self._seen + key for key in keys])
        for key, old, row, time in zip(keys, known, rows.rows, rows.times, strict=True):
            if turn.late_ms is not None and time <= turn.late_ms:
                turn.late.append(row)
            elif old is not None or self._seen + key in state.changes:
                turn.duplicates += 1
            else:
                state.put(self._seen + key, b"")
                self._expiry.add(state, time + self._delay_ms, key)
                passing.rows.append(row)
                passing.times.append(time)
        if turn.watermark_ms is not None:
            for _, key in self._expiry.take(turn, turn.watermark_ms):
                state.delete(self._seen + key)
        return passing

    def is_behind(self, turn: Turn) -> bool:
        """Whether keys are still there that are to be forgotten."""
        return self._expiry.is_due(turn.state, turn.watermark_ms)
