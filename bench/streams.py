"""How many events a second does a windowed count by key take, beside quix-streams, and how soon is a POST a total?

    python -m bench.streams [--events 500000] [--keys 1000] [--state-keys 1000000] [--quix PYTHON] [--seconds 10]

`--quix` is an interpreter with quixstreams (`python -m venv V && V/bin/pip install quixstreams`); without it, ours is
measured alone. Kafka and Cassandra run in processes of their own, the same for both. Windows of a minute, results into
a topic: ours exactly once, each batch a transaction; quix-streams at least once, without changelog topics, its default
commit interval. Then 1,000 events/s are posted while a probe measures from its POST to its total in Cassandra
(`every=0`). Last, memory and rate with many keys of state.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec
import psutil

from smackbox.net.service import ServiceThread

PARTITIONS = 1
WINDOW_MS = 60_000
STEP_MS = 2
START_MS = 1_700_000_040_000
QUIX = Path(__file__).parent / "engines" / "quix_windows.py"


class Event(msgspec.Struct, frozen=True):
    id: int
    key: str
    at: int


class PerKey(msgspec.Struct, frozen=True):
    key: str
    n: int


class Source(msgspec.Struct, frozen=True):
    name: str
    event: type = Event


def serve(kind: str, directory: str, kafka: str | None, pipe: Connection) -> None:
    if kind == "kafka":
        from smackbox.kafka.server import KafkaServer
        from smackbox.kafka.settings import KafkaSettings

        service: Any = KafkaServer(KafkaSettings(dir=Path(directory) / "kafka"))
    elif kind == "cassandra":
        from smackbox.cassandra.server import CassandraServer
        from smackbox.cassandra.settings import CassandraSettings

        service = CassandraServer(CassandraSettings(dir=Path(directory) / "cassandra"))
    else:
        from smackbox.ingest.route import Route
        from smackbox.ingest.server import IngestServer
        from smackbox.ingest.settings import IngestSettings

        assert kafka is not None
        service = IngestServer(
            IngestSettings(kafka=kafka), [Route("/events", "posted", Event, key="key", partitions=1)]
        )
    with ServiceThread(service):
        pipe.send(service.url)
        pipe.recv()


class Servers:
    """Processes that end with the benchmark."""

    def __init__(self, directory: str) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._directory = directory
        self._started: list[tuple[Any, Connection]] = []

    def start(self, kind: str, kafka: str | None = None) -> str:
        ours, theirs = multiprocessing.Pipe()
        process = self._context.Process(target=serve, args=(kind, self._directory, kafka, theirs), daemon=True)
        process.start()
        self._started.append((process, ours))
        return ours.recv()  # type: ignore[no-any-return]

    def stop(self) -> None:
        for process, pipe in self._started:
            pipe.send("stop")
            process.join()


def make_topic(kafka: str, name: str) -> None:
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": kafka})
    next(iter(admin.create_topics([NewTopic(name, PARTITIONS, 1)]).values())).result(30)


def fill(kafka: str, topic: str, count: int, keys: int) -> None:
    from confluent_kafka import Producer

    make_topic(kafka, topic)
    producer = Producer({"bootstrap.servers": kafka, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000})
    for number in range(count):
        at = START_MS + number * STEP_MS
        event = Event(number, f"key-{number % keys}", at)
        while True:
            try:
                producer.produce(topic, msgspec.json.encode(event), event.key, timestamp=at)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(120) == 0


def settings_of(directory: str, kafka: str, topic: str, **changes: Any) -> Any:
    from smackbox.spark.streaming import StreamSettings

    known: dict[str, Any] = {
        "name": "bench",
        "kafka": kafka,
        "topic": topic,
        "cassandra": "nowhere:1",
        "keyspace": "bench",
        "table": "totals",
        "checkpoint_dir": Path(directory) / uuid.uuid4().hex,
        "every_s": 0.2,
    }
    return StreamSettings(**{**known, **changes})


def windowed(directory: str, kafka: str, topic: str, count: int) -> float:
    """Events a second of this process: windowed counts into a topic, each batch in a transaction."""
    from datetime import timedelta

    from smackbox.flow import Count
    from smackbox.flow.builder import Flow
    from smackbox.spark.streaming import MicroBatchRunner
    from smackbox.spark.streaming.outputs.topic import TopicOutput
    from smackbox.spark.streaming.runner import Parts

    out = f"out-{uuid.uuid4().hex[:8]}"
    make_topic(kafka, out)
    marked = Flow.of([Source(topic)]).with_watermark("at", timedelta(0))
    flow = marked.group_by("key").tumbling_window(timedelta(milliseconds=WINDOW_MS)).agg(n=Count()).final()
    output = TopicOutput(kafka, out, f"bench-{out}", flow.rows, "key", {})
    settings = settings_of(directory, kafka, topic)
    with MicroBatchRunner(settings, Event, parts=Parts(flow=flow, outputs=[output], table=False)) as runner:
        began = time.perf_counter()
        rows = 0
        while rows < count:
            report = runner.step()
            rows += report.rows if report is not None else 0
        return count / (time.perf_counter() - began)


def in_process(work: Any, *arguments: Any) -> Any:
    """The result of `work` in a process of its own, and that process's peak memory in MB."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_report, args=(theirs, work, arguments))
    process.start()
    theirs.close()
    result = ours.recv()
    process.join()
    return result


def _report(pipe: Connection, work: Any, arguments: tuple[Any, ...]) -> None:
    result = work(*arguments)
    pipe.send((result, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def quix(python: str, directory: str, kafka: str, topic: str, count: int) -> float:
    """Events a second of quix-streams on all of a topic."""
    name = f"quix-{uuid.uuid4().hex[:8]}"
    arguments = [kafka, topic, name, str(WINDOW_MS), f"{directory}/{name}"]
    done = subprocess.run([python, str(QUIX), *arguments], check=True, capture_output=True, text=True, timeout=300)
    read, rate = done.stdout.split()[-2:]
    assert int(read) == count, f"it read {read} of {count} events"
    return float(rate)


def run_totals(directory: str, kafka: str, cassandra: str, pipe: Connection) -> None:
    """A stream of running counts by key into Cassandra, a batch as soon as there is something."""
    from smackbox.flow import Count
    from smackbox.flow.builder import Flow
    from smackbox.spark.streaming import MicroBatchRunner
    from smackbox.spark.streaming.runner import Parts

    flow = Flow.of([Source("posted")]).group_by("key").agg(n=Count())
    settings = settings_of(directory, kafka, "posted", cassandra=cassandra, every_s=0.0, unique="id")
    stop = threading.Event()
    runner = MicroBatchRunner(settings, Event, parts=Parts(flow=flow))
    threading.Thread(target=lambda: (pipe.recv(), stop.set()), daemon=True).start()
    runner.run(stop, lambda: pipe.send("ready"))


def latency(servers: Servers, directory: str, kafka: str, seconds: int) -> None:
    from smackbox.runtime.prepare import CqlConnection

    cassandra = servers.start("cassandra")
    url = servers.start("ingest", kafka)
    with CqlConnection(cassandra) as cql:
        cql.execute("CREATE KEYSPACE bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        cql.execute("CREATE TABLE bench.totals (key text PRIMARY KEY, n bigint)")
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        stream = context.Process(target=run_totals, args=(directory, kafka, cassandra, theirs), daemon=True)
        stream.start()
        assert ours.recv() == "ready"
        stop = threading.Event()
        numbers = iter(range(10**9))

        def post(events: list[Event]) -> None:
            request = urllib.request.Request(f"{url}/events", msgspec.json.encode(events))
            request.add_header("Content-Type", "application/json")
            urllib.request.urlopen(request, timeout=10).read()

        def load() -> None:
            """1,000 events/s, 10 at a time."""
            due = time.perf_counter()
            while not stop.is_set():
                post([Event(next(numbers), f"key-{number % 100}", 0) for number in range(10)])
                due += 0.01
                time.sleep(max(0.0, due - time.perf_counter()))

        thread = threading.Thread(target=load)
        thread.start()
        query = cql.prepare("SELECT n FROM bench.totals WHERE key = ?")
        spent = []
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            probe = f"probe-{uuid.uuid4().hex}"
            began = time.perf_counter()
            post([Event(next(numbers), probe, 0)])
            while cql.execute(query, (probe,)).one() is None:
                time.sleep(0.001)
            spent.append((time.perf_counter() - began) * 1000)
            time.sleep(0.02)
        stop.set()
        thread.join()
        ours.send("stop")
        stream.join()
    spent = sorted(spent[len(spent) // 10 :])
    p50, p99 = statistics.median(spent), spent[int(len(spent) * 0.99)]
    print(f"POST to total in Cassandra at 1,000 events/s, {len(spent)} probes: p50 {p50:.1f} ms, p99 {p99:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--keys", type=int, default=1_000)
    parser.add_argument("--state-keys", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quix")
    options = parser.parse_args()
    print(f"load {psutil.getloadavg()[0]:.1f}, {psutil.cpu_count()} cores", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        servers = Servers(directory)
        kafka = servers.start("kafka")
        fill(kafka, "events", options.events, options.keys)
        ours = [in_process(windowed, directory, kafka, "events", options.events) for _ in range(options.rounds)]
        rate = statistics.median(found for found, _ in ours)
        print(f"windowed count by {options.keys} keys: {rate:,.0f} events/s, peak {ours[0][1]:.0f} MB", flush=True)
        if options.quix:
            count = options.events // 5  # it takes its time
            fill(kafka, "fewer", count, options.keys)
            theirs = [quix(options.quix, directory, kafka, "fewer", count) for _ in range(options.rounds)]
            other = statistics.median(theirs)
            print(f"quix-streams, {count:,} events: {other:,.0f} events/s; ours {rate / other:.1f} times", flush=True)
        latency(servers, directory, kafka, options.seconds)
        for keys in (100_000, options.state_keys):
            topic = f"keys-{keys}"
            fill(kafka, topic, max(keys, options.events), keys)
            rate, peak = in_process(windowed, directory, kafka, topic, max(keys, options.events))
            print(f"{keys:,} keys of state: {rate:,.0f} events/s, peak {peak:.0f} MB", flush=True)
        servers.stop()


if __name__ == "__main__":
    sys.exit(main())
