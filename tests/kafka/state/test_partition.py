"""One partition without a broker: offsets, open transactions, markers, and what a start finds of them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from smackbox.kafka.settings import KafkaSettings
from smackbox.kafka.state.aborted_transactions import AbortedTransaction, AbortedTransactions
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.partition import Partition
from smackbox.kafka.state.segment import file_name
from smackbox.kafka.state.topic_config import broker_defaults, resolve
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.control_record import Marker
from smackbox.kafka.wire.record_batch import TRANSACTIONAL, Record, build
from smackbox.store.fs import Disk

NOW = 1_700_000_000_000
COMMIT, ABORT = Marker(commit=True, coordinator_epoch=0), Marker(commit=False, coordinator_epoch=0)


def partition_on(path: Path, **overrides: str) -> Partition:
    config = resolve(broker_defaults(KafkaSettings()), {k.replace("_", "."): v for k, v in overrides.items()})
    return Partition(Disk(), path, "t", bytes(range(16)), 3, config)


@pytest.fixture
def partition(tmp_path: Path) -> Partition:
    made = partition_on(tmp_path)
    made.create(NOW)
    return made


def reopened(path: Path, *, clean: bool, start: int = 0) -> Partition:
    made = partition_on(path)
    made.open(start, clean=clean, now_ms=NOW)
    return made


def produce(
    partition: Partition, producer: int = -1, sequence: int = 0, count: int = 1, *, open_: bool = False, epoch: int = 0
) -> int:
    """The base offset of a batch of a plain, an idempotent or (`open_`) a transactional producer."""
    known = producer >= 0
    data = build(
        [Record(i, NOW + i, b"k", b"v") for i in range(count)], producer_id=producer,
        producer_epoch=epoch if known else -1, base_sequence=sequence if known else -1,
        attributes=TRANSACTIONAL if open_ else 0,
    )  # fmt: skip
    return partition.produce(memoryview(data), NOW)[0]


def offsets(partition: Partition) -> tuple[int, int, int, int]:
    return (
        partition.log_start_offset, partition.last_stable_offset, partition.high_watermark, partition.log_end_offset,
    )  # fmt: skip


def test_the_files_of_a_new_partition(partition: Partition, tmp_path: Path) -> None:
    folder = tmp_path / "t-3"
    assert (folder / "partition.metadata").read_bytes() == b"version: 0\ntopic_id: AAECAwQFBgcICQoLDA0ODw"
    assert (folder / "leader-epoch-checkpoint").read_bytes() == b"0\n1\n0 0\n"
    assert (folder / file_name(0, "log")).exists()
    assert offsets(partition) == (0, 0, 0, 0)


def test_offsets_move_with_what_is_appended(partition: Partition) -> None:
    assert [produce(partition, count=3), produce(partition)] == [0, 3]
    assert offsets(partition) == (0, 4, 4, 4)
    partition.delete_records(2)
    partition.delete_records(1)
    assert offsets(partition) == (2, 4, 4, 4)
    for offset in (-1, 5):
        with pytest.raises(KafkaError) as raised:
            partition.delete_records(offset)
        assert raised.value.code == errors.OFFSET_OUT_OF_RANGE
    partition.delete_records(4)
    assert offsets(partition) == (4, 4, 4, 4)


def test_the_high_watermark_of_a_partition_that_waits_for_the_disk(partition: Partition) -> None:
    """With `--sync` no consumer sees what a power cut could take back."""
    partition.synced = False
    produce(partition, count=3)
    produce(partition, 7, open_=True)
    assert offsets(partition) == (0, 0, 0, 4)
    partition.advance_high_watermark(2)
    partition.advance_high_watermark(1)
    assert offsets(partition) == (0, 2, 2, 4)
    partition.advance_high_watermark(4)
    assert offsets(partition) == (0, 3, 4, 4)
    assert [partition.bound(committed=committed) for committed in (True, False)] == [3, 4]


def test_the_stable_offset_is_that_of_the_oldest_open_transaction(partition: Partition) -> None:
    produce(partition)
    produce(partition, 7, open_=True)
    produce(partition, 8, open_=True)
    produce(partition)
    assert offsets(partition) == (0, 1, 4, 4)
    assert partition.write_marker(7, 0, ABORT, NOW) == 4
    assert offsets(partition) == (0, 2, 5, 5)
    produce(partition)
    assert offsets(partition) == (0, 2, 6, 6)
    partition.write_marker(8, 0, COMMIT, NOW)
    assert offsets(partition) == (0, 7, 7, 7)
    assert partition.aborted.between(0, 99) == [AbortedTransaction(7, 1, 4, 2)]
    partition.write_marker(9, 0, ABORT, NOW)
    assert len(partition.aborted.between(0, 99)) == 1, "a marker without a transaction aborts nothing"


def test_a_duplicate_is_not_appended(partition: Partition) -> None:
    assert [produce(partition, 7, 0), produce(partition, 7, 1), produce(partition, 7, 0)] == [0, 1, 0]
    assert partition.log_end_offset == 2
    with pytest.raises(KafkaError):
        produce(partition, 7, 5)
    assert partition.log_end_offset == 2


@pytest.mark.parametrize(
    ("epoch", "coordinator", "code"),
    [(3, 5, 0), (4, 5, 0), (2, 5, errors.INVALID_PRODUCER_EPOCH), (3, 4, errors.TRANSACTION_COORDINATOR_FENCED)],
)
def test_markers_of_others(partition: Partition, epoch: int, coordinator: int, code: int) -> None:
    """`ProducerAppendInfo.checkProducerEpoch` and `checkCoordinatorEpoch` for WriteTxnMarkers."""
    partition.check_marker(7, 0, ABORT)
    partition.write_marker(7, 3, Marker(commit=True, coordinator_epoch=5), NOW)
    if not code:
        partition.check_marker(7, epoch, Marker(True, coordinator))
        return
    with pytest.raises(KafkaError) as raised:
        partition.check_marker(7, epoch, Marker(True, coordinator))
    assert raised.value.code == code


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("rolled", [True, False])
def test_a_start_finds_producers_and_transactions(
    partition: Partition, tmp_path: Path, clean: bool, rolled: bool
) -> None:
    produce(partition, 7, 0, open_=True)
    produce(partition, 8, 0, open_=True)
    partition.write_marker(7, 0, ABORT, NOW)
    if rolled:
        partition.log.roll(NOW)
    produce(partition, 9, 4)
    produce(partition, 7, 1, open_=True)
    partition.write_marker(7, 0, ABORT, NOW)
    if clean:
        partition.close()
    again = reopened(tmp_path, clean=clean)
    assert offsets(again) == offsets(partition) == (0, 1, 6, 6)
    assert again.aborted.between(0, 99) == [AbortedTransaction(7, 0, 2, 1), AbortedTransaction(7, 4, 5, 1)]
    for producer, state in partition.producers.states.items():
        found = again.producers.states[producer]
        assert (found.epoch, found.last_sequence, found.transaction_first_offset) == (
            state.epoch, state.last_sequence, state.transaction_first_offset,
        )  # fmt: skip
    assert produce(again, 9, 4) == 3, "a retry over a restart is a duplicate"
    again.close()
    index = (tmp_path / "t-3" / file_name(3 if rolled else 0, "txnindex")).read_bytes()
    assert len(index) == 34 * (1 if rolled else 2), "no entry is written twice"


def test_a_damaged_snapshot_is_passed_over(partition: Partition, tmp_path: Path) -> None:
    produce(partition, 7, 0)
    partition.log.roll(NOW)
    produce(partition, 7, 1)
    partition.close()
    (tmp_path / "t-3" / file_name(2, "snapshot")).write_bytes(b"torn")
    (tmp_path / "t-3" / file_name(9, "snapshot")).write_bytes(partition.producers.snapshot())
    again = reopened(tmp_path, clean=True)
    assert [kept.first_sequence for kept in again.producers.states[7].batches] == [0, 1]


def test_two_snapshots_are_kept(partition: Partition, tmp_path: Path) -> None:
    for sequence in range(4):
        produce(partition, 7, sequence)
        partition.log.roll(NOW)
    names = sorted(path.name for path in (tmp_path / "t-3").glob("*.snapshot"))
    assert names == [file_name(3, "snapshot"), file_name(4, "snapshot")]


def test_a_partition_without_producers_has_no_snapshot(partition: Partition, tmp_path: Path) -> None:
    produce(partition)
    partition.close()
    assert not list((tmp_path / "t-3").glob("*.snapshot"))


def test_looking_up_by_time(partition: Partition) -> None:
    produce(partition, count=3)
    produce(partition, 7, 0, 2, open_=True)
    assert partition.find_timestamp(NOW + 1, committed=False) == (NOW + 1, 1)
    assert partition.find_timestamp(NOW + 3, committed=False) == (-1, -1)
    assert partition.find_max_timestamp() == (NOW + 2, 2)
    partition.delete_records(3)
    assert partition.find_timestamp(NOW + 1, committed=False) == (NOW + 1, 4)
    assert partition.find_timestamp(NOW + 1, committed=True) == (-1, -1), "of an open transaction"
    assert partition.find_max_timestamp() == (NOW + 2, 2), "as in Kafka, below the start"


def test_another_configuration_is_that_of_the_log(partition: Partition) -> None:
    config = resolve(broker_defaults(KafkaSettings()), {"segment.bytes": "1048576", "segment.ms": "7"})
    partition.reconfigure(config)
    assert (partition.config, partition.log.limits[:2]) == (config, (1_048_576, 7))


def test_who_waits_is_woken_and_may_go_meanwhile(partition: Partition) -> None:
    woken: list[str] = []
    partition.waiters.add(lambda: (woken.append("a"), partition.waiters.clear())[0])
    partition.waiters.add(lambda: (woken.append("b"), partition.waiters.clear())[0])
    partition.wake()
    assert sorted(woken) == ["a", "b"]


def test_the_producer_with_the_first_id_is_one(partition: Partition, tmp_path: Path) -> None:
    """0 is an id as any other; -1 is none."""
    assert [produce(partition, 0, 0, open_=True), produce(partition, 0, 0, open_=True)] == [0, 0]
    assert set(partition.producers.states) == {0}
    again = reopened(tmp_path, clean=False)
    assert offsets(again) == (0, 0, 1, 1)
    produce(again)
    assert set(again.producers.states) == {0}


def test_segments_behind_the_newest_snapshot_are_replayed(partition: Partition, tmp_path: Path) -> None:
    for sequence in range(4):
        produce(partition, 7, sequence)
        partition.log.roll(NOW)
    partition.close()
    for offset in (3, 4):
        (tmp_path / "t-3" / file_name(offset, "snapshot")).unlink()
    (tmp_path / "t-3" / "notes.snapshot").write_bytes(b"")
    again = reopened(tmp_path, clean=True)
    assert [kept.first_sequence for kept in again.producers.states[7].batches] == [0, 1, 2, 3]
    again.close()
    (tmp_path / "t-3" / file_name(3, "snapshot")).write_bytes(partition.producers.snapshot())
    assert reopened(tmp_path, clean=True).producers.states[7].last_sequence == 3


def test_a_torn_index_of_aborted_transactions_is_cut(partition: Partition, tmp_path: Path) -> None:
    index = tmp_path / "t-3" / file_name(0, "txnindex")
    produce(partition, 7, 0, open_=True)
    index.write_bytes(b"torn")
    partition.write_marker(7, 0, ABORT, NOW)
    assert index.read_bytes() == AbortedTransaction(7, 0, 1, 2).pack()


def test_the_offset_behind_each_segment(partition: Partition) -> None:
    for _ in range(2):
        produce(partition, count=2)
        partition.log.roll(NOW)
    produce(partition)
    assert [partition.next_offset_of(segment) for segment in partition.log.segments] == [2, 4, 5]


def test_a_directory_that_is_there_is_of_a_deleted_topic(tmp_path: Path) -> None:
    (tmp_path / "t-3").mkdir()
    (tmp_path / "t-3" / file_name(9, "log")).write_bytes(b"old")
    partition_on(tmp_path).create(NOW)
    assert not (tmp_path / "t-3" / file_name(9, "log")).exists()


# --- aborted transactions


def test_aborted_transactions_by_offsets() -> None:
    aborted = AbortedTransactions()
    entries = [AbortedTransaction(1, 0, 5, 6), AbortedTransaction(2, 3, 9, 10), AbortedTransaction(1, 20, 25, 26)]
    for entry in entries:
        aborted.add(entry)
    assert aborted.between(5, 1) == entries[:1]
    assert aborted.between(5, 3) == entries[:1]
    assert aborted.between(5, 4) == entries[:2]
    assert aborted.between(6, 20) == entries[1:2]
    assert aborted.between(6, 21) == entries[1:]
    assert aborted.between(26, 99) == []
    aborted.forget_before(9)
    assert aborted.between(0, 99) == entries[1:]
    aborted.forget_before(26)
    assert not aborted


def test_the_bytes_of_an_aborted_transaction_and_a_torn_file() -> None:
    entry = AbortedTransaction(7, 1, 2, 3)
    assert entry.pack() == struct.pack(">hqqqq", 0, 7, 1, 2, 3)
    later = AbortedTransaction(7, 4, 5, 6)
    for torn in (b"", b"x" * 33):
        loaded = AbortedTransactions()
        loaded.load(entry.pack() + later.pack() + entry.pack() + torn)
        assert loaded.between(0, 99) == [entry, later], "out of order is not taken"
        assert loaded
    with pytest.raises(AssertionError):
        loaded.add(later)
