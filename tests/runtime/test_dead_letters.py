"""Dead letters: what is shown, sent again once, and dropped."""

from __future__ import annotations

import http.server
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from smackbox.base.errors import UserError
from smackbox.runtime.dead_letters import LEDGER, DeadLetterTopics, Letter
from smackbox.spark.streaming.dead_letters import DeadLetters
from smackbox.spark.streaming.records import BadRecord
from smackbox.testing.fixtures import SmackKafka

LIMIT_S = 20.0
ADDED = [
    ("error.reason", b"amount is text"), ("source.stream", b"totals"), ("source.topic", b"raw"),
    ("source.partition", b"1"), ("source.offset", b"7"), ("source.timestamp", b"1769860800000"),
]  # fmt: skip
OWN = [("error.reason", b"the original's own"), ("trace", b"\xff"), ("none", None)]


@pytest.fixture
def kafka(smack_kafka: SmackKafka) -> str:
    admin = AdminClient({"bootstrap.servers": smack_kafka.bootstrap})
    for future in admin.create_topics([NewTopic("raw", 2), NewTopic("raw.dlq", 2), NewTopic("plain", 1)]).values():
        future.result(LIMIT_S)
    return smack_kafka.bootstrap


def put(kafka: str, *records: tuple[bytes, list[Any]], topic: str = "raw.dlq") -> None:
    producer = Producer({"bootstrap.servers": kafka})
    for number, (value, headers) in enumerate(records):
        producer.produce(topic, value, b"key", number % 2 if topic != "plain" else 0, headers=headers)
    assert producer.flush(LIMIT_S) == 0


def read(kafka: str, topic: str, partitions: int = 2) -> list[Any]:
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "look", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    found: list[Any] = []
    ends = 0
    while ends < partitions:
        message = consumer.poll(LIMIT_S)
        assert message is not None
        if message.error():
            ends += 1
        else:
            found.append(message)
    consumer.close()
    return found


def every(_: Letter) -> bool:
    return True


def test_topics_with_dead_letters_are_found_and_others_not(kafka: str) -> None:
    put(kafka, (b"x", ADDED))
    put(kafka, (b"x", [("reason", b"x")]), topic="plain")
    assert DeadLetterTopics(kafka).topics() == ["raw.dlq"]


def test_a_letter_tells_reason_and_source_and_keeps_the_original(kafka: str) -> None:
    put(kafka, (b"\xfe bytes", ADDED + OWN), (b"no letter", OWN[1:]))
    (letter,) = DeadLetterTopics(kafka).pending("raw.dlq")
    assert (letter.reason, letter.place, letter.key, letter.value) == ("amount is text", "0/0", b"key", b"\xfe bytes")
    assert letter.headers == tuple(OWN)
    assert letter.added["source.offset"] == "7"


def test_headers_of_the_original_are_never_taken_for_those_that_were_added(kafka: str) -> None:
    own = [("source.path", b"@elsewhere/x"), ("error.index", b"1")]
    at_endpoint = [("error.reason", b"bad"), ("source.path", b"/a"), ("source.topic", b"raw")]
    put(kafka, (b"1", ADDED + own), (b"2", [*at_endpoint, ("source.partition", b"9")]))
    by_value = {letter.value: letter for letter in DeadLetterTopics(kafka).pending("raw.dlq")}
    assert by_value[b"1"].headers == tuple(own)
    assert "source.path" not in by_value[b"1"].added
    assert by_value[b"2"].headers == (("source.partition", b"9"),)
    assert DeadLetterTopics(kafka).replay("raw.dlq", lambda one: one.value == b"1", None, "http://127.0.0.1:9") == 1
    assert [(message.value(), message.headers()) for message in read(kafka, "raw")] == [(b"1", own)]


def test_a_path_that_is_none_is_posted_nowhere(kafka: str) -> None:
    put(kafka, (b"1", [("error.reason", b"bad"), ("source.path", b"@elsewhere/x")]))
    with pytest.raises(UserError, match="which is no path: give --to"):
        DeadLetterTopics(kafka).replay("raw.dlq", every, None, "http://127.0.0.1:9")


def test_a_replay_sends_the_original_once_to_where_it_was(kafka: str) -> None:
    put(kafka, (b"\xfe bytes", ADDED + OWN))
    for expected in (1, 0):
        assert DeadLetterTopics(kafka).replay("raw.dlq", every, None, None) == expected
    (message,) = read(kafka, "raw")
    assert (message.partition(), message.key(), message.value()) == (1, b"key", b"\xfe bytes")
    assert message.timestamp()[1] == 1_769_860_800_000
    assert message.headers() == OWN
    letters = DeadLetterTopics(kafka)
    assert list(letters.pending("raw.dlq")) == []
    assert [one.action for one in letters.handled("raw.dlq").values()] == ["replayed"]


def test_some_by_reason_others_dropped_new_ones_wait(kafka: str) -> None:
    late = [("error.reason", b"too late"), *ADDED[1:]]
    put(kafka, (b"1", ADDED), (b"2", late), (b"3", ADDED), (b"4", late))
    letters = DeadLetterTopics(kafka)
    assert letters.replay("raw.dlq", lambda letter: "late" in letter.reason, "plain", None) == 2
    assert letters.drop("raw.dlq", lambda letter: letter.place == "0/0") == 1
    assert [letter.value for letter in letters.pending("raw.dlq")] == [b"3"]
    assert sorted(message.value() for message in read(kafka, "plain", 1)) == [b"2", b"4"]
    put(kafka, (b"5", ADDED))
    assert letters.replay("raw.dlq", every, None, None) == 2
    assert sorted(message.value() for message in read(kafka, "raw")) == [b"3", b"5"]


def test_a_letter_that_does_not_say_where_it_came_from_asks_where_to(kafka: str) -> None:
    put(kafka, (b"1", ADDED), (b"2", ADDED[:1]))
    letters = DeadLetterTopics(kafka)
    with pytest.raises(UserError, match=r"1/0 does not say where it came from: give --to TOPIC; . letters before it"):
        letters.replay("raw.dlq", every, None, None)
    assert letters.replay("raw.dlq", every, "raw", None) + len(read(kafka, "raw")) >= 2
    assert sorted(message.value() for message in read(kafka, "raw")) == [b"1", b"2"]


def test_a_topic_that_is_not_there_says_so(kafka: str) -> None:
    with pytest.raises(UserError, match="no topic 'none'"):
        list(DeadLetterTopics(kafka).pending("none"))


REPLAY = """
import os, signal, sys
from smackbox.runtime import dead_letters as module
module.TRANSACTION_LETTERS = 10
left = int(sys.argv[2])
produce = module._produce
def counted(*arguments):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    produce(*arguments)
module._produce = counted
module.DeadLetterTopics(sys.argv[1]).replay("raw.dlq", lambda _: True, None, None)
"""


@pytest.mark.slow
def test_a_replay_that_is_killed_again_and_again_sends_each_once(kafka: str) -> None:
    values = [b"%d" % number for number in range(60)]
    put(kafka, *((value, ADDED) for value in values))
    for at in (5, 15, 33):
        process = subprocess.run(
            [sys.executable, "-c", REPLAY, kafka, str(at)], check=False, timeout=60, capture_output=True
        )
        assert process.returncode == -signal.SIGKILL, process.stderr
    DeadLetterTopics(kafka).replay("raw.dlq", every, None, None)
    assert sorted(message.value() for message in read(kafka, "raw")) == sorted(values)


@pytest.fixture
def endpoint() -> Iterator[tuple[str, list[bytes], list[int]]]:
    bodies: list[bytes] = []
    answers: list[int] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(answers.pop(0) if answers else 202)
            self.end_headers()
            self.wfile.write(b"amount: a number is needed")

        def log_message(self, *_: Any) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", bodies, answers
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_came_over_http_goes_there_again(kafka: str, endpoint: tuple[str, list[bytes], list[int]]) -> None:
    url, bodies, answers = endpoint
    http_letter = [("error.reason", b"bad"), ("source.path", b"/events"), ("source.topic", b"raw")]
    put(kafka, (b'{"a":1}', http_letter), topic="plain")
    letters = DeadLetterTopics(kafka)
    with pytest.raises(UserError, match="give --to http://HOST:PORT/events"):
        letters.replay("plain", every, None, None)
    answers.append(400)
    with pytest.raises(UserError, match="0/0 is refused again by .*/events: 400 amount: a number"):
        letters.replay("plain", every, None, url)
    assert letters.replay("plain", every, None, url) == 1
    assert bodies == [b'{"a":1}'] * 2
    put(kafka, (b"x", ADDED))
    assert letters.replay("raw.dlq", every, f"{url}/else", None) == 1
    with pytest.raises(UserError, match="does not answer"):
        put(kafka, (b"y", ADDED))
        letters.replay("raw.dlq", every, "http://127.0.0.1:9/x", None)


def test_the_ledger_is_compacted(kafka: str) -> None:
    DeadLetterTopics(kafka).drop("raw.dlq", every)
    from confluent_kafka.admin import ConfigResource

    resource = ConfigResource(ConfigResource.Type.TOPIC, LEDGER)
    admin = AdminClient({"bootstrap.servers": kafka})
    assert admin.describe_configs([resource])[resource].result(LIMIT_S)["cleanup.policy"].value == "compact"


def test_what_a_stream_sets_aside_comes_back_as_it_was(kafka: str) -> None:
    """The writer of dead letters and their reader agree."""
    put(kafka, (b"{", OWN), (b"[", [("b", b"2")]), topic="raw")
    aside = DeadLetters(kafka, "raw.dlq", "totals", {})
    aside.put([BadRecord(message, "not JSON") for message in read(kafka, "raw")])
    aside.close()
    letters = DeadLetterTopics(kafka)
    found = {letter.value: letter for letter in letters.pending("raw.dlq")}
    assert found[b"{"].headers == tuple(OWN) and found[b"["].headers == (("b", b"2"),)
    assert found[b"{"].added["source.stream"] == "totals" and found[b"{"].reason == "not JSON"
    assert letters.replay("raw.dlq", every, None, None) == 2
    before, after = [], []
    for message in read(kafka, "raw"):
        place = (message.partition(), message.key(), message.value(), message.headers(), message.timestamp()[1])
        (before if message.offset() == 0 else after).append(place)
    assert sorted(before, key=str) == sorted(after, key=str)
