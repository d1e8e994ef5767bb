"""Targets: what they do with a batch that comes twice, with servers that are away, and with what they cannot take."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from cassandra.connection import ConnectionShutdown
from confluent_kafka import Consumer, TopicPartition

from smackbox.base.errors import SettingError
from smackbox.spark.streaming.errors import AwayError, StreamError
from smackbox.spark.streaming.outputs import statement
from smackbox.spark.streaming.outputs.files import FileOutput
from smackbox.spark.streaming.outputs.function import FunctionOutput
from smackbox.spark.streaming.outputs.http import HttpOutput
from smackbox.spark.streaming.outputs.output import OutputBatch
from smackbox.spark.streaming.outputs.statement import StatementOutput
from smackbox.spark.streaming.outputs.topic import TopicOutput
from smackbox.spark.streaming.settings import StreamSettings

TIMEOUT_S = 20.0


class Row(msgspec.Struct, frozen=True, rename="camel"):
    id: int
    owner_name: str | None = None
    token: UUID | None = None


def batch(number: int, *ids: int, checkpoint: str = "cp") -> OutputBatch:
    return OutputBatch(number, checkpoint, [Row(number) for number in ids])


def in_topic(topic: Any, isolation: str = "read_committed") -> list[dict[str, Any]]:
    consumer = Consumer(
        {"bootstrap.servers": topic.kafka, "group.id": "t", "isolation.level": isolation, "enable.partition.eof": True}
    )
    consumer.assign([TopicPartition(topic.name, 0, 0)])
    found = []
    while (message := consumer.poll(TIMEOUT_S)) is not None and message.error() is None:
        found.append({**json.loads(message.value()), "key": message.key()})
    consumer.close()
    return found


def topic_output(topic: Any, name: str = "s", key: str | None = "id") -> TopicOutput:
    return TopicOutput(topic.kafka, topic.name, name, Row, key, {})


def test_a_batch_is_in_a_topic_once_by_its_number_and_rows_have_the_names_of_its_events(topic: Any) -> None:
    first = topic_output(topic)
    first.put(batch(1, 1, 2))
    first.put(batch(1, 1, 2))
    first.close()
    second = topic_output(topic)
    second.put(batch(1, 1, 2))
    token = UUID(int=5)
    second.put(OutputBatch(2, "cp", [{"id": 3, "owner_name": "Ada", "token": str(token), "more": 1}]))
    second.close()
    assert in_topic(topic) == [
        {"id": 1, "ownerName": None, "token": None, "key": b"1"},
        {"id": 2, "ownerName": None, "token": None, "key": b"2"},
        {"id": 3, "ownerName": "Ada", "token": str(token), "key": b"3"},
    ]


def test_numbers_begin_again_with_another_checkpoint(topic: Any) -> None:
    output = topic_output(topic)
    output.put(batch(5, 1))
    output.close()
    other = topic_output(topic)
    other.put(batch(1, 2, checkpoint="another"))
    other.close()
    assert [row["id"] for row in in_topic(topic)] == [1, 2]


def test_a_runner_that_was_thought_dead_writes_nothing_more(topic: Any) -> None:
    zombie, heir = topic_output(topic), topic_output(topic)
    zombie.put(batch(1, 1))
    heir.open("cp")
    with pytest.raises(StreamError, match="another runner of s writes"):
        zombie.put(batch(2, 2))
    heir.put(batch(2, 3))
    heir.close()
    assert [row["id"] for row in in_topic(topic)] == [1, 3]
    assert [row["id"] for row in in_topic(topic, "read_uncommitted")] in ([1, 3], [1, 2, 3])


def test_rows_that_are_no_events_of_the_topic_and_records_that_are_too_large_end_the_stream(topic: Any) -> None:
    output = topic_output(topic)
    with pytest.raises(StreamError, match="does not fit the events of .*Expected `int`"):
        output.put(OutputBatch(1, "cp", [{"id": "x"}]))
    with pytest.raises(StreamError, match="refuses the batch"):
        output.put(OutputBatch(1, "cp", [Row(1), Row(2, "x" * 2_000_000)]))
    output.put(batch(1, 7))
    output.close()
    assert [row["id"] for row in in_topic(topic)] == [7], "what was refused left nothing"


def test_a_broker_that_is_away_is_worth_another_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    from smackbox.spark import batch_transactions

    monkeypatch.setattr(batch_transactions, "TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    output = TopicOutput(f"127.0.0.1:{port}", "t", "s", Row, None, {"log_level": "0"})
    with pytest.raises(AwayError):
        output.put(batch(1, 1))


@pytest.mark.parametrize("kind", ["json", "parquet"])
def test_a_file_that_is_there_stays_and_nobody_sees_a_part(tmp_path: Path, kind: Any) -> None:
    output = FileOutput(f"file://{tmp_path}/a/b", kind, "none")
    output.open("cp")
    output.put(batch(3, 1, 2))
    (file,) = (tmp_path / "a" / "b").iterdir()
    before = file.read_bytes()
    (file.parent / f".{file.name}").write_bytes(b"torn")
    output.put(OutputBatch(3, "cp", [Row(9)]))
    output.put(batch(4))
    assert [each.name for each in file.parent.iterdir()] == [file.name]
    assert file.read_bytes() == before
    output.put(batch(3, 1, checkpoint="other"))
    assert len(list(file.parent.iterdir())) == 2
    if kind == "json":
        assert [json.loads(line) for line in before.splitlines()][1] == {"id": 2, "ownerName": None, "token": None}


def test_a_folder_that_is_a_file_is_refused_when_the_stream_starts(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StreamError, match="cannot be made"):
        FileOutput(str(tmp_path / "file"), "json", "none").open("cp")


def test_batches_are_objects_of_a_bucket(aws: str, client_of: Callable[[str], Any]) -> None:
    s3 = client_of("s3")
    s3.create_bucket(Bucket="out", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    keys = (("access_key_id", "k"), ("endpoint", aws), ("region", "eu-west-1"), ("secret_access_key", "s"))
    output = FileOutput("s3://out/day=1/", "json", "none", keys)
    output.open("cp")
    for rows in ((1, 2), (8, 9)):
        output.put(batch(1, *rows))
    (entry,) = s3.list_objects_v2(Bucket="out")["Contents"]
    assert entry["Key"] == "day=1/batch-0000000001-cp.jsonl"
    assert b'"id":1' in s3.get_object(Bucket="out", Key=entry["Key"])["Body"].read()
    gone = FileOutput("s3://nowhere", "json", "none", keys)
    with pytest.raises(AwayError, match="cannot be put"):
        gone.put(batch(1, 1))


class Endpoint:
    """Answers with `statuses` in turn, then with 200; keeps what it was sent."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.requests: list[tuple[str, str, bytes]] = []
        self.drop = 0
        self.drip_s = 0.0
        self.drips = "body"


@pytest.fixture
def endpoint() -> Iterator[tuple[str, Endpoint]]:
    state = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.requests.append((self.path, self.headers["Idempotency-Key"], body))
            if state.drop:
                state.drop -= 1
                self.close_connection = True
                return
            self.send_response(state.statuses.pop(0) if state.statuses else 200)
            self.send_header("Content-Length", "7" if not state.drip_s else "70000")
            if state.drips == "body":
                self.end_headers()
            else:
                self.wfile.write(b"HTTP/1.1 ")
            while state.drip_s:
                try:
                    self.wfile.write(b".")
                except OSError:
                    return
                time.sleep(state.drip_s)
            self.wfile.write(b"because")

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/in?x=1", state
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_batch_is_posted_in_parts_whose_keys_are_the_same_in_a_repeat(endpoint: tuple[str, Endpoint]) -> None:
    url, state = endpoint
    output = HttpOutput(url, "s", {"X-Token": "t"}, rows=2)
    for _ in range(2):
        output.put(batch(4, 1, 2, 3))
    output.close()
    first, second = state.requests[:2], state.requests[2:]
    assert first == second
    assert [(path, key) for path, key, _ in first] == [("/in?x=1", "s-cp-4-0"), ("/in?x=1", "s-cp-4-1")]
    assert [[row["id"] for row in json.loads(body)] for _, _, body in first] == [[1, 2], [3]]


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_answers_that_pass_are_tried_again(endpoint: tuple[str, Endpoint], status: int) -> None:
    url, state = endpoint
    state.statuses = [status]
    output = HttpOutput(url, "s", {})
    with pytest.raises(AwayError, match=f"answers {status}: because"):
        output.put(batch(1, 1))
    output.put(batch(1, 1))
    output.close()


def test_an_answer_that_comes_byte_by_byte_is_given_up(endpoint: tuple[str, Endpoint]) -> None:
    url, state = endpoint
    state.drip_s = 0.02
    output = HttpOutput(url, "s", {}, timeout_s=0.2)
    output.put(batch(1, 1))  # its status has come: the rest is for people
    state.drips = "head"
    with pytest.raises(AwayError, match="does not answer"):
        output.put(batch(2, 1))
    state.drip_s, state.drips = 0, "body"
    output.put(batch(2, 1))
    output.close()


@pytest.mark.parametrize("status", [301, 400, 404])
def test_answers_that_do_not_pass_end_the_stream(endpoint: tuple[str, Endpoint], status: int) -> None:
    url, state = endpoint
    state.statuses = [status]
    output = HttpOutput(url, "s", {})
    with pytest.raises(StreamError, match=f"answers {status}: because; the stream ends, its batch s-cp-1-0 stays"):
        output.put(batch(1, 1))
    output.close()


def test_a_connection_that_is_cut_off_is_worth_another_attempt(endpoint: tuple[str, Endpoint]) -> None:
    url, state = endpoint
    output = HttpOutput(url, "s", {})
    output.put(batch(1, 1))
    state.drop = 1
    with pytest.raises(AwayError, match="does not answer"):
        output.put(batch(2, 1))
    output.put(batch(2, 1))
    output.close()
    assert [key for _, key, _ in state.requests] == ["s-cp-1-0", "s-cp-2-0", "s-cp-2-0"]
    with pytest.raises(SettingError, match="not the URL of an HTTP endpoint"):
        HttpOutput("ftp://x", "s", {})


def test_a_function_gets_the_batch_and_its_number_and_its_failure_is_named() -> None:
    seen: list[Any] = []
    FunctionOutput(lambda number, rows: seen.append((number, rows))).put(batch(3, 1))
    assert seen == [(3, [Row(1)])]

    def fail(number: int, rows: list[Any]) -> None:
        raise KeyError("x")

    with pytest.raises(StreamError, match=r"the target fail failed on batch 3: KeyError\('x'\)"):
        FunctionOutput(fail).put(batch(3, 1))


def test_a_node_that_dies_under_a_statement_is_waited_for(
    make_settings: Callable[..., StreamSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dying:
        def __init__(self, *_: Any, **__: Any) -> None:
            self.session = self

        def set_keyspace(self, keyspace: str) -> None:
            raise ConnectionShutdown("the node was killed")

    monkeypatch.setattr(statement, "session_of", Dying)
    output = StatementOutput(make_settings(), "INSERT INTO t (id) VALUES (:id)")
    with pytest.raises(AwayError, match="the node was killed"):
        output.put(batch(1, 1))
