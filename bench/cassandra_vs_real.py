"""How does the embedded CQL server compare with a warm Apache Cassandra 5, side by side in one run?

Each phase runs on both, in turns, `ROUNDS` times; the table has medians, the spread of ours, and the ratio (above 1:
ours is faster). Cores are what the server used while the phase ran. `--quick` takes a tenth of the rows.
"""

from __future__ import annotations

import gc
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.policies import RoundRobinPolicy

from bench.engines import real_cassandra
from bench.engines.cql_client import RawClient, batch_frame, execute_frame

ROUNDS = 3
ROWS = 30_000
WARM_UP_ROWS = 20_000
TICK = os.sysconf("SC_CLK_TCK")
_SERVER = (
    "import sys; from pathlib import Path; from smackbox.cassandra.server import CassandraServer; "
    "from smackbox.cassandra.settings import CassandraSettings; from smackbox.net.service import run; "
    "run(CassandraServer(CassandraSettings(dir=Path(sys.argv[1]))))"
)


class Engine:
    """A server under measurement."""

    def __init__(self, name: str, address: tuple[str, int], pid: int, start_s: float) -> None:
        self.name = name
        self.address = address
        self.pid = pid
        self.start_s = start_s
        self.idle_mb = memory_mb(pid)
        self.figures: dict[str, list[float]] = {}
        self.cpu: dict[str, list[float]] = {}
        self.raw = RawClient(address)
        self.session = self._connect()

    def _connect(self) -> Session:
        profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), request_timeout=120)
        cluster = Cluster(
            [self.address[0]],
            port=self.address[1],
            protocol_version=5,
            compression=False,
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
            schema_metadata_enabled=False,
        )
        return cluster.connect()

    def measure(self, phase: str, work: Callable[[Engine], float]) -> None:
        gc.collect()
        gc.freeze()
        gc.disable()
        started, before = time.perf_counter(), cpu_s(self.pid)
        figure = work(self)
        used = (cpu_s(self.pid) - before) / (time.perf_counter() - started)
        gc.enable()
        gc.unfreeze()
        self.figures.setdefault(phase, []).append(figure)
        self.cpu.setdefault(phase, []).append(used)

    def close(self) -> None:
        self.raw.close()
        self.session.cluster.shutdown()


def memory_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


# ---- phases: each gives a figure -------------------------------------------------------------------------------------

INSERT = "INSERT INTO bench.event (id, ad_id, campaign, ts, type) VALUES (?, ?, ?, ?, ?)"
SELECT = "SELECT id, ad_id, campaign, ts, type FROM bench.event WHERE id = ?"
IDS = [uuid.uuid4() for _ in range(ROWS)]
PARTITIONS = [uuid.uuid4() for _ in range(10)]


def prepare(engine: Engine) -> None:
    query = engine.raw.query
    query("DROP KEYSPACE IF EXISTS bench")
    query("CREATE KEYSPACE bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    query("CREATE TABLE bench.event (id uuid PRIMARY KEY, ad_id uuid, campaign uuid, ts bigint, type text)")
    query("CREATE TABLE bench.by_ad (ad_id uuid, ts timeuuid, type text, PRIMARY KEY (ad_id, ts))")
    query("CREATE TABLE bench.cnt (k int PRIMARY KEY, v counter)")
    query("CREATE TABLE bench.lwt (k int PRIMARY KEY, v text)")


def frames_of_inserts(engine: Engine, count: int) -> list[bytearray]:
    statement = engine.raw.prepare(INSERT)
    return [
        execute_frame(statement, [key.bytes, key.bytes, key.bytes, struct.pack(">q", 1_700_000_000_000), b"view"])
        for key in IDS[:count]
    ]


def raw_write(engine: Engine, count: int = ROWS) -> float:
    return engine.raw.run(frames_of_inserts(engine, count))


def raw_read(engine: Engine, count: int = ROWS) -> float:
    statement = engine.raw.prepare(SELECT)
    return engine.raw.run([execute_frame(statement, [key.bytes]) for key in IDS[:count]])


def batches(engine: Engine, count: int = ROWS) -> float:
    statement = engine.raw.prepare("INSERT INTO bench.by_ad (ad_id, ts, type) VALUES (?, ?, ?)")
    frames = []
    for number in range(count // 50):
        partition = PARTITIONS[number % len(PARTITIONS)].bytes
        frames.append(batch_frame(statement, [[partition, uuid.uuid1().bytes, b"view"] for _ in range(50)]))
    return engine.raw.run(frames) * 50


def driver_write(engine: Engine, count: int = ROWS // 3) -> float:
    statement = engine.session.prepare(INSERT)
    rows = [(key, key, key, 1_700_000_000_000, "view") for key in IDS[:count]]
    started = time.perf_counter()
    execute_concurrent_with_args(engine.session, statement, rows, concurrency=128)
    return count / (time.perf_counter() - started)


def driver_read(engine: Engine, count: int = ROWS // 6) -> float:
    statement = engine.session.prepare(SELECT)
    started = time.perf_counter()
    execute_concurrent_with_args(engine.session, statement, [(key,) for key in IDS[:count]], concurrency=128)
    return count / (time.perf_counter() - started)


def full_scan(engine: Engine) -> float:
    return engine.raw.scan("SELECT * FROM bench.event", 5_000)


def slices(engine: Engine) -> float:
    return engine.raw.scan(f"SELECT ts, type FROM bench.by_ad WHERE ad_id = {PARTITIONS[0]}", 5_000)


def one_write(engine: Engine) -> float:
    return statistics.median(engine.raw.one_at_a_time(frames_of_inserts(engine, 1_000))) * 1e6


def one_read(engine: Engine) -> float:
    statement = engine.raw.prepare(SELECT)
    frames = [execute_frame(statement, [key.bytes]) for key in IDS[:1_000]]
    return statistics.median(engine.raw.one_at_a_time(frames)) * 1e6


def lwt(engine: Engine) -> float:
    statement = engine.raw.prepare("INSERT INTO bench.lwt (k, v) VALUES (?, ?) IF NOT EXISTS")
    frames = [execute_frame(statement, [struct.pack(">i", number), b"x"]) for number in range(500)]
    return statistics.median(engine.raw.one_at_a_time(frames)) * 1e6


def counters(engine: Engine, count: int = ROWS // 3) -> float:
    statement = engine.raw.prepare("UPDATE bench.cnt SET v = v + 1 WHERE k = ?")
    return engine.raw.run([execute_frame(statement, [struct.pack(">i", number % 100)]) for number in range(count)])


def create_table(engine: Engine) -> float:
    times = []
    for number in range(5):
        started = time.perf_counter()
        engine.raw.query(f"CREATE TABLE bench.t{number} (a int, b text, c uuid, d map<text, int>, PRIMARY KEY (a, b))")
        times.append(time.perf_counter() - started)
    for number in range(5):
        engine.raw.query(f"DROP TABLE bench.t{number}")
    return statistics.median(times) * 1e6


# name, unit, what it does, whether more is better
PHASES: list[tuple[str, str, Callable[[Engine], float], bool]] = [
    ("CREATE TABLE", "µs", create_table, False),
    ("insert, raw pipelined", "/s", raw_write, True),
    ("insert, Python driver", "/s", driver_write, True),
    ("batches of 50 rows", "rows/s", batches, True),
    ("select by key, raw pipelined", "/s", raw_read, True),
    ("select by key, Python driver", "/s", driver_read, True),
    ("full scan", "rows/s", full_scan, True),
    ("partition slice", "rows/s", slices, True),
    ("one insert at a time, p50", "µs", one_write, False),
    ("one select at a time, p50", "µs", one_read, False),
    ("lightweight transaction, p50", "µs", lwt, False),
    ("counters", "/s", counters, True),
]


def start_ours(directory: Path, stack: ExitStack) -> Engine:
    started = time.perf_counter()
    process = stack.enter_context(
        subprocess.Popen([sys.executable, "-c", _SERVER, str(directory)], stdout=subprocess.PIPE, text=True)
    )
    stack.callback(process.terminate)
    assert process.stdout is not None
    line = process.stdout.readline()
    start_s = time.perf_counter() - started
    host, _, port = line.split()[2].rpartition(":")
    return Engine("smackbox", (host, int(port)), process.pid, start_s)


def main() -> int:
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smackbox-bench-")))
        engines = [start_ours(scratch / "ours", stack)]
        if reason := real_cassandra.missing():
            print(f"real Cassandra cannot run here: {reason}")
        else:
            real = stack.enter_context(real_cassandra.RealCassandra(scratch / "real"))
            engines.append(Engine("Cassandra", real.address, real.pid, real.start_s))
        for engine in engines:
            prepare(engine)
            raw_write(engine, min(ROWS, WARM_UP_ROWS))
            raw_read(engine, min(ROWS, WARM_UP_ROWS))
        for _ in range(ROUNDS):
            for name, _unit, work, _more in PHASES:
                for engine in engines:
                    engine.measure(name, work)
                    if work is lwt:
                        engine.raw.query("TRUNCATE bench.lwt")
        report(engines)
        for engine in engines:
            engine.close()
    return 0


def report(engines: list[Engine]) -> None:
    ours = engines[0]
    real = engines[1] if len(engines) > 1 else None
    print(f"{'':34}{'smackbox':>12}{'spread':>18}{'cores':>7}{'Cassandra':>12}{'cores':>7}{'ratio':>8}")
    line("start to first answer", "ms", [ours.start_s * 1e3], None, real and [real.start_s * 1e3], None, more=False)
    line("memory, idle", "MB", [ours.idle_mb], None, real and [real.idle_mb], None, more=False)
    for name, unit, _work, more in PHASES:
        line(
            name,
            unit,
            ours.figures[name],
            ours.cpu[name],
            real and real.figures[name],
            real and real.cpu[name],
            more=more,
        )
    memories = [memory_mb(engine.pid) for engine in engines]
    line("memory, after the load", "MB", memories[:1], None, memories[1:] or None, None, more=False)


def line(
    name: str, unit: str, ours: list[float], cpu: list[float] | None, real: list[float] | None,
    real_cpu: list[float] | None, *, more: bool,
) -> None:  # fmt: skip
    own = statistics.median(ours)
    text = f"{name + ', ' + unit:34}{own:12,.0f}{f'{min(ours):,.0f}..{max(ours):,.0f}':>18}"
    text += f"{statistics.median(cpu):7.2f}" if cpu else f"{'':7}"
    if real:
        other = statistics.median(real)
        ratio = own / other if more else other / own
        text += f"{other:12,.0f}" + (f"{statistics.median(real_cpu):7.2f}" if real_cpu else f"{'':7}")
        text += f"{ratio:8.2f}"
    print(text)


if __name__ == "__main__":
    if "--quick" in sys.argv:
        ROWS //= 10
        IDS = IDS[:ROWS]
    sys.exit(main())
