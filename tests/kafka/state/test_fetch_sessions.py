"""The limits of fetch sessions: who is evicted for whom, and that nothing is left behind."""

from __future__ import annotations

from itertools import count

import pytest

from smackbox.kafka.state import fetch_sessions
from smackbox.kafka.state.fetch_sessions import EVICTION_MS, FetchSession, FetchSessions
from smackbox.kafka.wire.fetch import FetchPartition


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> FetchSessions:
    monkeypatch.setattr(fetch_sessions, "SLOTS", 2)
    monkeypatch.setattr(fetch_sessions, "PARTITIONS_LIMIT", 100)
    numbers = count(1)
    return FetchSessions(lambda: next(numbers))


def create(sessions: FetchSessions, partitions: int, now_ms: int) -> FetchSession | None:
    wants = [((b"t", index), FetchPartition(index, -1, 0, 1)) for index in range(partitions)]
    return sessions.create(wants, now_ms, by_topic_id=False)


def test_there_is_room_for_so_many(sessions: FetchSessions) -> None:
    assert create(sessions, 1, 0)
    assert create(sessions, 1, 0)
    assert create(sessions, 50, 1) is None


def test_one_that_is_not_used_makes_room(sessions: FetchSessions) -> None:
    first, second = create(sessions, 9, 0), create(sessions, 9, 0)
    assert first
    assert second
    sessions.use(first, 1)
    assert create(sessions, 1, EVICTION_MS + 1)
    assert sessions.get(second.id) is None
    assert sessions.get(first.id) is first


def test_a_small_one_that_is_old_makes_room_for_a_larger_one(sessions: FetchSessions) -> None:
    small, large = create(sessions, 3, 0), create(sessions, 9, 0)
    assert small
    assert large
    now_ms = EVICTION_MS + 1
    for session in (small, large):
        sessions.use(session, now_ms)
    assert create(sessions, 2, now_ms) is None
    assert create(sessions, 3, now_ms)
    assert sessions.get(small.id) is None


def test_the_partitions_of_all_are_bounded(sessions: FetchSessions) -> None:
    first = create(sessions, 60, 0)
    assert first
    assert create(sessions, 60, 0) is None
    sessions.update(first, [], [(b"t", index) for index in range(30)])
    assert create(sessions, 60, 0)
    assert sessions.partitions == 90
    sessions.remove(first.id)
    assert (sessions.partitions, len(sessions)) == (60, 1)


def test_the_epoch_wraps_to_one(sessions: FetchSessions) -> None:
    session = create(sessions, 1, 0)
    assert session
    session.epoch = fetch_sessions.LAST_EPOCH
    sessions.use(session, 0)
    assert session.epoch == 1
