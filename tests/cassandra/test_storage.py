"""The store under a clock that moves when told: timestamps, TTL, tombstones, merges; what survives a restart."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smackbox.base.clock import FakeClock
from smackbox.base.errors import StartError
from smackbox.cassandra.server import CassandraServer
from smackbox.cassandra.settings import CassandraSettings
from smackbox.cassandra.state import engine as engine_module
from smackbox.net.service import ServiceThread

Run = Callable[..., list[tuple[object, ...]]]


class Box:
    """A server that is stopped and started over one directory, and one statement after another executed on it."""

    def __init__(self, directory: Path | None) -> None:
        self.directory = directory
        self.clock = FakeClock()
        self.thread: ServiceThread | None = None
        self.start()

    def start(self) -> None:
        settings = CassandraSettings(dir=self.directory)
        self.thread = ServiceThread(CassandraServer(settings, clock=self.clock))
        self.thread.start()
        self.thread.call(self.server.running.upkeep.stop())  # nothing happens by itself

    def stop(self) -> None:
        assert self.thread is not None
        self.thread.stop()

    @property
    def server(self) -> CassandraServer:
        assert self.thread is not None
        found = self.thread.service
        assert isinstance(found, CassandraServer)
        return found

    def run(self, text: str) -> list[tuple[object, ...]]:
        assert self.thread is not None
        return self.thread.call(self._run(text))

    async def _run(self, text: str) -> list[tuple[object, ...]]:
        from smackbox.cassandra.execution.context import Context
        from smackbox.cassandra.execution.results import Rows
        from smackbox.cassandra.state.node import Endpoint
        from smackbox.cassandra.wire.byte_strings import read_bytes_list

        server = self.server
        statement = server.running.statements.statement(text, "k")
        result = statement.run(
            Context(server.running.state, Endpoint("127.0.0.1", 0), (), server.running.parts.clock.now_us())
        )
        server.running.parts.commit.flush()
        if not isinstance(result, Rows):
            return []
        values, _ = read_bytes_list(result.body, 0, result.count * len(result.columns))
        decoded = [
            None if value is None else column.kind.decode(value)
            for value, column in zip(values, itertools.cycle(result.columns), strict=False)
        ]
        width = len(result.columns)
        return [tuple(decoded[start : start + width]) for start in range(0, len(decoded), width)]


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    found = Box(tmp_path / "data")
    found.run("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    yield found
    found.stop()


def test_an_expired_cell_is_gone_and_its_row_with_it(box: Box) -> None:
    box.run("CREATE TABLE t (a int, c int, v int, w int, PRIMARY KEY (a, c))")
    box.run("INSERT INTO t (a, c, v, w) VALUES (1, 1, 1, 1) USING TTL 10")
    box.run("INSERT INTO t (a, c, v) VALUES (1, 2, 2)")
    box.run("UPDATE t USING TTL 20 SET w = 5 WHERE a = 1 AND c = 2")
    assert box.run("SELECT c, v, w, ttl(w) FROM t") == [(1, 1, 1, 10), (2, 2, 5, 20)]
    box.clock.advance_ms(9_000)
    assert box.run("SELECT c, v, w, ttl(w) FROM t") == [(1, 1, 1, 1), (2, 2, 5, 11)]
    box.clock.advance_ms(1_000)
    assert box.run("SELECT c, v, w FROM t") == [(2, 2, 5)]
    box.clock.advance_ms(10_000)
    assert box.run("SELECT c, v, w FROM t") == [(2, 2, None)]


def test_the_default_ttl_of_a_table_and_its_exception(box: Box) -> None:
    box.run("CREATE TABLE t (a int PRIMARY KEY, v int) WITH default_time_to_live = 60")
    box.run("INSERT INTO t (a, v) VALUES (1, 1)")
    box.run("INSERT INTO t (a, v) VALUES (2, 2) USING TTL 0")
    assert dict(box.run("SELECT a, ttl(v) FROM t")) == {1: 60, 2: None}  # type: ignore[arg-type]
    box.clock.advance_ms(60_000)
    assert box.run("SELECT a FROM t") == [(2,)]


def test_a_collections_elements_expire_one_by_one(box: Box) -> None:
    box.run("CREATE TABLE t (a int PRIMARY KEY, m map<text, int>)")
    box.run("UPDATE t USING TTL 5 SET m['short'] = 1 WHERE a = 1")
    box.run("UPDATE t USING TTL 50 SET m['long'] = 2 WHERE a = 1")
    assert box.run("SELECT m FROM t") == [([("long", 2), ("short", 1)],)]
    box.clock.advance_ms(5_000)
    assert box.run("SELECT m FROM t") == [([("long", 2)],)]


def test_the_order_of_arrival_does_not_matter(box: Box) -> None:
    box.run("CREATE TABLE t (a int, c int, v int, w text, m map<int, int>, PRIMARY KEY (a, c))")
    writes = [
        "INSERT INTO t (a, c, v) VALUES ({a}, 1, 1) USING TIMESTAMP 10",
        "UPDATE t USING TIMESTAMP 20 SET v = 2 WHERE a = {a} AND c = 1",
        "UPDATE t USING TIMESTAMP 20 SET v = 3, w = 'x' WHERE a = {a} AND c = 1",
        "DELETE w FROM t USING TIMESTAMP 20 WHERE a = {a} AND c = 1",
        "UPDATE t USING TIMESTAMP 5 SET m[1] = 1 WHERE a = {a} AND c = 1",
        "UPDATE t USING TIMESTAMP 7 SET m = {{2: 2}} WHERE a = {a} AND c = 1",
        "UPDATE t USING TIMESTAMP 8 SET m[3] = 3 WHERE a = {a} AND c = 1",
        "DELETE FROM t USING TIMESTAMP 4 WHERE a = {a}",
        "DELETE FROM t USING TIMESTAMP 6 WHERE a = {a} AND c >= 0",
    ]
    chosen = random.Random(7)
    for attempt in range(30):
        chosen.shuffle(writes)
        for write in writes:
            box.run(write.format(a=attempt))
    rows = box.run("SELECT v, w, m, writetime(v) FROM t")
    assert rows == [(3, None, [(2, 2), (3, 3)], 20)] * 30


def test_a_row_written_often_is_kept_as_one_fragment(box: Box) -> None:
    box.run("CREATE TABLE t (a int PRIMARY KEY, v int, w int)")
    box.run("INSERT INTO t (a, v, w) VALUES (1, 0, 7)")
    for number in range(engine_module.MERGE_AFTER * 5):
        box.run(f"UPDATE t SET v = {number} WHERE a = 1")
    table = box.server.running.state.catalog.table("k", "t")
    stored = list(box.server.running.state.engine.store.items(table.prefix, table.prefix + b"\xff"))
    assert len(stored) <= engine_module.MERGE_AFTER
    assert box.run("SELECT v, w FROM t") == [(engine_module.MERGE_AFTER * 5 - 1, 7)]


def test_a_whole_row_hides_what_is_older_and_takes_its_place(box: Box) -> None:
    box.run("CREATE TABLE t (a int PRIMARY KEY, v int, w text)")
    for number in range(engine_module.MERGE_WHEN_MET * 3):
        box.run(f"INSERT INTO t (a, v, w) VALUES (1, {number}, 'x')")
        expected = [(number, "x")]
        assert box.run("SELECT v, w FROM t WHERE a = 1") == expected
        assert box.run("SELECT v, w FROM t") == expected
    table = box.server.running.state.catalog.table("k", "t")
    assert (
        len(list(box.server.running.state.engine.store.items(table.prefix, table.prefix + b"\xff")))
        < engine_module.MERGE_WHEN_MET
    )
    box.run("INSERT INTO t (a, v, w) VALUES (1, 0, 'old') USING TIMESTAMP 1")
    assert box.run("SELECT v, w FROM t") == expected
    box.run("INSERT INTO t (a, v, w) VALUES (2, 1, 'b') USING TIMESTAMP 5")
    box.run("INSERT INTO t (a, v, w) VALUES (2, 2, 'a') USING TIMESTAMP 5")
    assert box.run("SELECT v, w FROM t WHERE a = 2") == [(2, "b")]  # equal timestamps: the larger value of each
    assert box.run("SELECT v, w FROM t") == [*expected, (2, "b")]


def test_counters_written_often_keep_their_sum(box: Box) -> None:
    box.run("CREATE TABLE c (a int PRIMARY KEY, n counter)")
    for number in range(engine_module.MERGE_AFTER * 4):
        box.run(f"UPDATE c SET n = n + {number} WHERE a = 1")
    count = engine_module.MERGE_AFTER * 4
    assert box.run("SELECT n FROM c") == [(count * (count - 1) // 2,)]
    box.run("DELETE n FROM c WHERE a = 1")
    box.run("UPDATE c SET n = n + 5 WHERE a = 1")
    assert box.run("SELECT n FROM c") == [(5,)]


def test_what_is_long_dead_leaves_the_store_with_the_next_merge(box: Box) -> None:
    box.run("CREATE TABLE t (a int PRIMARY KEY, v int, m map<int, int>) WITH gc_grace_seconds = 100")
    for number in range(engine_module.MERGE_WHEN_MET):
        box.run(f"UPDATE t USING TTL 10 SET v = {number}, m[{number}] = 1 WHERE a = 1")
    box.run("DELETE m FROM t WHERE a = 1")
    table = box.server.running.state.catalog.table("k", "t")

    def stored() -> int:
        return sum(
            len(value) for _, value in box.server.running.state.engine.store.items(table.prefix, table.prefix + b"\xff")
        )

    before = stored()
    assert box.run("SELECT v, m FROM t") == [(engine_module.MERGE_WHEN_MET - 1, None)]
    box.run("SELECT * FROM t")
    assert 0 < stored() < before
    box.clock.advance_ms(109_000)
    assert box.run("SELECT * FROM t") == []
    for _ in range(engine_module.MERGE_WHEN_MET):
        box.run("DELETE v FROM t WHERE a = 1")
    box.clock.advance_ms(200_000)
    box.run("SELECT * FROM t WHERE a = 1")
    box.run("SELECT * FROM t WHERE a = 1")
    assert stored() == 0


def test_everything_is_there_after_a_restart(box: Box) -> None:
    box.run("CREATE TYPE addr (street text, zip int)")
    box.run("CREATE TABLE t (a int, c int, s text static, u frozen<addr>, l list<int>, PRIMARY KEY (a, c))")
    box.run("CREATE INDEX byc ON t (c)")
    box.run("INSERT INTO t (a, c, s, u, l) VALUES (1, 2, 's', {street: 'x', zip: 9}, [3, 4])")
    box.run("DELETE FROM t WHERE a = 1 AND c > 5")
    before = box.run("SELECT * FROM t")
    version = box.server.running.state.catalog.version
    host = box.server.running.state.system_rows.node.host_id
    box.stop()
    box.start()
    assert box.run("SELECT * FROM t") == before
    assert box.run("SELECT a FROM t WHERE c = 2") == [(1,)]
    assert (box.server.running.state.catalog.version, box.server.running.state.system_rows.node.host_id) == (
        version,
        host,
    )
    box.clock.advance_ms(1_000)
    box.run("UPDATE t SET l = l + [5] WHERE a = 1 AND c = 2")
    assert box.run("SELECT l FROM t") == [([3, 4, 5],)]


def test_what_was_dropped_does_not_come_back(box: Box) -> None:
    box.run("CREATE TABLE t (a int PRIMARY KEY, v int)")
    box.run("INSERT INTO t (a, v) VALUES (1, 1)")
    box.run("ALTER TABLE t DROP v")
    box.run("ALTER TABLE t ADD v int")
    assert box.run("SELECT * FROM t") == [(1, None)]
    box.run("DROP TABLE t")
    box.run("CREATE TABLE t (a int PRIMARY KEY, v int)")
    assert box.run("SELECT * FROM t") == []
    box.run("INSERT INTO t (a, v) VALUES (2, 2)")
    box.run("TRUNCATE t")
    assert box.run("SELECT * FROM t") == []


def test_stale_entries_leave_the_index_when_they_are_met(box: Box) -> None:
    box.run("CREATE TABLE t (a int PRIMARY KEY, v int)")
    box.run("CREATE INDEX ON t (v)")
    for number in range(10):
        box.run(f"UPDATE t SET v = {number} WHERE a = 1")
    (index,) = box.server.running.state.catalog.table("k", "t").index_targets
    entries = lambda: len(list(box.server.running.state.engine.store.items(index.prefix, index.prefix + b"\xff")))  # noqa: E731
    assert entries() == 10
    for number in range(10):
        assert box.run(f"SELECT a FROM t WHERE v = {number}") == ([(1,)] if number == 9 else [])
    assert entries() == 1


def test_one_process_holds_a_directory(box: Box) -> None:
    with pytest.raises(StartError, match="is held by process"):
        Box(box.directory)
