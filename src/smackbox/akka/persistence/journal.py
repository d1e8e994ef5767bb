"""What a journal stores, and what every journal does. Events are bytes here; `event_log.py` makes them.

Sequence numbers of a persistence id begin at 1 and have no gaps. One actor writes under an id at a time; two that did
are told apart by `writer_uuid`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Sequence

import msgspec

from smackbox.akka.persistence.offset import Offset

LAST = 2**63 - 1
REPLAY_BATCH = 1_000
"""Events that are read at once (Pekko's `replay-batch-size`)."""


class StoredEvent(msgspec.Struct, frozen=True):
    """One event. `manifest` is the serializer's, `event_manifest` the event adapter's."""

    persistence_id: str
    sequence_nr: int
    serializer: int
    manifest: str
    data: bytes
    event_manifest: str = ""
    writer_uuid: str = ""
    timestamp_ms: int = 0
    tags: tuple[str, ...] = ()


class TaggedEvent(msgspec.Struct, frozen=True):
    """An event in the order of its tag."""

    offset: Offset
    event: StoredEvent


Done = Callable[[BaseException | None], None]


class TagReader(ABC):
    """Reads the events of one tag in order, from an offset on."""

    @abstractmethod
    async def read(self) -> list[TaggedEvent]:
        """The next events; none when there are no more just now. Raises `StorageError`."""


class Journal(ABC):
    """A log of events by persistence id. The methods that wait raise `StorageError` when the store fails."""

    is_remote = False
    """Whether a write may take long: such writes have a time limit."""

    @abstractmethod
    def write(self, events: Sequence[StoredEvent], done: Done) -> None:
        """Store events of one persistence id, all or none, and call `done` on the loop when they are durable, or with
        what prevented it. Writes of one id are stored in the order of the calls.
        """

    @abstractmethod
    async def highest_sequence_nr(self, persistence_id: str, from_sequence_nr: int = 0) -> int:
        """That of the last event ever written, deleted ones included; 0 for none. Events before `from_sequence_nr`
        are known to exist.
        """

    @abstractmethod
    def replay(
        self, persistence_id: str, from_sequence_nr: int = 1, to_sequence_nr: int = LAST, limit: int = LAST
    ) -> AsyncGenerator[list[StoredEvent], None]:
        """The events from and to these numbers, in order, at most `limit`, in batches of up to `REPLAY_BATCH`."""

    @abstractmethod
    async def delete_to(self, persistence_id: str, to_sequence_nr: int) -> None:
        """Delete the events up to and including that number. Their numbers are not used again."""

    def recover(
        self, persistence_id: str, from_sequence_nr: int, to_sequence_nr: int
    ) -> AsyncGenerator[list[StoredEvent], None]:
        """As `replay`, for an actor that recovers: makes good, too, what a crash left undone for its tags. It is
        called where there is nothing to replay as well.
        """
        return self.replay(persistence_id, from_sequence_nr, to_sequence_nr)

    @abstractmethod
    def tag_reader(self, tag: str, offset: Offset) -> TagReader:
        """Raises `ValueError` for an offset of another journal."""

    @abstractmethod
    async def persistence_ids(self) -> list[str]:
        """All that have, or had, events; in any order."""

    @property
    @abstractmethod
    def version(self) -> int:
        """Changes with what is written here; constant where a journal cannot know."""

    @abstractmethod
    async def changed(self, seen: int, limit_s: float) -> None:
        """Wait until the version is not `seen`, at most `limit_s`."""
