"""`kill -9` at random moments while idempotent and transactional producers run: what was acknowledged is there once.

The broker is a process of its own on a directory that stays; it is killed and started again under the clients, which go
on by themselves. In the end: every acknowledged record of the idempotent producer once and in order; of each
transaction that committed all records, of each that aborted none, to a reader of committed records.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from smackbox.net.listener import free_port

START_LIMIT_S = 30.0
CALL_LIMIT_S = 60.0


class KilledBroker:
    """A broker process on one port and one directory, killed and started again."""

    def __init__(self, directory: Path, sync: bool) -> None:
        self.port = free_port("127.0.0.1")
        self.bootstrap = f"127.0.0.1:{self.port}"
        self._command = [sys.executable, "-m", "smackbox", "kafka", "serve", "--port", str(self.port)]
        self._command += ["--dir", str(directory), *(["--sync"] if sync else [])]
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready kafka"), line

    def kill(self, signum: int = signal.SIGKILL) -> None:
        assert self.process is not None
        self.process.send_signal(signum)
        self.process.wait(START_LIMIT_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


def idempotent_producer(bootstrap: str, topic: str, stop: threading.Event, acknowledged: list[int]) -> None:
    client = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "linger.ms": 2,
            "batch.num.messages": 20,
            "message.timeout.ms": 0,  # the flush at the end, when the broker stays up, has its limit
            "reconnect.backoff.max.ms": 100,
            "retry.backoff.max.ms": 100,
            "log_level": 0,
        }
    )

    def delivered(error: KafkaError | None, message: object) -> None:
        assert error is None, error
        acknowledged.append(int(message.value()))  # type: ignore[attr-defined]

    number = 0
    while not stop.is_set():
        client.produce(topic, str(number).encode(), partition=0, on_delivery=delivered)
        number += 1
        client.poll(0.0005)
        if number - len(acknowledged) > 2000:
            client.poll(0.05)
    assert client.flush(CALL_LIMIT_S) == 0


def patiently(call: Callable[[float], object], calm: threading.Event) -> None:
    """Call until it is done: on a slow machine the broker may not stand long enough between its kills.

    librdkafka says that a call which timed out is to be made again; once the broker stays up, it has its time once.
    """
    while True:
        stays_up = calm.is_set()
        try:
            call(CALL_LIMIT_S)
        except KafkaException as error:
            if stays_up or not error.args[0].retriable():
                raise
        else:
            return


def transactional_producer(
    bootstrap: str, topic: str, stop: threading.Event, calm: threading.Event, outcomes: dict[int, str]
) -> None:
    dice = random.Random(7)

    def connected() -> Producer:
        client = Producer(
            {
                "bootstrap.servers": bootstrap,
                "transactional.id": "crash",
                "linger.ms": 1,
                "reconnect.backoff.max.ms": 100,
                "retry.backoff.max.ms": 100,
                "log_level": 0,
            }
        )
        patiently(client.init_transactions, calm)
        return client

    client = connected()
    number = 0
    while not stop.is_set():
        number += 1
        client.begin_transaction()
        for i in range(6):
            client.produce(topic, f"{number}-{i}".encode(), partition=1 + i % 2)
        commit = dice.random() < 0.7
        outcomes[number] = "unknown"
        try:
            if commit:
                patiently(client.commit_transaction, calm)
            else:
                client.flush(CALL_LIMIT_S)
                patiently(client.abort_transaction, calm)
            outcomes[number] = "committed" if commit else "aborted"
        except KafkaException as error:
            if error.args[0].txn_requires_abort():
                patiently(client.abort_transaction, calm)
                outcomes[number] = "aborted"
            elif error.args[0].fatal():
                client = connected()  # what became of that transaction only the log knows
            else:
                raise


def read_all(bootstrap: str, topic: str, partition: int) -> list[str]:
    client = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "reader",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )
    client.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
    values: list[str] = []
    deadline = time.monotonic() + CALL_LIMIT_S
    while time.monotonic() < deadline:
        message = client.poll(1.0)
        if message is None:
            continue
        if message.error() is None:
            values.append(message.value().decode())
        elif message.error().code() == KafkaError._PARTITION_EOF:
            client.close()
            return values
    raise AssertionError("the end of the partition was not reached")


def run(directory: Path, rounds: int, *, sync: bool, seed: int) -> None:
    dice = random.Random(seed)
    broker = KilledBroker(directory, sync)
    broker.start()
    stop, calm = threading.Event(), threading.Event()
    acknowledged: list[int] = []
    outcomes: dict[int, str] = {}
    failures: list[BaseException] = []

    def guarded(target: object, *arguments: object) -> threading.Thread:
        def body() -> None:
            try:
                target(*arguments)  # type: ignore[operator]
            except BaseException as error:  # noqa: BLE001 - whatever it is, the test's own thread reports it
                failures.append(error)

        return threading.Thread(target=body)

    try:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
        admin.create_topics([NewTopic("t", 3, 1, config={"segment.bytes": "1048576"})])["t"].result(CALL_LIMIT_S)
        clients = [
            guarded(idempotent_producer, broker.bootstrap, "t", stop, acknowledged),
            guarded(transactional_producer, broker.bootstrap, "t", stop, calm, outcomes),
        ]
        for client in clients:
            client.start()
        for _ in range(rounds):
            moment = time.monotonic() + dice.uniform(0.05, 0.6)
            while time.monotonic() < moment:
                threading.Event().wait(0.01)
            broker.kill()
            broker.start()
        calm.set()
        progress = len(acknowledged)
        deadline = time.monotonic() + CALL_LIMIT_S
        while not failures and time.monotonic() < deadline:
            if len(acknowledged) >= progress + 50 and "committed" in list(outcomes.values()):
                break
            threading.Event().wait(0.02)
        stop.set()
        for client in clients:
            client.join(3 * CALL_LIMIT_S)
            assert failures or not client.is_alive()
        assert not failures, failures
        check(broker.bootstrap, acknowledged, outcomes)
    finally:
        stop.set()
        broker.kill(signal.SIGTERM)


def check(bootstrap: str, acknowledged: list[int], outcomes: dict[int, str]) -> None:
    values = [int(value) for value in read_all(bootstrap, "t", 0)]
    assert values == sorted(set(values)), "once and in order"
    assert set(acknowledged) <= set(values), "everything that was acknowledged"
    assert len(acknowledged) > 50
    seen = Counter()
    for partition in (1, 2):
        rows = read_all(bootstrap, "t", partition)
        assert len(rows) == len(set(rows)), "no record twice"
        seen.update(int(row.partition("-")[0]) for row in rows)
    assert "committed" in outcomes.values()
    for number, outcome in outcomes.items():
        expected = {"committed": {6}, "aborted": {0}, "unknown": {0, 6}}[outcome]
        assert seen[number] in expected, f"transaction {number} was {outcome}, {seen[number]} of its records are seen"


def test_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    run(tmp_path / "kafka", 4, sync=False, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("sync", [False, True])
def test_a_hundred_kills(tmp_path: Path, sync: bool) -> None:
    run(tmp_path / "kafka", 100, sync=sync, seed=2)
