"""Does the memory of a stream stay flat over many micro-batches on the embedded engine, renewed as streams renew it?

python -m bench.spark_stream_memory [--batches 100000]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pyarrow as pa

from smackbox.spark.streaming.engine import StreamEngine

ROWS = 1_000
SAMPLES = 20


def rss_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--batches", type=int, default=100_000)
    batches = parser.parse_args().batches
    table = pa.table({"key": [number % 50 for number in range(ROWS)], "value": list(range(ROWS))})
    engine = StreamEngine(None, "memory")
    begin, first = time.monotonic(), 0.0
    try:
        for batch in range(1, batches + 1):
            spark = engine.session()
            spark.createDataFrame(table).groupBy("key").sum("value").toArrow()
            engine.between_batches()
            if batch == max(1, batches // SAMPLES):
                first = rss_mb()
            if batch % max(1, batches // SAMPLES) == 0:
                print(
                    f"{batch:>8} batches  {rss_mb():7.1f} MB  {(time.monotonic() - begin) / batch * 1000:6.1f} ms each"
                )
    finally:
        engine.close()
    print(f"growth after the first {max(1, batches // SAMPLES)} batches: {rss_mb() - first:.1f} MB (goal: 50 MB)")


if __name__ == "__main__":
    main()
