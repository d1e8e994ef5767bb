"""Aggregates in tumbling and hopping windows.

State: `operator, "w", end, key` -> the states of the aggregates. Keys are ordered by the windows' ends, so those that
the watermark has passed are a range, which begins where the last one ended: `operator, "c"` -> where. A batch closes at
most `CLOSED_LIMIT` windows, for their rows are in memory together; batches without events close the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from smackbox.flow.state import MOMENT_BYTES, moment, moment_ms
from smackbox.flow.steps import Aggregation
from smackbox.flow.totals import Totals
from smackbox.flow.turn import Keys, Rows, Turn, moment_of
from smackbox.flow.windows import Window

CLOSED_LIMIT = 100_000
Groups = dict[tuple[Any, int], tuple[Sequence[Any], Sequence[int]]]
"""(key, start of the window) -> rows and times."""


class WindowTotals:
    """One aggregation; `number` is its place in the program."""

    def __init__(self, number: int, step: Aggregation) -> None:
        assert isinstance(step.window, Window)
        self._window = step.window
        self._final = step.emit == "final"
        self.gives_later = self._final
        self._keys = Keys(step.rows, step.keys)
        self._totals = Totals(step)
        self._prefix = bytes([number]) + b"w"
        self._cursor = bytes([number]) + b"c"

    def run(self, rows: Rows, turn: Turn) -> Rows:
        """Rows of the windows that changed, or of those that closed."""
        changed = self._update(self._grouped(rows, turn), turn)
        closed = self._close(turn)
        return closed if self._final else changed

    def due_ms(self, turn: Turn) -> int | None:
        """The end of the window that ends first."""
        start = turn.state.get(self._cursor) or self._prefix
        first = next(turn.state.items(start, self._prefix + b"\xff" * MOMENT_BYTES, 1), None)
        return None if first is None else moment_ms(first[0][len(self._prefix) :][:MOMENT_BYTES])

    def is_behind(self, turn: Turn) -> bool:
        """Whether windows have ended that are not closed yet."""
        due_ms = self.due_ms(turn) if turn.watermark_ms is not None else None
        return due_ms is not None and turn.watermark_ms is not None and due_ms <= turn.watermark_ms

    def _grouped(self, rows: Rows, turn: Turn) -> Groups:
        size, step = self._window.size_ms, self._window.step_ms
        late_ms = turn.late_ms
        keys = self._keys.values(rows.rows)
        tumbling = size == step
        if tumbling and (late_ms is None or not rows.times or min(rows.times) >= late_ms):
            starts = [time - time % size for time in rows.times]
            if self._totals.only_counts:
                return {pair: (range(count), ()) for pair, count in Counter(zip(keys, starts, strict=True)).items()}
            pairs = zip(keys, starts, rows.rows, rows.times, strict=True)
            return _collected([(key, start, row, time) for key, start, row, time in pairs])
        found = []
        for key, row, time in zip(keys, rows.rows, rows.times, strict=True):
            open_starts = [start for start in self._window.starts(time) if late_ms is None or start + size > late_ms]
            if not open_starts:
                turn.late.append(row)
            found += [(key, start, row, time) for start in open_starts]
        return _collected(found)

    def _update(self, groups: Groups, turn: Turn) -> Rows:
        size, totals, pack = self._window.size_ms, self._totals, self._keys.pack
        prefixes = {start: self._prefix + moment(start + size) for start in {start for _, start in groups}}
        places = [prefixes[start] + pack(key) for key, start in groups]
        first = totals.first()
        changed = Rows()
        bounds: dict[int, tuple[datetime, datetime]] = {}
        saved = turn.state.get_many(places)
        for ((key, start), (rows, times)), place, data in zip(groups.items(), places, saved, strict=True):
            states = totals.add(first if data is None else totals.decode(data), rows, times)
            turn.state.changes[place] = totals.encode(states)
            if not self._final:
                if start not in bounds:
                    bounds[start] = (moment_of(start), moment_of(start + size))
                changed.rows.append(totals.row(self._keys.as_tuple(key), bounds[start], states))
                changed.times.append(start + size)
        return changed

    def _close(self, turn: Turn) -> Rows:
        closed = Rows()
        bounds: dict[int, tuple[datetime, datetime]] = {}
        if turn.watermark_ms is None:
            return closed
        start = turn.state.get(self._cursor) or self._prefix
        end = self._prefix + moment(turn.watermark_ms + 1)
        ended = turn.first(start, end, CLOSED_LIMIT)
        rest = ended[-1][0] + b"\x00" if len(ended) == CLOSED_LIMIT else end
        if rest != start:
            turn.state.put(self._cursor, rest)
        for place, data in ended:
            turn.state.delete(place)
            if self._final:
                end_ms = moment_ms(place[len(self._prefix) :][:MOMENT_BYTES])
                if end_ms not in bounds:
                    bounds[end_ms] = (moment_of(end_ms - self._window.size_ms), moment_of(end_ms))
                key = self._keys.unpack(place[len(self._prefix) + MOMENT_BYTES :])
                closed.rows.append(self._totals.row(key, bounds[end_ms], self._totals.decode(data)))
                closed.times.append(end_ms)
        return closed


def _collected(found: list[tuple[Any, int, Any, int]]) -> Groups:
    groups: dict[tuple[Any, int], tuple[list[Any], list[int]]] = {}
    for key, start, row, time in found:
        group = groups.get((key, start))
        if group is None:
            groups[key, start] = ([row], [time])
        else:
            group[0].append(row)
            group[1].append(time)
    return dict(groups)
