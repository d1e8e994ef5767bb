"""Reads `tag_views` in order of time, bucket after bucket, and waits for events that it knows to be missing.

The events of one id are numbered in the view of a tag. Where a number is missing its event was written late: nothing
after it is given before it is found, or before `gap_timeout_s` is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

from smackbox.akka.persistence import cassandra_schema as schema
from smackbox.akka.persistence.cassandra_session import CassandraStatements
from smackbox.akka.persistence.cassandra_settings import CassandraSettings
from smackbox.akka.persistence.errors import MissingTaggedEventError
from smackbox.akka.persistence.journal import StoredEvent, TaggedEvent, TagReader
from smackbox.akka.persistence.offset import NoOffset, Offset, TimeBasedUuid
from smackbox.akka.persistence.time_uuid import end_of, start_of, unix_ms

GAP_RETRY_S = 0.2
FAR_BEHIND_BUCKETS = 24
"""From so many on, the buckets that exist are looked up instead of reading each."""


class CassandraTagReader(TagReader):
    """`wall_ms` gives milliseconds since 1970. Raises `ValueError` for an offset of another journal."""

    def __init__(
        self,
        statements: CassandraStatements,
        settings: CassandraSettings,
        tag: str,
        offset: Offset,
        wall_ms: Callable[[], int],
    ) -> None:
        if not isinstance(offset, NoOffset | TimeBasedUuid):
            raise ValueError(f"this journal orders its tagged events by time: {offset} is an offset of another one")
        self._statements = statements
        self._settings = settings
        self._tag = tag
        self._wall_ms = wall_ms
        self._from_start = isinstance(offset, NoOffset)
        self._after: UUID = start_of(0) if isinstance(offset, NoOffset) else offset.value
        self._bucket = settings.bucket_of(unix_ms(self._after))
        self._numbers: dict[str, int] = {}
        self._gap_since_s: float | None = None

    async def read(self) -> list[TaggedEvent]:
        """Raises `MissingTaggedEventError`, too."""
        upper = end_of(self._wall_ms() - int(self._settings.eventual_consistency_delay_s * 1_000))
        last_bucket = self._settings.bucket_of(unix_ms(upper))
        while True:
            rows = await self._rows(self._bucket, self._after, upper)
            found = await self._ordered(rows)
            if found:
                return found
            if self._gap_since_s is not None:
                await asyncio.sleep(GAP_RETRY_S)
            if rows:
                continue
            if self._bucket >= last_bucket:
                return []
            self._bucket = await self._next_bucket(last_bucket)

    async def _next_bucket(self, last: int) -> int:
        step = self._settings.bucket_ms
        if last - self._bucket <= FAR_BEHIND_BUCKETS * step:
            return self._bucket + step
        later = last
        async for rows in self._statements.pages(schema.BUCKETS):
            for row in rows:
                if row.tag_name == self._tag and self._bucket < row.timebucket < later:
                    later = row.timebucket
        return int(later)

    async def _rows(self, bucket: int, after: UUID, upper: UUID) -> list[Any]:
        return await self._statements.execute(schema.READ_TAG, self._tag, bucket, after, upper)

    async def _ordered(self, rows: list[Any]) -> list[TaggedEvent]:
        """The events up to the first gap; what is missing is looked for."""
        found: list[TaggedEvent] = []
        for row in rows:
            known = self._numbers.get(row.persistence_id)
            if known is None:
                known = 0 if self._from_start else row.tag_pid_sequence_nr - 1
            if row.tag_pid_sequence_nr > known + 1:
                late = await self._late(row, known)
                if late is None:
                    return found
                found += late
            if row.tag_pid_sequence_nr > known:
                found.append(self._tagged(row))
                self._numbers[row.persistence_id] = row.tag_pid_sequence_nr
            self._after = row.timestamp
        return found

    async def _late(self, row: Any, known: int) -> list[TaggedEvent] | None:
        """The events of an id between `known` and `row`; None while they are missing."""
        wanted = set(range(known + 1, row.tag_pid_sequence_nr))
        bucket = self._settings.bucket_of(unix_ms(row.timestamp))
        found: dict[int, Any] = {}
        for bucket_at in (bucket - self._settings.bucket_ms, bucket, bucket + self._settings.bucket_ms):
            pages = self._statements.pages(
                schema.READ_TAG, self._tag, bucket_at, start_of(bucket_at), end_of(bucket_at + self._settings.bucket_ms)
            )
            async for rows in pages:
                for other in rows:
                    if other.persistence_id == row.persistence_id and other.tag_pid_sequence_nr in wanted:
                        found[other.tag_pid_sequence_nr] = other
        if len(found) == len(wanted):
            self._gap_since_s = None
            return [self._tagged(found[number]) for number in sorted(found)]
        now_s = asyncio.get_running_loop().time()
        if self._gap_since_s is None:
            self._gap_since_s = now_s
        if now_s - self._gap_since_s >= self._settings.gap_timeout_s:
            missing = sorted(wanted - found.keys())
            raise MissingTaggedEventError(
                f"tag {self._tag!r}: of {row.persistence_id} the numbers {missing[:10]} before event "
                f"{row.sequence_nr} were not found within {self._settings.gap_timeout_s} s; start again from an offset"
            )
        return None

    def _tagged(self, row: Any) -> TaggedEvent:
        return TaggedEvent(TimeBasedUuid(row.timestamp), stored_event(row.persistence_id, row, (self._tag,)))


def stored_event(persistence_id: str, row: Any, tags: tuple[str, ...]) -> StoredEvent:
    """The event in a row of `messages` or of `tag_views`, which share their columns."""
    return StoredEvent(
        persistence_id,
        row.sequence_nr,
        row.ser_id,
        row.ser_manifest or "",
        row.event,
        row.event_manifest or "",
        row.writer_uuid or "",
        unix_ms(row.timestamp),
        tags,
    )
