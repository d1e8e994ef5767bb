"""kill -9 under load: what was acknowledged is there, batches are whole or absent, counters within their bounds."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.policies import ConstantReconnectionPolicy, RoundRobinPolicy
from cassandra.query import BatchStatement

_SERVER = """
import sys
from pathlib import Path
from smackbox.cassandra.server import CassandraServer
from smackbox.cassandra.settings import CassandraSettings
from smackbox.net.service import run
run(CassandraServer(CassandraSettings(dir=Path(sys.argv[1]), sync="--sync" in sys.argv)))
"""


WRITERS = 4


class Server:
    """A server process on a directory."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(directory), *options], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready cassandra "), line
        self.port = int(line.split()[2].rpartition(":")[2])

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def connect(port: int) -> Cluster:
    profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), request_timeout=30)
    return Cluster(
        ["127.0.0.1"],
        port=port,
        protocol_version=5,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        reconnection_policy=ConstantReconnectionPolicy(60.0, None),
        schema_metadata_enabled=False,
        token_metadata_enabled=False,
    )


class Load:
    """A writer, one of several, that remembers what was acknowledged, until the server dies under it."""

    def __init__(self, session: Session, start: int) -> None:
        self.session = session
        self.next = start
        self.rows: list[int] = []
        self.batches: list[int] = []
        self.tried = start
        self.claims: list[int] = []
        self.counted = 0
        self.count_tries = 0
        self.enough = threading.Event()
        self._insert = session.prepare("INSERT INTO t (k, a, b) VALUES (?, ?, ?)")
        self._half = session.prepare("INSERT INTO half (k, c, v) VALUES (?, ?, ?)")
        self._claim = session.prepare("INSERT INTO claim (k, v) VALUES (?, ?) IF NOT EXISTS")
        self._count = session.prepare("UPDATE n SET n = n + 1 WHERE k = 1")

    def run(self, wanted: int) -> None:
        """Write until the server is gone; `enough` is set after `wanted` rounds."""
        number = self.next
        while True:
            self.tried = number
            try:
                self.session.execute(self._insert, (number, number, "v" * (number % 100)))
                self.rows.append(number)
                batch = BatchStatement()
                for part in range(10):
                    batch.add(self._half, (number, part, number))
                self.session.execute(batch)
                self.batches.append(number)
                self.session.execute(self._claim, (number % 50, number))
                self.claims.append(number)
                self.count_tries += 1
                self.session.execute(self._count)
                self.counted += 1
            except Exception:  # noqa: BLE001 - the server was killed, and the driver says so in many ways
                return
            number += WRITERS
            if number - self.next >= wanted * WRITERS:
                self.enough.set()


def rounds(directory: Path, count: int, seed: int, *options: str) -> None:
    chosen = random.Random(seed)
    server = Server(directory, *options)
    cluster = connect(server.port)
    session = cluster.connect()
    session.execute("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    for statement in (
        "CREATE TABLE k.t (k int PRIMARY KEY, a int, b text)",
        "CREATE TABLE k.half (k int, c int, v int, PRIMARY KEY (k, c))",
        "CREATE TABLE k.claim (k int PRIMARY KEY, v int)",
        "CREATE TABLE k.n (k int PRIMARY KEY, n counter)",
    ):
        session.execute(statement)
    acknowledged: set[int] = set()
    batches: set[int] = set()
    counted = count_tries = start = 0
    claims: dict[int, int] = {}
    for _ in range(count):
        session.set_keyspace("k")
        loads = [Load(session, start + lane) for lane in range(WRITERS)]
        wanted = chosen.randint(1, 60)
        writers = [threading.Thread(target=load.run, args=(wanted,)) for load in loads]
        for writer in writers:
            writer.start()
        assert loads[0].enough.wait(60)
        server.kill()
        for writer in writers:
            writer.join(60)
        cluster.shutdown()
        for load in loads:
            acknowledged.update(load.rows)
            batches.update(load.batches)
            counted += load.counted
            count_tries += load.count_tries
        start = max(load.tried for load in loads) + WRITERS
        server = Server(directory, *options)
        cluster = connect(server.port)
        session = cluster.connect("k")
        found = {row.k: (row.a, len(row.b)) for row in session.execute("SELECT * FROM t")}
        assert acknowledged <= found.keys()
        assert all(value == (key, key % 100) for key, value in found.items())
        halves = {row.k: row.n for row in session.execute("SELECT k, count(*) AS n FROM half GROUP BY k")}
        assert batches <= halves.keys()
        assert set(halves.values()) <= {10}
        now = {row.k: row.v for row in session.execute("SELECT * FROM claim")}
        assert claims.items() <= now.items()  # who won stays the winner
        claims = now
        total = session.execute("SELECT n FROM n WHERE k = 1").one().n
        assert counted <= total <= count_tries
    cluster.shutdown()
    server.kill()


@pytest.mark.parametrize("options", [(), ("--sync",)], ids=["default", "sync"])
def test_three_kills(tmp_path: Path, options: tuple[str, ...]) -> None:
    rounds(tmp_path / "data", 3, 11, *options)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_hundred_kills(tmp_path: Path) -> None:
    rounds(tmp_path / "data", 100, 5)
