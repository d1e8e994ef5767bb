"""Where durable states are kept: the latest state of an actor as bytes, with a revision that counts its writes."""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec


class StoredState(msgspec.Struct, frozen=True):
    """The state after `revision` writes."""

    persistence_id: str
    revision: int
    serializer: int
    manifest: str
    data: bytes
    tag: str = ""


class StateStore(ABC):
    """Every method raises `StorageError` when the store fails."""

    @abstractmethod
    async def get(self, persistence_id: str) -> tuple[StoredState | None, int]:
        """The state, None where there is none or it was deleted, and its revision (0: never written)."""

    @abstractmethod
    async def put(self, state: StoredState) -> None:
        """Store it. Raises `StaleRevisionError` unless the stored revision is the one before."""

    @abstractmethod
    async def delete(self, persistence_id: str, revision: int) -> None:
        """Delete the state whose revision is the one before. Raises `StaleRevisionError` for another."""
