"""A log of segments: when it rolls, what a read gives, what a start finds. No broker."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.log import Log, LogLimits
from smackbox.kafka.state.segment import file_name
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.record_batch import Record, assign, build, read_header
from smackbox.store.fs import Disk

LIMITS = LogLimits(segment_bytes=400, segment_ms=1_000, index_interval_bytes=0)
SIZE = 70  # of each batch made here


def batch(count: int = 1, timestamp: int = 100) -> bytearray:
    """A batch of `SIZE` bytes where it has one record."""
    made = build([Record(i, timestamp, None, b"v" if count > 1 else b"vv") for i in range(count)])
    assert count > 1 or len(made) == SIZE
    return made


def append(log: Log, count: int = 1, timestamp: int = 100, now_ms: int = 0) -> int:
    """Its size in bytes."""
    made = batch(count, timestamp)
    assign(made, 0, log.end_offset, 0)
    log.append(made, log.end_offset + count - 1, timestamp, now_ms)
    return len(made)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    made = Log(Disk(), tmp_path, LIMITS)
    made.create(0)
    return made


def opened(path: Path, start: int = 0, *, clean: bool = True, limits: LogLimits = LIMITS) -> tuple[Log, list[int]]:
    again = Log(Disk(), path, limits)
    visited: list[int] = []
    again.open(start, clean=clean, now_ms=0, visit=lambda header: visited.append(header.base_offset))
    return again, visited


def bases(log: Log) -> list[int]:
    return [segment.base_offset for segment in log.segments]


def offsets(data: bytes) -> list[int]:
    """The base offsets of the whole batches, and -1 for a cut one."""
    found, position = [], 0
    while position < len(data):
        if len(data) - position < 61 or len(data) - position < read_header(data, position).size:
            return [*found, -1]
        header = read_header(data, position)
        found.append(header.base_offset)
        position += header.size
    return found


# --- rolling (`LogSegment.shouldRoll`)


def test_a_segment_is_rolled_when_the_batch_does_not_fit(log: Log) -> None:
    for _ in range(5):
        append(log)
    assert bases(log) == [0]
    append(log)
    assert bases(log) == [0, 5]
    assert (log.end_offset, log.active.size, log.size) == (6, SIZE, 6 * SIZE)
    assert log.unsynced == [log.segments[0]]


def test_a_segment_that_is_exactly_full_is_not_rolled(log: Log) -> None:
    log.limits = LIMITS._replace(segment_bytes=2 * SIZE)
    append(log)
    append(log)
    assert bases(log) == [0]
    append(log)
    assert bases(log) == [0, 2]


def test_an_empty_segment_takes_a_batch_of_any_size(log: Log) -> None:
    log.limits = LIMITS._replace(segment_bytes=1)
    append(log)
    assert bases(log) == [0]
    log.roll(0)
    log.roll(0)
    assert bases(log) == [0, 1], "an empty segment is not rolled"


def test_the_age_of_a_segment_counts_in_the_time_of_its_records(log: Log) -> None:
    append(log, timestamp=5_000)
    append(log, timestamp=6_000, now_ms=10**9)
    assert bases(log) == [0]
    append(log, timestamp=6_001)
    assert bases(log) == [0, 2]


def test_the_age_of_records_without_a_time_is_that_of_the_file(log: Log) -> None:
    append(log, timestamp=-1, now_ms=500)
    append(log, timestamp=-1, now_ms=1_000)
    assert bases(log) == [0]
    append(log, timestamp=-1, now_ms=1_001)
    assert bases(log) == [0, 2]


def test_before_a_roll_the_end_offset_is_told(log: Log) -> None:
    told: list[int] = []
    log.before_roll = told.append
    append(log, 3)
    log.roll(0)
    assert told == [3]


# --- reading


def test_reads_outside_of_the_log(log: Log) -> None:
    append(log, 3)
    log.advance_start(1)
    for offset in (0, 4):
        with pytest.raises(KafkaError) as raised:
            log.read(offset, 1000, 3, min_one_batch=True)
        assert raised.value.code == errors.OFFSET_OUT_OF_RANGE
    assert log.read(3, 1000, 3, min_one_batch=True) == b"", "the end is in it, and empty"
    assert log.read(1, 1000, 1, min_one_batch=True) == b"", "nothing at or behind the bound"
    assert offsets(log.read(1, 1000, 3, min_one_batch=True)) == [0], "the batch that holds the offset"


@pytest.mark.parametrize("interval", [0, 100, 10_000])
def test_a_read_gives_the_batches_from_the_offset_to_the_bound(tmp_path: Path, interval: int) -> None:
    log = Log(Disk(), tmp_path, LogLimits(10_000, 10**9, interval))
    log.create(0)
    for _ in range(6):
        append(log, 2)
    for offset in range(12):
        for bound in range(offset + 1, 13):
            expected = [base for base in range(0, 12, 2) if base + 2 > offset and base + 1 < bound]
            found = offsets(log.read(offset, 10**6, bound, min_one_batch=True))
            if bound % 2 == 0:
                assert found == expected, (offset, bound)


def test_a_read_stops_at_max_bytes_and_at_the_end_of_a_segment(log: Log) -> None:
    for _ in range(6):
        append(log)
    assert offsets(log.read(0, 10**6, 6, min_one_batch=True)) == [0, 1, 2, 3, 4]
    assert offsets(log.read(5, 10**6, 6, min_one_batch=True)) == [5]
    assert offsets(log.read(1, 2 * SIZE, 6, min_one_batch=True)) == [1, 2]
    assert offsets(log.read(1, 3 * SIZE - 1, 6, min_one_batch=True)) == [1, 2]


def test_the_first_batch_is_given_even_when_it_is_larger(tmp_path: Path) -> None:
    """KIP-74: a consumer makes progress whatever its limits are."""
    log = Log(Disk(), tmp_path, LIMITS._replace(index_interval_bytes=10**6))
    log.create(0)
    append(log)
    append(log)
    assert offsets(log.read(0, 1, 2, min_one_batch=True)) == [0]
    assert log.read(0, 1, 2, min_one_batch=False) == bytes(batch()[:1]), "cut short"
    assert log.read(0, 0, 2, min_one_batch=False) == b""


def test_bytes_between_two_offsets(log: Log) -> None:
    for _ in range(8):
        append(log)
    assert bases(log) == [0, 5]
    assert log.bytes_between(5, 8) == 3 * SIZE
    assert log.bytes_between(6, 7) == SIZE
    assert log.bytes_between(8, 8) == 0
    assert log.bytes_between(7, 6) == 0
    assert log.bytes_between(3, 8) == 5 * SIZE


def test_batches_by_time(log: Log) -> None:
    for timestamp in (100, 300, 200, 400, 500, 600):
        append(log, timestamp=timestamp)

    def found(timestamp: int, start: int = 0, bound: int = 6) -> list[int]:
        return [header.base_offset for header, _ in log.batches_at(timestamp, start, bound)]

    assert found(300) == [1, 3, 4, 5]
    assert found(301) == [3, 4, 5]
    assert found(0, start=2, bound=4) == [2, 3]
    assert found(601) == []
    assert log.max_timestamp() == (600, 5)
    append(log, timestamp=600)
    assert log.max_timestamp() == (600, 5), "the first that has it"


def test_an_empty_log_has_no_time(log: Log) -> None:
    assert log.max_timestamp() == (-1, -1)
    assert list(log.batches_at(0, 0, 0)) == []


def test_an_indexed_batch_that_is_larger_than_asked_for_is_given(log: Log) -> None:
    """The consumer would wait forever otherwise."""
    for _ in range(5):
        append(log)
    for offset in range(5):
        assert offsets(log.read(offset, 1, 5, min_one_batch=True)) == [offset]
        assert offsets(log.read(offset, 1, 5, min_one_batch=False)) == [-1], "cut short, as Kafka cuts it"


# --- deleting


def test_the_start_moves_forward_and_whole_segments_go(log: Log, tmp_path: Path) -> None:
    for _ in range(11):
        append(log)
    assert bases(log) == [0, 5, 10]
    log.advance_start(4)
    assert (log.start_offset, bases(log)) == (4, [0, 5, 10])
    log.advance_start(5)
    assert (log.start_offset, bases(log)) == (5, [5, 10])
    log.advance_start(2)
    assert log.start_offset == 5, "never back"
    log.advance_start(11)
    assert (log.start_offset, bases(log)) == (11, [10]), "the active segment stays"
    assert not list(tmp_path.glob(file_name(0, "*")))
    assert log.unsynced == []
    with pytest.raises(AssertionError):
        log.drop_first_segment()


# --- opening


@pytest.mark.parametrize("clean", [True, False])
def test_an_open_finds_what_was_written(log: Log, tmp_path: Path, clean: bool) -> None:
    for i in range(8):
        append(log, 2, timestamp=100 + i)
    log.close()
    again, visited = opened(tmp_path, 3, clean=clean)
    assert (again.start_offset, again.end_offset, bases(again)) == (3, 16, bases(log))
    assert again.max_timestamp() == (107, 15)
    assert visited == ([] if clean else [base for base in range(0, 16, 2) if base >= bases(log)[-1]])
    append(again)
    assert again.end_offset == 17


def test_the_start_is_inside_of_the_log(log: Log, tmp_path: Path) -> None:
    for _ in range(6):
        append(log)
    log.advance_start(5)
    log.close()
    assert opened(tmp_path, 2)[0].start_offset == 5
    assert opened(tmp_path, 99)[0].start_offset == 6


def test_a_directory_without_segments_is_an_empty_log(tmp_path: Path) -> None:
    again, _ = opened(tmp_path)
    assert (again.start_offset, again.end_offset, bases(again)) == (0, 0, [0])
    assert {path.suffix for path in tmp_path.iterdir()} == {".log", ".index", ".timeindex"}


def test_other_files_are_no_segments(log: Log, tmp_path: Path) -> None:
    append(log)
    log.close()
    (tmp_path / "notes.log").write_bytes(b"x")
    (tmp_path / file_name(7, "index")).write_bytes(b"")
    assert bases(opened(tmp_path)[0]) == [0]


def test_a_torn_tail_is_cut_off_at_every_byte(log: Log, tmp_path: Path) -> None:
    for _ in range(3):
        append(log)
    log.close()
    path = tmp_path / file_name(0, "log")
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        again, visited = opened(tmp_path, clean=False)
        kept = cut // SIZE
        assert (again.end_offset, visited, path.stat().st_size) == (kept, list(range(kept)), kept * SIZE)
        again.close()


@pytest.mark.parametrize("at", [0, 8, 16, 20, 30, SIZE - 1])
def test_a_damaged_batch_ends_the_log(log: Log, tmp_path: Path, at: int) -> None:
    for _ in range(3):
        append(log)
    log.close()
    path = tmp_path / file_name(0, "log")
    data = bytearray(path.read_bytes())
    data[SIZE + at] ^= 0x80
    path.write_bytes(data)
    again, _ = opened(tmp_path, clean=False)
    assert (again.end_offset, path.stat().st_size) == (1, SIZE)


def test_offsets_that_go_back_end_the_log(log: Log, tmp_path: Path) -> None:
    append(log)
    append(log)
    log.close()
    path = tmp_path / file_name(0, "log")
    data = bytearray(path.read_bytes())
    struct.pack_into(">q", data, SIZE, 0)
    path.write_bytes(data)
    assert opened(tmp_path, clean=False)[0].end_offset == 1


def test_relative_offsets_fit_into_31_bits(log: Log) -> None:
    """The index has 4 bytes for them (KAFKA-5413)."""
    log.advance_start(0)
    append(log, 5)
    log.roll(0)
    made = batch()
    log.append(made, 7, 100, 0)
    log.append(made, 5 + 2**31 - 1, 100, 0)
    assert bases(log) == [0, 5]
    log.append(made, 5 + 2**31, 100, 0)
    assert bases(log) == [0, 5, 5 + 2**31]


def test_a_rolled_segment_has_its_largest_time_in_its_index(log: Log, tmp_path: Path) -> None:
    append(log, timestamp=700)
    log.roll(0)
    assert (tmp_path / file_name(0, "timeindex")).read_bytes() == struct.pack(">qi", 700, 0)


def test_times_of_closed_segments_are_found_after_a_start(log: Log, tmp_path: Path) -> None:
    for timestamp in (900, 100, 200, 300, 400, 500, 600):
        append(log, timestamp=timestamp)
    log.close()
    again, _ = opened(tmp_path)
    assert [header.base_offset for header, _ in again.batches_at(900, 0, 7)] == [0]
    again.close()
    assert opened(tmp_path)[0].max_timestamp() == (900, 0)


def test_an_offset_below_the_log_is_in_the_first_segment(log: Log) -> None:
    for _ in range(11):
        append(log)
    log.advance_start(5)
    assert log.segment_of(0) is log.segment_of(9) is log.segments[0]
    assert log.segment_of(10) is log.segment_of(99) is log.segments[1]


def test_compacted_neighbours_become_one_segment(log: Log, tmp_path: Path) -> None:
    """What stays is read with gaps: from a hole on, what comes behind it, in this segment or in a later one."""
    for _ in range(16):
        append(log)
    assert bases(log) == [0, 5, 10, 15]
    kept = [log.read(offset, 10**6, offset + 1, min_one_batch=True) for offset in (1, 6)]
    (tmp_path / file_name(0, "txnindex")).write_bytes(b"a")
    (tmp_path / file_name(5, "txnindex")).write_bytes(b"b")
    cleaned = tmp_path / "cleaned"
    cleaned.write_bytes(b"".join(kept))
    log.replace_segments(log.segments[:2], cleaned)
    assert (bases(log), log.unsynced) == ([0, 10, 15], log.segments[1:2])
    assert (tmp_path / file_name(0, "txnindex")).read_bytes() == b"ab"
    assert not cleaned.exists()
    assert not list(tmp_path.glob(file_name(5, "*")))
    assert (tmp_path / file_name(0, "timeindex")).stat().st_size == 12
    found = {offset: offsets(log.read(offset, 10**6, 16, min_one_batch=True)) for offset in (0, 2, 7, 9)}
    assert found == {0: [1, 6], 2: [6], 7: [10, 11, 12, 13, 14], 9: [10, 11, 12, 13, 14]}
    log.replace_segments(log.segments[1:2], _empty(tmp_path))
    assert not (tmp_path / file_name(10, "txnindex")).exists()
    assert offsets(log.read(7, 10**6, 16, min_one_batch=True)) == [15], "over a segment that lost everything"


def test_a_log_that_lost_everything_behind_an_offset(log: Log, tmp_path: Path) -> None:
    append(log)
    log.roll(0)
    log.replace_segments(log.segments[:1], _empty(tmp_path))
    assert log.read(0, 10**6, 1, min_one_batch=True) == b""


def test_a_file_of_no_use_is_removed(log: Log, tmp_path: Path) -> None:
    log.discard(_empty(tmp_path))
    assert not (tmp_path / "empty").exists()


def _empty(path: Path) -> Path:
    (path / "empty").write_bytes(b"")
    return path / "empty"
