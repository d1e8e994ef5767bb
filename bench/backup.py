"""How many MB/s does a back-up of a running box write, a restore read, and what does it cost a running stream?

    python -m bench.backup [--gigabytes 2] [--events 300000] [--turns 3] [--dir DIR]

A broker in a process of its own holds so much data: JSON events of 1 KB, of which half is random. `smack backup` saves
its box to a folder on the same disk, once whole and once with what little came since; `smack restore` writes it into a
new folder, synced. Beside: `tar | zstd -1 -T2` of the same folder, and back, synced too. What is read may be in the
page cache, for both. Goal: restore 150 MB/s.

Then a stream copies events from that broker into a CQL server, by turns alone, with whole back-ups one after the other
into new folders, and with one back-up each 10 s into the same folder. Goal: a back-up costs the stream 20 % at most.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec

from smackbox.net.service import ServiceThread

SMACK = (sys.executable, "-m", "smackbox")
VALUE_BYTES = 1_000
PARTITIONS = 4
PAUSE_S = 10.0


class Event(msgspec.Struct, frozen=True):
    id: uuid.UUID
    text: str


def serve(kind: str, directory: Path, pipe: Connection) -> None:
    if kind == "kafka":
        from smackbox.kafka.server import KafkaServer
        from smackbox.kafka.settings import KafkaSettings

        service: Any = KafkaServer(KafkaSettings(dir=directory / "kafka"))
    else:
        from smackbox.cassandra.server import CassandraServer
        from smackbox.cassandra.settings import CassandraSettings

        service = CassandraServer(CassandraSettings(dir=directory / "cassandra"))
    with ServiceThread(service):
        pipe.send(service.url)
        pipe.recv()


def fill(kafka: str, topic: str, count: int, value_bytes: int) -> None:
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(30)
    producer = Producer({"bootstrap.servers": kafka, "linger.ms": 20, "queue.buffering.max.kbytes": 200_000})
    plain = "a text as events have it, again and again " * (value_bytes // 84 + 1)
    for _ in range(count):
        text = os.urandom(value_bytes // 4).hex() + plain[: value_bytes // 2]
        value = msgspec.json.encode(Event(uuid.uuid4(), text))
        while True:
            try:
                producer.produce(topic, value)
                break
            except BufferError:
                producer.poll(0.05)
        producer.poll(0)
    assert producer.flush(120) == 0


def timed(*command: str) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def size_of(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def save_and_restore(directory: Path, kafka: str) -> None:
    box = directory / "box"
    megabytes = size_of(box)
    whole = timed(*SMACK, "backup", str(directory / "safe"), "--dir", str(box))
    fill(kafka, "little", 1_000, VALUE_BYTES)
    later = timed(*SMACK, "backup", str(directory / "safe"), "--dir", str(box))
    stored = size_of(directory / "safe")
    back = timed(*SMACK, "restore", str(directory / "safe"), "--dir", str(directory / "new"))
    shutil.rmtree(directory / "new")
    archive, copy = directory / "box.tar.zst", directory / "copy"
    copy.mkdir()
    tar = timed("sh", "-c", f"tar -C {box} -cf - . | zstd -q -1 -T2 -o {archive} && sync {archive}")
    untar = timed("sh", "-c", f"zstd -q -d -c {archive} | tar -C {copy} -xf - && sync -f {copy}")
    packed = archive.stat().st_size / 1e6
    print(f"{megabytes:,.0f} MB in the box, {stored:,.0f} MB stored; as tar and zstd {packed:,.0f} MB")

    def rate(seconds: float) -> str:
        return f"{megabytes / seconds:,.0f} MB/s ({seconds:.1f} s)"

    print(f"back-up, whole: {rate(whole)}; tar | zstd: {rate(tar)}")
    print(f"back-up, 1 MB of news: {later:.2f} s")
    print(f"restore: {rate(back)}, goal 150; zstd | tar: {rate(untar)}")
    shutil.rmtree(copy)
    archive.unlink()


class Saving:
    """Back-ups one after the other while the block runs."""

    def __init__(self, directory: Path, kind: str) -> None:
        self._directory = directory
        self._kind = kind
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._save)
        self.count = 0

    def __enter__(self) -> Saving:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _save(self) -> None:
        while self._kind != "alone" and not self._stop.is_set():
            target = self._directory / (f"turn-{uuid.uuid4().hex}" if self._kind == "whole" else "safe")
            process = subprocess.Popen(
                [*SMACK, "backup", str(target), "--dir", str(self._directory / "box")], stdout=subprocess.DEVNULL
            )
            while process.poll() is None:
                if self._stop.wait(0.05) and self._kind == "whole":
                    process.kill()
            self.count += process.returncode == 0
            if self._kind == "whole":
                shutil.rmtree(target, ignore_errors=True)
            else:
                self._stop.wait(PAUSE_S)


def stream_rate(directory: Path, kafka: str, cassandra: str, count: int, name: str) -> float:
    from smackbox.spark.streaming import MicroBatchRunner, StreamSettings

    settings = StreamSettings(
        name=name, kafka=kafka, topic="events", cassandra=cassandra, keyspace="bench", table="event",
        checkpoint_dir=directory / "box" / "streams" / "bench" / name, unique="id", every_s=0.2,
    )  # fmt: skip
    with MicroBatchRunner(settings, Event, None) as runner:
        began = time.perf_counter()
        while sum(runner.checkpoint.offsets.values()) < count:
            runner.step()
        return count / (time.perf_counter() - began)


def cost(directory: Path, kafka: str, cassandra: str, events: int, turns: int) -> None:
    from smackbox.spark.cql_session import CqlSession

    cql = CqlSession(cassandra)
    replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
    cql.session.execute(f"CREATE KEYSPACE bench WITH replication = {replication}")
    cql.session.execute("CREATE TABLE bench.event (id uuid PRIMARY KEY, text text)")
    cql.close()
    fill(kafka, "events", events, 200)
    rates: dict[str, list[float]] = {"alone": [], "whole": [], "each 10 s": []}
    saved = dict.fromkeys(rates, 0)
    for turn in range(turns):
        for kind, found in rates.items():
            with Saving(directory, kind) as saving:
                found.append(stream_rate(directory, kafka, cassandra, events, f"s{turn}{kind.replace(' ', '')}"))
            saved[kind] += saving.count
    alone = statistics.median(rates["alone"])
    for kind, found in rates.items():
        rate = statistics.median(found)
        spread = f"{min(found):,.0f} to {max(found):,.0f}"
        print(
            f"stream, back-ups {kind}: {rate:,.0f} events/s ({spread}), {100 * (1 - rate / alone):.0f} % less; "
            f"{saved[kind]} back-ups completed (goal: 20 % at most)"
        )


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--gigabytes", type=float, default=2.0)
    arguments.add_argument("--events", type=int, default=300_000)
    arguments.add_argument("--turns", type=int, default=3)
    arguments.add_argument("--dir", type=Path)
    given = arguments.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(dir=given.dir) as name:
        directory = Path(name)
        processes, pipes, urls = [], [], []
        for kind in ("kafka", "cassandra"):
            here, there = context.Pipe()
            processes.append(context.Process(target=serve, args=(kind, directory / "box", there)))
            processes[-1].start()
            pipes.append(here)
            urls.append(here.recv())
        try:
            print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
            fill(urls[0], "bulk", round(given.gigabytes * 1e9 / VALUE_BYTES), VALUE_BYTES)
            save_and_restore(directory, urls[0])
            cost(directory, urls[0], urls[1], given.events, given.turns)
            print(f"load {os.getloadavg()[0]:.1f}")
        finally:
            for pipe in pipes:
                pipe.send(None)
            for process in processes:
                process.join(30)


if __name__ == "__main__":
    main()
