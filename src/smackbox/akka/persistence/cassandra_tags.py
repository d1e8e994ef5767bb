"""Writes tagged events to `tag_views`, numbered without gaps for each id and tag, and makes good what a crash left.

An event is written to `messages` first, then to `tag_views`, then the progress is noted, which nobody waits for. An
actor that recovers reads the progress of its id, and writes what is later again: with the same numbers, so that what
was there already does not change.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from smackbox.akka.persistence import cassandra_schema as schema
from smackbox.akka.persistence.cassandra_session import CassandraStatements
from smackbox.akka.persistence.cassandra_settings import CassandraSettings
from smackbox.akka.persistence.journal import StoredEvent
from smackbox.akka.persistence.time_uuid import unix_ms
from smackbox.base.errors import StorageError

RETRY_S = 0.2

log = logging.getLogger("smackbox.akka")

Stamped = tuple[StoredEvent, UUID]
"""An event and the time it is stored under."""


class Progress(NamedTuple):
    """The last event of an id in the view of a tag, and its number there."""

    sequence_nr: int
    tag_pid_sequence_nr: int


_NONE = Progress(0, 0)


class TagViews:
    """Of one journal."""

    def __init__(self, statements: CassandraStatements, settings: CassandraSettings) -> None:
        self._statements = statements
        self._settings = settings
        self._progress: dict[str, dict[str, Progress]] = {}
        self._scanned: dict[str, int] = {}
        self._flush: asyncio.TimerHandle | None = None
        self._noting: set[asyncio.Task[None]] = set()
        self._latest: dict[tuple[str, str], tuple[int, int, UUID]] = {}

    async def begin(self, persistence_id: str, *, is_new: bool) -> int:
        """An actor recovers. Returns the number of the first event whose tags may be missing."""
        if is_new:
            self._progress[persistence_id] = {}
            return 1
        progress, scanning = await asyncio.gather(
            self._statements.execute(schema.READ_PROGRESS, persistence_id),
            self._statements.execute(schema.READ_SCANNING, persistence_id),
        )
        found = {row.tag: Progress(row.sequence_nr, row.tag_pid_sequence_nr) for row in progress}
        self._progress[persistence_id] = found
        return int(scanning[0].sequence_nr) if scanning else 1

    async def repair(self, events: Sequence[Stamped]) -> None:
        """Write the views of events of one id that are later than its progress."""
        if any(event.tags for event, _ in events):
            progress = self._progress[events[0][0].persistence_id]
            missing: dict[str, list[Stamped]] = {}
            for stamped in events:
                for tag in stamped[0].tags:
                    if stamped[0].sequence_nr > progress.get(tag, _NONE).sequence_nr:
                        missing.setdefault(tag, []).append(stamped)
            await self._write_tags(missing)

    async def write(self, events: Sequence[Stamped]) -> None:
        """The views of new events of one id. Raises `StorageError` when they are not written in time: the actor must
        recover then.
        """
        id_ = events[0][0].persistence_id
        by_tag: dict[str, list[Stamped]] = {}
        for stamped in events:
            for tag in stamped[0].tags:
                by_tag.setdefault(tag, []).append(stamped)
        if by_tag:
            if id_ not in self._progress:
                await self.begin(id_, is_new=False)
            await self._write_tags(by_tag)
        self._scan(id_, events[-1][0].sequence_nr)

    def forget(self, persistence_id: str) -> None:
        """A write failed: what is in the views is unknown until the actor recovers."""
        self._progress.pop(persistence_id, None)
        self._scanned.pop(persistence_id, None)

    async def settle(self) -> None:
        """Wait for what nobody waits for."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush_scanned()
        while self._noting:
            await asyncio.gather(*self._noting)

    async def _write_tags(self, by_tag: dict[str, list[Stamped]]) -> None:
        if len(by_tag) == 1:
            ((tag, events),) = by_tag.items()
            await self._write_tag(tag, events)
        else:
            await asyncio.gather(*(self._write_tag(tag, events) for tag, events in by_tag.items()))

    async def _write_tag(self, tag: str, events: list[Stamped]) -> None:
        id_ = events[0][0].persistence_id
        number = self._progress[id_].get(tag, _NONE).tag_pid_sequence_nr
        size = self._settings.tag_batch_size
        for start in range(0, len(events), size):
            part = events[start : start + size]
            buckets: dict[int, list[tuple[str, tuple[object, ...]]]] = {}
            for event, stamp in part:
                number += 1
                bucket = self._settings.bucket_of(unix_ms(stamp))
                buckets.setdefault(bucket, []).append((schema.WRITE_TAG, _view(tag, bucket, stamp, number, event)))
            for statements in buckets.values():
                await self._insist(statements)
            last, stamp = part[-1]
            self._progress[id_][tag] = Progress(last.sequence_nr, number)
            self._note_progress(id_, tag, (last.sequence_nr, number, stamp))

    async def _insist(self, statements: list[tuple[str, tuple[object, ...]]]) -> None:
        limit_s = self._settings.tag_write_timeout_s
        error: StorageError | None = None
        try:
            async with asyncio.timeout(limit_s):
                while True:
                    try:
                        if len(statements) == 1:
                            await self._statements.execute(statements[0][0], *statements[0][1])
                        else:
                            await self._statements.batch(statements)
                        return
                    except StorageError as failure:
                        error = failure
                        log.warning("a view of tagged events is not written, and is tried again: %s", failure)
                    await asyncio.sleep(RETRY_S)
        except TimeoutError:
            raise StorageError(f"tagged events could not be written within {limit_s} s: {error}") from error

    def _scan(self, id_: str, sequence_nr: int) -> None:
        self._scanned[id_] = sequence_nr
        if self._flush is None:
            loop = asyncio.get_running_loop()
            self._flush = loop.call_later(self._settings.scanning_flush_s, self._flush_scanned)

    def _flush_scanned(self) -> None:
        self._flush = None
        scanned, self._scanned = self._scanned, {}
        for id_, sequence_nr in scanned.items():
            self._note(schema.WRITE_SCANNING, id_, sequence_nr)

    def _note_progress(self, id_: str, tag: str, values: tuple[int, int, UUID]) -> None:
        """One write of a row at a time: of those that come meanwhile the last one is written."""
        key = (id_, tag)
        running = key in self._latest
        self._latest[key] = values
        if not running:
            self._begin(self._write_progress(key))

    async def _write_progress(self, key: tuple[str, str]) -> None:
        written = None
        while (values := self._latest[key]) is not written:
            await self._try(schema.WRITE_PROGRESS, (*key, *values))
            written = values
        del self._latest[key]

    def _note(self, text: str, *values: object) -> None:
        self._begin(self._try(text, values))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def _try(self, text: str, values: tuple[object, ...]) -> None:
        try:
            await self._statements.execute(text, *values)
        except StorageError as error:
            log.warning("the progress of tags of %s is not noted; its next recovery takes longer: %s", values[0], error)


def _view(tag: str, bucket: int, stamp: UUID, number: int, event: StoredEvent) -> tuple[object, ...]:
    return (
        tag,
        bucket,
        stamp,
        number,
        event.data,
        event.event_manifest,
        event.persistence_id,
        event.sequence_nr,
        event.serializer,
        event.manifest,
        event.writer_uuid,
    )
