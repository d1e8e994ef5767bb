"""What was acknowledged is there after a crash: torn tails, a full disk, lost page cache."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

import pytest
from tests.kafka.client import RawClient, batch
from tests.kafka.conftest import StartKafka
from tests.kafka.test_server import create, split

from smackbox.base.clock import FakeClock
from smackbox.kafka.settings import KafkaSettings
from smackbox.kafka.state.catalog import Catalog
from smackbox.kafka.state.partition import Partition
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from smackbox.kafka.wire.record_batch import read_header
from smackbox.store.fs import Disk, FaultyDisk

LOG = "00000000000000000000.log"


def open_catalog(directory: Path, **settings: int) -> Catalog:
    directory.mkdir(exist_ok=True)
    catalog = Catalog(Disk(), directory, KafkaSettings(**settings), FakeClock(), uuid.uuid4)
    catalog.open()
    return catalog


def contents(partition: Partition) -> list[bytes]:
    data = partition.log.read(partition.log_start_offset, 1 << 30, partition.high_watermark, min_one_batch=True)
    return split(data)


def crash(directory: Path) -> Path:
    """A copy of the directory as it stands, with no clean stop: what a `kill -9` leaves."""
    copy = directory.with_name(directory.name + "-crashed")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(directory, copy)
    return copy


def test_the_log_cut_at_every_byte_serves_the_valid_prefix(tmp_path: Path) -> None:
    catalog = open_catalog(tmp_path / "a")
    partition = catalog.create("t", 1, {}).partitions[0]
    ends = [0]
    for i in range(12):
        partition.produce(memoryview(batch(b"value %d" % i, b"more")), 1_700_000_000_000)
        ends.append(partition.log.size)
    log = crash(tmp_path / "a") / "t-0" / LOG
    whole = log.read_bytes()
    assert len(whole) == ends[-1]
    for cut in range(len(whole) + 1):
        log.write_bytes(whole[:cut])
        reopened = open_catalog(log.parents[1])
        survivors = max(i for i, end in enumerate(ends) if end <= cut)
        partition = reopened.topics["t"].partitions[0]
        assert partition.log_end_offset == 2 * survivors
        assert len(contents(partition)) == 2 * survivors
        assert log.stat().st_size == ends[survivors], "the torn tail is cut off"
        for other in reopened.partitions():
            other.log.close()


@pytest.mark.parametrize("name", ["index", "timeindex"])
def test_torn_indexes_are_made_again(tmp_path: Path, name: str) -> None:
    catalog = open_catalog(tmp_path / "a")
    partition = catalog.create("t", 1, {"index.interval.bytes": "100"}).partitions[0]
    for i in range(40):
        partition.produce(memoryview(batch(b"value %d" % i, timestamp=1_700_000_000_000 + i)), 1_700_000_000_000)
    catalog.close()
    directory = tmp_path / "a"
    file = directory / "t-0" / LOG.replace("log", name)
    whole = file.read_bytes()
    (directory / ".kafka_cleanshutdown").unlink()
    for cut in range(0, len(whole) + 1, 3):
        file.write_bytes(whole[:cut])
        reopened = open_catalog(directory)
        partition = reopened.topics["t"].partitions[0]
        assert contents(partition) == [b"value %d" % i for i in range(40)]
        assert partition.find_timestamp(1_700_000_000_020, committed=False) == (1_700_000_000_020, 20)
        for other in reopened.partitions():
            other.log.close()
        reopened = open_catalog(directory)
        reopened.close()
        assert file.read_bytes()[: len(whole) - 12] == whole[: len(whole) - 12]
        (directory / ".kafka_cleanshutdown").unlink()


def test_a_damaged_batch_ends_the_log(tmp_path: Path) -> None:
    catalog = open_catalog(tmp_path / "a")
    partition = catalog.create("t", 1, {}).partitions[0]
    for i in range(5):
        partition.produce(memoryview(batch(b"value %d" % i)), 1_700_000_000_000)
    log = crash(tmp_path / "a") / "t-0" / LOG
    data = bytearray(log.read_bytes())
    data[len(data) // 5 * 3 + 70] ^= 1
    log.write_bytes(data)
    assert contents(open_catalog(log.parents[1]).topics["t"].partitions[0]) == [b"value 0", b"value 1", b"value 2"]


def test_segments_roll_and_are_all_read_after_a_crash(tmp_path: Path) -> None:
    catalog = open_catalog(tmp_path / "a")
    partition = catalog.create("t", 1, {"segment.bytes": "1048576"}).partitions[0]
    value = os.urandom(100_000)
    for _ in range(35):
        partition.produce(memoryview(batch(value)), 1_700_000_000_000)
    assert len(partition.log.segments) > 3
    reopened = open_catalog(crash(tmp_path / "a"))
    partition = reopened.topics["t"].partitions[0]
    offset, seen = 0, 0
    while offset < partition.log_end_offset:
        data = partition.log.read(offset, 250_000, partition.high_watermark, min_one_batch=True)
        seen += len(split(data))
        offset += len(split(data))
    assert seen == 35


def test_a_torn_line_of_the_journal_is_left_out(tmp_path: Path) -> None:
    catalog = open_catalog(tmp_path / "a")
    catalog.create("kept", 1, {})
    catalog.create("torn", 1, {})
    journal = crash(tmp_path / "a") / "cluster-metadata.jsonl"
    journal.write_bytes(journal.read_bytes()[:-5])
    reopened = open_catalog(journal.parent)
    assert set(reopened.topics) == {"kept"}
    assert [path.name for path in reopened.take_deleted()] == ["torn-0"]


def test_sequences_are_remembered_over_a_crash(tmp_path: Path) -> None:
    catalog = open_catalog(tmp_path / "a")
    partition = catalog.create("t", 1, {}).partitions[0]
    sent = [batch(b"%d" % i, producer_id=7, producer_epoch=0, base_sequence=i) for i in range(3)]
    for data in sent:
        partition.produce(memoryview(bytearray(data)), 1_700_000_000_000)
    partition = open_catalog(crash(tmp_path / "a")).topics["t"].partitions[0]
    assert partition.produce(memoryview(sent[1]), 1_700_000_000_000) == (1, -1), "a duplicate has its first offset"
    assert partition.log_end_offset == 3


def test_a_full_disk_is_an_error_and_the_log_stays_whole(start_kafka: StartKafka) -> None:
    disk = FaultyDisk()
    with RawClient(start_kafka(fs=disk).url) as client:
        create(client, "t")
        assert client.produce("t", batch(b"fits")) == (0, 0)
        disk.free_bytes = 10
        assert client.produce("t", batch(b"does not fit"))[0] == errors.KAFKA_STORAGE_ERROR
        answer = client.ask(CreateTopicsRequest([CreatableTopic("u", 1, 1)]), 5)
        assert answer.topics[0].error_code == errors.KAFKA_STORAGE_ERROR
        disk.free_bytes = None
        assert client.produce("t", batch(b"fits again")) == (0, 1)
        assert split(client.fetch("t", 0)[1]) == [b"fits", b"fits again"]


def test_with_sync_what_was_acknowledged_survives_the_loss_of_the_page_cache(
    start_kafka: StartKafka, tmp_path: Path
) -> None:
    disk = FaultyDisk()
    with RawClient(start_kafka(fs=disk, sync=True).url) as client:
        create(client, "t")
        client.socket.sendall(b"".join(client.produce_frame("t", batch(b"%d" % i)) for i in range(100)))
        assert [client.produced("t") for _ in range(100)] == [(0, i) for i in range(100)]
        copy = crash(tmp_path / "kafka")
        synced = {path.relative_to(tmp_path / "kafka"): size for path, size in disk.synced.items()}
    for path, size in synced.items():
        if (copy / path).exists():
            os.truncate(copy / path, size)
    assert contents(open_catalog(copy).topics["t"].partitions[0]) == [b"%d" % i for i in range(100)]


def test_without_sync_nothing_waits_for_the_disk(start_kafka: StartKafka) -> None:
    disk = FaultyDisk()
    with RawClient(start_kafka(fs=disk).url) as client:
        create(client, "t")
        client.produce("t", batch(b"x"))
        assert not any(path.name == LOG and size for path, size in disk.synced.items())


def test_a_partition_that_could_not_be_synced_takes_nothing_until_a_restart(start_kafka: StartKafka) -> None:
    disk = FaultyDisk()
    with RawClient(start_kafka(fs=disk, sync=True).url) as client:
        create(client, "t")
        create(client, "other")
        disk.sync_fails = True
        assert client.produce("t", batch(b"x"))[0] == errors.KAFKA_STORAGE_ERROR
        disk.sync_fails = False
        assert client.produce("t", batch(b"y"))[0] == errors.KAFKA_STORAGE_ERROR, "x may be a hole before it"
        assert client.produce("other", batch(b"y"))[0] == 0


def test_offsets_are_given_in_order_of_arrival(tmp_path: Path) -> None:
    catalog = open_catalog(tmp_path / "a")
    partition = catalog.create("t", 1, {}).partitions[0]
    for i in range(3):
        assert partition.produce(memoryview(batch(b"a", b"b")), 1_700_000_000_000) == (2 * i, -1)
    data = partition.log.read(2, 1 << 20, partition.high_watermark, min_one_batch=True)
    assert read_header(data).base_offset == 2
