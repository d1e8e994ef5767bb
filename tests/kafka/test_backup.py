"""Online back-up: a copy as of one moment, taken under load, that a broker serves."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from smackbox.base.errors import UserError
from smackbox.kafka.server import KafkaServer
from smackbox.kafka.server.backup import ask
from smackbox.kafka.settings import KafkaSettings
from smackbox.net.service import ServiceThread

TIMEOUT_S = 20.0
QUEUED_LIMIT = 10_000
SMACK = (sys.executable, "-m", "smackbox")


def values(bootstrap: str, topic: str) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "g", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found = []
    while (message := consumer.poll(TIMEOUT_S)) is not None and not message.error():
        found.append(message.value())
    consumer.close()
    return found


def test_a_copy_under_load_holds_all_that_was_answered_before(tmp_path: Path) -> None:
    command = [*SMACK, "kafka", "serve", "--port", "0", "--dir", str(tmp_path / "data")]
    broker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert broker.stdout is not None
        bootstrap = broker.stdout.readline().split()[2]
        admin = AdminClient({"bootstrap.servers": bootstrap})
        small = {"segment.bytes": "1048576", "retention.bytes": "3000000"}
        admin.create_topics([NewTopic("t", 1, config=small), NewTopic("other", 1)])["t"].result(TIMEOUT_S)
        acknowledged: list[int] = []
        stop = threading.Event()

        def load() -> None:
            producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 1})
            number = 0
            while not stop.is_set():
                number += 1
                producer.produce(
                    "t", b"%08d" % number + b"x" * 1000, on_delivery=lambda error, _, n=number: acknowledged.append(n)
                )
                producer.poll(0.0005)
                while len(producer) > QUEUED_LIMIT and not stop.is_set():
                    producer.poll(0.01)
            assert producer.flush(TIMEOUT_S) == 0

        loading = threading.Thread(target=load)
        loading.start()
        while len(acknowledged) < 2_000:
            stop.wait(0.01)
        before = max(acknowledged)
        done = subprocess.run(
            [*SMACK, "kafka", "backup", str(tmp_path / "copy"), "--dir", str(tmp_path / "data")],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        during = len(acknowledged)
        stop.wait(0.2)
        stop.set()
        loading.join()
        assert (done.returncode, done.stderr) == (0, "")
        assert "MB copied to" in done.stdout
        assert len(acknowledged) > during > 0  # the broker went on
        assert not (tmp_path / "data" / "backup-links-delete").exists()
    finally:
        broker.terminate()
        broker.communicate(timeout=30)
    with ServiceThread(KafkaServer(KafkaSettings(dir=tmp_path / "copy"))) as copy:
        numbers = [int(value[:8]) for value in values(copy.url, "t")]
        assert {"other", "t"} <= set(AdminClient({"bootstrap.servers": copy.url}).list_topics(timeout=10).topics)
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert numbers[-1] >= before


def test_a_stopped_broker_is_copied_too(tmp_path: Path) -> None:
    with ServiceThread(KafkaServer(KafkaSettings(dir=tmp_path / "data"))) as kafka:
        producer = Producer({"bootstrap.servers": kafka.url})
        producer.produce("t", b"kept")
        assert producer.flush(TIMEOUT_S) == 0
    assert ask(tmp_path / "data", tmp_path / "copy", TIMEOUT_S).files > 0
    with ServiceThread(KafkaServer(KafkaSettings(dir=tmp_path / "copy"))) as copy:
        assert values(copy.url, "t") == [b"kept"]


def test_what_cannot_be_copied_says_why(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a broker's data directory"):
        ask(tmp_path, tmp_path / "copy", TIMEOUT_S)
    with ServiceThread(KafkaServer(KafkaSettings(dir=tmp_path / "data"))):
        pass
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("in the way")
    with pytest.raises(UserError, match="is not empty"):
        ask(tmp_path / "data", tmp_path / "full", TIMEOUT_S)
