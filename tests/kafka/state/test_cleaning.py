"""Retention and compaction, step by step."""

from __future__ import annotations

import pytest
from tests.kafka.client import batch
from tests.kafka.state.conftest import MakeBroker

from smackbox.base.clock import FakeClock
from smackbox.kafka.state import compaction, retention
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.partition import Partition
from smackbox.kafka.wire.control_record import Marker
from smackbox.kafka.wire.record_batch import Record, build, read_header, records
from smackbox.store.fs import Disk

DAY_MS = 24 * 3_600_000


def partition_of(broker: Broker, **configs: str) -> Partition:
    named = {name.replace("_", "."): value for name, value in configs.items()}
    return broker.catalog.create("t", 1, named).partitions[0]


def write(partition: Partition, clock: FakeClock, *rows: tuple[str, str | None], roll: bool = True) -> None:
    """One batch of key-value rows, in a segment of its own."""
    now = clock.wall_ms()
    entries = [
        Record(i, now, key.encode(), None if value is None else value.encode()) for i, (key, value) in enumerate(rows)
    ]
    partition.produce(memoryview(build(entries)), now)
    if roll:
        partition.log.roll(now)


def rows_of(partition: Partition) -> list[tuple[int, str, str | None]]:
    """Offset, key and value of everything, read as a consumer reads it."""
    found: list[tuple[int, str, str | None]] = []
    offset = partition.log_start_offset
    while offset < partition.high_watermark:
        data = partition.log.read(offset, 1 << 20, partition.high_watermark, min_one_batch=True)
        if not data:
            break
        position = 0
        while position < len(data):
            header = read_header(data, position)
            if not header.control:
                found += [
                    (r.offset, (r.key or b"").decode(), None if r.value is None else r.value.decode())
                    for r in records(data, header, position)
                    if r.offset >= offset
                ]
            position += header.size
            offset = max(offset, header.next_offset)
    return found


def compact(partition: Partition, clock: FakeClock) -> bool:
    cleaning = compaction.plan(partition, clock.wall_ms())
    if cleaning is None:
        return False
    cleaning.run(Disk())
    cleaning.install()
    return True


# --- retention


def test_old_segments_go_whole(broker: Broker, clock: FakeClock) -> None:
    partition = partition_of(broker, retention_ms="10000")
    for i in range(5):
        write(partition, clock, (f"k{i}", "a"), (f"l{i}", "b"))
        clock.advance_ms(4000)
    assert retention.enforce(partition, clock.wall_ms()) == 3
    assert partition.log_start_offset == 6
    assert [row[0] for row in rows_of(partition)] == [6, 7, 8, 9]


def test_all_records_may_go_and_offsets_go_on(broker: Broker, clock: FakeClock) -> None:
    partition = partition_of(broker, retention_ms="1000")
    write(partition, clock, ("k", "v"), roll=False)
    clock.advance_ms(1001)
    retention.enforce(partition, clock.wall_ms())
    assert (partition.log_start_offset, partition.log_end_offset) == (1, 1)
    write(partition, clock, ("k", "w"), roll=False)
    assert rows_of(partition) == [(1, "k", "w")]


def test_a_log_over_its_size_loses_its_oldest_segments(broker: Broker, clock: FakeClock) -> None:
    partition = partition_of(broker, retention_bytes="250", retention_ms="-1")
    for i in range(6):
        write(partition, clock, (f"k{i}", "v"))
    before = partition.log.size
    retention.enforce(partition, clock.wall_ms())
    assert 250 <= partition.log.size < before
    assert rows_of(partition)[-1][0] == 5


def test_a_compacted_topic_keeps_its_old_records(broker: Broker, clock: FakeClock) -> None:
    partition = partition_of(broker, retention_ms="1", cleanup_policy="compact")
    write(partition, clock, ("k", "v"))
    clock.advance_ms(DAY_MS)
    assert retention.enforce(partition, clock.wall_ms()) == 0


def test_the_start_survives_a_restart(make_broker: MakeBroker, clock: FakeClock) -> None:
    broker = make_broker()
    partition = partition_of(broker)
    write(partition, clock, ("a", "1"), ("b", "2"), ("c", "3"), roll=False)
    partition.delete_records(2)
    broker.close()
    again = make_broker().catalog.topics["t"].partitions[0]
    assert again.log_start_offset == 2
    assert rows_of(again) == [(2, "c", "3")]


def test_a_segment_is_rolled_when_its_records_are_too_far_apart(make_broker: MakeBroker, clock: FakeClock) -> None:
    broker = make_broker()
    partition = partition_of(broker, segment_ms="1000")
    for stamp, segments in ((0, 1), (1000, 1), (1001, 2), (1500, 2)):
        data = batch(b"x", timestamp=clock.wall_ms() + stamp)
        partition.produce(memoryview(data), clock.wall_ms())
        assert len(partition.log.segments) == segments
    broker.close()
    partition = make_broker().catalog.topics["t"].partitions[0]
    partition.produce(memoryview(batch(b"x", timestamp=clock.wall_ms() + 2002)), clock.wall_ms())
    assert len(partition.log.segments) == 3, "the first timestamp is known after a restart"


# --- compaction


def test_the_last_record_of_each_key_stays_with_its_offset(broker: Broker, clock: FakeClock) -> None:
    partition = partition_of(broker, cleanup_policy="compact")
    write(partition, clock, ("a", "1"), ("b", "1"))
    write(partition, clock, ("a", "2"), ("c", "1"))
    write(partition, clock, ("a", "3"), roll=False)
    assert compact(partition, clock)
    assert rows_of(partition) == [(1, "b", "1"), (2, "a", "2"), (3, "c", "1"), (4, "a", "3")]
    assert len(partition.log.segments) == 2, "small neighbours share a segment"
    assert not compact(partition, clock), "nothing is dirty"


def test_a_clean_log_is_left_until_enough_is_dirty(broker: Broker, clock: FakeClock) -> None:
    partition = partition_of(broker, cleanup_policy="compact", min_cleanable_dirty_ratio="0.5")
    write(partition, clock, *[(f"k{i}", "v" * 50) for i in range(20)])
    assert compact(partition, clock)
    write(partition, clock, ("k0", "w"))
    assert not compact(partition, clock)
    write(partition, clock, *[(f"k{i}", "w" * 50) for i in range(20)])
    assert compact(partition, clock)
    assert {value for _, _, value in rows_of(partition)} == {"w" * 50}


def test_young_records_are_left_alone(broker: Broker, clock: FakeClock) -> None:
    partition = partition_of(broker, cleanup_policy="compact", min_compaction_lag_ms="60000")
    write(partition, clock, ("a", "1"))
    write(partition, clock, ("a", "2"))
    assert not compact(partition, clock)
    clock.advance_ms(60_001)
    assert compact(partition, clock)
    assert rows_of(partition) == [(1, "a", "2")]


def test_a_tombstone_stays_its_time_and_goes(broker: Broker, clock: FakeClock) -> None:
    partition = partition_of(broker, cleanup_policy="compact", delete_retention_ms="1000")
    write(partition, clock, ("a", "1"))
    write(partition, clock, ("a", None))
    assert compact(partition, clock)
    assert rows_of(partition) == [(1, "a", None)]
    clock.advance_ms(1001)
    write(partition, clock, ("b", "1" * 200))
    assert compact(partition, clock)
    assert rows_of(partition) == [(2, "b", "1" * 200)]


def test_records_of_aborted_transactions_go(broker: Broker, clock: FakeClock) -> None:
    partition = partition_of(broker, cleanup_policy="compact")
    write(partition, clock, ("k", "good"))
    aborted = batch(b"aborted", producer_id=9, producer_epoch=0, base_sequence=0, attributes=0x10)
    partition.produce(memoryview(aborted), clock.wall_ms())
    partition.write_marker(9, 0, Marker(commit=False, coordinator_epoch=0), clock.wall_ms())
    partition.log.roll(clock.wall_ms())
    assert compact(partition, clock)
    assert rows_of(partition) == [(0, "k", "good")]


@pytest.mark.parametrize("codec", [1, 2, 3, 4])
def test_compressed_batches_are_compacted_in_their_compression(broker: Broker, clock: FakeClock, codec: int) -> None:
    from smackbox.kafka.wire.compression import compress
    from smackbox.kafka.wire.record_batch import encode_records, seal

    partition = partition_of(broker, cleanup_policy="compact")
    now = clock.wall_ms()
    entries = [Record(0, now, b"a", b"1"), Record(1, now, b"b", b"2")]
    body = compress(codec, bytes(encode_records(entries, 0, now)))
    sealed = seal(
        body,
        base_offset=0,
        leader_epoch=0,
        attributes=codec,
        last_offset_delta=1,
        base_timestamp=now,
        max_timestamp=now,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        record_count=2,
    )
    partition.produce(memoryview(sealed), now)
    partition.log.roll(now)
    write(partition, clock, ("a", "3"))
    assert compact(partition, clock)
    assert rows_of(partition) == [(1, "b", "2"), (2, "a", "3")]


def test_a_compacted_log_is_read_after_a_restart(make_broker: MakeBroker, clock: FakeClock) -> None:
    broker = make_broker()
    partition = partition_of(broker, cleanup_policy="compact")
    for i in range(10):
        write(partition, clock, ("a", str(i)), (f"k{i}", "x"))
    assert compact(partition, clock)
    expected = rows_of(partition)
    again = make_broker().catalog.topics["t"].partitions[0]
    assert rows_of(again) == expected
    assert len(expected) == 11


def test_a_partition_that_is_deleted_meanwhile_is_not_installed(broker: Broker, clock: FakeClock) -> None:
    partition = partition_of(broker, cleanup_policy="compact")
    write(partition, clock, ("a", "1"))
    write(partition, clock, ("a", "2"))
    cleaning = compaction.plan(partition, clock.wall_ms())
    assert cleaning is not None
    cleaning.run(Disk())
    assert list(partition.directory.glob("*.cleaned"))
    partition.log.drop_first_segment()
    cleaning.install()
    assert not list(partition.directory.glob("*.cleaned"))
    assert rows_of(partition) == [(1, "a", "2")]


# --- when a log is cleaned (KIP-354 and `LogCleanerManager`)


def test_what_is_overdue_is_cleaned_however_little_it_is(broker: Broker, clock: FakeClock) -> None:
    partition = partition_of(broker, cleanup_policy="compact", max_compaction_lag_ms="5000")
    write(partition, clock, *[(f"k{i}", "v" * 50) for i in range(20)])
    assert compact(partition, clock)
    write(partition, clock, ("k0", "w"))
    clock.advance_ms(5_000)
    assert not compact(partition, clock)
    clock.advance_ms(1)
    assert compact(partition, clock)


def test_as_much_dirt_as_the_ratio_says_is_enough(broker: Broker, clock: FakeClock) -> None:
    partition = partition_of(broker, cleanup_policy="compact", min_cleanable_dirty_ratio="0.5")
    write(partition, clock, ("a", "1"))
    assert compact(partition, clock)
    write(partition, clock, ("a", "2"))
    assert compact(partition, clock), "half of the log is dirty"


def test_the_youngest_that_is_old_enough(broker: Broker, clock: FakeClock) -> None:
    partition = partition_of(broker, cleanup_policy="compact", min_compaction_lag_ms="1000")
    write(partition, clock, ("a", "1"))
    write(partition, clock, ("a", "2"))
    clock.advance_ms(999)
    assert not compact(partition, clock)
    clock.advance_ms(1)
    assert compact(partition, clock)


def test_what_is_not_to_be_cleaned(broker: Broker, clock: FakeClock) -> None:
    partition = partition_of(broker, cleanup_policy="compact")
    write(partition, clock, ("a", "1"))
    partition.uncleanable = True
    assert not compact(partition, clock)
    partition.uncleanable = False
    produced = batch(b"open", producer_id=9, producer_epoch=0, base_sequence=0, attributes=0x10)
    partition.produce(memoryview(produced), clock.wall_ms())
    partition.log.roll(clock.wall_ms())
    write(partition, clock, ("a", "2"))
    assert compact(partition, clock)
    assert [row[0] for row in rows_of(partition)] == [0, 1, 2], "nothing at or behind an open transaction"


def test_a_tombstone_goes_at_the_end_of_its_time(broker: Broker, clock: FakeClock) -> None:
    partition = partition_of(broker, cleanup_policy="compact", delete_retention_ms="1000")
    write(partition, clock, ("a", None), ("c", "1"))
    assert compact(partition, clock)
    clock.advance_ms(999)
    write(partition, clock, ("b", "1" * 300))
    assert compact(partition, clock)
    assert [row[1] for row in rows_of(partition)] == ["a", "c", "b"]
    clock.advance_ms(1)
    write(partition, clock, ("b", "2" * 900))
    assert compact(partition, clock)
    assert [row[1] for row in rows_of(partition)] == ["c", "b"]


def test_more_keys_than_can_be_remembered(broker: Broker, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is behind the last key that fits is left for the next pass."""
    monkeypatch.setattr(compaction, "KEYS_LIMIT", 2)
    partition = partition_of(broker, cleanup_policy="compact", min_cleanable_dirty_ratio="0")
    for key in ("a", "b", "a", "c", "c"):
        write(partition, clock, (key, "v"))
    assert compact(partition, clock)
    assert [(row[0], row[1]) for row in rows_of(partition)] == [(1, "b"), (2, "a"), (3, "c"), (4, "c")]
    assert partition.cleaned_to == 3
    assert compact(partition, clock)
    assert [row[0] for row in rows_of(partition)] == [1, 2, 4]


def test_small_segments_share_a_file_up_to_the_size_of_one(broker: Broker, clock: FakeClock) -> None:
    partition = partition_of(broker, cleanup_policy="compact")
    for i in range(4):
        write(partition, clock, (f"k{i}", "v"))
    size = partition.log.segments[0].size
    cleaning = compaction.plan(partition, clock.wall_ms())
    assert cleaning is not None
    cleaning.segment_bytes = 2 * size
    assert [len(group) for group in cleaning._grouped()] == [2, 2]
    cleaning.segment_bytes = 2 * size - 1
    assert [len(group) for group in cleaning._grouped()] == [1, 1, 1, 1]
