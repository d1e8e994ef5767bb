"""Does the embedded CQL server insert as fast into 10 million rows as into 1 million, and in how much memory?

A raw client pipelines prepared INSERTs of new random keys, in blocks of `BLOCK` rows; the frames of a block are made
before its clock starts. The figures are medians of ten blocks: up to 1 million rows, and up to the last row. The goal
is a ratio of at least 0.7, in less than 300 MB. `--quick` ends at 2 million. Rates suffer when the machine has other
work to do; the server's processor time, with all that RocksDB does in the background, suffers less.
"""

from __future__ import annotations

import gc
import os
import statistics
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.engines.cql_client import RawClient, execute_frame

MILLION = 1_000_000
BLOCK = 100_000
ROWS = 10 * MILLION
QUICK_ROWS = 2 * MILLION
BLOCKS_A_MILLION = MILLION // BLOCK
GOAL_RATIO = 0.7
GOAL_MB = 300
MIB = 1024 * 1024
TICK = os.sysconf("SC_CLK_TCK")
INSERT = "INSERT INTO bench.event (id, ad_id, campaign, ts, type) VALUES (?, ?, ?, ?, ?)"
_SERVER = (
    "import sys; from pathlib import Path; from smackbox.cassandra.server import CassandraServer; "
    "from smackbox.cassandra.settings import CassandraSettings; from smackbox.net.service import run; "
    "run(CassandraServer(CassandraSettings(dir=Path(sys.argv[1]))))"
)


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory(prefix="smackbox-bench-") as directory:
        process = subprocess.Popen([sys.executable, "-c", _SERVER, directory], stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("ready "):
                raise RuntimeError(f"the server did not start: {line}")
            host, _, port = line.split()[2].rpartition(":")
            measure(process.pid, RawClient((host, int(port))), Path(directory), rows)
        finally:
            process.terminate()
            process.wait()


def measure(pid: int, client: RawClient, directory: Path, rows: int) -> None:
    client.query("CREATE KEYSPACE bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    client.query("CREATE TABLE bench.event (id uuid PRIMARY KEY, ad_id uuid, campaign uuid, ts bigint, type text)")
    statement = client.prepare(INSERT)
    rates: list[float] = []
    memory: list[float] = []
    cpu = [cpu_s(pid)]
    print(f"idle: {memory_mb(pid):.0f} MB resident; load of the machine {os.getloadavg()[0]:.1f}")
    print("| rows | inserts a second | lowest to highest | server's CPU an insert | memory | peak | on disk | load |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    while len(rates) < rows // BLOCK:
        frames = block(statement)
        gc.disable()
        rates.append(client.run(frames))
        gc.enable()
        if len(rates) % BLOCKS_A_MILLION == 0:
            last = rates[-BLOCKS_A_MILLION:]
            memory.append(memory_mb(pid))
            cpu.append(cpu_s(pid))
            row = (
                f"{len(rates) // BLOCKS_A_MILLION} million",
                f"{statistics.median(last):,.0f}",
                f"{min(last):,.0f} to {max(last):,.0f}",
                f"{cpu[-1] - cpu[-2]:.1f} µs",
                f"{memory[-1]:.0f} MB",
                f"{memory_mb(pid, 'VmHWM'):.0f} MB",
                f"{disk_mb(directory):,.0f} MB",
                f"{os.getloadavg()[0]:.1f}",
            )
            print(f"| {' | '.join(row)} |", flush=True)
    first, last_million = (statistics.median(part) for part in (rates[:BLOCKS_A_MILLION], rates[-BLOCKS_A_MILLION:]))
    peak = memory_mb(pid, "VmHWM")
    print(f"rate at {rows // MILLION} million / at 1 million: {last_million / first:.2f} (goal {GOAL_RATIO})")
    print(f"server's CPU of the first million / of the last: {(cpu[1] - cpu[0]) / (cpu[-1] - cpu[-2]):.2f}")
    print(f"memory: {memory[0]:.0f} MB at 1 million, {memory[-1]:.0f} MB at the end, peak {peak:.0f} (goal {GOAL_MB})")
    client.close()


def block(statement: bytes) -> list[bytearray]:
    time_of_event = struct.pack(">q", 1_700_000_000_000)
    keys = os.urandom(16 * BLOCK)
    return [
        execute_frame(statement, [key, key, key, time_of_event, b"view"])
        for key in (keys[place : place + 16] for place in range(0, len(keys), 16))
    ]


def memory_mb(pid: int, figure: str = "VmRSS") -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(figure):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"the server's {figure} is not known")


def cpu_s(pid: int) -> float:
    """Of all threads. A million inserts make these seconds microseconds an insert."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def disk_mb(directory: Path) -> float:
    """Of the files that are there now: RocksDB removes them while they are counted."""
    total = 0
    for file in directory.rglob("*"):
        try:
            total += file.stat().st_size
        except FileNotFoundError:
            continue
    return total / MIB


if __name__ == "__main__":
    main(QUICK_ROWS if "--quick" in sys.argv else ROWS)
