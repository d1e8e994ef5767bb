"""Vector search: the graph against comparing all; an index that follows writes, deletions, TTL, restarts, kill -9."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cassandra.test_crash import Server, connect
from tests.cassandra.test_storage import Box

pytest.importorskip("usearch", reason="the extra `vector` is not installed")

import smackbox.cassandra.execution.vector_upkeep as vector_upkeep
from smackbox.cassandra.state import engine as engine_module
from smackbox.cassandra.state import vectors
from smackbox.cassandra.state.vectors import VectorIndex
from smackbox.cassandra.wire.errors import Invalid

DIMENSION = 8
TABLE = "CREATE TABLE k.v (k int PRIMARY KEY, v vector<float, 2>, n int)"


def wire(values: list[float]) -> bytes:
    return struct.pack(f">{len(values)}f", *values)


def nearest(box: Box, x: float, y: float, count: int) -> list[object]:
    return [row[0] for row in box.run(f"SELECT k FROM k.v ORDER BY v ANN OF [{x}, {y}] LIMIT {count}")]


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    found = Box(tmp_path)
    found.run("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    found.run(TABLE)
    found.run("CREATE INDEX v ON k.v (v) USING 'sai' WITH OPTIONS = {'similarity_function': 'euclidean'}")
    yield found
    found.stop()


@pytest.mark.parametrize("similarity", ["cosine", "euclidean", "dot_product"])
def test_the_graph_finds_what_comparing_all_finds(similarity: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "EXACT_LIMIT", 100)
    chance = random.Random(1)
    graph, exact = VectorIndex(DIMENSION, similarity), VectorIndex(DIMENSION, similarity)
    for number in range(2000):
        value = wire([chance.gauss(0, 1) for _ in range(DIMENSION)])
        graph.put(b"%d" % (number % 1500), value)
        exact.put(b"%d" % (number % 1500), value)
    while graph.is_lagging and graph._graphed < 1800:  # the rest is compared one by one
        graph.extend()
    same = 0
    for _ in range(50):
        query = wire([chance.gauss(0, 1) for _ in range(DIMENSION)])
        found = {graph.keys[label] for label in graph.nearest(query, 10)}
        monkeypatch.setattr(vectors, "EXACT_LIMIT", 10**9)
        wanted = [exact.keys[label] for label in exact.nearest(query, 10)]
        monkeypatch.setattr(vectors, "EXACT_LIMIT", 100)
        same += len(found & set(wanted))
    assert same >= 0.95 * 500
    assert len(graph) == 1500


def test_a_matrix_that_is_mostly_dead_is_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "MIN_DEAD", 10)
    index = VectorIndex(2, "euclidean")
    for number in range(30):
        index.put(b"%d" % (number % 5), wire([float(number), 1.0]))
    index.compact()
    assert len(index.keys) == len(index) == 5
    assert index.keys[index.nearest(wire([29.0, 1.0]), 1)[0]] == b"4"


def test_an_index_follows_every_kind_of_change(box: Box) -> None:
    for key in range(6):
        box.run(f"INSERT INTO k.v (k, v) VALUES ({key}, [{key}, 0])")
    assert nearest(box, 0, 0, 3) == [0, 1, 2]
    box.run("UPDATE k.v SET v = [50, 0] WHERE k = 0")
    assert nearest(box, 0, 0, 3) == [1, 2, 3]
    box.run("DELETE FROM k.v WHERE k = 1")
    assert nearest(box, 0, 0, 3) == [2, 3, 4]
    box.run("DELETE v FROM k.v WHERE k = 2")
    assert nearest(box, 0, 0, 3) == [3, 4, 5]
    box.run("INSERT INTO k.v (k, v) VALUES (7, [0.5, 0]) USING TTL 10")
    assert nearest(box, 0, 0, 2) == [7, 3]
    box.clock.advance_ms(11_000)
    assert nearest(box, 0, 0, 2) == [3, 4]
    box.run("INSERT INTO k.v (k, v) VALUES (7, [1, 0])")
    assert nearest(box, 0, 0, 2) == [7, 3]
    box.run("TRUNCATE k.v")
    assert nearest(box, 0, 0, 2) == []
    box.run("INSERT INTO k.v (k, v) VALUES (9, [1, 0])")
    assert nearest(box, 0, 0, 2) == [9]


def test_an_index_is_there_after_a_restart_and_after_being_made_of_rows(box: Box) -> None:
    for key in range(300):
        box.run(f"INSERT INTO k.v (k, v, n) VALUES ({key}, [{key}, 1], {key % 3})")
    before = nearest(box, 120, 1, 20)
    box.stop()
    box.start()
    assert nearest(box, 120, 1, 20) == before
    box.run("DROP INDEX k.v")
    box.run("CREATE INDEX v ON k.v (v) USING 'sai' WITH OPTIONS = {'similarity_function': 'euclidean'}")
    assert nearest(box, 120, 1, 20) == before


def test_too_much_to_read_fills_the_index_anew(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "NOTED_LIMIT", 10)
    box.run("INSERT INTO k.v (k, v) VALUES (0, [1, 0])")
    assert nearest(box, 0, 0, 1) == [0]
    for key in range(1, 40):
        box.run(f"INSERT INTO k.v (k, v) VALUES ({key}, [{key + 1}, 0])")
    assert nearest(box, 0, 0, 40) == list(range(40))


def test_upkeep_reads_and_builds_while_nothing_is_asked(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "EXACT_LIMIT", 50)
    for key in range(200):
        box.run(f"INSERT INTO k.v (k, v) VALUES ({key}, [{key}, 0])")
    state = box.server.running.state
    for _ in range(20):
        for index in state.vectors.step(box.server.running.parts.clock.now_s()):
            if index.is_lagging:
                index.extend()
    assert not state.vectors.step(box.server.running.parts.clock.now_s())
    ((index, changed),) = state.vectors._found.values()
    assert (len(index), index._graphed, changed) == (200, 200, {})
    assert nearest(box, 7.2, 0, 3) == [7, 8, 6]
    box.run("DROP INDEX k.v")
    state.vectors.step(box.server.running.parts.clock.now_s())
    assert not state.vectors._found
    assert not box.server.running.state.engine.noted


@pytest.mark.parametrize("available", [True, False])
def test_a_search_that_is_filtered_finds_all_that_fit(
    box: Box, monkeypatch: pytest.MonkeyPatch, available: bool
) -> None:
    monkeypatch.setattr(vector_upkeep, "vectors_available", available)
    box.run("CREATE INDEX n ON k.v (n) USING 'sai'")
    for key in range(200):
        box.run(f"INSERT INTO k.v (k, v, n) VALUES ({key}, [{key}, 0], {key // 150})")
    found = box.run("SELECT k FROM k.v WHERE n = 1 ORDER BY v ANN OF [0, 0] LIMIT 3")
    assert [row[0] for row in found] == [150, 151, 152]
    assert nearest(box, 0, 0, 2) == [0, 1]


def test_what_was_acknowledged_is_found_after_kill_9(tmp_path: Path) -> None:
    server = Server(tmp_path)
    cluster = connect(server.port)
    try:
        session = cluster.connect()
        session.execute("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        session.execute(TABLE)
        session.execute("CREATE INDEX v ON k.v (v) USING 'sai'")
        insert = session.prepare("INSERT INTO k.v (k, v) VALUES (?, ?)")
        for key in range(100):
            session.execute(insert, (key, [1.0, float(key)]))
        session.execute("DELETE FROM k.v WHERE k = 0")
    finally:
        cluster.shutdown()
        server.kill()
    server = Server(tmp_path)
    cluster = connect(server.port)
    try:
        rows = cluster.connect().execute("SELECT k FROM k.v ORDER BY v ANN OF [1, 0] LIMIT 5")
        assert [row.k for row in rows] == [1, 2, 3, 4, 5]
    finally:
        cluster.shutdown()
        server.kill()


def test_limits_of_a_search(box: Box) -> None:
    box.run("INSERT INTO k.v (k, v, n) VALUES (1, [1.0, 1.0], 1)")
    order = "SELECT k FROM k.v ORDER BY v ANN OF [1.0, 1.0]"
    assert [row[0] for row in box.run(f"{order} LIMIT 1000")] == [1]
    for rest, message in (
        ("LIMIT 1001", "LIMIT that is not greater than 1000. LIMIT was 1001"),
        ("", "Top-K queries must have a limit specified"),
        ("PER PARTITION LIMIT 1 LIMIT 2", "Top-K queries do not support per-partition limits"),
    ):
        with pytest.raises(Invalid, match=message):
            box.run(f"{order} {rest}")
