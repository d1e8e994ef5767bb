"""How many events a second does a replay read, with the comparison of its rows with the table's?

    python -m bench.replay [--events 1000000] [--keys 10000] [--partitions 4] [--kind function|flow] [--unique]

Kafka and Cassandra run in processes of their own. A live stream makes totals of all events first; then the formula is
another one, and the replay makes them again: read, totalled, and each row compared with the table (all of them differ).
The time is that of `smack replay APP --stream NAME` without `--apply`, less loading Python; then that of `--apply`.
`--profile` says where it goes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import psutil

from bench.streams import Servers
from smackbox.app.load import load_app
from smackbox.runtime.prepare import prepare
from smackbox.runtime.replay import StreamReplay
from smackbox.runtime.settings import BoxSettings, Urls
from smackbox.runtime.streams import stream_runner

APP = """
from datetime import datetime, timedelta
import msgspec
import smackbox as sb
from smackbox.flow import Count, Sum

app = sb.App("bench")

class Event(msgspec.Struct, frozen=True):
    id: int
    key: str
    at: int
    price: int

events = app.topic("events", Event, key="key", partitions=PARTITIONS, unique=UNIQUE)
"""
FLOW = """
class Priced(msgspec.Struct, frozen=True):
    key: str
    at: int
    price: int

totals = app.table("totals", cql="CREATE TABLE totals (key text PRIMARY KEY, n bigint, spent bigint)")
flow = app.flow(events).map(lambda e: Priced(e.key, e.at, e.price * FACTOR), to=Priced).group_by("key")
app.stream(flow.agg(n=Count(), spent=Sum("price")), to=totals, every=timedelta(0))
"""
FUNCTION = """
totals = app.table("totals", cql="CREATE TABLE totals (key text PRIMARY KEY, n bigint, spent bigint)")

@app.stream(events, to=totals, every=timedelta(0))
def total(batch):
    priced = batch.selectExpr("key", "price * FACTOR AS price")
    return priced.groupBy("key").agg({"*": "count", "price": "sum"}).toDF("key", "n", "spent")
"""


def fill(kafka: str, count: int, keys: int, partitions: int) -> None:
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": kafka, "linger.ms": 50, "queue.buffering.max.messages": 500_000})
    for number in range(count):
        key = f"key-{number % keys}"
        value = b'{"id":%d,"key":"%s","at":%d,"price":%d}' % (number, key.encode(), 1_700_000_000_000 + number, 7)
        while True:
            try:
                producer.produce("events", value, partition=number % keys % partitions)
                break
            except BufferError:
                producer.poll(0.1)
        if number % 10_000 == 0:
            producer.poll(0)
    producer.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--kind", choices=["function", "flow"], default="function")
    parser.add_argument("--unique", action="store_true")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    print(f"load {psutil.getloadavg()[0]:.1f}, {psutil.cpu_count()} cores", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        servers = Servers(directory)
        urls = Urls(kafka=servers.start("kafka"), cassandra=servers.start("cassandra"))
        settings = BoxSettings(dir=Path(directory) / "box")
        program = APP + (FLOW if options.kind == "flow" else FUNCTION)
        program = program.replace("PARTITIONS", str(options.partitions))
        program = program.replace("UNIQUE", '"id"' if options.unique else "None")
        file = Path(directory) / "app.py"
        file.write_text(program.replace("FACTOR", "1"))
        app = load_app(file)
        assert urls.kafka is not None and urls.cassandra is not None
        prepare(app, kafka=urls.kafka, cassandra=urls.cassandra)
        fill(urls.kafka, options.events, options.keys, options.partitions)
        began = time.perf_counter()
        with stream_runner(app, app.streams[0], urls, settings, metrics_port=None) as runner:
            rows = 0
            while rows < options.events:
                report = runner.step(0.5)
                rows += report.rows if report is not None else 0
        print(f"the live stream: {options.events / (time.perf_counter() - began):,.0f} events/s", flush=True)
        file.write_text(program.replace("FACTOR", "2"))
        app = load_app(file)
        replay = StreamReplay(app, file, app.streams[0], urls, settings)
        began, cpu = time.perf_counter(), time.process_time()
        if options.profile:
            import cProfile
            import pstats

            with cProfile.Profile() as profile:
                result = replay.build(replay.begin(None, None))
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        else:
            result = replay.build(replay.begin(None, None))
        taken_s = time.perf_counter() - began
        used_us = (time.process_time() - cpu) / options.events * 1e6
        assert result.counts.read == options.events
        assert result.comparison.changed == options.keys, result.comparison
        print(f"replay of {options.events:,} events, {options.kind}, {options.keys:,} rows compared: "
              f"{options.events / taken_s:,.0f} events/s, {used_us:.1f} µs of CPU an event", flush=True)  # fmt: skip
        began = time.perf_counter()
        replay.apply(replay.begin(None, None))
        print(f"put in: {time.perf_counter() - began:.1f} s")
        servers.stop()


if __name__ == "__main__":
    sys.exit(main())
