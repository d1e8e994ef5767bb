"""The plain parts: replay filter, circuit breaker, time UUIDs, offsets."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.akka.persistence.breaker import CircuitBreaker
from smackbox.akka.persistence.errors import CircuitOpenError, ReplayError
from smackbox.akka.persistence.journal import StoredEvent
from smackbox.akka.persistence.offset import NO_OFFSET, Sequence, TimeBasedUuid, after
from smackbox.akka.persistence.replay_filter import ReplayFilter, ReplayFilterMode
from smackbox.akka.persistence.retention import Retention
from smackbox.akka.persistence.time_uuid import TimeUuids, end_of, start_of, unix_ms


def replayed(mode: ReplayFilterMode, events: str, window: int = 100, old_writers: int = 10) -> str:
    """Events as `1a 2a 2b`: number and writer."""
    checked = ReplayFilter(mode, window, old_writers)
    found = []
    for text in events.split():
        found += checked.push(StoredEvent("id", int(text[:-1]), 20, "", b"", writer_uuid=text[-1]))
    return " ".join(f"{event.sequence_nr}{event.writer_uuid}" for event in (*found, *checked.flush()))


@pytest.mark.parametrize(
    ("events", "repaired"),
    [
        ("1a 2a 3a", "1a 2a 3a"),
        ("1a 2a 3b 4b", "1a 2a 3b 4b"),
        ("1a 2a 3a 2b 3b", "1a 2b 3b"),
        ("1a 2a 3a 3b 4a 4b", "1a 2a 3b 4b"),
        ("1a 2b 3a 3b", "1a 2b 3b"),
        ("1a 2a 1a 3a", "1a 2a 3a"),
        ("1a 1a 2a", "1a 1a 2a"),
    ],
)
def test_the_filter_keeps_the_newer_writers_events(events: str, repaired: str) -> None:
    assert replayed(ReplayFilterMode.REPAIR, events) == repaired
    assert replayed(ReplayFilterMode.WARN, events) == events
    assert replayed(ReplayFilterMode.OFF, events) == events
    if repaired == events:
        assert replayed(ReplayFilterMode.FAIL, events) == events
    else:
        with pytest.raises(ReplayError, match="two actors"):
            replayed(ReplayFilterMode.FAIL, events)


def test_the_filter_looks_back_one_window_and_remembers_so_many_writers() -> None:
    assert replayed(ReplayFilterMode.REPAIR, "1a 2a 3a 4a 2b", window=2) == "1a 2a 3a 2b"
    assert replayed(ReplayFilterMode.REPAIR, "1a 2b 3c 4a", old_writers=1) == "1a 2b 3c 4a"
    assert replayed(ReplayFilterMode.REPAIR, "1a 2b 3c 4a", old_writers=2) == "1a 2b 3c"


def test_the_breaker_lets_one_call_try() -> None:
    breaker = CircuitBreaker(2, 10.0, 30.0)
    breaker.failed(0.0)
    breaker.succeeded()
    breaker.failed(1.0)
    breaker.enter(1.0)
    breaker.failed(1.0)
    with pytest.raises(CircuitOpenError, match=r"2 times in a row, and is tried again in 29\.0 s"):
        breaker.enter(2.0)
    breaker.enter(31.0)
    with pytest.raises(CircuitOpenError):
        breaker.enter(31.0)
    breaker.failed(32.0)
    with pytest.raises(CircuitOpenError):
        breaker.enter(61.9)
    breaker.enter(62.0)
    breaker.succeeded()
    breaker.enter(62.0)
    assert not breaker.is_open


def test_the_breakers_defaults_are_pekkos() -> None:
    breaker = CircuitBreaker()
    assert (breaker.max_failures, breaker.call_timeout_s, breaker.reset_s) == (10, 10.0, 30.0)
    for wrong in ((0, 1.0, 1.0), (1, 0.0, 1.0), (1, 1.0, 0.0)):
        with pytest.raises(ValueError):
            CircuitBreaker(*wrong)


@given(st.lists(st.integers(0, 4_000_000_000_000_000), min_size=1, max_size=50), st.integers(0, 2**62 - 1))
def test_time_uuids_never_go_back(clock_us: list[int], node: int) -> None:
    times = iter(clock_us)
    uuids = TimeUuids(lambda: next(times), node)
    made = [uuids.next() for _ in clock_us]
    assert [one.time for one in made] == sorted({one.time for one in made})
    assert all(one.version == 1 and one.variant == uuid.RFC_4122 for one in made)
    assert unix_ms(made[0]) == clock_us[0] // 1_000


def test_the_bounds_of_a_millisecond() -> None:
    first, last = start_of(1_700_000_000_000), end_of(1_700_000_000_000)
    assert (unix_ms(first), unix_ms(last)) == (1_700_000_000_000, 1_700_000_000_000)
    assert start_of(1_700_000_000_001).time == last.time + 1
    assert first.version == 1


def test_offsets_are_ordered_within_a_journal() -> None:
    assert after(Sequence(2), Sequence(1)) and not after(Sequence(1), Sequence(1))
    assert after(Sequence(1), NO_OFFSET) and not after(NO_OFFSET, Sequence(1)) and not after(NO_OFFSET, NO_OFFSET)
    assert after(TimeBasedUuid(start_of(2)), TimeBasedUuid(start_of(1)))
    with pytest.raises(ValueError, match="different journals"):
        after(Sequence(1), TimeBasedUuid(start_of(1)))


def test_retention_is_pekkos() -> None:
    retention = Retention(10, 2)
    assert [number for number in range(1, 41) if retention.is_due(number)] == [10, 20, 30, 40]
    assert [retention.delete_upper(number) for number in (10, 20, 30, 40)] == [0, 0, 10, 20]
    assert [retention.delete_lower(upper) for upper in (10, 20, 50)] == [0, 0, 30]
