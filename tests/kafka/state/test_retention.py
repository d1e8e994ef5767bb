"""Which segments go, by age and by size (`UnifiedLog.deleteOldSegments`), at every boundary."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.kafka.state.test_partition import ABORT, partition_on, produce

from smackbox.kafka.state.partition import Partition
from smackbox.kafka.state.retention import enforce
from smackbox.kafka.wire.record_batch import Record, build

T0 = 1_700_000_000_000
SIZE = 69  # of a segment here


def write(partition: Partition, timestamp: int, *, roll: bool = True) -> None:
    """One record; in a segment of its own with `roll`."""
    partition.produce(memoryview(build([Record(0, timestamp, None, b"v")])), T0)
    if roll:
        partition.log.roll(T0)


def filled(path: Path, *timestamps: int, **configs: str) -> Partition:
    """A segment for each timestamp, and an empty one that is written to."""
    made = partition_on(path, **{"message_timestamp_before_max_ms": str(2**62)} | configs)
    made.create(T0)
    for timestamp in timestamps:
        write(made, timestamp)
    return made


@pytest.mark.parametrize(
    ("retention", "now", "gone"),
    [(10, T0 + 10, 0), (10, T0 + 11, 1), (10, T0 + 15, 1), (10, T0 + 16, 2), (10, T0 + 99, 3), (0, T0, 0),
     (0, T0 + 1, 1), (-1, T0 + 10**12, 0)],
)  # fmt: skip
def test_a_segment_goes_when_its_youngest_record_is_older(tmp_path: Path, retention: int, now: int, gone: int) -> None:
    partition = filled(tmp_path, T0, T0 + 5, T0 + 20, retention_ms=str(retention))
    assert enforce(partition, now) == gone
    assert partition.log_start_offset == gone
    assert enforce(partition, now) == 0


def test_an_old_segment_behind_a_young_one_stays(tmp_path: Path) -> None:
    partition = filled(tmp_path, T0 + 50, T0, retention_ms="10")
    assert enforce(partition, T0 + 20) == 0


def test_the_segment_that_is_written_to_goes_by_its_age_and_another_begins(tmp_path: Path) -> None:
    partition = filled(tmp_path, T0, retention_ms="10", retention_bytes="0")
    write(partition, T0, roll=False)
    assert enforce(partition, T0 + 11) == 2
    assert (partition.log_start_offset, partition.log.size, len(partition.log.segments)) == (2, 0, 1)
    assert enforce(partition, T0 + 11) == 0, "an empty one has no age"


def test_a_log_of_one_segment_begins_another(tmp_path: Path) -> None:
    partition = filled(tmp_path, retention_ms="10")
    write(partition, T0, roll=False)
    assert enforce(partition, T0 + 11) == 1
    assert (partition.log_start_offset, partition.log_end_offset, partition.log.size) == (1, 1, 0)


def test_the_segment_that_is_written_to_goes_on_where_it_is_young(tmp_path: Path) -> None:
    partition = filled(tmp_path, T0, retention_ms="10")
    write(partition, T0 + 20, roll=False)
    assert enforce(partition, T0 + 11) == 1
    assert [segment.size for segment in partition.log.segments] == [SIZE]


@pytest.mark.parametrize(
    ("limit", "gone"), [(-1, 0), (0, 3), (1, 2), (SIZE, 2), (SIZE + 1, 1), (2 * SIZE, 1), (2 * SIZE + 1, 0)]
)
def test_the_oldest_go_while_what_is_left_is_as_large_as_it_may_be(tmp_path: Path, limit: int, gone: int) -> None:
    partition = filled(tmp_path, T0, T0, T0, retention_bytes=str(limit), retention_ms="-1")
    assert partition.log.size == 3 * SIZE
    assert enforce(partition, T0) == gone
    assert partition.log_start_offset == gone


def test_the_segment_that_is_written_to_stays_whatever_its_size(tmp_path: Path) -> None:
    partition = filled(tmp_path, T0, retention_bytes="0", retention_ms="-1")
    write(partition, T0, roll=False)
    assert enforce(partition, T0) == 1
    assert partition.log_start_offset == 1


def test_age_and_size_are_counted_together(tmp_path: Path) -> None:
    partition = filled(tmp_path, T0, T0 + 90, T0 + 91, retention_ms="50", retention_bytes="0")
    assert enforce(partition, T0 + 100) == 3


def test_nothing_goes_that_is_not_durable(tmp_path: Path) -> None:
    partition = filled(tmp_path, retention_ms="10")
    partition.synced = False
    write(partition, T0)
    write(partition, T0)
    partition.advance_high_watermark(1)
    assert enforce(partition, T0 + 11) == 1


def test_a_topic_that_is_compacted_alone_loses_nothing(tmp_path: Path) -> None:
    for policy, gone in (("compact", 0), ("compact,delete", 1)):
        partition = partition_on(tmp_path, retention_ms="10", cleanup_policy=policy)
        partition.create(T0)
        produce(partition)
        partition.log.roll(T0)
        assert enforce(partition, T0 + 1_000) == gone


def test_records_without_a_time_have_that_of_their_file(tmp_path: Path) -> None:
    partition = filled(tmp_path, -1, -1, retention_ms="10")
    path = partition.log.segments[0].path("log")
    os.utime(path, ns=(T0 * 1_000_000, T0 * 1_000_000))
    assert enforce(partition, T0 + 10) == 0
    assert enforce(partition, T0 + 11) == 1, "the second file is of this day"


def test_a_time_of_0_is_a_time(tmp_path: Path) -> None:
    partition = filled(tmp_path, 0, retention_ms="10")
    assert enforce(partition, 11) == 1


def test_times_are_known_after_a_start(tmp_path: Path) -> None:
    filled(tmp_path, T0, T0 + 90, retention_ms="50").close()
    again = partition_on(tmp_path, retention_ms="50")
    again.open(0, clean=True, now_ms=T0)
    assert enforce(again, T0 + 60) == 1


def test_aborted_transactions_go_with_their_segments(tmp_path: Path) -> None:
    partition = filled(tmp_path, retention_ms="10")
    produce(partition, 7, 0, open_=True)
    partition.write_marker(7, 0, ABORT, T0)
    partition.log.roll(T0)
    assert enforce(partition, T0 + 10) == 0
    assert partition.aborted
    assert enforce(partition, T0 + 11) == 1
    assert not partition.aborted
