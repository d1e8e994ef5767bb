"""Running aggregates by key, without a window; forgotten when nothing changed them for `ttl_ms` of processing time.

State: `operator, "v", key` -> [when it is forgotten, states]; `operator, "x", moment, key` as `expiry` has it.
"""

from __future__ import annotations

from typing import Any

from smackbox.flow.expiry import Expiry
from smackbox.flow.steps import Aggregation
from smackbox.flow.totals import Totals
from smackbox.flow.turn import NEVER_MS, Keys, Rows, Turn, decoder, encode


class RunningTotals:
    """One aggregation; the rows of the keys that a batch has changed are given."""

    def __init__(self, number: int, step: Aggregation) -> None:
        self._ttl_ms = step.ttl_ms
        self._keys = Keys(step.rows, step.keys)
        self._totals = Totals(step)
        kept: Any = tuple[int, self._totals.state_type]  # type: ignore[name-defined]
        self._decode = decoder(kept, f"the aggregates by {', '.join(step.keys)}")
        self._values = bytes([number]) + b"v"
        self._expiry = Expiry(bytes([number]) + b"x")

    def is_behind(self, turn: Turn) -> bool:
        """Whether keys are still there that are to be forgotten."""
        return self._ttl_ms is not None and self._expiry.is_due(turn.state, turn.now_ms)

    def run(self, rows: Rows, turn: Turn) -> Rows:
        """The changed keys' rows."""
        if self._ttl_ms is not None:
            for _, key in self._expiry.take(turn, turn.now_ms):
                turn.state.delete(self._values + key)
        groups: dict[Any, tuple[list[Any], list[int]]] = {}
        for value, row, time in zip(self._keys.values(rows.rows), rows.rows, rows.times, strict=True):
            group = groups.setdefault(value, ([], []))
            group[0].append(row)
            group[1].append(time)
        keys = [self._keys.pack(value) for value in groups]
        first = self._totals.first()
        until_ms = NEVER_MS if self._ttl_ms is None else turn.now_ms + self._ttl_ms
        changed = Rows()
        saved = turn.state.get_many([self._values + key for key in keys])
        for (value, (arrived, times)), key, data in zip(groups.items(), keys, saved, strict=True):
            former_ms, states = (None, first) if data is None else self._decode(data)
            if self._ttl_ms is not None and former_ms is not None and former_ms <= turn.now_ms:
                states = first  # it is to be forgotten, and its turn has not come yet
            states = self._totals.add(states, arrived, times)
            if former_ms is not None and former_ms != NEVER_MS:  # also where the program before had a ttl
                self._expiry.remove(turn.state, former_ms, key)
            if self._ttl_ms is not None:
                self._expiry.add(turn.state, until_ms, key)
            turn.state.put(self._values + key, encode((until_ms, states)))
            changed.rows.append(self._totals.row(self._keys.as_tuple(value), (), states))
            changed.times.append(times[-1])
        return changed
