"""Keys that are forgotten at a moment: `prefix, moment, key` -> nothing, ordered by moment."""

from __future__ import annotations

from collections.abc import Iterator

from smackbox.flow.state import MOMENT_BYTES, StateView, moment, moment_ms


class Expiry:
    """One index; whoever uses it keeps the moment of each key, to remove the entry when that changes."""

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix

    def add(self, state: StateView, at_ms: int, key: bytes) -> None:
        """Forget `key` at that moment."""
        state.put(self._prefix + moment(at_ms) + key, b"")

    def remove(self, state: StateView, at_ms: int, key: bytes) -> None:
        """Do not."""
        state.delete(self._prefix + moment(at_ms) + key)

    def take(self, state: StateView, until_ms: int) -> Iterator[tuple[int, bytes]]:
        """The moments and keys up to and with `until_ms`, in order; their entries are removed."""
        for place, _ in state.items(self._prefix, self._prefix + moment(until_ms + 1)):
            state.delete(place)
            yield moment_ms(place[len(self._prefix) :][:MOMENT_BYTES]), place[len(self._prefix) + MOMENT_BYTES :]

    def first_ms(self, state: StateView) -> int | None:
        """The earliest moment."""
        found = next(state.items(self._prefix, self._prefix + b"\xff" * MOMENT_BYTES, 1), None)
        return None if found is None else moment_ms(found[0][len(self._prefix) :][:MOMENT_BYTES])
