"""Kinesis' source on moto's Kinesis, where that is installed (`pip install "moto[kinesis]" boto3`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from smackbox.akka import ActorSystem
from smackbox.akka.stream.connectors.kinesis import Kinesis

moto = pytest.importorskip("moto")
boto3 = pytest.importorskip("boto3")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def run(work: Callable[[ActorSystem], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(60), ActorSystem("k") as system:
            await work(system)

    asyncio.run(main())


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with moto.mock_aws():
        client = boto3.client("kinesis", region_name="eu-west-1")
        client.create_stream(StreamName="clicks", ShardCount=3)
        yield client


def put(client: Any, first: int, last: int) -> None:
    records = [{"Data": b"%d" % number, "PartitionKey": f"k{number % 10}"} for number in range(first, last)]
    client.put_records(StreamName="clicks", Records=records)


def test_records_of_all_shards_come_in_order_of_their_keys(client: Any) -> None:
    async def main(system: ActorSystem) -> None:
        put(client, 0, 200)
        source = Kinesis.source(client, "clicks", start="TRIM_HORIZON", records=17, poll_s=0.01)
        found = await source.take(200).run_list(system)
        assert sorted(int(record.data) for record in found) == list(range(200))
        assert len({record.shard for record in found}) > 1
        for key in range(10):
            numbers = [int(record.data) for record in found if record.key == f"k{key}"]
            assert numbers == sorted(numbers)
        last = {record.shard: record.sequence for record in found}
        put(client, 200, 230)
        again = Kinesis.source(client, "clicks", after=last, start="TRIM_HORIZON", poll_s=0.01)
        assert sorted(int(record.data) for record in await again.take(30).run_list(system)) == list(range(200, 230))

    run(main)


def test_errors_fail_the_stream_and_a_wrong_start_is_refused(client: Any) -> None:
    async def main(system: ActorSystem) -> None:
        with pytest.raises(Exception, match="ResourceNotFound"):
            await Kinesis.source(client, "nothing").run_list(system)

    run(main)
    with pytest.raises(ValueError, match="LATEST or TRIM_HORIZON"):
        Kinesis.source(client, "clicks", start="NOW")
