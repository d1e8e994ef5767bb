"""How many events a second does a stream take from Kafka to Cassandra, and how long does a small micro-batch take?

    python -m bench.spark_micro_batch [--events 200000] [--batches 100] [--kafka HOST:PORT] [--cassandra HOST:PORT]

Each server runs in a process of its own, unless one is named (a real one, to compare). A topic of 4 partitions is
filled first; then each stream reads it from its start. Printed: events a second, CPU microseconds an event of the
stream and of the servers, and the peak memory of the stream so far.

Then Structured Streaming over Spark Connect: batches of 1,000 JSON records, one after the other. Printed: median and
ninth decile of `triggerExecution`. Goals: 25 ms without state, 35 ms with.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import msgspec
import psutil

from smackbox.net.service import ServiceThread

PARTITIONS = 4
BATCH_ROWS = 1_000
BATCH_KEYS = 100
CAMPAIGNS = 50


class Event(msgspec.Struct, frozen=True):
    id: UUID
    ad_id: UUID
    campaign: UUID
    ts: datetime
    type: Literal["view", "click"]


def serve(kind: str, pipe: Connection) -> None:
    with tempfile.TemporaryDirectory() as directory:
        if kind == "kafka":
            from smackbox.kafka.server import KafkaServer
            from smackbox.kafka.settings import KafkaSettings

            service: Any = KafkaServer(KafkaSettings(dir=Path(directory)))
        else:
            from smackbox.cassandra.server import CassandraServer
            from smackbox.cassandra.settings import CassandraSettings

            service = CassandraServer(CassandraSettings(dir=Path(directory)))
        with ServiceThread(service):
            pipe.send(service.url)
            pipe.recv()


def fill(kafka: str, topic: str, count: int) -> None:
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": kafka})
    next(iter(admin.create_topics([NewTopic(topic, PARTITIONS, 1)]).values())).result(30)
    producer = Producer({"bootstrap.servers": kafka, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000})
    campaigns = [uuid.uuid4() for _ in range(CAMPAIGNS)]
    ad = uuid.uuid4()
    moment = datetime(2015, 10, 1, tzinfo=UTC)
    for number in range(count):
        campaign = campaigns[number % CAMPAIGNS]
        event = Event(uuid.uuid4(), ad, campaign, moment, "view" if number % 3 else "click")
        producer.produce(topic, msgspec.json.encode(event), str(campaign))
    assert producer.flush(60) == 0


def prepare(cassandra: str, keyspace: str) -> None:
    from smackbox.spark.cql_session import CqlSession

    cql = CqlSession(cassandra)
    cql.session.execute(
        f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
    )
    cql.session.execute(
        f"CREATE TABLE {keyspace}.event (id uuid PRIMARY KEY, ad_id uuid, campaign uuid, ts timestamp, type text)"
    )
    cql.session.execute(f"CREATE TABLE {keyspace}.campaign (id uuid PRIMARY KEY, views bigint, clicks bigint)")
    cql.close()


def rollup(batch: Any) -> Any:
    from pyspark.sql.functions import col, count, when

    return batch.groupBy(col("campaign").alias("id")).agg(
        count(when(col("type") == "view", 1)).alias("views"), count(when(col("type") == "click", 1)).alias("clicks")
    )


def measure(name: str, settings: Any, function: Callable[[Any], Any] | None, count: int, servers: list[Any]) -> None:
    from smackbox.spark.streaming import MicroBatchRunner

    def cpu(process: Any) -> float:
        return sum(process.cpu_times()[:2])

    me = psutil.Process()
    with MicroBatchRunner(settings, Event, function) as runner:
        before = [cpu(process) for process in (me, *servers)]
        began = time.perf_counter()
        seconds = []
        while sum(runner.checkpoint.offsets.values()) < count:
            report = runner.step()
            if report is not None:
                seconds.append(report.seconds)
        wall = time.perf_counter() - began
        mine, *theirs = [cpu(process) - start for process, start in zip((me, *servers), before, strict=True)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    others = ", ".join(f"{used / count * 1e6:.1f}" for used in theirs) or "not measured"
    print(
        f"{name}: {count / wall:,.0f} events/s in {len(seconds)} batches; CPU µs an event: stream "
        f"{mine / count * 1e6:.1f}, servers {others}; peak memory {peak:.0f} MB"
    )


def micro_batches(kafka: str, batches: int) -> None:
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic
    from pyspark.sql import functions as F  # noqa: N812 - as everyone writes it

    from smackbox.spark import session

    spark = session()
    topic = f"batches_{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": kafka})
    next(iter(admin.create_topics([NewTopic(topic, PARTITIONS, 1)]).values())).result(30)
    producer = Producer({"bootstrap.servers": kafka, "linger.ms": 0})
    source = spark.readStream.format("kafka").option("kafka.bootstrap.servers", kafka).option("subscribe", topic).load()
    json = F.from_json(F.col("value").cast("string"), "id long, k string, v long")
    events = source.select(json.alias("j"), "timestamp").select("j.*", "timestamp")
    marked = events.withWatermark("timestamp", "1 minute")
    totals = (F.count("*").alias("c"), F.sum("v").alias("s"))
    streams = {
        "filter": events.filter("v % 2 = 0").writeStream.format("noop"),
        "foreachBatch": events.writeStream.foreachBatch(lambda batch, _: batch.groupBy("k").count().toArrow()),
        "group by": events.groupBy("k").agg(*totals).writeStream.outputMode("update").format("noop"),
        "windows": marked.groupBy(F.window("timestamp", "10 seconds"), "k")
        .agg(*totals)
        .writeStream.outputMode("update")
        .format("noop"),
        "duplicates": marked.dropDuplicatesWithinWatermark(["id"]).writeStream.format("noop"),
    }
    number = 0
    for name, writer in streams.items():
        query = writer.start()
        query.processAllAvailable()
        for _ in range(batches):
            for number in range(number, number + BATCH_ROWS):  # noqa: B020 - it goes on
                record = msgspec.json.encode({"id": number, "k": f"k{number % BATCH_KEYS}", "v": number})
                producer.produce(topic, record, partition=number % PARTITIONS)
            assert producer.flush(60) == 0
            number += 1
            query.processAllAvailable()
        # a batch may have begun before all its records were there
        spent = sorted(
            progress.durationMs["triggerExecution"] * BATCH_ROWS / progress.numInputRows
            for progress in query.recentProgress
            if progress.numInputRows
        )
        query.stop()
        median, tail = spent[len(spent) // 2], spent[len(spent) * 9 // 10]
        print(f"Connect, {BATCH_ROWS} rows, {name}: {median:.0f} ms, ninth decile {tail:.0f} ms", flush=True)
    spark.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--kafka")
    parser.add_argument("--cassandra")
    parser.add_argument("--batches", type=int, default=100)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    urls = {"kafka": options.kafka, "cassandra": options.cassandra}
    started = []
    for kind, url in urls.items():
        if url is None:
            ours, theirs = multiprocessing.Pipe()
            process = context.Process(target=serve, args=(kind, theirs), daemon=True)
            process.start()
            urls[kind] = ours.recv()
            started.append((process, ours))
    topic = keyspace = f"bench_{uuid.uuid4().hex[:8]}"
    fill(urls["kafka"], topic, options.events)
    prepare(urls["cassandra"], keyspace)
    from smackbox.spark.streaming import StreamSettings

    with tempfile.TemporaryDirectory() as directory:
        for name, table, function in (("copy", "event", None), ("totals", "campaign", rollup)):
            settings = StreamSettings(
                name=name,
                kafka=urls["kafka"],
                topic=topic,
                cassandra=urls["cassandra"],
                keyspace=keyspace,
                table=table,
                checkpoint_dir=Path(directory) / name,
                unique="id",
            )
            measure(name, settings, function, options.events, [psutil.Process(process.pid) for process, _ in started])
    micro_batches(urls["kafka"], options.batches)
    for process, pipe in started:
        pipe.send("stop")
        process.join()


if __name__ == "__main__":
    main()
