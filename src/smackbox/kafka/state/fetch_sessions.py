"""Incremental fetches (KIP-227): what each session requests, what it received last, and what may have changed since.

A session remembers its partitions, so that a request names only changed partitions, and an answer only those with new
records, an error, or another high watermark or log start offset. A partition that was read to its end is not looked at
again until it is touched, so that an idle consumer of a thousand partitions costs as much as an idle consumer of one.

At most `SLOTS` sessions are kept, with `PARTITIONS_LIMIT` partitions in total. When there is no room, a session that
was not used for two minutes is evicted; otherwise the smallest session that is older than that, if the new one is not
smaller, as in Kafka. A client without a session receives id 0 and continues with full requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from smackbox.kafka.state.partition import Partition
from smackbox.kafka.wire.fetch import FetchedPartition, FetchPartition

SLOTS = 1_000
PARTITIONS_LIMIT = 200_000
EVICTION_MS = 120_000
LAST_EPOCH = 2**31 - 1
UNTOLD = -1

Key = tuple[bytes, int]  # the topic's name or id, as the request has it, and the partition


class Touched(Protocol):
    """Called when a partition of the session has changed, and with `last` when the session's next request has
    arrived.
    """

    def __call__(self, *, last: bool = False) -> None: ...


@dataclass(slots=True)
class Watched:
    """One partition of a session: the request, the last answer, and its subscription to changes."""

    want: FetchPartition
    high_watermark: int = UNTOLD
    log_start_offset: int = UNTOLD
    partition: Partition | None = None
    waiter: Callable[[], None] | None = None


@dataclass(slots=True, eq=False)
class FetchSession:
    """`active` are the partitions that are worth looking at; those that returned records last come after the others."""

    id: int
    by_topic_id: bool
    created_ms: int
    used_ms: int
    epoch: int = 1
    watched: dict[Key, Watched] = field(default_factory=dict)
    active: dict[Key, None] = field(default_factory=dict)
    touched: Touched | None = None  # the fetch that waits for changes in the session

    def ask(self, key: Key, want: FetchPartition) -> None:
        """Add a partition, or change what is requested of it."""
        known = self.watched.get(key)
        if known is None:
            self.watched[key] = Watched(want)
        else:
            known.want = want
        self.active[key] = None

    def forget(self, key: Key) -> None:
        """Stop watching that partition."""
        watched = self.watched.pop(key, None)
        self.active.pop(key, None)
        if watched is not None:
            _stop_listening(watched)

    def told(self, key: Key, found: FetchedPartition) -> None:
        """What the client knows from the full answer that started the session."""
        watched = self.watched[key]
        watched.high_watermark = UNTOLD if found.error_code else found.high_watermark
        watched.log_start_offset = found.log_start_offset

    def note(self, key: Key, found: FetchedPartition, partition: Partition | None, *, at_end: bool) -> bool:
        """Record a read; returns whether to include the partition in the answer. `at_end`: there is no more to read."""
        watched = self.watched[key]
        news = bool(found.records) or found.error_code != 0
        news = news or watched.high_watermark != found.high_watermark
        news = news or watched.log_start_offset != found.log_start_offset
        watched.high_watermark = UNTOLD if found.error_code else found.high_watermark
        watched.log_start_offset = found.log_start_offset
        if partition is not watched.partition:
            _stop_listening(watched)
            if partition is not None:
                watched.partition, watched.waiter = partition, partial(self._wake, key)
                partition.waiters.add(watched.waiter)
        del self.active[key]
        if found.error_code or not at_end:
            self.active[key] = None
        return news

    def close(self) -> None:
        """Stop watching all partitions."""
        for watched in self.watched.values():
            _stop_listening(watched)
        self.watched.clear()
        self.active.clear()

    def _wake(self, key: Key) -> None:
        self.active[key] = None
        if self.touched is not None:
            self.touched()


class FetchSessions:
    """All sessions of one broker."""

    def __init__(self, new_id: Callable[[], int]) -> None:
        self._new_id = new_id
        self._sessions: dict[int, FetchSession] = {}  # least recently used first
        self.partitions = 0

    def __len__(self) -> int:
        return len(self._sessions)

    def get(self, session_id: int) -> FetchSession | None:
        """The session of that id, or None."""
        return self._sessions.get(session_id)

    def use(self, session: FetchSession, now_ms: int) -> None:
        """Mark a session as used."""
        session.used_ms = now_ms
        session.epoch = 1 if session.epoch == LAST_EPOCH else session.epoch + 1
        self._sessions[session.id] = self._sessions.pop(session.id)

    def create(
        self, wants: Iterable[tuple[Key, FetchPartition]], now_ms: int, *, by_topic_id: bool
    ) -> FetchSession | None:
        """Create a session for these partitions; None when there is no room."""
        requested = dict(wants)
        if self.partitions + len(requested) > PARTITIONS_LIMIT:
            return None
        if len(self._sessions) >= SLOTS and not self._evict(len(requested), now_ms):
            return None
        session_id = 0
        while session_id == 0 or session_id in self._sessions:
            session_id = self._new_id()
        session = FetchSession(session_id, by_topic_id, now_ms, now_ms)
        for key, want in requested.items():
            session.ask(key, want)
        self._sessions[session_id] = session
        self.partitions += len(requested)
        return session

    def update(
        self, session: FetchSession, wants: Iterable[tuple[Key, FetchPartition]], forgotten: Iterable[Key]
    ) -> None:
        """Apply the additions, changes and removals of an incremental request."""
        before = len(session.watched)
        for key, want in wants:
            session.ask(key, want)
        for key in forgotten:
            session.forget(key)
        self.partitions += len(session.watched) - before

    def remove(self, session_id: int) -> None:
        """End a session."""
        session = self._sessions.pop(session_id, None)
        if session is not None:
            self.partitions -= len(session.watched)
            session.close()

    def _evict(self, size: int, now_ms: int) -> bool:
        oldest = next(iter(self._sessions.values()))
        if now_ms - oldest.used_ms > EVICTION_MS:
            self.remove(oldest.id)
            return True
        evictable = [session for session in self._sessions.values() if now_ms - session.created_ms > EVICTION_MS]
        least = min(evictable, key=lambda one: (len(one.watched), one.id), default=None)
        if least is None or size < len(least.watched):
            return False
        self.remove(least.id)
        return True


def _stop_listening(watched: Watched) -> None:
    if watched.partition is not None and watched.waiter is not None:
        watched.partition.waiters.discard(watched.waiter)
    watched.partition = watched.waiter = None
