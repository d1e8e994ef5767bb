"""How well, and how fast, does ORDER BY … ANN OF find the nearest of 100,000 vectors of 128 dimensions?

The vectors are made by chance round `CENTRES` centres, as embeddings lie, and with `--uniform` once more without any,
the hardest case for a graph. Recall at 10 is against comparing all; times are of one client, one query at a time.
Beside the real Cassandra when `SMACK_REAL_CASSANDRA=host:port` names one. `--quick` takes 20,000 vectors. Goals: recall
0.95, p50 5 ms.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
import uuid

import numpy as np
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.policies import RoundRobinPolicy

ROWS = 100_000
QUICK_ROWS = 20_000
DIMENSION = 128
CENTRES = 200
QUERIES = 500
NEAREST = 10
GOAL_RECALL = 0.95
GOAL_MS = 5.0
SETTLED_LIMIT_S = 900.0
ROUNDS = 60
_SERVER = (
    "from smackbox.cassandra.server import CassandraServer; from smackbox.cassandra.settings import CassandraSettings; "
    "from smackbox.net.service import run; run(CassandraServer(CassandraSettings()))"
)


def data(rows: int, *, uniform: bool) -> tuple[np.ndarray, np.ndarray, list[set[int]]]:
    """Vectors, queries, and the true nearest of each query by cosine."""
    chance = np.random.default_rng(7)
    spread = np.zeros((CENTRES, DIMENSION)) if uniform else chance.normal(size=(CENTRES, DIMENSION))

    def drawn(count: int) -> np.ndarray:
        noise = chance.normal(size=(count, DIMENSION))
        return (spread[chance.integers(CENTRES, size=count)] + (noise if uniform else 0.5 * noise)).astype(np.float32)

    vectors, queries = drawn(rows), drawn(QUERIES)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    truth = [set(np.argsort(-(unit @ query))[:NEAREST].tolist()) for query in queries]
    return vectors, queries, truth


def measure(name: str, session: Session, rows: int, *, uniform: bool) -> bool:
    vectors, queries, truth = data(rows, uniform=uniform)
    keyspace = f"bench_{uuid.uuid4().hex[:8]}"
    session.execute(
        f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
    )
    session.set_keyspace(keyspace)
    session.execute(f"CREATE TABLE t (k int PRIMARY KEY, v vector<float, {DIMENSION}>)")
    session.execute("CREATE INDEX ON t (v) USING 'sai'")
    insert = session.prepare("INSERT INTO t (k, v) VALUES (?, ?)")
    started = time.perf_counter()
    execute_concurrent_with_args(session, insert, list(enumerate(vectors.tolist())), concurrency=64)
    inserted_s = time.perf_counter() - started
    select = session.prepare(f"SELECT k FROM t ORDER BY v ANN OF ? LIMIT {NEAREST}")
    first_ms = one(session, select, queries[0].tolist())[1]
    settled_s = settle(session, select, queries)
    times, hits = [], 0
    for query, wanted in zip(queries.tolist(), truth, strict=True):
        found, took_ms = one(session, select, query)
        times.append(took_ms)
        hits += len(found & wanted)
    recall = hits / (NEAREST * QUERIES)
    p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
    print(
        f"{name:10} {'uniform' if uniform else 'clustered':10} {rows} rows: recall {recall:.3f}, p50 {p50:.2f} ms, "
        f"p99 {p99:.2f} ms; inserts {rows / inserted_s:,.0f}/s, first query {first_ms:.0f} ms, "
        f"settled after {settled_s:.0f} s",
        flush=True,
    )
    session.execute(f"DROP KEYSPACE {keyspace}")
    return recall >= GOAL_RECALL and p50 <= GOAL_MS


def one(session: Session, select: object, query: list[float]) -> tuple[set[int], float]:
    started = time.perf_counter()
    found = {row.k for row in session.execute(select, (query,))}
    return found, 1000 * (time.perf_counter() - started)


def settle(session: Session, select: object, queries: np.ndarray) -> float:
    """Ask until the median of twenty queries has not been better than the best for `ROUNDS` rounds."""
    started = time.perf_counter()
    best, rounds = float("inf"), 0
    while rounds < ROUNDS and time.perf_counter() - started < SETTLED_LIMIT_S:
        took = statistics.median(one(session, select, query)[1] for query in queries[:20].tolist())
        rounds = 0 if took < 0.9 * best else rounds + 1
        best = min(best, took)
        time.sleep(2)
    return time.perf_counter() - started


def connect(host: str, port: int) -> Cluster:
    profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), request_timeout=60)
    return Cluster([host], port=port, execution_profiles={EXEC_PROFILE_DEFAULT: profile})


def main(arguments: list[str]) -> int:
    rows = QUICK_ROWS if "--quick" in arguments else ROWS
    kinds = [False, True] if "--uniform" in arguments else [False]
    with subprocess.Popen([sys.executable, "-c", _SERVER], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        host, _, port = server.stdout.readline().split()[2].rpartition(":")
        try:
            with connect(host, int(port)) as cluster:
                good = [measure("smackbox", cluster.connect(), rows, uniform=uniform) for uniform in kinds]
        finally:
            server.terminate()
    real = os.environ.get("SMACK_REAL_CASSANDRA")
    if real is None:
        print("no real Cassandra: SMACK_REAL_CASSANDRA is not set")
    else:
        host, _, port = real.rpartition(":")
        try:
            with connect(host, int(port)) as cluster:
                for uniform in kinds:
                    measure("Cassandra", cluster.connect(), rows, uniform=uniform)
        except NoHostAvailable as error:
            print(f"no real Cassandra at {real}: {error}")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
