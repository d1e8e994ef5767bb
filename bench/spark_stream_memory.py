"""Does memory stay flat over many micro-batches and jobs on the embedded engine, whose Sail servers are recycled?

python -m bench.spark_stream_memory [--batches 100000] [--what stream|jobs|direct]

`stream`: a Structured Streaming query with state over Spark Connect, batches of 1,000 rows, as fast as it goes.
`jobs`: a program that runs one small query after the other on one session. `direct`: the Direct runner's engine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from smackbox.spark import session
from smackbox.spark.streaming.engine import StreamEngine

ROWS = 1_000
KEYS = 50
SAMPLES = 20
POLL_S = 0.05


def rss_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def table() -> pa.Table:
    return pa.table({"key": [number % KEYS for number in range(ROWS)], "value": list(range(ROWS))})


def stream(batches: int) -> Iterator[int]:
    spark = session()
    df = spark.readStream.format("rate-micro-batch").option("rowsPerBatch", ROWS).load()
    totals = df.groupBy((df.value % KEYS).alias("key")).agg({"value": "sum", "*": "count"})
    query = totals.writeStream.outputMode("update").format("noop").start()
    done = 0
    while done < batches:
        time.sleep(POLL_S)
        progress = query.lastProgress
        if progress is not None and progress.batchId > done:
            done = progress.batchId
            yield done
    query.stop()


def jobs(batches: int) -> Iterator[int]:
    spark: Any = session()
    rows = table()
    for number in range(1, batches + 1):
        spark.createDataFrame(rows).groupBy("key").sum("value").toArrow()
        yield number


def direct(batches: int) -> Iterator[int]:
    engine = StreamEngine(None, "memory")
    rows = table()
    for number in range(1, batches + 1):
        engine.session().createDataFrame(rows).groupBy("key").sum("value").toArrow()
        yield number
    engine.close()


KINDS: dict[str, Callable[[int], Iterator[int]]] = {"stream": stream, "jobs": jobs, "direct": direct}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--batches", type=int, default=100_000)
    parser.add_argument("--what", choices=KINDS, default="stream")
    given = parser.parse_args()
    step = max(1, given.batches // SAMPLES)
    begin, first, shown = time.monotonic(), 0.0, 0
    for done in KINDS[given.what](given.batches):
        if done // step > shown:
            shown = done // step
            first = first or rss_mb()
            each = (time.monotonic() - begin) / done * 1000
            print(f"{done:>8} batches  {rss_mb():7.1f} MB  {each:6.1f} ms each", flush=True)
    print(f"growth after the first {step} batches: {rss_mb() - first:.1f} MB (goal: 50 MB)")


if __name__ == "__main__":
    main()
