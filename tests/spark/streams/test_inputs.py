"""Sources in this process: throttling, shards that answer in part, buckets, files that go, sources side by side."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError

from smackbox.spark.streaming.errors import AwayError, DataLossError, SourceAwayError, StreamError
from smackbox.spark.streaming.feed import InputsFeed
from smackbox.spark.streaming.inputs.files import FilesInput
from smackbox.spark.streaming.inputs.input import Bounds, Done, Taken
from smackbox.spark.streaming.inputs.kinesis import KinesisInput
from smackbox.spark.streaming.inputs.rate import RateInput
from smackbox.spark.streaming.inputs.socket import SocketInput

NOW = Bounds(0.0, 1_000, 1 << 20)


def never() -> bool:
    return False


def nothing_known(items: Any) -> list[bool]:
    return [False] * len(items)


def bounds(rows: int = 1_000, wait_s: float = 0.0, size: int = 1 << 20) -> Bounds:
    return Bounds(time.monotonic() + wait_s, rows, size)


class FakeKinesis:
    """Two shards of numbered records. `errors` are raised by the next calls of a shard, in turn."""

    def __init__(self) -> None:
        self.records = {"shard-0": list(range(0, 20, 2)), "shard-1": list(range(1, 20, 2))}
        self.errors: dict[str, list[str]] = {}
        self.calls = 0

    def list_shards(self, **_: Any) -> Any:
        return {"Shards": [{"ShardId": shard} for shard in self.records]}

    def describe_stream_summary(self, **_: Any) -> Any:
        return {"StreamDescriptionSummary": {"RetentionPeriodHours": 24}}

    def get_shard_iterator(self, ShardId: str, StartingSequenceNumber: str = "-1", **_: Any) -> Any:
        return {"ShardIterator": f"{ShardId}/{int(StartingSequenceNumber) + 1}"}

    def get_records(self, ShardIterator: str, Limit: int) -> Any:
        self.calls += 1
        shard, _, first = ShardIterator.partition("/")
        if errors := self.errors.get(shard):
            raise ClientError({"Error": {"Code": errors.pop(0), "Message": "no"}}, "GetRecords")
        found = range(int(first), min(int(first) + Limit, len(self.records[shard])))
        records = [
            {
                "SequenceNumber": str(place),
                "PartitionKey": "k",
                "Data": b'{"id": %d}' % self.records[shard][place],
                "ApproximateArrivalTimestamp": datetime(2026, 1, 1, tzinfo=UTC),
            }
            for place in found
        ]
        return {"Records": records, "NextShardIterator": f"{shard}/{found.stop}", "MillisBehindLatest": 0}

    def close(self) -> None: ...


def ids(records: Any) -> list[int]:
    return [json.loads(record.value())["id"] for record in records]


def drained(source: Any, count: int = 20) -> list[int]:
    """So many records over some batches, each committed; what is away is asked again."""
    found: list[int] = []
    deadline = time.monotonic() + 20
    while len(found) < count:
        assert time.monotonic() < deadline, found
        try:
            taken = source.take(bounds(1_000, 0.1), never)
        except AwayError:
            continue
        if taken is not None:
            found += ids(taken.records)
            source.done(taken.plan)
    return found


def test_throttling_is_answered_by_pauses_and_loses_nothing() -> None:
    client = FakeKinesis()
    client.errors = {"shard-0": ["ProvisionedThroughputExceededException"] * 2}
    source = KinesisInput("n", lambda: client, "TRIM_HORIZON")
    source.open(None, nothing_known)
    assert sorted(drained(source)) == list(range(20))
    assert client.calls < 40, "it does not ask without pauses"


@pytest.mark.parametrize("code", ["InternalFailure", "ExpiredIteratorException", "ServiceUnavailable"])
def test_a_shard_that_fails_after_another_has_answered_loses_no_record_of_that(code: str) -> None:
    client = FakeKinesis()
    client.errors = {"shard-1": [code]}
    source = KinesisInput("n", lambda: client, "TRIM_HORIZON")
    source.open(None, nothing_known)
    if code != "ExpiredIteratorException":
        with pytest.raises(SourceAwayError, match="does not answer"):
            source.take(bounds(), never)
    found = drained(source)
    assert sorted(found) == list(range(20))


def test_a_batch_of_kinesis_is_read_again_from_its_plan_by_another_process() -> None:
    client = FakeKinesis()
    first = KinesisInput("n", lambda: client, "TRIM_HORIZON")
    state = first.open(None, nothing_known)
    taken = first.take(bounds(15), never)
    assert taken is not None
    second = KinesisInput("n", lambda: client, "LATEST")
    second.open(json.loads(json.dumps(state)), nothing_known)
    plan = json.loads(json.dumps(taken.plan))
    assert ids(second.again(plan, never)) == ids(taken.records)
    saved = second.done(plan).state
    third = KinesisInput("n", lambda: client, "LATEST")
    third.open(json.loads(json.dumps(saved)), nothing_known)
    assert sorted(drained(third, 20 - len(taken.records)) + ids(taken.records)) == list(range(20))
    client.records = {"shard-0": [], "shard-1": []}
    with pytest.raises(DataLossError, match="remove the checkpoint"):
        second.again(plan, never)


def test_files_of_a_bucket_are_read_once_by_globs(aws: str, client_of: Callable[[str], Any]) -> None:
    s3 = client_of("s3")
    s3.create_bucket(Bucket="logs", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    def put(key: str, *numbers: int) -> None:
        body = b"".join(b'{"id": %d}\n' % number for number in numbers)
        s3.put_object(Bucket="logs", Key=key, Body=gzip.compress(body))

    put("2015/10/a.json.gz", 1, 2)
    put("2015/11/b.json.gz", 3)
    put("2014/10/c.json.gz", 9)
    put("2015/10/_hidden.json.gz", 9)
    keys = (("access_key_id", "k"), ("endpoint", aws), ("region", "eu-west-1"), ("secret_access_key", "s"))
    source = FilesInput("n", "s3://logs/2015/*/*.gz", "json", keys)
    seen: set[bytes] = set()
    source.open(None, lambda items: [item in seen for item in items])
    taken = source.take(bounds(2), never)
    assert taken is not None
    assert ids(taken.records) == [1, 2]
    state, items = source.done(taken.plan)
    assert (state, items) == ({"file": "s3://logs/2015/10/a.json.gz", "row": 2}, []), "its end was not seen yet"
    put("2015/12/d.json.gz", 4)
    again = FilesInput("n", "s3://logs/2015/*/*.gz", "json", keys)
    again.open(state, lambda items: [item in seen for item in items])
    taken = again.take(bounds(), never)
    assert taken is not None
    assert ids(taken.records) == [3, 4]
    seen.update(again.done(taken.plan).items)
    assert len(seen) == 3
    again.open({"file": None, "row": 0}, lambda items: [item in seen for item in items])
    assert again.take(bounds(), never) is None


def files_input(folder: Path, **options: Any) -> FilesInput:
    source = FilesInput("n", f"{folder}/*.json", None, **options)
    source.open(None, nothing_known)
    return source


def put_file(folder: Path, name: str, *numbers: int) -> Path:
    file = folder / name
    file.write_text("".join(f'{{"id": {number}}}\n' for number in numbers))
    return file


def test_a_file_that_goes_while_it_is_read_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    file = put_file(tmp_path, "a.json", *range(10))
    source = files_input(tmp_path)
    taken = source.take(bounds(4), never)
    source.close()
    assert taken is not None
    file.rename(tmp_path / "elsewhere")
    with pytest.raises(DataLossError, match="put it back, or remove the checkpoint"):
        files_input(tmp_path).again(taken.plan, never)
    put_file(tmp_path, "a.json", 1)
    with pytest.raises(DataLossError, match="has 1 rows, the batch that was under way reads it up to 4"):
        files_input(tmp_path).again(taken.plan, never)


def test_a_large_file_is_read_in_pieces_over_restarts(tmp_path: Path) -> None:
    put_file(tmp_path, "a.json", *range(10))
    put_file(tmp_path, "b.json", *range(10, 13))
    found: list[int] = []
    items: set[bytes] = set()
    state = None
    while len(found) < 13:
        source = FilesInput("n", f"{tmp_path}/*.json", None)
        source.open(state, lambda names: [name in items for name in names])
        taken = source.take(bounds(4), never)
        assert taken is not None
        found += ids(taken.records)
        state, more = source.done(json.loads(json.dumps(taken.plan)))
        items.update(more)
        source.close()
    assert found == list(range(13))
    assert str(tmp_path / "a.json").encode() in items


def test_patterns_may_overlap_and_one_may_have_no_file_yet(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    put_file(tmp_path / "in", "a.json", 1, 2)
    source = FilesInput("n", f"{tmp_path}/later/*.json,{tmp_path}/in/*.json,{tmp_path}/in/a*", None)
    source.open(None, nothing_known)
    taken = source.take(bounds(), never)
    assert taken is not None
    assert ids(taken.records) == [1, 2]
    source.done(taken.plan)


def test_what_was_read_before_a_bad_file_is_not_lost(tmp_path: Path) -> None:
    put_file(tmp_path, "a.json", 1, 2)
    (tmp_path / "b.what").write_text("?")
    source = FilesInput("n", f"{tmp_path}/*", None)
    source.open(None, nothing_known)
    taken = source.take(bounds(), never)
    assert taken is not None
    assert ids(taken.records) == [1, 2]
    source.done(taken.plan)
    with pytest.raises(StreamError, match=r"b\.what: its name does not tell the format"):
        source.take(bounds(), never)


@pytest.mark.parametrize(
    ("url", "kind", "strict"),
    [
        ("in/*.json", None, True),
        ("in/*.parquet", None, True),
        ("in/*.csv.gz", None, False),
        ("in/*", None, False),
        ("in/*", "json", True),
        ("in/*.json", "csv", False),
    ],
)
def test_numbers_may_be_text_where_a_file_may_be_csv(url: str, kind: Any, strict: bool) -> None:
    assert FilesInput("n", url, kind).strict is strict


def test_a_rate_gives_what_is_due_and_skips_nothing() -> None:
    now = [1_000]
    source = RateInput("n", 10.0, wall_ms=lambda: now[0], pause=lambda _: None)
    state = source.open(None, nothing_known)
    assert source.take(bounds(), never) is None
    now[0] += 450
    taken = source.take(bounds(3), never)
    assert taken is not None
    assert [json.loads(record.value()) for record in taken.records][1] == {
        "timestamp": "1970-01-01T00:00:01.100000Z",
        "value": 1,
    }
    assert source.lag() == 1
    again = RateInput("n", 10.0, wall_ms=lambda: now[0], pause=lambda _: None)
    again.open(state, nothing_known)
    assert [record.value() for record in again.again(taken.plan, never)] == [r.value() for r in taken.records]
    again.done(taken.plan)
    rest = again.take(bounds(), never)
    assert rest is not None
    assert rest.plan == [3, 4]


def test_a_line_of_a_socket_comes_back_from_its_plan_byte_by_byte() -> None:
    line = '{"id": 1, "name": "é'.encode() + b'\xff"}'
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = SocketInput("n", "127.0.0.1", server.getsockname()[1])
        source.open(None, nothing_known)
        connection, _ = server.accept()
        with connection:
            connection.sendall(line + b"\n")
            taken = source.take(bounds(1, 20.0), never)
        source.close()
    assert taken is not None
    plan = json.loads(msgspec.json.encode(taken.plan))
    assert [record.value() for record in source.again(plan, never)] == [line]


class Two:
    """A source of records that are there, or away."""

    strict = True

    def __init__(self, name: str, *records: Any) -> None:
        self.name = name
        self.records = list(records)
        self.asked: list[int] = []

    def open(self, saved: Any, known: Any) -> Any: ...

    def take(self, bounds: Bounds, stopped: Any) -> Taken | None:
        self.asked.append(bounds.rows)
        if self.records and isinstance(self.records[0], Exception):
            raise self.records.pop(0)
        taken, self.records = self.records[: bounds.rows], self.records[bounds.rows :]
        return Taken(taken, len(taken)) if taken else None

    def again(self, plan: Any, stopped: Any) -> list[Any]:
        return []

    def done(self, plan: Any) -> Done:
        return Done(plan)

    def lag(self) -> int | None:
        return len(self.records)

    def close(self) -> None: ...


def test_sources_share_a_batch_and_one_that_is_away_does_not_cost_the_others_their_records() -> None:
    one, other = Two("one", 1, 2, 3, 4, 5), Two("other", SourceAwayError("gone"), 6, 7)
    feed = InputsFeed([one, other])
    batch = feed.take(Bounds(0.0, 4, 1 << 20), never)
    assert batch is not None
    assert (batch.records, batch.inputs) == ({"one": [1, 2]}, {"one": 2})
    batch = feed.take(Bounds(0.0, 4, 1 << 20), never)
    assert batch is not None
    assert (batch.records, batch.rows) == ({"one": [3, 4], "other": [6, 7]}, 4)
    assert feed.lag() == 1
    one.records, other.records = [SourceAwayError("gone")] * 2, [8]
    batch = feed.take(NOW, never)
    assert batch is not None
    assert batch.records == {"other": [8]}
    with pytest.raises(SourceAwayError):
        feed.take(NOW, never)


def test_a_source_behind_one_that_is_away_is_read() -> None:
    sources = [Two("one", 1, 2), Two("away", *[SourceAwayError("gone")] * 2), Two("last", 3)]
    batch = InputsFeed(sources).take(Bounds(0.0, 10, 1 << 20), never)
    assert batch is not None
    assert batch.records == {"one": [1, 2], "last": [3]}
