"""Two streams joined: rows with equal keys, the right one within an interval of event time around the left one.

State: `operator, side, key` -> [[time, had a partner, row], …]; `operator, "x", moment, side, key` as `expiry` has it:
rows of that side and key find no partner any more when the watermark has passed the moment. A left row at `t` waits
until `t + after`, a right one until `t + before`. Rows that the watermark has reached are late, as in Spark. Of one key
and side at most `ROWS_OF_A_KEY` wait, for they are read and written together; a row beyond counts as late.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from smackbox.flow.expiry import Expiry
from smackbox.flow.steps import Join, RowType
from smackbox.flow.turn import Keys, Rows, Turn, decoder, encode

LEFT, RIGHT = b"l", b"r"
Kept = list[Any]
"""Time, whether it had a partner, row."""

ROWS_OF_A_KEY = 100_000


class IntervalJoin:
    """One operator."""

    def __init__(self, number: int, step: Join) -> None:
        self._step = step
        self.gives_later = step.how == "left"
        self._keys = {LEFT: Keys(step.left, step.keys), RIGHT: Keys(step.right, step.keys)}
        self._decode = {
            side: decoder(list[tuple[int, bool, kind]], f"rows of {kind.__name__}")  # type: ignore[valid-type]
            for side, kind in ((LEFT, step.left), (RIGHT, step.right))
        }
        self._wait_ms = {LEFT: step.after_ms, RIGHT: step.before_ms}
        self._number = bytes([number])
        self._expiry = Expiry(self._number + b"x")
        self._make = row_maker(step.left, step.gives)

    def run(self, left: Rows, right: Rows, turn: Turn) -> Rows:
        """The pairs that this batch completes, then left rows that stay alone."""
        joined = Rows()
        kept: dict[tuple[bytes, bytes], list[Kept]] = {}
        for side, rows in ((LEFT, left), (RIGHT, right)):
            self._arrive(side, rows, kept, joined, turn)
        for (side, key), entries in kept.items():
            self._save(side, key, entries, turn)
        if turn.watermark_ms is not None:
            self._forget(joined, turn, turn.watermark_ms)
        return joined

    def due_ms(self, turn: Turn) -> int | None:
        """When the next left row stays alone; nothing is given when a row is only forgotten."""
        return self._expiry.first_ms(turn.state) if self._step.how == "left" else None

    def is_behind(self, turn: Turn) -> bool:
        """Whether rows are still there that find no partner any more."""
        return turn.watermark_ms is not None and self._expiry.is_due(turn.state, turn.watermark_ms - 1)

    def _arrive(
        self, side: bytes, rows: Rows, kept: dict[tuple[bytes, bytes], list[Kept]], joined: Rows, turn: Turn
    ) -> None:
        other = RIGHT if side == LEFT else LEFT
        for key, row, time in zip(self._keys[side].of(rows.rows), rows.rows, rows.times, strict=True):
            if turn.late_ms is not None and time <= turn.late_ms:
                turn.late.append(row)
                continue
            mine = self._load(side, key, kept, turn)
            entry: Kept = [time, False, row]
            for partner in self._load(other, key, kept, turn):
                early, late = (time, partner[0]) if side == LEFT else (partner[0], time)
                if early - self._step.before_ms <= late <= early + self._step.after_ms:
                    entry[1] = partner[1] = True
                    pair = (row, partner[2]) if side == LEFT else (partner[2], row)
                    joined.rows.append(self._make(*pair))
                    joined.times.append(max(early, late))
            if len(mine) >= ROWS_OF_A_KEY:
                turn.late.append(row)
                continue
            mine.append(entry)
            self._expiry.add(turn.state, time + self._wait_ms[side], side + key)

    def _forget(self, joined: Rows, turn: Turn, watermark_ms: int) -> None:
        for place in dict.fromkeys(place for _, place in self._expiry.take(turn, watermark_ms - 1)):
            side, key = place[:1], place[1:]
            entries = self._load(side, key, {}, turn)
            stay = [entry for entry in entries if entry[0] + self._wait_ms[side] >= watermark_ms]
            if side == LEFT and self._step.how == "left":
                for time, had_partner, row in entries:
                    if not had_partner and time + self._wait_ms[side] < watermark_ms:
                        joined.rows.append(self._make(row, None))
                        joined.times.append(time)
            self._save(side, key, stay, turn)

    def _load(self, side: bytes, key: bytes, kept: dict[tuple[bytes, bytes], list[Kept]], turn: Turn) -> list[Kept]:
        found = kept.get((side, key))
        if found is None:
            data = turn.state.get(self._number + side + key)
            found = [] if data is None else [list(entry) for entry in self._decode[side](data)]
            kept[side, key] = found
        return found

    def _save(self, side: bytes, key: bytes, entries: list[Kept], turn: Turn) -> None:
        if entries:
            turn.state.put(self._number + side + key, encode(entries))
        else:
            turn.state.delete(self._number + side + key)


def row_maker(left: RowType, into: RowType) -> Any:
    """A function of a left row and a right one (or None) that makes a row of `into`, field by field by name."""
    from_left = [name for name in into.__struct_fields__ if name in left.__struct_fields__]
    from_right = [name for name in into.__struct_fields__ if name not in left.__struct_fields__]
    left_values, right_values = _values(from_left), _values(from_right)

    def make(one: Any, other: Any) -> Any:
        values = dict(zip(from_left, left_values(one), strict=True))
        if other is None:
            values.update(dict.fromkeys(from_right))
        else:
            values.update(zip(from_right, right_values(other), strict=True))
        return into(**values)

    return make


def _values(names: list[str]) -> Any:
    if not names:
        return lambda _row: ()
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda row: (get(row),)
