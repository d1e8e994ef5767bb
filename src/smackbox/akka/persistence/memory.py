"""Journal, snapshots and states in memory, for tests. `faults` makes what comes next fail, as a broken disk would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from smackbox.akka.persistence.errors import StaleRevisionError
from smackbox.akka.persistence.journal import LAST, REPLAY_BATCH, Done, Journal, StoredEvent, TaggedEvent, TagReader
from smackbox.akka.persistence.offset import NoOffset, Offset
from smackbox.akka.persistence.offset import Sequence as SequenceOffset
from smackbox.akka.persistence.snapshot_store import LOAD_ATTEMPTS, Criteria, SnapshotStore, StoredSnapshot
from smackbox.akka.persistence.state_store import StateStore, StoredState
from smackbox.akka.persistence.wake import Wake
from smackbox.base.errors import StorageError


class Faults:
    """How many of the next writes, and of the next reads, fail."""

    def __init__(self) -> None:
        self.writes = 0
        self.reads = 0

    def write(self) -> StorageError | None:
        """The error of this write, or None."""
        if self.writes:
            self.writes -= 1
            return StorageError("told to fail")
        return None

    def read(self) -> None:
        """Raises the error of this read."""
        if self.reads:
            self.reads -= 1
            raise StorageError("told to fail")


class MemoryJournal(Journal):
    """After `hold` writes wait, until `resume`."""

    def __init__(self) -> None:
        self.faults = Faults()
        self._events: dict[str, dict[int, StoredEvent]] = {}
        self._highest: dict[str, int] = {}
        self._tagged: dict[str, list[TaggedEvent]] = {}
        self._count = 0
        self._wake = Wake()
        self._held: list[Callable[[], None]] | None = None

    def hold(self) -> None:
        """Let writes wait."""
        self._held = []

    def resume(self) -> None:
        """Do the writes that wait."""
        held, self._held = self._held or [], None
        for write in held:
            write()

    def write(self, events: Sequence[StoredEvent], done: Done) -> None:
        loop = asyncio.get_running_loop()
        if self._held is not None:
            self._held.append(lambda: self._write(events, done, loop))
        else:
            self._write(events, done, loop)

    def _write(self, events: Sequence[StoredEvent], done: Done, loop: asyncio.AbstractEventLoop) -> None:
        error = self.faults.write()
        if error is None:
            for event in events:
                self._add(event)
            self._wake.set()
        loop.call_soon(done, error)

    def _add(self, event: StoredEvent) -> None:
        id_ = event.persistence_id
        self._events.setdefault(id_, {})[event.sequence_nr] = event
        self._highest[id_] = max(self._highest.get(id_, 0), event.sequence_nr)
        for tag in event.tags:
            self._count += 1
            self._tagged.setdefault(tag, []).append(TaggedEvent(SequenceOffset(self._count), event))

    async def highest_sequence_nr(self, persistence_id: str, from_sequence_nr: int = 0) -> int:
        self.faults.read()
        return self._highest.get(persistence_id, 0)

    async def replay(
        self, persistence_id: str, from_sequence_nr: int = 1, to_sequence_nr: int = LAST, limit: int = LAST
    ) -> AsyncGenerator[list[StoredEvent], None]:
        self.faults.read()
        events = sorted(self._events.get(persistence_id, {}).items())
        found = [event for number, event in events if from_sequence_nr <= number <= to_sequence_nr]
        found = found[: min(limit, len(found))]
        for start in range(0, len(found), REPLAY_BATCH):
            yield found[start : start + REPLAY_BATCH]

    async def delete_to(self, persistence_id: str, to_sequence_nr: int) -> None:
        error = self.faults.write()
        if error is not None:
            raise error
        kept = self._events.get(persistence_id, {})
        self._events[persistence_id] = {n: event for n, event in kept.items() if n > to_sequence_nr}

    def tag_reader(self, tag: str, offset: Offset) -> TagReader:
        return _MemoryTagReader(self, tag, sequence_of(offset))

    async def persistence_ids(self) -> list[str]:
        return list(self._highest)

    @property
    def version(self) -> int:
        return self._wake.version

    async def changed(self, seen: int, limit_s: float) -> None:
        await self._wake.wait(seen, limit_s)


class _MemoryTagReader(TagReader):
    def __init__(self, journal: MemoryJournal, tag: str, after: int) -> None:
        self._journal = journal
        self._tag = tag
        self._after = after

    async def read(self) -> list[TaggedEvent]:
        self._journal.faults.read()
        found: list[TaggedEvent] = []
        for tagged in self._journal._tagged.get(self._tag, []):
            number = sequence_of(tagged.offset)
            if number > self._after and len(found) < REPLAY_BATCH:
                found.append(tagged)
        if found:
            self._after = sequence_of(found[-1].offset)
        return found


def sequence_of(offset: Offset) -> int:
    """Raises `ValueError` for an offset of a journal that does not count."""
    if isinstance(offset, NoOffset):
        return 0
    if isinstance(offset, SequenceOffset):
        return offset.value
    raise ValueError(f"this journal counts its tagged events: {offset} is an offset of another one")


class MemorySnapshots(SnapshotStore):
    """`faults` makes what comes next fail."""

    def __init__(self) -> None:
        self.faults = Faults()
        self._kept: dict[str, dict[int, StoredSnapshot]] = {}

    async def load(self, persistence_id: str, criteria: Criteria) -> list[StoredSnapshot]:
        self.faults.read()
        kept = sorted(self._kept.get(persistence_id, {}).items(), reverse=True)
        return [snapshot for _, snapshot in kept if criteria.matches(snapshot.metadata)][:LOAD_ATTEMPTS]

    async def save(self, snapshot: StoredSnapshot) -> None:
        error = self.faults.write()
        if error is not None:
            raise error
        self._kept.setdefault(snapshot.metadata.persistence_id, {})[snapshot.metadata.sequence_nr] = snapshot

    async def delete(self, persistence_id: str, criteria: Criteria) -> None:
        error = self.faults.write()
        if error is not None:
            raise error
        kept = self._kept.get(persistence_id, {})
        self._kept[persistence_id] = {n: one for n, one in kept.items() if not criteria.matches(one.metadata)}


class MemoryStates(StateStore):
    """`faults` makes what comes next fail."""

    def __init__(self) -> None:
        self.faults = Faults()
        self._kept: dict[str, StoredState] = {}
        self._revisions: dict[str, int] = {}

    async def get(self, persistence_id: str) -> tuple[StoredState | None, int]:
        self.faults.read()
        return self._kept.get(persistence_id), self._revisions.get(persistence_id, 0)

    async def put(self, state: StoredState) -> None:
        self._check(state.persistence_id, state.revision)
        self._kept[state.persistence_id] = state

    async def delete(self, persistence_id: str, revision: int) -> None:
        self._check(persistence_id, revision)
        self._kept.pop(persistence_id, None)

    def _check(self, persistence_id: str, revision: int) -> None:
        error = self.faults.write()
        if error is not None:
            raise error
        check_revision(persistence_id, self._revisions.get(persistence_id, 0), revision)
        self._revisions[persistence_id] = revision


def check_revision(persistence_id: str, stored: int, revision: int) -> None:
    """Raises `StaleRevisionError` unless `revision` follows the stored one."""
    if revision != stored + 1:
        raise StaleRevisionError(
            f"{persistence_id} has revision {stored}, and {revision} does not follow it: somebody else wrote it"
        )
