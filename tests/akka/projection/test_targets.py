"""Projections into Kafka and Cassandra: offsets, transactions, and `kill -9` at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
import uuid
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from smackbox.akka.persistence.offset import Sequence, TimeBasedUuid
from smackbox.akka.persistence.query import EventEnvelope
from smackbox.akka.persistence.time_uuid import start_of
from smackbox.akka.projection.cassandra_offsets import CassandraOffsets
from smackbox.akka.projection.cassandra_upserts import CassandraUpserts
from smackbox.akka.projection.projection_id import ProjectionId
from smackbox.testing.fixtures import SmackCassandra, SmackKafka
from tests.akka.projection import crash_projector

LIMIT_S = 60.0
ID = ProjectionId("totals", "orders")
OTHER = ProjectionId("totals", "orders-1")


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(LIMIT_S):
            await work()

    asyncio.run(main())


def envelope(number: int) -> EventEnvelope:
    return EventEnvelope(Sequence(number), "Order|1", number, number, 0)


def results(bootstrap: str, topic: str = "results") -> list[str]:
    """What a consumer of committed records reads."""
    from confluent_kafka import Consumer, TopicPartition

    options = {"group.id": str(uuid.uuid4()), "isolation.level": "read_committed", "enable.partition.eof": True}
    consumer = Consumer({"bootstrap.servers": bootstrap, **options})
    partitions = list(consumer.list_topics(topic, LIMIT_S).topics[topic].partitions)
    found, ends = [], 0
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    while ends < len(partitions):
        for message in consumer.consume(1_000, 1.0):
            if message.error() is not None:
                ends += 1
            else:
                found.append(message.value().decode())
    consumer.close()
    return found


def test_offsets_in_cassandra_are_pekko_projections(smack_cassandra: SmackCassandra) -> None:
    session = smack_cassandra.connect()

    async def work() -> None:
        offsets = await CassandraOffsets.open(session)
        assert await offsets.read(ID) is None and not await offsets.read_paused(ID)
        await offsets.save(ID, Sequence(5))
        await offsets.save(OTHER, TimeBasedUuid(start_of(7)))
        await offsets.save_paused(ID, True)
        again = await CassandraOffsets.open(session)
        assert (await again.read(ID), await again.read(OTHER)) == (Sequence(5), TimeBasedUuid(start_of(7)))
        assert await again.read_paused(ID) and not await again.read_paused(OTHER)
        await offsets.clear(ID)
        assert await again.read(ID) is None
        with pytest.raises(ValueError, match="no keyspace"):
            await CassandraOffsets.open(session, "No Name")

    run(work)
    (row,) = session.execute("SELECT * FROM pekko_projection.offset_store")
    assert (row.projection_name, row.partition, row.projection_key) == ("totals", _partition("orders-1"), "orders-1")
    assert (row.manifest, row.offset) == ("TBU", str(start_of(7)))


def _partition(key: str) -> int:
    value = 0
    for character in key:
        value = (31 * value + ord(character)) % 2**32
    return abs(value - 2**32 if value >= 2**31 else value) % 5


def test_upserts_keep_the_order_of_events_for_one_row(smack_cassandra: SmackCassandra) -> None:
    session = smack_cassandra.connect()
    session.execute("CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    session.execute("CREATE TABLE shop.balance (id text PRIMARY KEY, number bigint)")
    statement = session.prepare("INSERT INTO shop.balance (id, number) VALUES (?, ?)")
    upserts = CassandraUpserts(session, statement, lambda one: (f"a{one.event % 3}", one.event) if one.event else None)
    events = [envelope(number) for number in range(200)]

    async def work() -> None:
        for _ in range(2):
            await upserts(events)

    run(work)
    rows = {row.id: row.number for row in session.execute("SELECT id, number FROM shop.balance")}
    assert rows == {"a0": 198, "a1": 199, "a2": 197}
    with pytest.raises(ValueError, match="parallelism"):
        CassandraUpserts(session, statement, lambda _: None, parallelism=0)


def _kill_until_done(directory: Path, kafka: str, cassandra: str, last: int, kills: int) -> None:
    chance = random.Random(kills)
    command = [sys.executable, crash_projector.__file__, str(directory), kafka, cassandra, str(last)]
    for attempt in range(kills + 1):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                assert process.stdout.readline() == "ready\n"
                if attempt == kills:
                    assert process.stdout.readline() == "done\n"
                else:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(chance.uniform(0.0, 0.4))
            finally:
                process.kill()


def _exactly_once(tmp_path: Path, kafka: SmackKafka, cassandra: SmackCassandra, last: int, kills: int) -> None:
    session = cassandra.connect()
    session.execute("CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    session.execute("CREATE TABLE shop.balance (id text PRIMARY KEY, number bigint)")
    _kill_until_done(tmp_path / "data", kafka.bootstrap, f"{cassandra.host}:{cassandra.port}", last, kills)
    found = results(kafka.bootstrap)
    for number in range(crash_projector.ACCOUNTS):
        id_ = f"Account|{number}"
        mine = [int(text.split()[1]) for text in found if text.startswith(f"{id_} ")]
        assert mine == list(range(1, last + 1)), f"{id_} in the topic: {mine[:20]}…"
        (row,) = session.execute("SELECT number FROM shop.balance WHERE id = %s", [id_])
        assert row.number == last
    assert len(found) == crash_projector.ACCOUNTS * last


def test_exactly_once_while_the_projector_is_killed(
    tmp_path: Path, smack_kafka: SmackKafka, smack_cassandra: SmackCassandra
) -> None:
    _exactly_once(tmp_path, smack_kafka, smack_cassandra, last=200, kills=1)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_exactly_once_while_the_projector_is_killed_often(
    tmp_path: Path, smack_kafka: SmackKafka, smack_cassandra: SmackCassandra
) -> None:
    _exactly_once(tmp_path, smack_kafka, smack_cassandra, last=20_000, kills=25)
