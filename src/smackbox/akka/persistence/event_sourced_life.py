"""One life of an event-sourced actor: it recovers, then handles commands, one after another.

The event handler is applied before the write, so that an event that it refuses is not stored; the state that others
see changes when the write is done. A snapshot that is due is stored next, then the effect's side effects run.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from smackbox.akka.actor.behaviors import SAME
from smackbox.akka.persistence import signals
from smackbox.akka.persistence.effect import Effect, Kind
from smackbox.akka.persistence.errors import CircuitOpenError, JournalFailureError
from smackbox.akka.persistence.event_sourcing import EventSourcing
from smackbox.akka.persistence.journal import StoredEvent
from smackbox.akka.persistence.life import PersistentLife
from smackbox.akka.persistence.persistence_id import id_of
from smackbox.akka.persistence.recovery import Recovery
from smackbox.akka.persistence.snapshot_store import Criteria, SnapshotMetadata, StoredSnapshot

if TYPE_CHECKING:
    from smackbox.akka.actor.context import ActorContext

C = TypeVar("C")
E = TypeVar("E")
S = TypeVar("S")

log = logging.getLogger("smackbox.akka")


class EventSourcedLife(PersistentLife[C, S], Generic[C, E, S]):
    """Of one `EventSourcedBehavior`."""

    def __init__(self, behavior: EventSourcing[C, E, S], context: ActorContext[C]) -> None:
        super().__init__(
            context,
            id_of(behavior.persistence_id),
            behavior.empty_state,
            behavior.command_handler,
            behavior.signal_handler,
        )
        self._behavior = behavior
        self._log = self._persistence.log
        self._on_event = behavior.event_handler
        self._takes_snapshots = behavior.retention is not None or behavior.snapshot_predicate is not None
        self.sequence_nr = 0

    async def _recover(self) -> None:
        recovery = Recovery(self._behavior, self._persistence, self._id)
        try:
            await recovery.run()
        finally:
            self.state, self.sequence_nr = recovery.state, recovery.sequence_nr

    def _recovered_up_to(self) -> str:
        return f"event {self.sequence_nr}"

    # -- writing

    def _persist(self, effect: Effect[E, S]) -> Any:
        if effect.kind is Kind.DELETE:
            raise TypeError("Effect.delete() is for a durable state; events are deleted by with_retention")
        behavior = self._behavior
        adapter, tagger = behavior.event_adapter, behavior.tagger
        state, number = self.state, self.sequence_nr
        stored = []
        now_ms, writer = self._persistence.wall_ms(), self._persistence.writer_uuid
        for event in effect.events:
            number += 1
            state = self._on_event(state, event)
            written = event if adapter is None else adapter.to_journal(event)
            serializer, manifest, data = self._log.encode(written, self._id, number)
            stored.append(
                StoredEvent(
                    self._id,
                    number,
                    serializer,
                    manifest,
                    data,
                    "" if adapter is None else adapter.manifest(event),
                    writer,
                    now_ms,
                    () if tagger is None else tuple(tagger(event)),
                )
            )
        write = _Write(self, effect, state, number)
        self._hold(write)
        try:
            self._log.write(stored, write.done)
        except CircuitOpenError as error:
            write.done(JournalFailureError(f"events of {self._id} are not stored: {error}"))
        return SAME

    def _written(self, write: _Write, error: BaseException | None) -> Any:
        self._free()
        if error is not None:
            raise error
        before = self.sequence_nr
        self.state, self.sequence_nr = write.state, write.sequence_nr
        effect = write.effect
        if self._takes_snapshots and self._persistence.snapshots is not None:
            by_retention, due = self._snapshot_due(effect, before)
            if due:
                self._take_snapshot(effect, by_retention)
                return SAME
        return self._finish(effect)

    # -- snapshots

    def _snapshot_due(self, effect: Effect[E, S], before: int) -> tuple[bool, bool]:
        retention, predicate = self._behavior.retention, self._behavior.snapshot_predicate
        numbers = range(before + 1, self.sequence_nr + 1)
        if retention is not None and any(retention.is_due(number) for number in numbers):
            return True, True
        if predicate is None:
            return False, False
        chosen = [predicate(self.state, event, n) for n, event in zip(numbers, effect.events, strict=True)]
        return False, any(chosen)

    def _take_snapshot(self, effect: Effect[E, S], by_retention: bool) -> None:
        metadata = SnapshotMetadata(self._id, self.sequence_nr, self._persistence.wall_ms())
        state = self.state

        async def save() -> None:
            store = self._persistence.snapshots
            assert store is not None
            adapter = self._behavior.snapshot_adapter
            stored = state if adapter is None else adapter.to_journal(state)
            await store.save(StoredSnapshot(metadata, *self._persistence.serialization.write(stored)))

        def saved(error: BaseException | None) -> Any:
            if error is not None:
                log.warning("[%s] the snapshot at %d failed: %r", self._cell.path, metadata.sequence_nr, error)
                self._signal(signals.SnapshotFailed(metadata, error))
                return self._finish(effect)
            if by_retention:
                self._delete_behind(metadata.sequence_nr)
            self._signal(signals.SnapshotCompleted(metadata))
            return self._finish(effect)

        self._wait(save(), saved)

    def _delete_behind(self, sequence_nr: int) -> None:
        retention = self._behavior.retention
        assert retention is not None
        upper = retention.delete_upper(sequence_nr)
        if upper <= 0:
            return

        async def delete() -> None:
            bound = upper
            if retention.delete_events:
                try:
                    await self._log.journal.delete_to(self._id, upper)
                except Exception as error:
                    self._tell(signals.DeleteEventsFailed(upper, error))
                    return
                self._tell(signals.DeleteEventsCompleted(upper))
                bound = upper - 1  # the events after a snapshot at `upper` are still there
            criteria = Criteria(max_sequence_nr=bound, min_sequence_nr=retention.delete_lower(bound))
            try:
                store = self._persistence.snapshots
                assert store is not None
                await store.delete(self._id, criteria)
            except Exception as error:
                self._tell(signals.DeleteSnapshotsFailed(criteria, error))
                return
            self._tell(signals.DeleteSnapshotsCompleted(criteria))

        self._cell.system.keep(asyncio.ensure_future(delete()))


class _Write:
    """Events on their way to the journal; the cell is held by it."""

    __slots__ = ("_error", "_life", "_over", "effect", "sequence_nr", "state")

    def __init__(self, life: EventSourcedLife[Any, Any, Any], effect: Effect[Any, Any], state: Any, nr: int) -> None:
        self._life = life
        self._over = False
        self._error: BaseException | None = None
        self.effect = effect
        self.state = state
        self.sequence_nr = nr

    def done(self, error: BaseException | None) -> None:
        if not self._over:
            self._over = True
            self._error = error
            self._life._cell.release(cast("asyncio.Future[Any]", self), self._resume)

    def cancel(self) -> None:
        """The actor stops, and waits no longer."""
        self.done(JournalFailureError("the actor stopped before its events were stored"))

    def _resume(self) -> Any:
        return self._life._written(self, self._error)
