"""Reading what all actors stored: by persistence id, by tag, and which ids there are, as streams.

    ReadJournal.of(system).events_by_tag("orders", NO_OFFSET).run_foreach(handle, system)

A `current_…` query ends when it has come to the end; the others go on as more is stored, until they are cancelled.
They read the journal as they are pulled: at most one batch waits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from smackbox.akka.actor.system import ActorSystem
from smackbox.akka.persistence.event_log import EventLog
from smackbox.akka.persistence.extension import Persistence
from smackbox.akka.persistence.journal import LAST, StoredEvent
from smackbox.akka.persistence.offset import NO_OFFSET, Offset, Sequence
from smackbox.akka.stream.source import Source

REFRESH_S = 3.0
"""How often a live query reads a journal elsewhere (Pekko's `refresh-interval`); one of this process says at once when
something was written.
"""


class EventEnvelope(msgspec.Struct, frozen=True):
    """An event and its place. `offset` is where the query goes on after it."""

    offset: Offset
    persistence_id: str
    sequence_nr: int
    event: Any
    timestamp_ms: int
    tags: tuple[str, ...] = ()


class ReadJournal:
    """Queries of one journal. Streams fail with `StorageError`, and with `SerializationError` for an event that cannot
    be read.
    """

    def __init__(self, log: EventLog, *, refresh_s: float = REFRESH_S) -> None:
        self._log = log
        self._journal = log.journal
        self._refresh_s = refresh_s

    @classmethod
    def of(cls, system: ActorSystem, *, refresh_s: float = REFRESH_S) -> ReadJournal:
        """Of the system's own journal. Raises `NoJournalError`."""
        return cls(Persistence.of(system).log, refresh_s=refresh_s)

    def events_by_persistence_id(
        self, persistence_id: str, from_sequence_nr: int = 1, to_sequence_nr: int = LAST
    ) -> Source[EventEnvelope, None]:
        """Ends after the event `to_sequence_nr`."""
        return self._source(lambda: self._by_id(persistence_id, from_sequence_nr, to_sequence_nr, live=True))

    def current_events_by_persistence_id(
        self, persistence_id: str, from_sequence_nr: int = 1, to_sequence_nr: int = LAST
    ) -> Source[EventEnvelope, None]:
        """As `events_by_persistence_id`, up to the last event that is there."""
        return self._source(lambda: self._by_id(persistence_id, from_sequence_nr, to_sequence_nr, live=False))

    def events_by_tag(self, tag: str, offset: Offset = NO_OFFSET) -> Source[EventEnvelope, None]:
        """The events after `offset`, in the journal's order; those of one persistence id in the order of their
        numbers. A stream fails with `ValueError` for an offset of another journal.
        """
        return self._source(lambda: self._by_tag(tag, offset, live=True))

    def current_events_by_tag(self, tag: str, offset: Offset = NO_OFFSET) -> Source[EventEnvelope, None]:
        """As `events_by_tag`, up to the last event that is there."""
        return self._source(lambda: self._by_tag(tag, offset, live=False))

    def persistence_ids(self) -> Source[str, None]:
        """Each once, in any order."""
        return self._source(lambda: self._ids(live=True))

    def current_persistence_ids(self) -> Source[str, None]:
        """Those that are there."""
        return self._source(lambda: self._ids(live=False))

    @staticmethod
    def _source(make: Callable[[], AsyncIterator[Any]]) -> Source[Any, None]:
        return Source.from_async_iterator(make)

    async def _by_id(self, id_: str, first: int, last: int, *, live: bool) -> AsyncIterator[EventEnvelope]:
        number = max(1, first)
        while number <= last:
            version = self._journal.version
            async for batch in self._journal.replay(id_, number, last):
                for stored in batch:
                    yield self._envelope(Sequence(stored.sequence_nr), stored)
                    number = stored.sequence_nr + 1
            if not live:
                return
            if number <= last:
                await self._journal.changed(version, self._refresh_s)

    async def _by_tag(self, tag: str, offset: Offset, *, live: bool) -> AsyncIterator[EventEnvelope]:
        reader = self._journal.tag_reader(tag, offset)
        while True:
            version = self._journal.version
            found = await reader.read()
            for tagged in found:
                yield self._envelope(tagged.offset, tagged.event)
            if not found:
                if not live:
                    return
                await self._journal.changed(version, self._refresh_s)

    async def _ids(self, *, live: bool) -> AsyncIterator[str]:
        seen: set[str] = set()
        while True:
            version = self._journal.version
            for id_ in await self._journal.persistence_ids():
                if id_ not in seen:
                    seen.add(id_)
                    yield id_
            if not live:
                return
            await self._journal.changed(version, self._refresh_s)

    def _envelope(self, offset: Offset, stored: StoredEvent) -> EventEnvelope:
        return EventEnvelope(
            offset,
            stored.persistence_id,
            stored.sequence_nr,
            self._log.decode(stored),
            stored.timestamp_ms,
            stored.tags,
        )
