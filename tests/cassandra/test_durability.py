"""With `--sync`, power may go at any moment: what was acknowledged is on the disk, whatever became of the rest.

RocksDB writes its log itself, so the loss is made from outside: the length of each log file is noted when an fsync
begins, and counts once that fsync has ended. The power goes when the next one begins. The data directory is copied with
each log cut to what had been synced, with part of the rest, or with zeros in its place, as a file system may leave it.
"""

from __future__ import annotations

import shutil
import socket
import struct
import threading
from pathlib import Path

import pytest
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.policies import RoundRobinPolicy

from smackbox.base.errors import StorageError
from smackbox.cassandra.server import CassandraServer
from smackbox.cassandra.server.snapshot import STORE
from smackbox.cassandra.settings import CassandraSettings
from smackbox.net.service import ServiceThread
from smackbox.store.rocks import RocksStore

SYNCS = 50
WRITERS = 4
IN_FLIGHT = 40
BATCH_ROWS = 5
TIMEOUT_S = 30
ROUNDS = 6000
HEADER = struct.Struct(">BBhBi")
VOID = b"\x00\x00\x00\x01"
SCHEMA = (
    "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE k.t (k int PRIMARY KEY, v text)",
    "CREATE TABLE k.half (k int, c int, v int, PRIMARY KEY (k, c))",
    "CREATE TABLE k.claim (k int PRIMARY KEY, v int)",
    "CREATE TABLE k.n (k int PRIMARY KEY, n counter)",
)


class Power:
    """Takes the place of a store's `sync`, and is cut when sync number `SYNCS` + 1 begins.

    Sync number `SYNCS` goes on until something was written that it does not cover.
    """

    def __init__(self, store: RocksStore, directory: Path) -> None:
        self.synced: dict[str, int] = {}
        self.is_last = threading.Event()
        self.is_cut = threading.Event()
        self.may_end = threading.Event()
        self._logs = directory / STORE
        self._sync = store.sync
        self._count = 0

    def sync(self) -> None:
        if self._count == SYNCS:
            self.is_cut.set()
            assert self.may_end.wait(TIMEOUT_S)
            raise StorageError("the power is gone")
        lengths = self._lengths()
        self._sync()
        self._count += 1
        if self._count == SYNCS:
            self.is_last.set()
            assert any(self._lengths() != lengths or self.may_end.wait(0.001) for _ in range(TIMEOUT_S * 1000))
        self.synced = lengths

    def _lengths(self) -> dict[str, int]:
        return {file.name: file.stat().st_size for file in self._logs.glob("*.log")}


class Writer(threading.Thread):
    """Keeps `IN_FLIGHT` writes under way and remembers which were acknowledged, until the server hangs up."""

    def __init__(self, url: str, number: int) -> None:
        super().__init__()
        self.acknowledged: list[int] = []
        self.sent = 0
        self._number = number
        host, _, port = url.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=TIMEOUT_S)
        self._socket.sendall(HEADER.pack(4, 0, 0, 1, 22) + b"\x00\x01\x00\x0bCQL_VERSION\x00\x053.0.0")
        self._file = self._socket.makefile("rb")
        assert self._answer()[0] == 2

    def key(self, step: int) -> int:
        return step * (WRITERS + 1) + self._number

    def run(self) -> None:
        try:
            for step in range(ROUNDS):
                if step >= IN_FLIGHT:
                    opcode, stream = self._answer()
                    if opcode != 8:
                        return  # the disk failed
                    self.acknowledged.append(stream)
                self._send(step)
        except (ConnectionError, struct.error):
            return  # hung up
        finally:
            self._file.close()
            self._socket.close()

    def _send(self, step: int) -> None:
        text = statement(step, self.key(step)).encode()
        body = struct.pack(">i", len(text)) + text + b"\x00\x01\x00"
        self.sent = step + 1
        self._socket.sendall(HEADER.pack(4, 0, step, 7, len(body)) + body)

    def _answer(self) -> tuple[int, int]:
        """Opcode and stream. `struct.error` at the end of the connection."""
        _, _, stream, opcode, length = HEADER.unpack(self._file.read(HEADER.size))
        self._file.read(length)
        return opcode, stream


def statement(step: int, key: int) -> str:
    kind = step % 4
    if kind == 0:
        return f"INSERT INTO k.t (k, v) VALUES ({key}, '{'v' * (key % 300)}')"
    if kind == 1:
        rows = "".join(f"INSERT INTO k.half (k, c, v) VALUES ({key}, {c}, {key}); " for c in range(BATCH_ROWS))
        return f"BEGIN BATCH {rows} APPLY BATCH"
    if kind == 2:
        return f"INSERT INTO k.claim (k, v) VALUES ({key}, {key}) IF NOT EXISTS"
    return "UPDATE k.n SET n = n + 1 WHERE k = 1"


def copy_as_left(source: Path, target: Path, synced: dict[str, int], rest: str) -> int:
    """A copy of a data directory as the loss of power may leave it. Gives the bytes that were not synced."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.sock", "LOCK", "lock", "*.lock"))
    unsynced = 0
    for log in (target / STORE).glob("*.log"):
        whole = log.read_bytes()
        kept = synced.get(log.name, 0)
        lost = whole[kept:]
        unsynced += len(lost)
        left = {"gone": b"", "part": lost[: len(lost) * 2 // 3], "zeros": lost[: len(lost) // 3] + bytes(len(lost))}
        log.write_bytes(whole[:kept] + left[rest])
    return unsynced


def connect(url: str) -> Cluster:
    profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), request_timeout=TIMEOUT_S)
    return Cluster(
        ["127.0.0.1"],
        port=int(url.rpartition(":")[2]),
        protocol_version=5,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        schema_metadata_enabled=False,
        token_metadata_enabled=False,
    )


def check(session: Session, writers: list[Writer]) -> int:
    """Everything acknowledged is there and nothing is there in part. Gives the count of what was acknowledged."""
    keys: list[set[int]] = [set(), set(), set(), set()]
    for writer in writers:
        for step in writer.acknowledged:
            keys[step % 4].add(writer.key(step))
    found = {row.k: row.v for row in session.execute("SELECT k, v FROM k.t")}
    assert keys[0] <= found.keys()
    assert all(len(value) == key % 300 for key, value in found.items())
    halves = {row.k: row.n for row in session.execute("SELECT k, count(*) AS n FROM k.half GROUP BY k")}
    assert keys[1] <= halves.keys()
    assert set(halves.values()) <= {BATCH_ROWS}
    assert keys[2] <= {row.k for row in session.execute("SELECT k FROM k.claim")}
    counted = session.execute("SELECT n FROM k.n WHERE k = 1").one().n
    assert len(keys[3]) <= counted <= sum(len(range(3, writer.sent, 4)) for writer in writers)
    return sum(map(len, keys))


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int], list[Writer]]:
    """A directory at the moment the power went, what of its logs was synced, and who wrote."""
    directory = tmp_path_factory.mktemp("power") / "data"
    at_the_cut = directory.with_name("at_the_cut")
    with ServiceThread(CassandraServer(CassandraSettings(dir=directory, sync=True))) as thread:
        service = thread.service
        assert isinstance(service, CassandraServer)
        cluster = connect(thread.url)
        session = cluster.connect()
        for definition in SCHEMA:
            session.execute(definition)
        cluster.shutdown()
        power = Power(service.running.state.engine.store, directory)
        service.running.state.engine.store.sync = power.sync  # type: ignore[method-assign]
        writers = [Writer(thread.url, number) for number in range(WRITERS)]
        late = Writer(thread.url, WRITERS)
        for writer in writers:
            writer.start()
        assert power.is_last.wait(TIMEOUT_S)
        writers.append(late)
        late.start()
        assert power.is_cut.wait(TIMEOUT_S)
        shutil.copytree(directory, at_the_cut, ignore=shutil.ignore_patterns("*.sock", "LOCK", "lock", "*.lock"))
        power.may_end.set()
        for writer in writers:
            writer.join(TIMEOUT_S)
            assert not writer.is_alive()
        assert not late.acknowledged
    return at_the_cut, power.synced, writers


@pytest.mark.parametrize("rest", ["gone", "part", "zeros"])
def test_what_was_acknowledged_survives_the_loss_of_what_was_not_synced(
    tmp_path: Path, lost: tuple[Path, dict[str, int], list[Writer]], rest: str
) -> None:
    directory, synced, writers = lost
    assert copy_as_left(directory, tmp_path / "left", synced, rest) > 0  # there was something to lose
    with ServiceThread(CassandraServer(CassandraSettings(dir=tmp_path / "left", sync=True))) as thread:
        cluster = connect(thread.url)
        session = cluster.connect()
        acknowledged = check(session, writers)
        assert acknowledged >= SYNCS
        session.execute("INSERT INTO k.t (k, v) VALUES (-300, '')")  # and it takes writes again
        assert session.execute("SELECT k FROM k.t WHERE k = -300").one().k == -300
        cluster.shutdown()
        print(f"{acknowledged} acknowledged writes are there")
