"""How many MB/s does a back-up of a running box write, a restore read, and what does it cost a running stream?

    python -m bench.backup [--gigabytes 2] [--events 2000000] [--turns 3] [--dir DIR]

A broker in a process of its own holds so much data: JSON events of 1 KB, of which half is random. `smack backup` saves
its box to a folder on the same disk, once whole and once with what little came since; `smack restore` writes it into a
new folder, synced. Beside: `tar | zstd -1 -T2` of the same folder, and back, synced too. What is read may be in the
page cache, for both. Goal: restore 150 MB/s.

Then a stream copies events from that broker into a CQL server. Its run is cut into windows of 10 s: alone, with whole
back-ups one after the other into new folders, alone, with one back-up of what is new; by turns, as machines drift.
Goal: a back-up costs the stream 20 % at most.
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
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec

from smackbox.net.service import ServiceThread

SMACK = (sys.executable, "-m", "smackbox")
VALUE_BYTES = 1_000
PARTITIONS = 4
WINDOW_S = 10.0
ALONE, WHOLE, LITTLE = "alone", "a whole back-up all the time", "one back-up of what is new"


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
    """Seconds that the command takes, on a disk that has nothing else of ours to write."""
    os.sync()
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def size_of(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def save_and_restore(directory: Path, kafka: str) -> None:
    """Two turns: blocks of a virtual disk that are written for the first time are slower, whoever writes them."""
    box, safe = directory / "box", directory / "safe"
    megabytes = size_of(box)
    archive, copy = directory / "box.tar.zst", directory / "copy"

    def rate(seconds: float) -> str:
        return f"{megabytes / seconds:,.0f} MB/s ({seconds:.1f} s)"

    for turn in ("first", "second"):
        shutil.rmtree(safe, ignore_errors=True)
        whole = timed(*SMACK, "backup", str(safe), "--dir", str(box))
        back = timed(*SMACK, "restore", str(safe), "--dir", str(copy))
        shutil.rmtree(copy)
        copy.mkdir()
        tar = timed("sh", "-c", f"tar -C {box} -cf - . | zstd -q -1 -T2 -o {archive} && sync {archive}")
        untar = timed("sh", "-c", f"zstd -q -d -c {archive} | tar -C {copy} -xf - && sync -f {copy}")
        print(f"{turn} turn: back-up, whole: {rate(whole)}; tar | zstd: {rate(tar)}; load {os.getloadavg()[0]:.1f}")
        print(f"{turn} turn: restore: {rate(back)}, goal 150; zstd | tar: {rate(untar)}")
        packed = archive.stat().st_size / 1e6
        shutil.rmtree(copy)
        archive.unlink()
    print(f"{megabytes:,.0f} MB in the box, {size_of(safe):,.0f} MB stored; as tar and zstd {packed:,.0f} MB")
    fill(kafka, "little", 1_000, VALUE_BYTES)
    later = timed(*SMACK, "backup", str(safe), "--dir", str(box))
    print(f"back-up, 1 MB of news: {later:.2f} s")


class Saving:
    """Back-ups one after the other while `kind` says so."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.kind = ALONE
        self.completed: Counter[str] = Counter()

    def __enter__(self) -> Saving:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            if (kind := self.kind) != ALONE:
                self._save(kind)
                while kind == LITTLE and self.kind == kind and not self._stop.wait(0.02):
                    pass  # one in a window

    def _save(self, kind: str) -> None:
        target = self._directory / ("safe" if kind == LITTLE else f"turn-{uuid.uuid4().hex}")
        command = [*SMACK, "backup", str(target), "--dir", str(self._directory / "box")]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while process.poll() is None:
            if self._stop.wait(0.02) or (self.kind != kind and kind == WHOLE):
                process.kill()
        self.completed[kind] += process.returncode == 0
        if kind == WHOLE:
            shutil.rmtree(target, ignore_errors=True)


def windows(directory: Path, kafka: str, cassandra: str, events: int, turns: int) -> None:
    """One long run of the stream, cut into windows of `WINDOW_S` that differ in what else is done."""
    from smackbox.spark.streaming import MicroBatchRunner, StreamSettings

    settings = StreamSettings(
        name="copy", kafka=kafka, topic="events", cassandra=cassandra, keyspace="bench", table="event",
        checkpoint_dir=directory / "box" / "streams" / "bench" / "copy", unique="id", every_s=0.2,
        max_rows_per_batch=5_000,
    )  # fmt: skip
    rates: dict[str, list[float]] = {ALONE: [], WHOLE: [], LITTLE: []}
    with MicroBatchRunner(settings, Event, None) as runner, Saving(directory) as saving:
        while sum(runner.checkpoint.offsets.values()) < events // 20:
            runner.step()
        for _ in range(turns):
            for kind in (ALONE, WHOLE, ALONE, LITTLE):
                saving.kind = kind
                began, before = time.perf_counter(), sum(runner.checkpoint.offsets.values())
                while time.perf_counter() < began + WINDOW_S:
                    runner.step()
                done = sum(runner.checkpoint.offsets.values()) - before
                if before + done >= events:
                    raise SystemExit("the topic is read to its end: give more --events")
                rates[kind].append(done / (time.perf_counter() - began))
        saving.kind = ALONE
    alone = statistics.median(rates[ALONE])
    for kind, found in rates.items():
        rate = statistics.median(found)
        print(
            f"stream, {kind}: {rate:,.0f} events/s ({min(found):,.0f} to {max(found):,.0f}), "
            f"{100 * (1 - rate / alone):.0f} % less (goal 20); {saving.completed[kind]} back-ups"
        )


def cost(directory: Path, kafka: str, cassandra: str, events: int, turns: int) -> None:
    from smackbox.spark.cql_session import CqlSession

    cql = CqlSession(cassandra)
    replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
    cql.session.execute(f"CREATE KEYSPACE bench WITH replication = {replication}")
    cql.session.execute("CREATE TABLE bench.event (id uuid PRIMARY KEY, text text)")
    cql.close()
    fill(kafka, "events", events, 200)
    windows(directory, kafka, cassandra, events, turns)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--gigabytes", type=float, default=2.0)
    arguments.add_argument("--events", type=int, default=2_000_000)
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
            if given.turns:
                cost(directory, urls[0], urls[1], given.events, given.turns)
            print(f"load {os.getloadavg()[0]:.1f}")
        finally:
            for pipe in pipes:
                pipe.send(None)
            for process in processes:
                process.join(30)


if __name__ == "__main__":
    main()
