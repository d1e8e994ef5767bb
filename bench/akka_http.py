"""How near is an actor system's route to the raw endpoint, and what do four endpoint processes do on two cores?

    python -m bench.akka_http [--seconds 5] [--rounds 3] [--connections 32]

First: one event a request, validated by its type, written to Kafka, 202 once the broker has it. As a route of
`smackbox.akka.http` with a `KafkaProducer`, as the talk's `/event` is, and as `app.post` does it; on one broker, in
alternation. The ratio is that of requests per CPU second of the two servers (goal: 0.7). Every request is a record in
the topic at the end, or the run fails.

Second: one process of the endpoint, and four that share its port, on two cores; the sink costs nothing, so that what is
measured is the endpoint (goal: 1.6 times). The client writes `PIPELINE` requests at once and counts the answers of a
read in one go, which costs it little beside the servers. What it costs is printed as a share of the cores. Two figures:
requests a second, with the client on the same cores; and the same for the cores without the client's share.

Needs nothing but this machine. Where it has more than two cores, all is pinned to the first two.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import psutil

from bench.ingest_null_sink import Event, load
from smackbox.net.service import ServiceThread, new_event_loop

if TYPE_CHECKING:
    from collections.abc import Iterator

CORES = 2
INSTANCES = 4
PIPELINE = 16
TOPIC = "events"
PARTITIONS = 4
LINGER_MS = 2
"""As the endpoint has it."""


def serve_kafka(directory: str, pipe: Connection) -> None:
    from smackbox.kafka.server import KafkaServer
    from smackbox.kafka.settings import KafkaSettings

    with ServiceThread(KafkaServer(KafkaSettings(port=0, dir=Path(directory)))) as server:
        pipe.send(server.url)
        pipe.recv()


def serve_endpoint(kafka: str | None, port: int, pipe: Connection) -> None:
    from smackbox.ingest.route import Route
    from smackbox.ingest.server import IngestServer
    from smackbox.ingest.settings import IngestSettings
    from smackbox.ingest.sink import NullSink

    settings = IngestSettings(port=port, reuse_port=True, **({"kafka": kafka} if kafka else {}))
    sink = None if kafka else NullSink()
    routes = [Route("/events", TOPIC, Event, "campaign", partitions=PARTITIONS)]
    with ServiceThread(IngestServer(settings, routes, sink)) as server:
        pipe.send(server.url)
        pipe.recv()


def serve_route(kafka: str, pipe: Connection) -> None:
    asyncio.Runner(loop_factory=new_event_loop).run(_serve_route(kafka, pipe))


async def _serve_route(kafka: str, pipe: Connection) -> None:
    from smackbox.akka import ActorSystem
    from smackbox.akka.http import Http, as_, complete, entity, path, post
    from smackbox.akka.stream.connectors.kafka_producer import KafkaProducer, ProducerSettings

    encode = msgspec.json.Encoder().encode
    async with ActorSystem("bench") as system:
        producer = KafkaProducer(system, ProducerSettings(kafka, {"linger.ms": LINGER_MS}))

        @(path("events") & post & entity(as_(Event)))
        async def events(event: Event) -> Any:
            await producer.send(TOPIC, encode(event), str(event.campaign))
            return complete(status=202)

        binding = await Http(system).new_server_at("127.0.0.1", 0).bind(events)
        pipe.send(f"http://127.0.0.1:{binding.local_address[1]}")
        await asyncio.to_thread(pipe.recv)


@contextmanager
def started(serve: Callable[..., None], *arguments: Any) -> Iterator[tuple[str, psutil.Process]]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(*arguments, theirs), daemon=True)
    process.start()
    url = ours.recv()
    try:
        yield url, psutil.Process(process.pid)
    finally:
        ours.send("stop")
        process.join()


def measured(port: int, servers: list[psutil.Process], options: Any, pipeline: int) -> dict[str, float]:
    """Answers, seconds, and CPU seconds of the servers and of this process."""
    own = psutil.Process()

    def cpu(processes: list[psutil.Process]) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in processes)

    before, own_before, began = cpu(servers), cpu([own]), time.perf_counter()
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        answers = runner.run(load(port, options.seconds, options.connections, pipeline))
    wall_s = time.perf_counter() - began
    return {"answers": answers, "wall_s": wall_s, "cpu_s": cpu(servers) - before, "client_s": cpu([own]) - own_before}


def count_records(kafka: str) -> int:
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "count"})
    try:
        return sum(
            consumer.get_watermark_offsets(TopicPartition(TOPIC, partition), timeout=10)[1]
            for partition in range(PARTITIONS)
        )
    finally:
        consumer.close()


def compare_routes(options: Any) -> None:
    rates: dict[str, list[float]] = {"raw endpoint": [], "route": []}
    with ExitStack() as stack:
        kafka, _ = stack.enter_context(started(serve_kafka, stack.enter_context(tempfile.TemporaryDirectory())))
        kafka = kafka.removeprefix("kafka://")
        raw = stack.enter_context(started(serve_endpoint, kafka, 0))
        route = stack.enter_context(started(serve_route, kafka))
        expected = 0
        for _ in range(options.rounds):
            for name, (url, process) in (("raw endpoint", raw), ("route", route)):
                found = measured(_port(url), [process], options, 1)
                expected += int(found["answers"])
                rate = found["answers"] / found["cpu_s"]
                rates[name].append(rate)
                print(
                    f"{name}: {rate:,.0f} requests per CPU second, {found['answers'] / found['wall_s']:,.0f} a second"
                )
        in_log = count_records(kafka)
    # requests in flight when a round ends are in the log without having been counted
    assert expected <= in_log <= expected + 2 * options.rounds * options.connections, (expected, in_log)
    ratio = statistics.median(rates["route"]) / statistics.median(rates["raw endpoint"])
    print(f"a route that validates and produces: {ratio:.2f} of the raw endpoint (goal: 0.7)")


def compare_instances(options: Any) -> None:
    wall: dict[int, list[float]] = {1: [], INSTANCES: []}
    free: dict[int, list[float]] = {1: [], INSTANCES: []}
    for _ in range(options.rounds):
        for count in (1, INSTANCES):
            with ExitStack() as stack:
                url, process = stack.enter_context(started(serve_endpoint, None, 0))
                others = [stack.enter_context(started(serve_endpoint, None, _port(url))) for _ in range(count - 1)]
                servers = [process, *(other for _, other in others)]
                found = measured(_port(url), servers, options, PIPELINE)
            rate = found["answers"] / found["wall_s"]
            share = found["client_s"] / found["wall_s"]
            # of the cores that the servers could have had, the client took its share
            usable = min(count, CORES)
            left = usable if usable + share <= CORES else CORES - share
            wall[count].append(rate)
            free[count].append(found["answers"] / found["cpu_s"] * usable)
            print(
                f"{count} process(es): {rate:,.0f} requests/s, servers {found['cpu_s'] / found['wall_s']:.2f} of "
                f"{left:.2f} cores that were left to them, client {share:.2f} cores"
            )
    for name, rates in (("with the client on the same cores", wall), ("by CPU time, on cores of their own", free)):
        ratio = statistics.median(rates[INSTANCES]) / statistics.median(rates[1])
        print(f"{INSTANCES} processes on {CORES} cores, {name}: {ratio:.2f} times one (goal: 1.6)")


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    compare_routes(options)
    compare_instances(options)


if __name__ == "__main__":
    main()
