"""A disk that fails at any operation: whatever the broker acknowledged is there after a restart, clean or not."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.kafka.client import batch
from tests.kafka.state.conftest import advance
from tests.kafka.state.test_transactions import end, init
from tests.store.faults import survive

from smackbox.base.clock import FakeClock
from smackbox.base.errors import StorageError
from smackbox.kafka.settings import KafkaSettings
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.transactions import RETRY_MS
from smackbox.kafka.wire.record_batch import records
from smackbox.store.fs import Disk, FaultyDisk

SETTINGS = KafkaSettings(
    offsets_topic_num_partitions=1,
    transaction_state_log_num_partitions=1,
    log_index_interval_bytes=1,
    log_segment_bytes=600,
)
KEPT = {"segment.ms": "1000000"}
WALL_MS = 1_700_000_000_000


def open_broker(directory: Path, disk: Disk, clock: FakeClock) -> Broker:
    dice = random.Random(1)
    broker = Broker(disk, directory, SETTINGS, clock, lambda: uuid.UUID(int=dice.getrandbits(128)))
    broker.open()
    return broker


class Session:
    """Requests to a broker on a faulty disk, and what it acknowledged."""

    def __init__(self, directory: Path, disk: FaultyDisk) -> None:
        self.clock = FakeClock()
        self.acknowledged: dict[str, object] = {}
        self.broker = open_broker(directory, disk, self.clock)

    def attempt(self, action: Callable[[], object]) -> bool:
        try:
            action()
        except (KafkaError, StorageError):
            return False
        return True

    def produce(self, topic: str, value: bytes, index: int = 0) -> None:
        found = self.broker.catalog.topics.get(topic)
        if found is None or index >= len(found.partitions):
            return
        partition = found.partitions[index]
        offset = partition.log_end_offset
        if self.attempt(lambda: partition.produce(memoryview(batch(value)), WALL_MS)):
            self.acknowledged[f"{topic}-{index} {offset}"] = value

    def transact(self, name: str, value: bytes, *, commit: bool) -> None:
        """One record in a transaction, which may be refused at each step; then it has to be aborted."""
        topic = self.broker.catalog.topics.get("t")
        if topic is None:
            return
        partition = topic.partitions[0]
        coordinator = self.broker.transactions
        ended = False

        def run() -> None:
            nonlocal ended
            transaction = init(self.broker, name)
            producer = (transaction.producer_id, transaction.epoch)
            coordinator.check_produce(name, *producer, ("t", 0), may_add=True)
            data = batch(value, producer_id=producer[0], producer_epoch=producer[1], base_sequence=0, attributes=0x10)
            offset = partition.produce(memoryview(data), WALL_MS)[0]
            end(self.broker, transaction, commit=commit)
            ended = True
            self.acknowledged[f"t-0 {offset}"] = value if commit else None

        self.attempt(run)
        if not ended:
            self.attempt(lambda: init(self.broker, name))
        for _ in range(3):
            self.clock.advance_ms(RETRY_MS)
            self.attempt(self.broker.tick)


def workload(directory: Path, disk: FaultyDisk, *, clean: bool) -> dict[str, object]:
    try:
        session = Session(directory, disk)
    except (StorageError, KafkaError):
        return {}
    broker, catalog = session.broker, session.broker.catalog
    if session.attempt(lambda: catalog.create("t", 1, KEPT)):
        session.acknowledged["topic t"] = 1
    session.produce("t", b"1")
    session.transact("x", b"aborted", commit=False)
    session.transact("y", b"committed", commit=True)
    session.produce("t", b"2" * 400)
    session.produce("t", b"3" * 400)
    assert "t" not in catalog.topics or disk.once or disk.fail_at is not None or len(_segments(session)) > 1
    if "t" in catalog.topics:
        topic = catalog.topics["t"]
        if session.attempt(lambda: catalog.add_partitions(topic, 2)):
            session.acknowledged["topic t"] = 2
        session.produce("t", b"4", 1)
        if session.attempt(lambda: catalog.configure(topic, {**KEPT, "retention.bytes": "7"})):
            session.acknowledged["config t"] = "7"
    if session.attempt(lambda: catalog.configure_broker({"log.retention.bytes": "5"}, node=False)):
        session.acknowledged["config broker"] = "5"
    if session.attempt(lambda: catalog.create("gone", 1, {})):
        session.produce("gone", b"old")
        if session.attempt(lambda: broker.delete_topic(catalog.topics["gone"])):
            session.acknowledged = {k: v for k, v in session.acknowledged.items() if not k.startswith("gone")}
    if "gone" not in catalog.topics and session.attempt(lambda: catalog.create("gone", 1, {})):
        session.produce("gone", b"new")
    advance(broker, session.clock, 1)
    if clean:
        session.attempt(broker.close)
    return session.acknowledged


def _segments(session: Session) -> list[object]:
    return list(session.broker.catalog.topics["t"].partitions[0].log.segments)


def read(directory: Path) -> dict[str, object]:
    """What a consumer that reads committed records sees, and the catalog."""
    broker = open_broker(directory, Disk(), FakeClock())
    found: dict[str, object] = {}
    for topic in broker.catalog.topics.values():
        found[f"topic {topic.name}"] = len(topic.partitions)
        if "retention.bytes" in topic.overrides:
            found[f"config {topic.name}"] = topic.overrides["retention.bytes"]
        for partition in topic.partitions:
            if topic.internal:
                continue
            aborted = partition.aborted.between(0, partition.log_end_offset)
            for segment in partition.log.segments:
                for position, header in segment.scan(0):
                    for record in records(segment.read_batch(position, header), header):
                        hidden = header.control or any(
                            one.producer_id == header.producer_id
                            and one.first_offset <= record.offset <= one.last_offset
                            for one in aborted
                        )
                        unstable = record.offset >= partition.last_stable_offset
                        value = None if hidden or unstable else record.value
                        found[f"{topic.name}-{partition.index} {record.offset}"] = value
            partition.log.close()
    if "log.retention.bytes" in broker.catalog.broker_overrides:
        found["config broker"] = broker.catalog.broker_overrides["log.retention.bytes"]
    return found


@pytest.mark.parametrize("clean", [False, True])
def test_what_the_broker_acknowledged_is_there_whatever_fails(tmp_path: Path, clean: bool) -> None:
    assert survive(tmp_path, lambda d, disk: workload(d, disk, clean=clean), read, steps=2) > 100


def test_a_partition_whose_journal_entry_failed_takes_no_records(tmp_path: Path) -> None:
    disk = FaultyDisk()
    broker = open_broker(tmp_path, disk, FakeClock())
    topic = broker.catalog.create("t", 1, {})
    disk.fail_at, disk.once = disk.operations + 6, True  # behind the files of the partition
    with pytest.raises(KafkaError):
        broker.catalog.add_partitions(topic, 2)
    assert len(topic.partitions) == 1
    broker.catalog.add_partitions(topic, 2)
    assert len(topic.partitions) == 2
