"""Keys that are forgotten at a moment: `prefix, moment, key` -> nothing, ordered by moment.

One batch takes at most `TAKEN_LIMIT` of them, because all its changes are in memory at once. The rest are left to
batches without events, which run before the next events.
"""

from __future__ import annotations

from collections.abc import Iterator

from smackbox.flow.state import MOMENT_BYTES, StateView, moment, moment_ms
from smackbox.flow.turn import Turn

TAKEN_LIMIT = 100_000


class Expiry:
    """One index; whoever uses it keeps the moment of each key, to remove the entry when that changes."""

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix

    def add(self, state: StateView, at_ms: int, key: bytes) -> None:
        """Forget `key` at that moment."""
        state.put(self._prefix + moment(at_ms) + key, b"")

    def remove(self, state: StateView, at_ms: int, key: bytes) -> None:
        """Keep it after all."""
        state.delete(self._prefix + moment(at_ms) + key)

    def take(self, turn: Turn, until_ms: int) -> Iterator[tuple[int, bytes]]:
        """The first moments and keys up to and with `until_ms`, in order; their entries are removed."""
        end = self._prefix + moment(until_ms + 1)
        for place, _ in turn.first(self._prefix, end, TAKEN_LIMIT):
            turn.state.delete(place)
            yield moment_ms(place[len(self._prefix) :][:MOMENT_BYTES]), place[len(self._prefix) + MOMENT_BYTES :]

    def is_due(self, state: StateView, until_ms: int | None) -> bool:
        """Whether there is one up to and with `until_ms`."""
        first_ms = self.first_ms(state) if until_ms is not None else None
        return first_ms is not None and until_ms is not None and first_ms <= until_ms

    def first_ms(self, state: StateView) -> int | None:
        """The earliest moment."""
        found = next(state.items(self._prefix, self._prefix + b"\xff" * MOMENT_BYTES, 1), None)
        return None if found is None else moment_ms(found[0][len(self._prefix) :][:MOMENT_BYTES])
