"""What every journal and every snapshot store must do: the cases of Pekko's public TCK, on any store.

A test module makes a class of `JournalTck` or `SnapshotTck` and a fixture `stores`.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from smackbox.akka.persistence.breaker import CircuitBreaker
from smackbox.akka.persistence.errors import EventRejectedError, StaleRevisionError
from smackbox.akka.persistence.event_log import EventLog
from smackbox.akka.persistence.journal import LAST, REPLAY_BATCH, Journal, StoredEvent
from smackbox.akka.persistence.offset import NO_OFFSET
from smackbox.akka.persistence.serialization import EventSerialization
from smackbox.akka.persistence.snapshot_store import Criteria, SnapshotMetadata, SnapshotStore, StoredSnapshot
from smackbox.akka.persistence.state_store import StateStore, StoredState

LIMIT_S = 60.0


class Stores:
    """`open` gives the stores of one process' life; what was stored is there in the next."""

    def __init__(self, open_: Callable[[], contextlib.AbstractAsyncContextManager[Any]]) -> None:
        self._open = open_

    def run(self, work: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        async def main() -> Any:
            async with asyncio.timeout(LIMIT_S), self._open() as opened:
                return await work(opened)

        return asyncio.run(main())


class Opened:
    """What `Stores.run` gives to its work."""

    def __init__(self, journal: Journal, snapshots: SnapshotStore, states: StateStore | None = None) -> None:
        self.journal = journal
        self.snapshots = snapshots
        self.states = states
        serialization = EventSerialization(_no_ref, str)
        self.log = EventLog(journal, serialization, CircuitBreaker(), asyncio.get_running_loop().time)

    async def found(self, id_: str, *window: int) -> list[Any]:
        events: list[StoredEvent] = []
        async for batch in self.journal.replay(id_, *window):
            events += batch
        assert all(event.persistence_id == id_ for event in events)
        assert [self.log.decode(event) for event in events] == [f"a-{event.sequence_nr}" for event in events]
        return [event.sequence_nr for event in events]


def _no_ref(path: str) -> Any:
    raise AssertionError(f"no event here holds {path}")


def unique(name: str) -> str:
    return f"{name}|{uuid.uuid4()}"


async def _five(opened: Opened) -> str:
    id_ = unique("tck")
    for number in range(1, 6):
        await opened.log.persist(id_, number, [f"a-{number}"])
    return id_


WINDOWS: dict[tuple[int, int, int], list[int]] = {
    (1, LAST, LAST): [1, 2, 3, 4, 5],
    (0, LAST, LAST): [1, 2, 3, 4, 5],
    (3, LAST, LAST): [3, 4, 5],
    (1, 3, LAST): [1, 2, 3],
    (1, LAST, 3): [1, 2, 3],
    (2, 3, LAST): [2, 3],
    (2, 5, 2): [2, 3],
    (2, 2, LAST): [2],
    (2, 4, 1): [2],
    (2, 4, 0): [],
    (3, 2, LAST): [],
    (6, LAST, LAST): [],
}
"""From, to, at most; and which of five events that is."""


class JournalTck:
    def test_windows(self, stores: Stores) -> None:
        async def work(opened: Opened) -> Any:
            id_ = await _five(opened)
            return {window: await opened.found(id_, *window) for window in WINDOWS}

        assert stores.run(work) == WINDOWS

    def test_an_unknown_id_has_no_events_and_highest_0(self, stores: Stores) -> None:
        async def work(opened: Opened) -> Any:
            return await opened.found("nobody"), await opened.journal.highest_sequence_nr("nobody")

        assert stores.run(work) == ([], 0)

    def test_the_highest_number_is_that_of_the_last_event(self, stores: Stores) -> None:
        async def work(opened: Opened) -> Any:
            id_ = await _five(opened)
            return [await opened.journal.highest_sequence_nr(id_, from_nr) for from_nr in (0, 3, 5)]

        assert stores.run(work) == [5, 5, 5]

    def test_deleting_a_prefix(self, stores: Stores) -> None:
        async def work(opened: Opened) -> Any:
            id_ = await _five(opened)
            await opened.journal.delete_to(id_, 3)
            await opened.journal.delete_to(id_, 2)
            windows = [(1, LAST, LAST), (1, 4, LAST), (2, LAST, 1), (5, 5, LAST), (1, 3, LAST)]
            found = [await opened.found(id_, *window) for window in windows]
            return found, await opened.journal.highest_sequence_nr(id_)

        assert stores.run(work) == ([[4, 5], [4], [4], [5], []], 5)

    def test_deleting_all_keeps_the_highest_number(self, stores: Stores) -> None:
        async def work(opened: Opened) -> Any:
            id_ = await _five(opened)
            await opened.journal.delete_to(id_, LAST)
            return id_, await opened.found(id_), await opened.journal.highest_sequence_nr(id_)

        id_, found, highest = stores.run(work)
        assert (found, highest) == ([], 5)

        async def later(opened: Opened) -> Any:
            highest = await opened.journal.highest_sequence_nr(id_)
            await opened.log.persist(id_, 6, ["a-6"])
            return highest, await opened.found(id_), await opened.journal.highest_sequence_nr(id_)

        assert stores.run(later) == (5, [6], 6)

    def test_of_three_only_the_one_without_a_serializer_is_refused(self, stores: Stores) -> None:
        async def work(opened: Opened) -> Any:
            id_ = await _five(opened)
            await opened.log.persist(id_, 6, ["a-6"])
            with pytest.raises(EventRejectedError, match="event 7"):
                await opened.log.persist(id_, 7, [object()])
            await opened.log.persist(id_, 8, ["a-8"])
            return await opened.found(id_, 6)

        assert stores.run(work) == [6, 8]

    def test_several_events_are_all_or_none(self, stores: Stores) -> None:
        async def work(opened: Opened) -> Any:
            id_ = unique("tck")
            with pytest.raises(EventRejectedError, match="event 2"):
                await opened.log.persist(id_, 1, ["a-1", object(), "a-3"])
            before = await opened.found(id_)
            await opened.log.persist(id_, 1, ["a-1", "a-2", "a-3"])
            return before, await opened.found(id_)

        assert stores.run(work) == ([], [1, 2, 3])

    def test_ids_that_begin_alike_are_apart(self, stores: Stores) -> None:
        async def work(opened: Opened) -> Any:
            base = unique("tck")
            for id_, count in ((base, 2), (base + "0", 1), (base + "\x00", 3)):
                await opened.log.persist(id_, 1, [f"a-{number}" for number in range(1, count + 1)])
            await opened.journal.delete_to(base, 1)
            return [await opened.found(base + more) for more in ("", "0", "\x00")]

        assert stores.run(work) == [[2], [1], [1, 2, 3]]

    def test_what_is_stored_comes_back_as_it_was(self, stores: Stores) -> None:
        event = StoredEvent(unique("tck"), 1, 20, "", b"a-1", "adapted", "writer", 1_700_000_000_000, ("red", "blue"))

        async def write(opened: Opened) -> None:
            done = asyncio.get_running_loop().create_future()
            opened.journal.write([event], done.set_result)
            assert await done is None

        async def read(opened: Opened) -> Any:
            return [found async for batch in opened.journal.replay(event.persistence_id) for found in batch]

        stores.run(write)
        (found,) = stores.run(read)
        assert set(found.tags) == {"red", "blue"}
        assert (found.event_manifest, found.writer_uuid, found.serializer) == ("adapted", "writer", 20)
        assert found.timestamp_ms > 0

    def test_many_events_come_in_batches(self, stores: Stores) -> None:
        async def work(opened: Opened) -> Any:
            id_ = unique("tck")
            total = REPLAY_BATCH + 250
            for start in range(1, total + 1, 50):
                await opened.log.persist(id_, start, [f"a-{number}" for number in range(start, start + 50)])
            sizes = [len(batch) async for batch in opened.journal.replay(id_)]
            assert max(sizes) <= REPLAY_BATCH
            return await opened.found(id_) == list(range(1, total + 1))

        assert stores.run(work)

    def test_persistence_ids(self, stores: Stores) -> None:
        async def work(opened: Opened) -> Any:
            one, other = await _five(opened), unique("tck")
            before = set(await opened.journal.persistence_ids())
            await opened.log.persist(other, 1, ["a-1"])
            after = set(await opened.journal.persistence_ids())
            return one in before, other in before, other in after

        assert stores.run(work) == (True, False, True)

    def test_tagged_events_come_in_order_and_go_on_after_an_offset(self, stores: Stores) -> None:
        tag = unique("tag")
        one, other = unique("tck"), unique("tck")

        async def write(opened: Opened) -> None:
            for id_ in (one, other):
                await opened.journal.highest_sequence_nr(id_)
                assert [batch async for batch in opened.journal.recover(id_, 1, 0)] == []
            await opened.log.persist(one, 1, ["a-1", "a-2"], (tag, "other"))
            await opened.log.persist(other, 1, ["a-1"], (tag,))
            await opened.log.persist(one, 3, ["a-3"])
            await opened.log.persist(one, 4, ["a-4"], (tag,))

        async def read(opened: Opened) -> Any:
            found = await all_of(opened.journal.tag_reader(tag, NO_OFFSET))
            rest = await all_of(opened.journal.tag_reader(tag, found[1].offset))
            assert [tagged.offset for tagged in rest] == [tagged.offset for tagged in found[2:]]
            return [(tagged.event.persistence_id, tagged.event.sequence_nr) for tagged in found]

        stores.run(write)
        assert stores.run(read) == [(one, 1), (one, 2), (other, 1), (one, 4)]


async def all_of(reader: Any) -> list[Any]:
    found = []
    while batch := await reader.read():
        found += batch
    return found


def _snapshot(id_: str, number: int, stamp: int, data: bytes = b"") -> StoredSnapshot:
    return StoredSnapshot(SnapshotMetadata(id_, number, stamp), 20, "", data or f"s-{number}".encode())


async def _snapshots(opened: Opened) -> str:
    """Sequence numbers 11 to 15, taken at 1,011 to 1,015."""
    id_ = unique("tck")
    for number in range(11, 16):
        await opened.snapshots.save(_snapshot(id_, number, 1_000 + number))
    return id_


SELECTIONS: dict[Criteria, int | None] = {
    Criteria(): 15,
    Criteria(max_sequence_nr=10): None,
    Criteria(max_timestamp_ms=1_010): None,
    Criteria(max_sequence_nr=13): 13,
    Criteria(max_sequence_nr=13, max_timestamp_ms=1_013): 13,
    Criteria(max_timestamp_ms=1_013): 13,
    Criteria(min_sequence_nr=16): None,
    Criteria(max_sequence_nr=0, max_timestamp_ms=0): None,
}


class SnapshotTck:
    def test_selection(self, stores: Stores) -> None:
        async def work(opened: Opened) -> Any:
            id_ = await _snapshots(opened)
            found = {criteria: await latest(opened, id_, criteria) for criteria in SELECTIONS}
            return found, [await latest(opened, unique("wrong"), criteria) for criteria in SELECTIONS]

        assert stores.run(work) == (SELECTIONS, [None] * len(SELECTIONS))

    def test_deleting_one_leaves_the_one_before(self, stores: Stores) -> None:
        async def work(opened: Opened) -> Any:
            id_ = await _snapshots(opened)
            await opened.snapshots.delete_one(SnapshotMetadata(id_, 15))
            return await latest(opened, id_), await latest(opened, id_, Criteria(min_sequence_nr=15))

        assert stores.run(work) == (14, None)

    def test_deleting_one_by_another_timestamp_deletes_nothing(self, stores: Stores) -> None:
        async def work(opened: Opened) -> Any:
            id_ = await _snapshots(opened)
            await opened.snapshots.delete_one(SnapshotMetadata(id_, 15, 9))
            return await latest(opened, id_)

        assert stores.run(work) == 15

    def test_deleting_a_range(self, stores: Stores) -> None:
        async def work(opened: Opened) -> Any:
            id_ = await _snapshots(opened)
            await opened.snapshots.delete(id_, Criteria(max_sequence_nr=13, max_timestamp_ms=1_013))
            below = await latest(opened, id_, Criteria(max_sequence_nr=13))
            await opened.snapshots.delete(id_, Criteria(min_sequence_nr=15))
            return below, await latest(opened, id_)

        assert stores.run(work) == (None, 14)

    def test_nothing_is_deleted_that_does_not_match(self, stores: Stores) -> None:
        async def work(opened: Opened) -> Any:
            id_ = await _snapshots(opened)
            await opened.snapshots.delete(id_, Criteria(max_sequence_nr=10))
            await opened.snapshots.delete(id_, Criteria(min_sequence_nr=16))
            await opened.snapshots.delete(unique("wrong"), Criteria())
            return [await latest(opened, id_, Criteria(max_sequence_nr=number)) for number in range(11, 16)]

        assert stores.run(work) == [11, 12, 13, 14, 15]

    def test_the_same_number_is_overwritten(self, stores: Stores) -> None:
        async def work(opened: Opened) -> Any:
            id_ = await _snapshots(opened)
            await opened.snapshots.save(_snapshot(id_, 15, 2_000, b"changed"))
            (first, *_) = await opened.snapshots.load(id_, Criteria())
            return first.data, first.metadata.timestamp_ms

        assert stores.run(work) == (b"changed", 2_000)

    def test_a_large_one_comes_back_in_another_life(self, stores: Stores) -> None:
        data = bytes(range(250)) * 40
        id_ = unique("tck")

        async def write(opened: Opened) -> None:
            await opened.snapshots.save(_snapshot(id_, 1, 5, data))

        async def read(opened: Opened) -> Any:
            return await opened.snapshots.load(id_, Criteria())

        assert len(data) == 10_000
        stores.run(write)
        assert stores.run(read) == [_snapshot(id_, 1, 5, data)]

    def test_older_ones_follow_for_another_attempt(self, stores: Stores) -> None:
        async def work(opened: Opened) -> Any:
            found = await opened.snapshots.load(await _snapshots(opened), Criteria())
            return [snapshot.metadata.sequence_nr for snapshot in found]

        assert stores.run(work) == [15, 14, 13]


async def latest(opened: Opened, id_: str, criteria: Criteria | None = None) -> int | None:
    found = await opened.snapshots.load(id_, criteria or Criteria())
    if not found:
        return None
    number = found[0].metadata.sequence_nr
    assert found[0] == _snapshot(id_, number, 1_000 + number)
    return number


class StateTck:
    def test_the_latest_state_and_its_revision(self, stores: Stores) -> None:
        id_ = unique("tck")

        async def write(opened: Opened) -> None:
            assert await opened.states.get(id_) == (None, 0)
            await opened.states.put(StoredState(id_, 1, 20, "", b"one"))
            await opened.states.put(StoredState(id_, 2, 20, "m", b"two", "tag"))

        async def read(opened: Opened) -> Any:
            return await opened.states.get(id_)

        stores.run(write)
        assert stores.run(read) == (StoredState(id_, 2, 20, "m", b"two", "tag"), 2)

    def test_a_stale_revision_is_refused(self, stores: Stores) -> None:
        async def work(opened: Opened) -> Any:
            id_ = unique("tck")
            await opened.states.put(StoredState(id_, 1, 20, "", b"one"))
            await opened.states.put(StoredState(id_, 2, 20, "", b"two"))
            for revision in (0, 1, 2, 4):
                with pytest.raises(StaleRevisionError, match="revision 2"):
                    await opened.states.put(StoredState(id_, revision, 20, "", b"stale"))
                with pytest.raises(StaleRevisionError):
                    await opened.states.delete(id_, revision)
            state, number = await opened.states.get(id_)
            return state.data, number

        assert stores.run(work) == (b"two", 2)

    def test_a_deleted_state_keeps_its_revision(self, stores: Stores) -> None:
        async def work(opened: Opened) -> Any:
            id_ = unique("tck")
            await opened.states.put(StoredState(id_, 1, 20, "", b"one"))
            await opened.states.delete(id_, 2)
            gone = await opened.states.get(id_)
            await opened.states.put(StoredState(id_, 3, 20, "", b"three"))
            return gone, (await opened.states.get(id_))[1]

        assert stores.run(work) == ((None, 2), 3)
