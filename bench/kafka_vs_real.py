"""Is our broker faster to start, lighter and at least as fast as real Kafka, for one librdkafka client?

Both run side by side, and each case is measured on one and on the other in turn, several times, with the same client:
start to first metadata, memory, CreateTopics, group joins, produce one and flush, produce to consumer, throughput both
ways. Prints the medians and their ratio (above 1: ours is better), and the spread of the ratios of single turns.

    python -m bench.kafka_vs_real [--quick] [--rounds 3] [--only ours|real]
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from bench.engines import real_kafka

TUNED_CONSUMER = {
    "queued.min.messages": 1_000_000,
    "queued.max.messages.kbytes": 1_048_576,
    "fetch.queue.backoff.ms": 1,
    "fetch.wait.max.ms": 50,
    "check.crcs": False,
}
START_LIMIT_S = 60.0
CALL_LIMIT_S = 30.0


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    latency: int
    paced: int
    topics: int
    joins: int
    small_messages: int
    large_messages: int


FULL = Size(latency=2000, paced=1000, topics=20, joins=3, small_messages=1_000_000, large_messages=300_000)
QUICK = Size(latency=300, paced=300, topics=5, joins=1, small_messages=100_000, large_messages=30_000)


@dataclass
class Server:
    """A running broker of either kind."""

    bootstrap: str
    pid: int
    start_s: float
    scratch: str = ""

    def memory_mb(self) -> float:
        return round(psutil.Process(self.pid).memory_info().rss / 1e6, 1)

    def cpu_s(self) -> float:
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)


@contextmanager
def our_kafka(directory: Path) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "smackbox", "kafka", "serve", "--port", str(port), "--dir", str(directory)]
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while not _answers(port):
            if process.poll() is not None or time.monotonic() - started > START_LIMIT_S:
                raise RuntimeError("our broker did not start")
            time.sleep(0.002)
        yield Server(f"127.0.0.1:{port}", process.pid, time.monotonic() - started)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(CALL_LIMIT_S)


@contextmanager
def the_real_kafka(directory: Path) -> Iterator[Server]:
    with real_kafka.RealKafka(directory) as kafka:
        yield Server(kafka.bootstrap, kafka.pid, kafka.start_s)


def _answers(port: int) -> bool:
    """Whether Metadata (version 1, no topics) is answered with a broker in it."""
    request = struct.pack(">hhihi", 3, 1, 1, -1, 0)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            return len(connection.recv(1000)) > 12
    except OSError:
        return False


# --- what is measured


Case = Callable[[Server], dict[str, float]]


def cases(size: Size) -> list[Case]:
    """All cases; times in milliseconds, rates in messages a second."""
    found: list[Case] = [
        topics_case(size),
        *(join_case(size, *how) for how in JOINS),
        flush_case(size),
        paced_case(size),
    ]
    found += [
        rate_case(payload, count, partitions, compression)
        for payload, count in ((100, size.small_messages), (1000, size.large_messages))
        for partitions in (1, 3)
        for compression in ("none", "lz4")
    ]
    return found


JOINS: tuple[tuple[str, dict[str, str]], ...] = (("classic", {}), ("kip848", {"group.protocol": "consumer"}))


def admin_of(server: Server) -> AdminClient:
    return AdminClient({"bootstrap.servers": server.bootstrap, "log_level": 2})


def warm_up(server: Server) -> None:
    server.scratch = make_topic(admin_of(server), 1)
    throughput(server, server.scratch, 1, 20_000, 100, "none")
    join_ms(server, server.scratch, {})


def topics_case(size: Size) -> Case:
    def measure(server: Server) -> dict[str, float]:
        admin = admin_of(server)
        return {"create_topic_ms": statistics.median(timed(lambda: make_topic(admin, 1)) for _ in range(size.topics))}

    return measure


def join_case(size: Size, name: str, configs: dict[str, str]) -> Case:
    def measure(server: Server) -> dict[str, float]:
        joins = [join_ms(server, server.scratch, configs) for _ in range(size.joins)]
        return {f"join_{name}_ms": statistics.median(joins)}

    return measure


def flush_case(size: Size) -> Case:
    return lambda server: quantiles("flush", flush_ms(server, server.scratch, size.latency))


def paced_case(size: Size) -> Case:
    return lambda server: quantiles("end_to_end", end_to_end_ms(server, make_topic(admin_of(server), 1), size.paced))


def rate_case(payload: int, count: int, partitions: int, compression: str) -> Case:
    def measure(server: Server) -> dict[str, float]:
        case = f"{payload}B_{partitions}p_{compression}"
        admin = admin_of(server)
        topic = make_topic(admin, partitions)
        cpu = server.cpu_s()
        figures = {
            f"produce_{case}": throughput(server, topic, partitions, count, payload, compression),
            f"consume_{case}": consume_rate(server, topic, partitions, count),
            f"server_cpu_s_{case}": round(server.cpu_s() - cpu, 2),
        }
        admin.delete_topics([topic])[topic].result(CALL_LIMIT_S)
        return figures

    return measure


def make_topic(admin: AdminClient, partitions: int) -> str:
    name = f"bench-{uuid.uuid4().hex[:12]}"
    admin.create_topics([NewTopic(name, partitions, 1)])[name].result(CALL_LIMIT_S)
    return name


def timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1000


def join_ms(server: Server, topic: str, configs: dict[str, str]) -> float:
    defaults = {"group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest", "log_level": 2}
    client = Consumer({"bootstrap.servers": server.bootstrap, **defaults, **configs})
    assigned = threading.Event()
    started = time.perf_counter()
    client.subscribe([topic], on_assign=lambda *_: assigned.set())
    while not assigned.is_set():
        client.poll(0.005)
        assert time.perf_counter() - started < CALL_LIMIT_S, "no assignment"
    elapsed = (time.perf_counter() - started) * 1000
    client.close()
    return elapsed


def flush_ms(server: Server, topic: str, count: int) -> list[float]:
    client = Producer({"bootstrap.servers": server.bootstrap, "acks": "all", "linger.ms": 0, "log_level": 2})
    payload = b"x" * 100

    def one() -> None:
        client.produce(topic, payload)
        client.flush()

    for _ in range(50):
        one()
    return [timed(one) for _ in range(count)]


def end_to_end_ms(server: Server, topic: str, count: int) -> list[float]:
    consumer = Consumer({"bootstrap.servers": server.bootstrap, "group.id": "e2e", "log_level": 2})
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    latencies: list[float] = []
    ready = threading.Event()

    def read() -> None:
        deadline = time.monotonic() + CALL_LIMIT_S + count / 500
        while len(latencies) < count and time.monotonic() < deadline:
            message = consumer.poll(0.1)
            if message is None or message.error() is not None:
                continue
            if message.value() == b"warm":
                ready.set()
                continue
            latencies.append((time.perf_counter_ns() - struct.unpack(">q", message.value())[0]) / 1e6)

    reader = threading.Thread(target=read)
    reader.start()
    client = Producer({"bootstrap.servers": server.bootstrap, "acks": "all", "linger.ms": 0, "log_level": 2})
    client.produce(topic, b"warm")
    client.flush()
    ready.wait(CALL_LIMIT_S)
    due = time.perf_counter()
    for _ in range(count):
        due += 0.001
        client.produce(topic, struct.pack(">q", time.perf_counter_ns()))
        while (left := due - time.perf_counter()) > 0:
            client.poll(left)
    client.flush()
    reader.join()
    consumer.close()
    assert len(latencies) == count, f"{count - len(latencies)} messages did not arrive"
    return latencies


def throughput(server: Server, topic: str, partitions: int, count: int, payload: int, compression: str) -> float:
    """Messages a second, from the first produce to the last acknowledgement."""
    client = Producer(
        {
            "bootstrap.servers": server.bootstrap,
            "acks": "all",
            "linger.ms": 5,
            "compression.type": compression,
            "queue.buffering.max.messages": 2_000_000,
            "queue.buffering.max.kbytes": 2_000_000,
            "log_level": 2,
        }
    )
    values = payloads(payload)
    started = time.perf_counter()
    for i in range(count):
        while True:
            try:
                client.produce(topic, values[i % len(values)], partition=i % partitions)
                break
            except BufferError:
                client.poll(0.01)
    left = client.flush(300)
    elapsed = time.perf_counter() - started
    assert left == 0, f"{left} messages were not acknowledged"
    return count / elapsed


def payloads(size: int) -> list[bytes]:
    """Texts that compress about as events do."""
    texts = []
    for i in range(1000):
        text = json.dumps({"id": i * 7919, "user": f"user-{i % 97}", "type": "click" if i % 3 else "view"})
        texts.append((text * (size // len(text) + 1))[:size].encode())
    return texts


def consume_rate(server: Server, topic: str, partitions: int, count: int) -> float:
    """Messages a second with a tuned client, from assignment to the last message."""
    client = Consumer({"bootstrap.servers": server.bootstrap, "group.id": "rate", "log_level": 2, **TUNED_CONSUMER})
    client.list_topics(topic, timeout=CALL_LIMIT_S)
    started = time.perf_counter()
    client.assign([TopicPartition(topic, i, OFFSET_BEGINNING) for i in range(partitions)])
    seen = 0
    while seen < count:
        messages = client.consume(10_000, 1.0)
        seen += len(messages)
        assert messages or time.perf_counter() - started < 120, f"only {seen} of {count} messages came"
    elapsed = time.perf_counter() - started
    client.close()
    return count / elapsed


def quantiles(name: str, values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {f"{name}_p50_ms": ordered[len(ordered) // 2], f"{name}_p99_ms": ordered[int(len(ordered) * 0.99)]}


# --- both, side by side


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("ours", "real"))
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    servers: dict[str, Any] = {"ours": our_kafka, "real": the_real_kafka}
    if reason := real_kafka.missing():
        print(f"real Kafka cannot run here: {reason}")
        del servers["real"]
    else:
        real_kafka.install()
    if options.only:
        servers = {options.only: servers[options.only]}
    turns: dict[str, dict[str, list[float]]] = {name: {} for name in servers}
    with tempfile.TemporaryDirectory(prefix="smackbox-bench-") as scratch, ExitStack() as stack:
        running = {name: stack.enter_context(start(Path(scratch) / name)) for name, start in servers.items()}

        def note(name: str, figures: dict[str, float]) -> None:
            for key, value in figures.items():
                turns[name].setdefault(key, []).append(value)

        for name, server in running.items():
            note(name, {"start_ms": server.start_s * 1000, "memory_idle_mb": server.memory_mb()})
            warm_up(server)
        for case in cases(size):
            for turn in range(options.rounds):
                # who goes first meets cold memory: they take turns at that too
                order = list(running.items())
                for name, server in reversed(order) if turn % 2 else order:
                    note(name, case(server))
        for name, server in running.items():
            note(name, {"memory_after_load_mb": server.memory_mb()})
    if options.json:
        options.json.write_text(json.dumps(turns, indent=1))
    report(turns)


def report(turns: dict[str, dict[str, list[float]]]) -> None:
    ours, real = turns.get("ours", {}), turns.get("real", {})
    print(f"{'':32}{'ours':>14}{'real':>14}{'ratio':>9}  of single turns")
    for key in ours or real:
        left, right = ours.get(key, []), real.get(key, [])
        higher_is_better = key.startswith(("produce_", "consume_"))
        ratios = sorted(
            a / b if higher_is_better else b / a for a, b in zip(left, right, strict=bool(left and right)) if a and b
        )
        row = f"{key:32}{_figure(_median(left)):>14}{_figure(_median(right)):>14}"
        if ratios:
            row += f"{statistics.median(ratios):9.2f}  {ratios[0]:.2f} to {ratios[-1]:.2f}"
        print(row)


def _median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    main()
