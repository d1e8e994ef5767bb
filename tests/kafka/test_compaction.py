"""Compaction on a running broker: a partition that cannot be compacted keeps no other from it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.kafka.client import RawClient
from tests.kafka.conftest import StartKafka

from smackbox.base.errors import StorageError
from smackbox.kafka.state.compaction import CLEANED
from smackbox.kafka.wire.messages.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from smackbox.kafka.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from smackbox.kafka.wire.record_batch import Record, build, read_header, records
from smackbox.store.fs import Disk, File

LIMIT_S = 20.0
COMPACTED = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0", "segment.bytes": "1048576"}


class CompactionDisk(Disk):
    """Refuses the cleaned files of the topic `bad`, and holds those of the topic `gone` until it is told to go on."""

    def __init__(self) -> None:
        self.attempts: list[str] = []
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def open(self, path: Path) -> File:
        topic = path.parent.name.rpartition("-")[0]
        if path.name.endswith(CLEANED):
            self.attempts.append(topic)
            if topic == "bad":
                raise StorageError(f"cannot open {path}: refused for the test")
            if topic == "gone":
                self.reached.set()
                assert self.go_on.wait(LIMIT_S)
        return super().open(path)


def test_a_failed_compaction_and_a_deleted_topic_stop_no_other(start_kafka: StartKafka) -> None:
    disk = CompactionDisk()
    service = start_kafka(fs=disk, log_cleaner_backoff_ms=50)
    with RawClient(service.url) as client:
        create(client, "bad")
        fill(client, "bad", "old")
        wait_for(lambda: disk.attempts == ["bad"])
        create(client, "gone")
        fill(client, "gone", "old")
        assert disk.reached.wait(LIMIT_S)
        delete(client, "gone")
        create(client, "gone")
        assert client.produce("gone", keyed("k", "new"))[0] == 0
        disk.go_on.set()
        create(client, "good")
        fill(client, "good", "old")
        wait_for(lambda: len(values(client, "good")) == 2)
        assert values(client, "gone") == [b"new"], "records of the deleted topic came back"
        assert len(values(client, "bad")) == 4, "what could not be compacted is whole"
        assert disk.attempts.count("bad") == 1, "a partition that failed is set aside"


def create(client: RawClient, topic: str) -> None:
    configs = [CreatableTopicConfig(name, value) for name, value in COMPACTED.items()]
    answer = client.ask(CreateTopicsRequest([CreatableTopic(topic, 1, 1, [], configs)]), 5)
    assert answer.topics[0].error_code == 0


def delete(client: RawClient, topic: str) -> None:
    answer = client.ask(DeleteTopicsRequest([DeleteTopicState(topic)]), 6)
    assert answer.responses[0].error_code == 0


def fill(client: RawClient, topic: str, value: str) -> None:
    """Three values of one key over a megabyte together: two closed segments, and one that is written to."""
    for number in range(4):
        padding = "x" * 600_000
        assert client.produce(topic, keyed("k", f"{value}-{number}-{padding}"))[0] == 0


def keyed(key: str, value: str) -> bytearray:
    return bytearray(build([Record(0, int(time.time() * 1000), key.encode(), value.encode())]))


def values(client: RawClient, topic: str) -> list[bytes | None]:
    read: list[bytes | None] = []
    offset = 0
    while data := client.fetch(topic, offset)[1]:
        position = 0
        while position < len(data):
            header = read_header(data, position)
            if position + header.size > len(data):
                break  # the end of an answer may cut a batch
            read += [record.value for record in records(data, header, position)]
            position += header.size
            offset = header.next_offset
    return read


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)
