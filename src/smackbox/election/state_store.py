"""The state that a leader keeps for its successor: a few thousand named records, with atomic changes.

They are in memory, in an SQLite file (`state_file`), or in a folder of ZooKeeper (`state_zookeeper`).
"""

from __future__ import annotations

from typing import Protocol

from smackbox.base.errors import StorageError


class Fenced(StorageError):  # noqa: N818 - it is the state of the writer
    """Another leader has taken over: this one must not store anything."""


class ChangeTooLarge(StorageError):  # noqa: N818 - it is the state of the change
    """The store never accepts a change of that size."""


class StateStore(Protocol):
    """Named records that a leader keeps for its successor."""

    async def load(self) -> dict[str, bytes]:
        """Every record. Raises `StorageError`."""
        ...

    async def store(self, changes: dict[str, bytes | None]) -> None:
        """Set these records, or remove those that are None: atomically. Raises `StorageError`, `Fenced`."""
        ...

    async def close(self) -> None:
        """Release its resources. The records stay."""
        ...


def apply(changes: dict[str, bytes | None], records: dict[str, bytes]) -> None:
    """Set these records, or remove those that are None."""
    for name, value in changes.items():
        if value is None:
            records.pop(name, None)
        else:
            records[name] = value


class MemoryStateStore:
    """Records in memory, lost with the process."""

    def __init__(self) -> None:
        self.records: dict[str, bytes] = {}

    async def load(self) -> dict[str, bytes]:
        """All records by name."""
        return dict(self.records)

    async def store(self, changes: dict[str, bytes | None]) -> None:
        """Set (bytes) and delete (None) these records."""
        apply(changes, self.records)

    async def close(self) -> None:
        """Does nothing."""
