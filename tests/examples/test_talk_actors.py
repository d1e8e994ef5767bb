"""The talk's actors and microservice under load, with kill -9: what was acknowledged is there."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.boxes import until_ready

from smackbox.runtime.run import running_urls
from smackbox.runtime.stack import SMACK
from smackbox.runtime.supervisor import ProcessState, running

ACTORS = Path(__file__).parents[2] / "examples" / "talk" / "actors.py"
TIMEOUT_S = 90.0


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    command = [*SMACK, "run", str(ACTORS), "--free-ports", "--no-spark", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        until_ready(process, "talk")
        yield folder
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def node(box: Path) -> ProcessState:
    found = [process for state in running(box) for process in state.processes if process.name == "microservice-1"]
    return found[0]


def posted(box: Path, path: str, body: bytes, **headers: str) -> tuple[int, Any]:
    url = node(box).url.removesuffix("/actors") + path
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=6) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def event(number: int, **changes: Any) -> bytes:
    fields = {"id": str(UUID(int=number)), "campaign": str(UUID(int=number % 3)), "ts": number, "type": "view"}
    return json.dumps({**fields, **changes}).encode()


class Load:
    """Posts events to a path until it is left. `acknowledged` are those that were."""

    def __init__(self, box: Path, path: str, first: int) -> None:
        self.acknowledged: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._post, args=(box, path, first))

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _post(self, box: Path, path: str, number: int) -> None:
        while not self._stop.is_set():
            number += 1
            try:
                status, _ = posted(box, path, event(number))
            except OSError:
                time.sleep(0.05)
                continue
            if status < 300:
                self.acknowledged.add(str(UUID(int=number)))

    def until_more(self, count: int) -> None:
        """So many more are acknowledged."""
        wanted, deadline = len(self.acknowledged) + count, time.monotonic() + TIMEOUT_S
        while len(self.acknowledged) < wanted:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def in_kafka(address: str) -> set[str]:
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": address, "group.id": "check", "auto.offset.reset": "earliest"})
    try:
        found: set[str] = set()
        for partition in range(2):
            where = TopicPartition("published", partition)
            _, end = consumer.get_watermark_offsets(where, 10)
            consumer.assign([TopicPartition("published", partition, 0)])
            read = 0
            while read < end:
                for message in consumer.consume(500, 5):
                    assert message.error() is None
                    found.add(json.loads(message.value())["id"])
                    read = message.offset() + 1
        return found
    finally:
        consumer.close()


def in_cassandra(address: str) -> set[str]:
    from smackbox.spark.cql_session import CqlSession

    session = CqlSession(address, consistency="LOCAL_ONE")
    try:
        return {str(row.id) for row in session.session.execute("SELECT id FROM talk.event")}
    finally:
        session.close()


def test_the_microservice_validates_and_loses_nothing_when_it_is_killed(box: Path) -> None:
    assert posted(box, "/write", event(1))[0] == 201
    assert posted(box, "/event", gzip.compress(event(1)), **{"Content-Encoding": "gzip"})[0] == 202
    for path in ("/write", "/event"):
        status, answer = posted(box, path, event(1, type="hover"))
        assert (status, answer) == (400, {"errors": ["Invalid enum value 'hover' - at `$.type`"]})
        assert posted(box, path, b"{")[0] == 400
    rounds_of_kills(box, 1)


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_over_ten_kills(box: Path) -> None:
    rounds_of_kills(box, 10)


def rounds_of_kills(box: Path, rounds: int) -> None:
    with Load(box, "/write", 10_000) as writes, Load(box, "/event", 20_000) as publishes:
        for _ in range(rounds):
            writes.until_more(30)
            publishes.until_more(30)
            os.kill(node(box).pid, signal.SIGKILL)
        writes.until_more(30)
        publishes.until_more(30)
    urls = running_urls(box)
    assert urls.cassandra is not None and urls.kafka is not None
    assert writes.acknowledged <= in_cassandra(urls.cassandra)
    assert publishes.acknowledged <= in_kafka(urls.kafka)
