"""The parts of streams that need no server: intervals, values of the state, the rate source, checkpoints."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.spark.front.errors import SparkError
from smackbox.spark.structured.checkpoint import KEPT_BATCHES, Checkpoint
from smackbox.spark.structured.durations import microseconds, milliseconds
from smackbox.spark.structured.sources.rate import RateSource
from smackbox.spark.structured.values import moment_us, ordered, pack, unpack


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10 seconds", 10_000_000),
        ("1 minute", 60_000_000),
        ("interval 1 hour 30 minutes", 5_400_000_000),
        ("500 ms", 500_000),
        ("1.5 seconds", 1_500_000),
        ("2 Days", 172_800_000_000),
        ("1 month", 2_678_400_000_000),
        ("5s", 5_000_000),
    ],
)
def test_intervals(text: str, expected: int) -> None:
    assert microseconds(text) == expected
    assert milliseconds(text) == expected // 1000


@pytest.mark.parametrize("text", ["", "foo", "10", "seconds", "10 secs now", "1 lightyear"])
def test_what_is_no_interval(text: str) -> None:
    with pytest.raises(SparkError, match="CANNOT_PARSE_INTERVAL"):
        microseconds(text)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**20), max_value=10**20),
    st.dates(),
    st.datetimes(timezones=st.just(UTC)),
    st.datetimes(),
    st.timedeltas(timedelta(days=-10_000), timedelta(days=10_000)),
    st.times(),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


@given(VALUES)
def test_values_come_back_as_they_were(value: Any) -> None:
    found = unpack(pack([value]))[0]
    assert found == value
    assert type(found) is type(value)


def test_equal_keys_have_equal_bytes() -> None:
    assert pack([-0.0]) == pack([0.0])
    assert pack([math.nan]) == pack([-math.nan])
    assert pack([Decimal("1.10")]) != pack([Decimal("1.2")])
    assert pack([date(2026, 1, 1)]) != pack(["2026-01-01"])


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=2))
def test_times_are_in_order_as_bytes(pair: list[int]) -> None:
    low, high = sorted(pair)
    assert ordered(low) <= ordered(high)


def test_moments_are_microseconds_of_1970() -> None:
    assert moment_us(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC)) == 1_000_005
    assert moment_us(datetime(1970, 1, 1, 0, 0, 1)) == 1_000_000
    assert moment_us(None) is None


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_the_rate_source_spreads_rows_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    checkpoint, clock = Checkpoint(tmp_path), Clock()
    options = {"rowsPerSecond": "4"}
    source = RateSource(options, checkpoint.source_log(0), clock)
    assert source.latest(0, limited=True) == 0
    clock.now += 2.9
    assert source.latest(0, limited=True) == 2
    again = RateSource(options, checkpoint.source_log(0), clock)
    table = again.batch(0, 2).table
    assert table.column("value").to_pylist() == list(range(8))
    assert table.column("timestamp")[1].as_py() == datetime.fromtimestamp(1_000.25, UTC)
    checkpoint.close()


def test_a_rate_that_ramps_up(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)
    source = RateSource({"rowsPerSecond": "10", "rampUpTime": "4s"}, checkpoint.source_log(0), Clock())
    # Spark's `RateStreamProvider.valueAtSecond`
    assert [source._rows_until(second) for second in range(7)] == [0, 2, 6, 12, 20, 30, 40]
    checkpoint.close()


def test_a_batch_is_planned_until_it_is_committed(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)
    query = checkpoint.id
    changes = checkpoint.state()
    changes.put(b"\x00a", b"1")
    checkpoint.plan(0, {"end": [1]})
    checkpoint.close()
    checkpoint = Checkpoint(tmp_path)
    assert (checkpoint.id, checkpoint.committed, checkpoint.planned()) == (query, -1, (0, {"end": [1]}))
    assert checkpoint.state().get(b"\x00a") is None
    checkpoint.commit(0, changes_of(checkpoint, b"\x00a", b"1"), {"totals": [1]})
    checkpoint.close()
    checkpoint = Checkpoint(tmp_path)
    assert (checkpoint.committed, checkpoint.commit_of(0)) == (0, {"totals": [1]})
    assert checkpoint.state().get(b"\x00a") == b"1"
    checkpoint.close()


def changes_of(checkpoint: Checkpoint, key: bytes, value: bytes) -> Any:
    changes = checkpoint.state()
    changes.put(key, value)
    return changes


def test_changes_are_seen_over_what_is_committed(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)
    checkpoint.commit(0, changes_of(checkpoint, b"\x00a", b"1"), {})
    changes = checkpoint.state()
    changes.put(b"\x00b", b"2")
    changes.delete(b"\x00a")
    assert dict(changes.items(b"\x00", b"\x01")) == {b"\x00b": b"2"}
    assert dict(checkpoint.state().items(b"\x00", b"\x01")) == {b"\x00a": b"1"}
    checkpoint.close()


def test_old_plans_and_commits_go(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)
    for number in range(KEPT_BATCHES + 5):
        checkpoint.plan(number, {})
        checkpoint.commit(number, checkpoint.state(), {})
    assert len(list(checkpoint._store.items(family="offsets"))) == KEPT_BATCHES
    assert len(list(checkpoint._store.items(family="commits"))) == KEPT_BATCHES
    assert checkpoint.committed == KEPT_BATCHES + 4
    checkpoint.close()


def test_a_checkpoint_is_used_by_one_query(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)
    with pytest.raises(SparkError, match="CONCURRENT_STREAM_LOG_UPDATE"):
        Checkpoint(tmp_path)
    checkpoint.close()


def test_a_temporary_checkpoint_goes_with_its_query() -> None:
    checkpoint = Checkpoint(None)
    assert checkpoint.path is not None and checkpoint.path.exists()
    checkpoint.close()
    assert not checkpoint.path.exists()
