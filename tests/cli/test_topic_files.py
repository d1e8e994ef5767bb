"""`smack topics export` and `import`: what a record has stays, on a broker and in files and buckets."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import zstandard
from click.testing import CliRunner, Result
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from hypothesis import given
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from smackbox.cli.main import group
from smackbox.cli.topic_files import to_bytes, to_text
from smackbox.testing.fixtures import SmackKafka

LIMIT_S = 20.0
Topics = Callable[..., Result]
Record = tuple[int, bytes | None, bytes | None, int, Any]
RECORDS: list[Record] = [
    (0, b"k", b"text", 1_000, None),
    (1, None, b"\xff\x00 bytes", 2_000, [("h", b"v"), ("h", b"\xfe"), ("none", None)]),
    (0, b"", None, 3_000, None),
    (2, b"\x80", b"", 500, [("a", b"")]),
    (0, b"k", "grüße\n".encode(), 2_000, None),
]


@pytest.fixture
def topics(smack_kafka: SmackKafka) -> Topics:
    def topics(*arguments: str) -> Result:
        return CliRunner().invoke(group, ["topics", "--kafka", smack_kafka.bootstrap, *arguments])

    return topics


@pytest.fixture
def filled(smack_kafka: SmackKafka) -> str:
    admin = AdminClient({"bootstrap.servers": smack_kafka.bootstrap})
    admin.create_topics([NewTopic("t", 3)])["t"].result(LIMIT_S)
    producer = Producer({"bootstrap.servers": smack_kafka.bootstrap})
    for partition, key, value, timestamp, headers in RECORDS:
        producer.produce("t", value, key, partition, timestamp=timestamp, headers=headers)
    assert producer.flush(LIMIT_S) == 0
    return smack_kafka.bootstrap


def records(bootstrap: str, topic: str) -> list[Record]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "look", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(3)])
    found: list[Record] = []
    ends = 0
    while ends < 3:
        message = consumer.poll(LIMIT_S)
        assert message is not None
        if message.error():
            ends += 1
        else:
            place = message.partition()
            found.append((place, message.key(), message.value(), message.timestamp()[1], message.headers()))
    consumer.close()
    return sorted(found, key=lambda record: record[0])


def test_what_is_exported_is_imported_as_it_was(topics: Topics, filled: str, tmp_path: Path) -> None:
    for name in ("t.jsonl", "t.jsonl.gz", "t.jsonl.zst"):
        file = str(tmp_path / name)
        assert topics("export", "t", file).output == f"5 records of t written to {file}\n"
        copy = name.replace(".", "-")
        assert topics("import", copy, file).output == f"5 records of {file} produced to {copy}\n"
        assert records(filled, copy) == sorted(RECORDS, key=lambda record: record[0])
    plain = (tmp_path / "t.jsonl").read_bytes()
    for unpacked in (
        gzip.decompress((tmp_path / "t.jsonl.gz").read_bytes()),
        zstandard.ZstdDecompressor().decompressobj().decompress((tmp_path / "t.jsonl.zst").read_bytes()),
    ):
        assert sorted(unpacked.splitlines()) == sorted(plain.splitlines())  # partitions come in any order
    first = next(json.loads(line) for line in plain.splitlines() if json.loads(line)["partition"] == 0)
    assert first == {"partition": 0, "offset": 0, "timestamp": 1_000, "key": "k", "value": "text", "headers": []}


def test_until_leaves_out_what_is_later(topics: Topics, filled: str, tmp_path: Path) -> None:
    assert topics("export", "t", str(tmp_path / "t.jsonl"), "--until", "1970-01-01T00:00:02Z").exit_code == 0
    kept = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert sorted(line["timestamp"] for line in kept) == [500, 1_000, 2_000, 2_000]


def test_an_aborted_transaction_is_not_exported(topics: Topics, filled: str, tmp_path: Path) -> None:
    producer = Producer({"bootstrap.servers": filled, "transactional.id": "tx"})
    producer.init_transactions()
    for commit in (False, True):
        producer.begin_transaction()
        producer.produce("t", b"in doubt", b"k", 0)
        if commit:
            producer.commit_transaction()
        else:
            producer.flush(LIMIT_S)
            producer.abort_transaction()
    assert topics("export", "t", str(tmp_path / "t.jsonl")).output.startswith("6 records")


def test_an_empty_topic_makes_an_empty_file(topics: Topics, tmp_path: Path) -> None:
    topics("create", "empty")
    assert topics("export", "empty", str(tmp_path / "e.jsonl")).output.startswith("0 records")
    assert (tmp_path / "e.jsonl").read_bytes() == b""


def test_a_topic_with_records_is_asked_about(topics: Topics, filled: str, tmp_path: Path) -> None:
    file = str(tmp_path / "t.jsonl")
    topics("export", "t", file)
    assert "has records already: give --append" in str(topics("import", "t", file).exception)
    assert topics("import", "t", file, "--append").exit_code == 0
    assert len(records(filled, "t")) == 2 * len(RECORDS)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2 of .* is no record"),
        ('{"partition": 0}', "line 2 of .* is no record"),
        ('{"partition": 7, "offset": 0, "timestamp": 0, "key": null, "value": null}', "partition 7, t has 1"),
        ('{"partition": 0, "offset": 0, "timestamp": 0, "key": {"base64": "?"}, "value": null}', "line 2 of"),
    ],
)
def test_a_broken_line_says_how_far_it_came(topics: Topics, tmp_path: Path, line: str, said: str) -> None:
    topics("create", "t")
    good = '{"partition": 0, "offset": 0, "timestamp": 1, "key": null, "value": "x"}'
    (tmp_path / "t.jsonl").write_text(f"{good}\n{line}\n")
    with pytest.raises(BaseException, match=f"{said}.*; 1 records are in t|{said}.*; `smack|{said}") as raised:
        raise topics("import", "t", str(tmp_path / "t.jsonl")).exception or AssertionError
    assert "1 records are in t" in str(raised.value)


def test_a_file_that_cannot_be_read_or_written_says_so(topics: Topics, filled: str, tmp_path: Path) -> None:
    assert "cannot read" in str(topics("import", "t2", str(tmp_path / "none.jsonl")).exception)
    assert "cannot write" in str(topics("export", "t", str(tmp_path / "none" / "t.jsonl")).exception)
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b"x" * 1000)[:-10])
    assert "cannot read" in str(topics("import", "t2", str(tmp_path / "cut.jsonl.gz")).exception)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Any]]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    for name, value in (("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"), ("AWS_REGION", "us-east-1")):
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    client.create_bucket(Bucket="records")
    yield f"?endpoint={endpoint}", client
    server.stop()


def test_a_bucket_takes_and_gives(topics: Topics, filled: str, bucket: tuple[str, Any]) -> None:
    query, client = bucket
    assert topics("export", "t", f"s3://records/x/t.jsonl.zst{query}").exit_code == 0
    assert [one["Key"] for one in client.list_objects_v2(Bucket="records")["Contents"]] == ["x/t.jsonl.zst"]
    assert topics("import", "copy", f"s3://records/x/t.jsonl.zst{query}").exit_code == 0
    assert len(records(filled, "copy")) == 5
    assert "cannot read" in str(topics("import", "copy2", f"s3://records/none.jsonl{query}").exception)


@given(st.none() | st.binary(max_size=50))
def test_bytes_are_text_and_back(data: bytes | None) -> None:
    assert to_bytes(to_text(data)) == data
