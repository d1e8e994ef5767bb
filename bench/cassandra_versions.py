"""Is the CQL server of this checkout as fast as that of another one, side by side in one run?

`python -m bench.cassandra_versions OTHER` (a directory with the other's `src`) runs each phase on both in turns. The
table has the medians of the rates and of the server's CPU time for each request, and the ratios (above 1: this one is
better). CPU time is the figure to look at on a machine with other work.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from cassandra.concurrent import execute_concurrent_with_args
from cassandra.query import BatchStatement, BatchType

from bench.cassandra_vs_real import (
    _SERVER,
    PARTITIONS,
    ROWS,
    Engine,
    batches,
    counters,
    cpu_s,
    driver_write,
    full_scan,
    lwt,
    one_read,
    one_write,
    prepare,
    raw_read,
    raw_write,
    slices,
)

ROUNDS = 5
BATCH_ROWS = 50


def keyspace_batches(engine: Engine, count: int = ROWS // 3) -> float:
    """Batches by the Python driver in a session with a keyspace, which protocol v5 says in each of them."""
    engine.session.set_keyspace("bench")
    statement = engine.session.prepare("INSERT INTO by_ad (ad_id, ts, type) VALUES (?, ?, ?)")
    made = []
    for number in range(count // BATCH_ROWS):
        batch = BatchStatement(BatchType.UNLOGGED)
        for _ in range(BATCH_ROWS):
            batch.add(statement, (PARTITIONS[number % len(PARTITIONS)], uuid.uuid1(), "view"))
        made.append(batch)
    started = time.perf_counter()
    for future in [engine.session.execute_async(batch) for batch in made]:
        future.result()
    return count / (time.perf_counter() - started)


def driver_read_all(engine: Engine, count: int = ROWS // 6) -> float:
    """SELECT of a partition's slice, which takes the general way."""
    statement = engine.session.prepare("SELECT ts, type FROM bench.by_ad WHERE ad_id = ? LIMIT 1")
    keys = [(PARTITIONS[number % len(PARTITIONS)],) for number in range(count)]
    started = time.perf_counter()
    execute_concurrent_with_args(engine.session, statement, keys, concurrency=128)
    return count / (time.perf_counter() - started)


# name, what it does, how many requests or rows it is, whether its figure is a rate (else microseconds for each)
PHASES: list[tuple[str, Callable[[Engine], float], int, bool]] = [
    ("insert, raw pipelined", raw_write, ROWS, True),
    ("insert, Python driver", driver_write, ROWS // 3, True),
    ("batches of 50 rows, raw v4", batches, ROWS, True),
    ("batches of 50 rows, keyspace set, v5", keyspace_batches, ROWS // 3, True),
    ("select by key, raw pipelined", raw_read, ROWS, True),
    ("select of a slice, Python driver", driver_read_all, ROWS // 6, True),
    ("full scan", full_scan, ROWS, True),
    ("partition slice", slices, ROWS // 10, True),
    ("counters", counters, ROWS // 3, True),
    ("one insert at a time, p50", one_write, 1000, False),
    ("one select at a time, p50", one_read, 1000, False),
    ("lightweight transaction, p50", lwt, 500, False),
]


def start(name: str, source: Path, directory: Path, stack: ExitStack) -> Engine:
    environ = {**os.environ, "PYTHONPATH": str(source)}
    process = stack.enter_context(
        subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(directory)], stdout=subprocess.PIPE, text=True, env=environ
        )
    )
    stack.callback(process.terminate)
    assert process.stdout is not None
    host, _, port = process.stdout.readline().split()[2].rpartition(":")
    return Engine(name, (host, int(port)), process.pid, 0.0)


def main(other: Path) -> int:
    own = Path(__file__).resolve().parents[1]
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smackbox-bench-")))
        engines = [
            start("this", own / "src", scratch / "this", stack),
            start("other", other / "src", scratch / "other", stack),
        ]
        for engine in engines:
            prepare(engine)
            raw_write(engine)
            raw_read(engine)
        used: dict[tuple[str, str], list[float]] = {}
        for number in range(ROUNDS):
            for name, work, count, _ in PHASES:
                for engine in engines if number % 2 else reversed(engines):
                    before = cpu_s(engine.pid)
                    engine.measure(name, work)
                    used.setdefault((engine.name, name), []).append((cpu_s(engine.pid) - before) / count * 1e6)
                    if work is lwt:
                        engine.raw.query("TRUNCATE bench.lwt")
        print(f"load {os.getloadavg()[0]:.1f}")
        print(f"{'':40}{'this':>12}{'other':>12}{'ratio':>8}{'CPU µs':>10}{'other':>10}{'ratio':>8}")
        for name, _, _, is_rate in PHASES:
            ours, theirs = (statistics.median(engine.figures[name]) for engine in engines)
            cpu, other_cpu = (statistics.median(used[engine.name, name]) for engine in engines)
            ratio = ours / theirs if is_rate else theirs / ours
            cpu_ratio = other_cpu / cpu if cpu else 1.0
            print(f"{name:40}{ours:12,.0f}{theirs:12,.0f}{ratio:8.2f}{cpu:10.2f}{other_cpu:10.2f}{cpu_ratio:8.2f}")
        for engine in engines:
            engine.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
