"""Where a projection notes how far it has come, and whether it is paused."""

from __future__ import annotations

from abc import ABC, abstractmethod
from uuid import UUID

from smackbox.akka.persistence.offset import Offset, Sequence, TimeBasedUuid
from smackbox.akka.projection.projection_id import ProjectionId
from smackbox.base.errors import StorageError

SEQUENCE, TIME_BASED_UUID = "SEQ", "TBU"
"""The manifests of pekko-projection."""


class OffsetStore(ABC):
    """Every method raises `StorageError` when the store fails."""

    @abstractmethod
    async def read(self, id_: ProjectionId) -> Offset | None:
        """The last that was saved; None: from the beginning."""

    @abstractmethod
    async def save(self, id_: ProjectionId, offset: Offset) -> None:
        """The events up to there are handled."""

    @abstractmethod
    async def clear(self, id_: ProjectionId) -> None:
        """Back to the beginning."""

    @abstractmethod
    async def read_paused(self, id_: ProjectionId) -> bool:
        """Whether the projection is to handle no events."""

    @abstractmethod
    async def save_paused(self, id_: ProjectionId, paused: bool) -> None:
        """Note it for this run and later ones."""


def offset_text(offset: Offset) -> tuple[str, str]:
    """Manifest and text, as pekko-projection stores them. Raises `ValueError` for `NoOffset`, which is not stored."""
    if isinstance(offset, Sequence):
        return SEQUENCE, str(offset.value)
    if isinstance(offset, TimeBasedUuid):
        return TIME_BASED_UUID, str(offset.value)
    raise ValueError("the beginning is not stored as an offset: clear it")


def offset_of(manifest: str, text: str) -> Offset:
    """Raises `StorageError` for what is no offset of a journal."""
    try:
        if manifest == SEQUENCE:
            return Sequence(int(text))
        if manifest == TIME_BASED_UUID:
            return TimeBasedUuid(UUID(text))
    except ValueError as error:
        raise StorageError(f"the stored offset {text!r} is damaged: {error}") from error
    raise StorageError(f"the stored offset {text!r} has the manifest {manifest!r}, and a journal has SEQ or TBU")
