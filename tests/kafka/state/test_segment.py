"""One segment: the bytes of its index files, and positions found in them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kafka.state.test_log import SIZE, batch

from smackbox.kafka.state.segment import Segment, file_name
from smackbox.kafka.wire.record_batch import assign
from smackbox.store.fs import Disk


def test_the_index_files(tmp_path: Path) -> None:
    """Relative offset and position of the first batch after each interval, and the largest timestamp so far."""
    segment = Segment(Disk(), tmp_path, 10, index_interval_bytes=SIZE)
    for i, timestamp in enumerate((100, 300, 200, 400, 500)):
        segment.append(batch(timestamp=timestamp), 10 + i, 10 + i, timestamp)
    segment.flush_indexes()
    assert (tmp_path / file_name(10, "index")).read_bytes() == struct.pack(">iiii", 2, 2 * SIZE, 4, 4 * SIZE)
    times = struct.pack(">qiqi", 300, 1, 500, 4)
    assert (tmp_path / file_name(10, "timeindex")).read_bytes() == times
    segment.append(batch(timestamp=600), 15, 15, 600)
    segment.flush_indexes(closing=True)
    assert (tmp_path / file_name(10, "timeindex")).read_bytes() == times + struct.pack(">qi", 600, 5)
    assert (tmp_path / file_name(10, "index")).stat().st_size == 16


def test_torn_index_entries_are_replaced(tmp_path: Path) -> None:
    segment = Segment(Disk(), tmp_path, 0, index_interval_bytes=0)
    for i in range(2):
        segment.append(batch(), i, i, 100)
    segment.flush_indexes()
    with (tmp_path / file_name(0, "index")).open("ab") as file:
        file.write(b"torn")
    segment.append(batch(), 2, 2, 100)
    segment.flush_indexes()
    assert (tmp_path / file_name(0, "index")).read_bytes() == struct.pack(">iiii", 1, SIZE, 2, 2 * SIZE)


def test_preallocated_index_files_of_kafka_are_read(tmp_path: Path) -> None:
    """Kafka fills an index with zeros up to `segment.index.bytes`; an entry of zeros ends it."""
    segment = Segment(Disk(), tmp_path, 0, index_interval_bytes=0)
    for i in range(3):
        made = batch(timestamp=100 + i)
        assign(made, 0, i, 0)
        segment.append(made, i, i, 100 + i)
    segment.flush_indexes(closing=True)
    segment.close()
    for suffix in ("index", "timeindex"):
        with (tmp_path / file_name(0, suffix)).open("ab") as file:
            file.write(bytes(48) + b"torn.")
    again = Segment(Disk(), tmp_path, 0, index_interval_bytes=0)
    again.load()
    assert (again.max_timestamp, again.max_timestamp_offset, again.first_timestamp) == (102, 2, 100)
    assert again.last_indexed_position() == 2 * SIZE
    assert [again.position_of(offset) for offset in range(4)] == [0, SIZE, 2 * SIZE, 3 * SIZE]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 1_000)), min_size=1, max_size=12), st.integers(0, 400))
def test_positions_are_those_of_a_scan(tmp_path_factory: pytest.TempPathFactory, rows: object, interval: int) -> None:
    path = tmp_path_factory.mktemp("segment")
    segment = Segment(Disk(), path, 5, index_interval_bytes=interval)
    offset = 5
    for count, timestamp in rows:  # type: ignore[attr-defined]
        made = batch(count, timestamp)
        assign(made, 0, offset, 0)
        segment.append(made, offset, offset + count - 1, timestamp)
        offset += count
    scanned = list(segment.scan(0))
    segment.flush_indexes(closing=True)
    reopened = Segment(Disk(), path, 5, index_interval_bytes=interval)
    for one in (segment, reopened):
        for wanted in range(5, offset):
            expected = next(position for position, header in scanned if header.last_offset >= wanted)
            assert one.position_of(wanted) == expected
        assert one.position_of(offset) == one.size
        for timestamp in {each for _, each in rows}:  # type: ignore[attr-defined]
            first = next(header.base_offset for _, header in scanned if header.max_timestamp >= timestamp)
            assert next(header.base_offset for _, header in one.batches_at(timestamp)) == first
        one.close()
