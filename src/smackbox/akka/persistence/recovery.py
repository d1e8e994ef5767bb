"""How the state of an actor is read again: the latest snapshot, then the events after it.

At most `max_concurrent_recoveries` of a system run at once. Reading a snapshot, and each batch of events, may take
`recovery_event_timeout_s`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from smackbox.akka.persistence.errors import RecoveryTimeoutError
from smackbox.akka.persistence.event_sourcing import EventSourcing
from smackbox.akka.persistence.journal import StoredEvent
from smackbox.akka.persistence.replay_filter import ReplayFilter
from smackbox.akka.persistence.snapshot_store import NONE, SnapshotMetadata, StoredSnapshot

if TYPE_CHECKING:
    from smackbox.akka.persistence.extension import Persistence

S = TypeVar("S")
T = TypeVar("T")


class Recovery(Generic[S]):
    """Of one actor. `state` and `sequence_nr` are how far it has come; `run` ends when they are those of the store."""

    def __init__(self, behavior: EventSourcing[Any, Any, S], persistence: Persistence, id_: str) -> None:
        self._behavior = behavior
        self._persistence = persistence
        self._id = id_
        self.state = behavior.empty_state
        self.sequence_nr = 0
        self.replayed = 0
        self.snapshot: SnapshotMetadata | None = None

    async def run(self) -> None:
        """Raises `StorageError`, `SerializationError`, `ReplayError`, `RecoveryTimeoutError`, and what the event
        handler raises.
        """
        async with self._persistence.recoveries:
            await self._within(self._load_snapshot, "a snapshot")
            log = self._persistence.log
            journal = log.journal
            from_nr = self.sequence_nr + 1
            highest = await self._within(
                lambda: journal.highest_sequence_nr(self._id, self.sequence_nr), "the highest sequence number"
            )
            await self._replay(from_nr, min(self._behavior.replay_to, highest))
            self.sequence_nr = max(self.sequence_nr, highest)

    async def _replay(self, from_nr: int, to: int) -> None:
        batches = self._persistence.log.journal.recover(self._id, from_nr, to)
        checked = ReplayFilter(self._behavior.replay_filter)

        async def read() -> list[StoredEvent] | None:
            return await anext(batches, None)

        async with contextlib.aclosing(batches):
            while (batch := await self._within(read, "events")) is not None:
                for event in batch:
                    for ready in checked.push(event):
                        self._apply(ready)
        for ready in checked.flush():
            self._apply(ready)

    def _apply(self, stored: StoredEvent) -> None:
        event = self._persistence.log.decode(stored)
        adapter = self._behavior.event_adapter
        handler = self._behavior.event_handler
        if adapter is None:
            self.state = handler(self.state, event)
        else:
            for adapted in adapter.from_journal(event, stored.event_manifest):
                self.state = handler(self.state, adapted)
        self.sequence_nr = stored.sequence_nr
        self.replayed += 1

    async def _load_snapshot(self) -> None:
        store = self._persistence.snapshots
        criteria = self._behavior.snapshot_criteria
        if store is None or criteria == NONE:
            return
        errors: list[Exception] = []
        try:
            found = await store.load(self._id, criteria)
        except Exception as error:
            if not self._behavior.snapshot_is_optional:
                raise
            errors.append(error)
            found = []
        for snapshot in found:
            try:
                self.state = self._decoded(snapshot)
            except Exception as error:
                errors.append(error)
                continue
            self.snapshot = snapshot.metadata
            self.sequence_nr = snapshot.metadata.sequence_nr
            return
        if errors and not self._behavior.snapshot_is_optional:
            raise errors[0]

    def _decoded(self, snapshot: StoredSnapshot) -> S:
        stored = self._persistence.serialization.read(snapshot.serializer, snapshot.manifest, snapshot.data)
        adapter = self._behavior.snapshot_adapter
        return stored if adapter is None else adapter.from_journal(stored)

    async def _within(self, work: Callable[[], Awaitable[T]], what: str) -> T:
        limit_s = self._persistence.settings.recovery_event_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                return await work()
        except TimeoutError as error:
            raise RecoveryTimeoutError(
                f"{what} of {self._id} did not come within {limit_s} s; read up to event {self.sequence_nr}"
            ) from error
