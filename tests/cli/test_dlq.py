"""`smack dlq` as a person uses it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Producer

from smackbox.cli.main import group
from smackbox.testing.fixtures import SmackKafka

LIMIT_S = 20.0
Dlq = Callable[..., Result]


def letter(reason: str) -> list[tuple[str, str | bytes]]:
    return [("error.reason", reason), ("source.topic", "raw"), ("source.offset", "7"), ("trace", b"\xff")]


@pytest.fixture
def dlq(smack_kafka: SmackKafka) -> Dlq:
    producer = Producer({"bootstrap.servers": smack_kafka.bootstrap})
    for number in range(3):
        reason = "too late" if number == 2 else "not JSON"
        producer.produce("raw.dlq", b"\xfe" if number == 0 else b"%d" % number, b"k", headers=letter(reason))
    producer.produce("raw", b"fine")
    assert producer.flush(LIMIT_S) == 0

    def dlq(*arguments: str) -> Result:
        return CliRunner().invoke(group, ["dlq", "--kafka", smack_kafka.bootstrap, *arguments])

    return dlq


def test_list_counts_by_reason(dlq: Dlq) -> None:
    lines = [line.split("\t") for line in dlq("list").output.splitlines()]
    assert [(topic, count, reason) for topic, count, _, reason in lines] == [
        ("raw.dlq", "2", "not JSON"),
        ("raw.dlq", "1", "too late"),
    ]
    assert dlq("drop", "raw.dlq", "--reason", "late", "--yes").output == "1 letters of raw.dlq dropped\n"
    assert dlq("list", "raw.dlq").output.splitlines()[-1] == "raw.dlq\t1 dropped"


def test_show_gives_the_original(dlq: Dlq) -> None:
    shown = dlq("show", "raw.dlq", "--at", "0/0").output.splitlines()
    assert shown[0].startswith("0/0\t") and shown[0].endswith("\tnot JSON\ttopic=raw offset=7")
    assert shown[1:] == ["\theader trace: \\xff", "\tkey k", "\tvalue \\xfe"]
    result = dlq("show", "raw.dlq", "--max", "1")
    assert "2 more wait" in result.output
    assert dlq("show", "raw.dlq", "--raw", "--reason", "late").stdout_bytes == b"2\n"
    assert dlq("show", "raw.dlq", "--raw", "--at", "0/0").stdout_bytes == b"\xfe\n"


def test_replay_says_how_many(dlq: Dlq) -> None:
    assert dlq("replay", "raw.dlq", "--at", "0/1").output == "1 letters of raw.dlq replayed\n"
    assert dlq("replay", "raw.dlq", "--to", "elsewhere").output == "2 letters of raw.dlq replayed\n"
    assert dlq("replay", "raw.dlq").output == "0 letters of raw.dlq replayed\n"


def test_what_cannot_be_says_why(dlq: Dlq) -> None:
    assert "no topic 'none'" in str(dlq("show", "none").exception)
    assert "write it as PARTITION/OFFSET" in str(dlq("replay", "raw.dlq", "--at", "7").exception)
    assert dlq("drop", "raw.dlq").exit_code == 1  # not confirmed
    nobody = CliRunner().invoke(group, ["dlq", "--kafka", "a:b", "list"])
    assert "is not host:port" in str(nobody.exception)
