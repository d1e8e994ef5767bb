"""`kill -9` between any two steps of a stream from each source to a target: every event is there once, none is lost."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import socketserver
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from tests.spark.streams.program import STEPS, Number, run_killed

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
ROWS = 1_000
TIMEOUT_S = 20.0
TRIES = 20
KILLS = [pytest.param(len(STEPS), id="5"), pytest.param(30, id="30", marks=pytest.mark.slow)]


def kill_and_finish(spec: dict[str, Any], kills: int, ids: Callable[[], list[int]]) -> list[int]:
    """Kill the stream at each step in turn, the first or second time that it comes there; then let it end.

    `ids` gives what is in the target. On a busy machine a stream may end because nothing came in time; it is run again.
    """
    chance = random.Random(kills)
    killed = sum(run_killed(spec, f"{STEPS[number % len(STEPS)]}:{chance.choice((1, 2))}") for number in range(kills))
    assert killed >= min(kills, len(STEPS)) - 1
    for _ in range(TRIES):
        assert not run_killed(spec, "none")
        found = ids()
        if len(found) >= ROWS:
            break
    return found


def committed_ids(kafka: str, topic: str) -> list[int]:
    consumer = Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": "check",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[int] = []
    while (message := consumer.poll(TIMEOUT_S)) is not None and message.error() is None:
        found.append(json.loads(message.value())["id"])
    consumer.close()
    assert message is not None, "the topic's end was not reached"
    return found


def ids_of_files(folder: Path) -> list[int]:
    lines: list[bytes] = []
    for file in sorted(folder.iterdir()):
        if not file.name.startswith("."):
            data = file.read_bytes()
            lines += (gzip.decompress(data) if file.suffix == ".gz" else data).splitlines()
    return [json.loads(line)["id"] for line in lines]


@pytest.fixture
def endpoint() -> Iterator[tuple[str, dict[str, list[bytes]]]]:
    """A server that remembers the bodies of each idempotency key; it fails now and then after it has taken one."""
    bodies: dict[str, list[bytes]] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen = bodies.setdefault(self.headers["Idempotency-Key"], [])
            seen.append(body)
            self.send_response(503 if len(seen) == 1 and len(bodies) % 7 == 3 else 204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/in", bodies
    server.shutdown()
    thread.join()
    server.server_close()


def put_numbers(client: Any, stream: str, first: int, last: int) -> None:
    for begin in range(first, last, 250):
        records = [
            {"Data": json.dumps({"id": number}).encode(), "PartitionKey": f"k{number % 50}"}
            for number in range(begin, min(begin + 250, last))
        ]
        client.put_records(StreamName=stream, Records=records)


@pytest.mark.parametrize("kills", KILLS)
def test_kinesis_into_packed_files(aws: str, client_of: Callable[[str], Any], tmp_path: Path, kills: int) -> None:
    client = client_of("kinesis")
    client.create_stream(StreamName="numbers", ShardCount=2)
    try:
        put_numbers(client, "numbers", 0, ROWS // 2)
        shard = client.list_shards(StreamName="numbers")["Shards"][0]
        low, high = (int(shard["HashKeyRange"][end]) for end in ("StartingHashKey", "EndingHashKey"))
        middle = str((low + high) // 2)
        client.split_shard(StreamName="numbers", ShardToSplit=shard["ShardId"], NewStartingHashKey=middle)
        put_numbers(client, "numbers", ROWS // 2, ROWS)
        out = tmp_path / "out"
        spec = {
            "dir": str(tmp_path),
            "source": {"kind": "kinesis", "url": aws},
            "target": {"kind": "files", "url": str(out), "packed": "gz"},
            "batch": ROWS // (kills + 2),
        }
        assert sorted(kill_and_finish(spec, kills, lambda: ids_of_files(out))) == list(range(ROWS))
    finally:
        client.delete_stream(StreamName="numbers")


@pytest.mark.parametrize("kills", KILLS)
def test_files_into_a_topic(kafka: str, make_topic: Callable[..., Any], tmp_path: Path, kills: int) -> None:
    numbers = iter(range(ROWS))
    for part, size in enumerate((ROWS // 4, ROWS // 4, ROWS // 2)):
        lines = "".join(json.dumps({"id": next(numbers)}) + "\n" for _ in range(size)).encode()
        name = tmp_path / "in" / f"2015-{part}" / ("a.jsonl.gz" if part != 1 else "b.ndjson")
        name.parent.mkdir(parents=True)
        name.write_bytes(gzip.compress(lines) if part != 1 else lines)
    topic = make_topic()
    spec = {
        "dir": str(tmp_path),
        "kafka": kafka,
        "source": {"kind": "files", "url": f"{tmp_path}/in/*/*"},
        "target": {"kind": "topic", "name": topic.name},
        "batch": ROWS // (kills + 2),
    }
    assert kill_and_finish(spec, kills, lambda: committed_ids(kafka, topic.name)) == list(range(ROWS))


@pytest.mark.parametrize("kills", KILLS)
def test_two_topics_into_an_endpoint(
    make_topic: Callable[..., Any], endpoint: tuple[str, dict[str, list[bytes]]], tmp_path: Path, kills: int
) -> None:
    topics = [make_topic(2), make_topic(1)]
    for place, topic in enumerate(topics):
        topic.put(*(Number(number) for number in range(place, ROWS, 2)))
    url, bodies = endpoint
    spec = {
        "dir": str(tmp_path),
        "kafka": topics[0].kafka,
        "source": {"kind": "topics", "names": [topic.name for topic in topics]},
        "target": {"kind": "http", "url": url},
        "batch": ROWS // (kills + 2),
    }

    def ids() -> list[int]:
        return [row["id"] for seen in bodies.values() for row in json.loads(seen[0])]

    assert sorted(kill_and_finish(spec, kills, ids)) == list(range(ROWS))
    assert all(len(set(seen)) == 1 for seen in bodies.values()), "a repeated request has the same body"
    assert any(len(seen) > 1 for seen in bodies.values()), "a kill after the answer makes a repeat"


@pytest.mark.parametrize("kills", KILLS)
def test_a_rate_into_files(tmp_path: Path, kills: int) -> None:
    """Parquet in the long test: a child takes a second to import what writes it."""
    import pyarrow.parquet as pq

    out = tmp_path / "out"
    spec = {
        "dir": str(tmp_path),
        "source": {"kind": "rate", "limit": ROWS},
        "target": {"kind": "files", "url": str(out), "format": "json" if kills < 30 else "parquet"},
        "batch": ROWS // (kills + 2),
    }

    def ids() -> list[int]:
        if kills < 30:
            lines = [line for file in sorted(out.glob("batch-*")) for line in file.read_text().splitlines()]
            return [json.loads(line)["value"] for line in lines]
        return [row["id"] for file in sorted(out.glob("batch-*")) for row in pq.read_table(file).to_pylist()]

    assert kill_and_finish(spec, kills, ids) == list(range(ROWS))


@pytest.mark.parametrize("kills", KILLS)
def test_what_a_socket_has_planned_is_written_once(tmp_path: Path, kills: int) -> None:
    """A socket cannot be read again: what was not planned is lost, and nothing comes twice."""
    out = tmp_path / "out"
    sent: list[range] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            numbers = range(len(sent) * ROWS, len(sent) * ROWS + ROWS // 10)
            sent.append(numbers)
            with contextlib.suppress(OSError):
                self.request.sendall(b"".join(b'{"id": %d}\r\n' % number for number in numbers))
                self.request.recv(1)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        spec = {
            "dir": str(tmp_path),
            "source": {"kind": "socket", "port": server.server_address[1]},
            "target": {"kind": "files", "url": str(out)},
            "batch": 40,
        }
        for number in range(kills):
            assert run_killed(spec, f"{STEPS[number % len(STEPS)]}:1")
        for _ in range(TRIES):
            assert not run_killed(spec, "none")
            if set(ids_of_files(out)) >= set(sent[-1]):
                break
        server.shutdown()
        thread.join()
    ids = ids_of_files(out)
    assert len(ids) == len(set(ids))
    assert set(ids) & set(sent[0]), "what the first process had planned is there"
    assert set(ids) >= set(sent[-1]), "the last process was not killed"
