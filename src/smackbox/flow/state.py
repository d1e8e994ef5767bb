"""State as one batch sees it: what is committed, under the changes of the batch.

Keys and values are bytes. The changes are handed to whoever commits the batch, which writes them together with the
batch's offsets or not at all; so a batch that is repeated starts from the state before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Protocol

MOMENT_BYTES = 8
_SHIFT = 1 << 63


class Backing(Protocol):
    """Committed state."""

    def get_many(self, keys: list[bytes]) -> list[bytes | None]:
        """The value of each key, None for none."""
        ...

    def items(self, start: bytes, end: bytes) -> Iterable[tuple[bytes, bytes]]:
        """Entries from `start` up to and without `end`, by key."""
        ...


class MemoryBacking:
    """Committed state in a dictionary: for tests, and for what is not kept."""

    def __init__(self) -> None:
        self.entries: dict[bytes, bytes] = {}

    def get_many(self, keys: list[bytes]) -> list[bytes | None]:
        return [self.entries.get(key) for key in keys]

    def items(self, start: bytes, end: bytes) -> Iterable[tuple[bytes, bytes]]:
        return sorted((key, value) for key, value in self.entries.items() if start <= key < end)

    def apply(self, changes: dict[bytes, bytes | None]) -> None:
        """Commit the changes of a batch."""
        for key, value in changes.items():
            if value is None:
                self.entries.pop(key, None)
            else:
                self.entries[key] = value


class StateView:
    """`changes` maps a key to its value after the batch, None where it goes."""

    def __init__(self, backing: Backing) -> None:
        self._backing = backing
        self.changes: dict[bytes, bytes | None] = {}

    def get(self, key: bytes) -> bytes | None:
        """The value of a key; None for none."""
        if key in self.changes:
            return self.changes[key]
        return self._backing.get_many([key])[0]

    def get_many(self, keys: list[bytes]) -> list[bytes | None]:
        """The values of keys, in their order."""
        changes = self.changes
        if not changes:
            return self._backing.get_many(keys)
        missing = [key for key in keys if key not in changes]
        found = dict(zip(missing, self._backing.get_many(missing), strict=True)) if missing else {}
        return [changes[key] if key in changes else found[key] for key in keys]

    def put(self, key: bytes, value: bytes) -> None:
        """Change a value."""
        self.changes[key] = value

    def delete(self, key: bytes) -> None:
        """Remove a key, which may not be there."""
        self.changes[key] = None

    def items(self, start: bytes, end: bytes, limit: int | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Entries from `start` up to and without `end`, by key, the first `limit`; made before the first is given."""
        enough = None if limit is None else limit + len(self.changes)
        found: dict[bytes, bytes] = dict(islice(self._backing.items(start, end), enough))
        for key, value in self.changes.items():
            if start <= key < end:
                if value is None:
                    found.pop(key, None)
                else:
                    found[key] = value
        return iter(sorted(found.items())[:limit])


def moment(ms: int) -> bytes:
    """A moment in ms since 1970 as 8 bytes that are ordered as the moments are."""
    return (ms + _SHIFT).to_bytes(MOMENT_BYTES, "big")


def moment_ms(data: bytes) -> int:
    """The moment that `moment` made these bytes of."""
    return int.from_bytes(data, "big") - _SHIFT
