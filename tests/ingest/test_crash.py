"""`kill -9` of the broker while events come in: every event that got a 202 is in the log."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition

SENDERS = 4
BEFORE_KILL = 200
AFTER_KILL = 200
TIMEOUT_S = 30.0

BROKER = """
import sys
from pathlib import Path
from smackbox.kafka.server import KafkaServer
from smackbox.kafka.settings import KafkaSettings
from smackbox.net.service import run
run(KafkaServer(KafkaSettings(port=int(sys.argv[1]), dir=Path(sys.argv[2]))))
"""


class Broker:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.port = 0
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", BROKER, str(self.port), str(self._directory)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        ready = self.process.stdout.readline().split()
        assert ready[:2] == ["ready", "kafka"], ready
        self.url = ready[2]
        self.port = int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(TIMEOUT_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.mark.parametrize("kills", [1, 3])
def test_what_got_a_202_survives_the_broker(make_ingest: Callable[..., Any], tmp_path: Path, kills: int) -> None:
    broker = Broker(tmp_path)
    accepted: list[list[int]] = [[] for _ in range(SENDERS)]
    goal = threading.Event()

    def send(sender: int, ingest: Any, client: Any) -> None:
        number = sender
        while not goal.is_set():
            if client.post(ingest.encode(ingest.event(number))).status == 202:
                accepted[sender].append(number)
                number += SENDERS

    def wait_for(count: int) -> None:
        total = sum(map(len, accepted)) + count
        while sum(map(len, accepted)) < total:
            assert any(thread.is_alive() for thread in threads)
            goal.wait(0.005)

    try:
        with make_ingest(kafka=broker.url, delivery_timeout_s=TIMEOUT_S) as ingest:
            clients = [ingest.client() for _ in range(SENDERS)]
            threads = [threading.Thread(target=send, args=(n, ingest, client)) for n, client in enumerate(clients)]
            for thread in threads:
                thread.start()
            wait_for(BEFORE_KILL)
            for _ in range(kills):
                broker.kill()
                broker.start()
                wait_for(AFTER_KILL)
            goal.set()
            for thread in threads:
                thread.join(TIMEOUT_S)
            found = identities(broker.url, ingest.topic)
    finally:
        goal.set()
        broker.kill()
    assert {number for numbers in accepted for number in numbers} <= set(found)


def identities(kafka: str, topic: str) -> list[int]:
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "reader"})
    try:
        numbers = list(consumer.list_topics(topic, TIMEOUT_S).topics[topic].partitions)
        ends = [consumer.get_watermark_offsets(TopicPartition(topic, number), TIMEOUT_S)[1] for number in numbers]
        consumer.assign([TopicPartition(topic, number, 0) for number in numbers])
        records = consumer.consume(sum(ends), TIMEOUT_S)
        assert len(records) == sum(ends)
        return [UUID(msgspec.json.decode(record.value())["id"]).int for record in records]
    finally:
        consumer.close()
