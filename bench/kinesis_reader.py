"""Is the Kinesis source slower than boto3's own loop of `get_records`, on one stream of moto's server?

    python -m bench.kinesis_reader [--records 20000] [--rounds 3]

Both read the same records of two shards from their beginning, in turn, each with a client of its own; moto runs in a
process of its own. Records a second by the clock, and microseconds of CPU a record in the reading process.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from smackbox.kinesis.reader import Reader
from smackbox.kinesis.shards import Shards
from smackbox.net.listener import free_port

STREAM = "bench"
LIMIT = 5_000
SHARDS = 2
READY_LIMIT_S = 30.0


def client(url: str) -> Any:
    import boto3

    return boto3.client("kinesis", endpoint_url=url, region_name="eu-west-1")


def boto3_loop(url: str, records: int) -> int:
    """What a program would write by hand: one shard after the other."""
    kinesis = client(url)
    found = 0
    for shard in kinesis.list_shards(StreamName=STREAM)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=STREAM, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while True:
            answer = kinesis.get_records(ShardIterator=iterator, Limit=LIMIT)
            found += len([record["Data"] for record in answer["Records"]])
            iterator = answer["NextShardIterator"]
            if not answer["MillisBehindLatest"] and not answer["Records"]:
                break
    return found


def source(url: str, records: int) -> int:
    """Our reader, as a stream uses it; without the pauses that Amazon's limits ask for."""
    reader = Reader(client(url), STREAM, Shards("TRIM_HORIZON"), clock=_ticking())
    found = 0
    while found < records:
        batch = reader.poll(LIMIT * SHARDS)
        found += len([record.data for record in batch.records])
        reader.done(batch)
    return found


def _ticking() -> Callable[[], float]:
    now_s = 0.0

    def clock() -> float:
        nonlocal now_s
        now_s += 1.0
        return now_s

    return clock


def fill(url: str, records: int) -> None:
    kinesis = client(url)
    kinesis.create_stream(StreamName=STREAM, ShardCount=SHARDS)
    for first in range(0, records, 500):
        entries = [
            {"Data": b'{"id": %d, "campaign": "c%d"}' % (number, number % 50), "PartitionKey": f"k{number}"}
            for number in range(first, min(first + 500, records))
        ]
        kinesis.put_records(StreamName=STREAM, Records=entries)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    os.environ.update(AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b")
    port = free_port("127.0.0.1")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        url = f"http://127.0.0.1:{port}"
        try:
            deadline = time.monotonic() + READY_LIMIT_S
            while True:
                try:
                    fill(url, arguments.records)
                    break
                except Exception:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.2)
            rates: dict[str, list[float]] = {"boto3's loop": [], "our reader": []}
            cpu: dict[str, list[float]] = {name: [] for name in rates}
            for _ in range(arguments.rounds):
                for name, read in (("boto3's loop", boto3_loop), ("our reader", source)):
                    began, used = time.perf_counter(), time.process_time()
                    assert read(url, arguments.records) == arguments.records
                    rates[name].append(arguments.records / (time.perf_counter() - began))
                    cpu[name].append((time.process_time() - used) * 1e6 / arguments.records)
        finally:
            server.terminate()
    for name, values in rates.items():
        print(
            f"{name:14} {statistics.median(values):10,.0f} records/s {statistics.median(cpu[name]):8.1f} us of CPU each"
        )
    ratio = statistics.median(rates["our reader"]) / statistics.median(rates["boto3's loop"])
    print(f"our reader has {ratio:.2f} of the loop's rate (goal 1.0)")


if __name__ == "__main__":
    main()
