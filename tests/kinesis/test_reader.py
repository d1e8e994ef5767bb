"""Batches of a stream on moto's Kinesis, over reshards, throttling, expired iterators and restarts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import moto
import pytest
from botocore.exceptions import ClientError

from smackbox.base.errors import SettingError
from smackbox.kinesis.aggregated import UserRecord, aggregate
from smackbox.kinesis.reader import Batch, Reader
from smackbox.kinesis.shards import Shards

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
STREAM = "clicks"


class Ticking:
    """A clock that goes on by a second each time that it is asked."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with moto.mock_aws():
        client = boto3.client("kinesis", region_name="eu-west-1")
        client.create_stream(StreamName=STREAM, ShardCount=2)
        yield client


def put(client: Any, first: int, last: int) -> None:
    records = [{"Data": b"%d" % number, "PartitionKey": f"k{number % 10}"} for number in range(first, last)]
    client.put_records(StreamName=STREAM, Records=records)


def reader(client: Any, shards: Shards | None = None) -> Reader:
    return Reader(client, STREAM, shards or Shards("TRIM_HORIZON"), clock=Ticking())


def drained(source: Reader, rounds: int = 6, limit: int = 10_000) -> list[int]:
    found: list[int] = []
    for _ in range(rounds):
        batch = source.poll(limit)
        found += [int(record.data) for record in batch.records]
        source.done(batch)
    return found


def split(client: Any) -> None:
    shards = client.list_shards(StreamName=STREAM)["Shards"]
    chosen = next(shard for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"])
    low, high = (int(chosen["HashKeyRange"][end]) for end in ("StartingHashKey", "EndingHashKey"))
    client.split_shard(StreamName=STREAM, ShardToSplit=chosen["ShardId"], NewStartingHashKey=str((low + high) // 2))


def merge(client: Any) -> None:
    shards = client.list_shards(StreamName=STREAM)["Shards"]
    still = sorted(
        (shard for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]),
        key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]),
    )
    client.merge_shards(StreamName=STREAM, ShardToMerge=still[0]["ShardId"], AdjacentShardToMerge=still[1]["ShardId"])


def test_every_record_comes_once_over_splits_and_merges(client: Any) -> None:
    """kinesis-sql#116: records were lost at a reshard."""
    source = reader(client)
    found: list[int] = []
    for number in range(6):
        put(client, 50 * number, 50 * (number + 1))
        found += drained(source, rounds=1, limit=20)
        (merge if number % 3 == 2 else split)(client)
        put(client, 1000 + 50 * number, 1000 + 50 * (number + 1))
    found += drained(source, rounds=40)
    assert sorted(found) == [*range(300), *range(1000, 1300)]


def test_records_of_a_key_keep_their_order_over_a_reshard(client: Any) -> None:
    source = reader(client)
    put(client, 0, 100)
    split(client)
    put(client, 100, 200)
    merge(client)
    put(client, 200, 300)
    found: dict[str, list[int]] = {}
    for _ in range(40):
        batch = source.poll(30)
        for record in batch.records:
            found.setdefault(record.key, []).append(int(record.data))
        source.done(batch)
    assert sum(map(len, found.values())) == 300
    assert all(numbers == sorted(numbers) for numbers in found.values())


def test_resharded_while_stopped(client: Any) -> None:
    """kinesis-sql#55: a stream that was resharded while its reader was stopped did not go on."""
    source = reader(client)
    put(client, 0, 40)
    assert sorted(drained(source)) == list(range(40))
    kept = json.loads(json.dumps(source.shards.state()))
    put(client, 40, 60)
    split(client)
    put(client, 60, 90)
    assert sorted(drained(reader(client, Shards.restored(kept)), rounds=12)) == list(range(40, 90))


def test_an_idle_stream_wakes_again(client: Any) -> None:
    """kinesis-sql#95, #107: after a while without records nothing came any more."""
    source = reader(client)
    assert drained(source, rounds=50) == []
    put(client, 0, 10)
    assert sorted(drained(source)) == list(range(10))


def test_latest_begins_at_the_first_start_also_after_a_restart_without_a_record(client: Any) -> None:
    import time

    put(client, 0, 10)
    time.sleep(1.1)  # moto keeps arrival times in whole seconds
    shards = Shards("LATEST", now_ms=int(time.time() * 1000))
    source = reader(client, shards)
    assert drained(source) == []
    put(client, 10, 20)
    again = reader(client, Shards.restored(source.shards.state()))
    assert sorted(drained(again)) == list(range(10, 20))


def test_a_planned_batch_is_read_again_exactly(client: Any) -> None:
    source = reader(client)
    put(client, 0, 80)
    batch = source.poll(30)
    assert batch.records
    kept = json.loads(json.dumps({"shards": source.shards.state(), "batch": batch.ranges()}))
    put(client, 80, 120)
    other = reader(client, Shards.restored(kept["shards"]))
    repeated = other.again(kept["batch"])
    assert repeated.records == batch.records
    other.done(repeated)
    rest = drained(other)
    assert sorted([*(int(record.data) for record in batch.records), *rest]) == list(range(120))


def test_aggregated_records_have_parts(client: Any) -> None:
    data = aggregate([UserRecord("a", b"1"), UserRecord("b", b"2")])
    client.put_record(StreamName=STREAM, Data=data, PartitionKey="outer")
    records = list(reader(client).poll(10).records)
    assert [(record.part, record.key, record.data) for record in records] == [(0, "a", b"1"), (1, "b", b"2")]
    assert len({record.sequence for record in records}) == 1


class Faulty:
    """A client that fails a call now and then, as the service does."""

    def __init__(self, client: Any, code: str, every: int) -> None:
        self._client = client
        self._code = code
        self._every = every
        self._calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_records(self, **arguments: Any) -> Any:
        self._calls += 1
        if self._calls % self._every == 0:
            raise ClientError({"Error": {"Code": self._code, "Message": "no"}}, "GetRecords")
        return self._client.get_records(**arguments)


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "ExpiredIteratorException"])
def test_what_the_service_refuses_for_a_moment_is_asked_again(client: Any, code: str) -> None:
    put(client, 0, 60)
    source = reader(Faulty(client, code, 3))
    assert sorted(drained(source, rounds=40, limit=10)) == list(range(60))


def test_throttling_makes_pauses_that_double(client: Any) -> None:
    class Stopped:
        now = 0.0

        def __call__(self) -> float:
            return self.now

    clock = Stopped()
    throttled = Faulty(client, "ProvisionedThroughputExceededException", 1)
    source = Reader(throttled, STREAM, Shards("TRIM_HORIZON"), clock=clock)
    asked: list[float] = []
    for tick in range(400):
        clock.now = tick / 100
        before = throttled._calls
        source.poll(10)
        asked += [clock.now] * (throttled._calls > before)
    assert asked == pytest.approx([0.0, 0.2, 0.6, 1.4, 3.0], abs=0.05)


def test_other_errors_are_not_kept_quiet(client: Any) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        reader(Faulty(client, "AccessDeniedException", 1)).poll(10)
    with pytest.raises(SettingError, match="there is no Kinesis stream 'nothing'"):
        Reader(client, "nothing", Shards("TRIM_HORIZON")).poll(10)
    assert Batch().ranges() == {"first": {}, "last": {}, "ended": []}


def test_what_may_have_expired_unread_is_logged(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    put(client, 0, 10)
    first = reader(client)
    assert len(drained(first)) == 10

    def gap(hours: float) -> list[str]:
        caplog.clear()
        restored = Shards.restored(first.shards.state())
        again = Reader(client, STREAM, restored, clock=Ticking(), wall_s=lambda: time.time() + hours * 3600)
        assert drained(again, 1) == []
        return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]

    assert gap(23) == []
    messages = gap(30)
    assert len(messages) == 2
    assert "shard shardId-000000000000 of clicks for 30 hours, and the stream keeps records for 24" in messages[0]
    client.increase_stream_retention_period(StreamName=STREAM, RetentionPeriodHours=48)
    assert gap(30) == []
    assert len(gap(50)) == 2


def test_a_shard_that_is_read_almost_too_late_is_warned_about(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    class Behind:
        def __getattr__(self, name: str) -> Any:
            return getattr(client, name)

        def get_records(self, **arguments: Any) -> Any:
            return {**client.get_records(**arguments), "MillisBehindLatest": 23 * 3_600_000}

    put(client, 0, 10)
    source = reader(Behind())
    assert len(drained(source)) == 10
    (message,) = {record.getMessage() for record in caplog.records if record.levelname == "WARNING"}
    assert "is read 23.0 hours behind, and the stream keeps records for 24" in message
