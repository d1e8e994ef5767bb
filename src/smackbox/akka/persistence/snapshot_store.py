"""Where snapshots are kept: the state of an actor as bytes, by persistence id and sequence number."""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec

from smackbox.akka.actor.record import record

LATEST = 2**63 - 1


class SnapshotMetadata(msgspec.Struct, frozen=True):
    """`timestamp_ms` is when it was taken, in milliseconds since 1970."""

    persistence_id: str
    sequence_nr: int
    timestamp_ms: int = 0


class StoredSnapshot(msgspec.Struct, frozen=True):
    """A snapshot as it is stored: serializer id, manifest and bytes."""

    metadata: SnapshotMetadata
    serializer: int
    manifest: str
    data: bytes


@record
class Criteria:
    """Which snapshots: the bounds are included. The default is all of them."""

    max_sequence_nr: int = LATEST
    max_timestamp_ms: int = LATEST
    min_sequence_nr: int = 0
    min_timestamp_ms: int = 0

    def matches(self, metadata: SnapshotMetadata) -> bool:
        """Whether a snapshot is within the bounds."""
        return (
            self.min_sequence_nr <= metadata.sequence_nr <= self.max_sequence_nr
            and self.min_timestamp_ms <= metadata.timestamp_ms <= self.max_timestamp_ms
        )


ANY = Criteria()
NONE = Criteria(max_sequence_nr=0, max_timestamp_ms=0)


class SnapshotStore(ABC):
    """Every method raises `StorageError` when the store fails."""

    @abstractmethod
    async def load(self, persistence_id: str, criteria: Criteria) -> list[StoredSnapshot]:
        """The newest that match, newest first: at most `LOAD_ATTEMPTS`, for an older one may do where the newest is
        unreadable.
        """

    @abstractmethod
    async def save(self, snapshot: StoredSnapshot) -> None:
        """Store it; one with the same sequence number is replaced."""

    @abstractmethod
    async def delete(self, persistence_id: str, criteria: Criteria) -> None:
        """Delete all that match."""

    async def delete_one(self, metadata: SnapshotMetadata) -> None:
        """Delete that one. A timestamp of 0 matches any."""
        stamp = metadata.timestamp_ms
        bounds = (metadata.sequence_nr, stamp or LATEST, metadata.sequence_nr, stamp)
        await self.delete(metadata.persistence_id, Criteria(*bounds))


LOAD_ATTEMPTS = 3
"""Pekko's `max-load-attempts`."""
