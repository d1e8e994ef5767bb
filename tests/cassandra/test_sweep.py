"""What is dead leaves the store, after gc_grace_seconds and not before, and nothing that was deleted comes back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cassandra.test_storage import Box

from smackbox.cassandra.state import sweep as sweep_module
from smackbox.cassandra.state.sweep import Sweep, Sweeper, sweep_all

GRACE_S = 100


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    found = Box(tmp_path / "data")
    found.run("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    found.run(
        "CREATE TABLE t (a int, c int, s int static, v int, w text, m map<int, int>, PRIMARY KEY (a, c)) "
        f"WITH gc_grace_seconds = {GRACE_S}"
    )
    yield found
    found.stop()


def entries(box: Box) -> int:
    prefix = box.server.running.state.catalog.table("k", "t").prefix
    return len(list(box.server.running.state.engine.store.items(prefix, prefix + b"\xff")))


def now_s(box: Box) -> int:
    return box.clock.wall_ms() // 1000


def swept(box: Box) -> Sweep:
    """A whole pass over `t`."""

    async def work() -> Sweep:
        return sweep_all(box.server.running.state.engine, box.server.running.state.catalog.table("k", "t"), now_s(box))

    assert box.thread is not None
    return box.thread.call(work())


def sweeper(box: Box) -> Sweeper:
    return Sweeper(box.server.running.state.engine, box.server.running.state.catalog.table_of)


def steps(box: Box, sweeps: Sweeper, limit: int = 10_000) -> int:
    """Steps until there is nothing to do."""

    async def work() -> int:
        for count in range(limit):
            if not sweeps.step(now_s(box), 1):
                return count
        raise AssertionError("it does not end")

    assert box.thread is not None
    return box.thread.call(work())


def test_a_deleted_partition_and_at_last_its_deletion(box: Box) -> None:
    for c in range(5):
        box.run(f"INSERT INTO t (a, c, s, v) VALUES (1, {c}, 1, {c})")
        box.run(f"INSERT INTO t (a, c, v) VALUES (2, {c}, {c})")
    box.run("DELETE FROM t WHERE a = 1")
    box.clock.advance_ms((GRACE_S - 1) * 1000)
    swept(box)
    assert entries(box) == 5 + 1  # the rows went, what hides late writes stays
    box.run("INSERT INTO t (a, c, v) VALUES (1, 9, 9) USING TIMESTAMP 5")
    assert box.run("SELECT a FROM t WHERE a = 1") == []
    box.clock.advance_ms(1_000)
    swept(box)
    assert entries(box) == 5
    assert box.run("SELECT a, c FROM t") == [(2, c) for c in range(5)]


def test_ranges_rows_cells_and_statics(box: Box) -> None:
    for c in range(10):
        box.run(f"INSERT INTO t (a, c, s, v, w, m) VALUES (1, {c}, {c}, {c}, 'w', {{1: 1, 2: 2}})")
    for statement in (
        "DELETE FROM t WHERE a = 1 AND c < 3",
        "DELETE FROM t WHERE a = 1 AND c = 4",
        "DELETE v FROM t WHERE a = 1 AND c = 5",
        "DELETE m[1] FROM t WHERE a = 1 AND c = 6",
        "DELETE m FROM t WHERE a = 1 AND c = 7",
        "DELETE s FROM t WHERE a = 1",
    ):
        box.run(statement)
    before = box.run("SELECT * FROM t")
    swept(box)
    assert box.run("SELECT * FROM t") == before
    assert entries(box) == 1 + 1 + 1 + 6  # the range, the static row, the deleted row, the rows
    box.clock.advance_ms(GRACE_S * 1000)
    swept(box)
    assert box.run("SELECT * FROM t") == before
    assert entries(box) == 6
    assert not box.server.running.state.engine.garbage


def test_expired_rows(box: Box) -> None:
    box.run("INSERT INTO t (a, c, v) VALUES (1, 1, 1) USING TTL 10")
    box.run("INSERT INTO t (a, c, v) VALUES (1, 2, 2) USING TTL 500")
    box.run("INSERT INTO t (a, c, v) VALUES (1, 3, 3)")
    box.run("UPDATE t USING TTL 10 SET w = 'w' WHERE a = 1 AND c = 3")
    box.clock.advance_ms((GRACE_S - 1) * 1000)
    swept(box)
    assert entries(box) == 3
    box.clock.advance_ms(1_000)
    swept(box)
    assert entries(box) == 2
    box.clock.advance_ms(400_000)  # grace counts from the write, as Cassandra's
    swept(box)
    assert box.run("SELECT c, v, w FROM t") == [(3, 3, None)]
    assert entries(box) == 1


def test_deletions_that_a_later_one_covers(box: Box) -> None:
    for c in range(50):
        box.run(f"DELETE FROM t WHERE a = 1 AND c < {c}")
    box.run("DELETE FROM t WHERE a = 1 AND c > 40 AND c < 60")
    assert entries(box) == 51
    swept(box)
    assert entries(box) == 2
    box.run("DELETE FROM t WHERE a = 1")
    box.run("DELETE FROM t WHERE a = 1")
    swept(box)
    assert entries(box) == 1


def test_entries_of_indexes_go_with_their_rows(box: Box) -> None:
    for statement in ("CREATE INDEX ON t (v)", "CREATE INDEX ON t (KEYS(m))", "CREATE INDEX ON t (c)"):
        box.run(statement)
    for c in range(6):
        box.run(f"INSERT INTO t (a, c, v, m) VALUES (1, {c}, {c}, {{{c}: 1}})")
    box.run("UPDATE t SET v = 77, m = {8: 8} WHERE a = 1 AND c = 5")
    box.run("DELETE FROM t WHERE a = 1 AND c < 5")
    swept(box)
    targets = box.server.running.state.catalog.table("k", "t").index_targets
    items = box.server.running.state.engine.store.items
    assert [len(list(items(target.prefix, target.prefix + b"\xff"))) for target in targets] == [1, 1, 1]
    assert box.run("SELECT c FROM t WHERE v = 77") == [(5,)]
    assert box.run("SELECT c FROM t WHERE m CONTAINS KEY 8") == [(5,)]
    assert box.run("SELECT a FROM t WHERE c = 5") == [(1,)]


def test_counters_keep_their_sums(box: Box) -> None:
    box.run("DROP TABLE t")
    box.run(f"CREATE TABLE t (a int, c int, n counter, PRIMARY KEY (a, c)) WITH gc_grace_seconds = {GRACE_S}")
    for c in (1, 1, 2, 3, 3, 3):
        box.run(f"UPDATE t SET n = n + 5 WHERE a = 1 AND c = {c}")
    box.run("DELETE FROM t WHERE a = 1 AND c = 2")
    box.clock.advance_ms(GRACE_S * 1000)
    swept(box)
    assert entries(box) == 2
    box.run("UPDATE t SET n = n + 1 WHERE a = 1 AND c = 3")
    assert box.run("SELECT c, n FROM t") == [(1, 10), (3, 16)]


def test_a_late_write_spares_the_deletion_that_hides_it(box: Box) -> None:
    for c in range(20):
        box.run(f"INSERT INTO t (a, c, v) VALUES (1, {c}, {c})")
    box.run("DELETE FROM t WHERE a = 1")
    box.clock.advance_ms(GRACE_S * 1000)
    engine = box.server.running.state.engine
    table = box.server.running.state.catalog.table("k", "t")
    assert box.thread is not None
    sweep = Sweep(engine, table)

    async def step() -> bool:
        return sweep.step(table, now_s(box), 4)

    assert not box.thread.call(step())
    box.run("INSERT INTO t (a, c, v) VALUES (1, 0, 5) USING TIMESTAMP 5")  # where the pass has been already
    assert box.run("SELECT * FROM t") == []
    while not box.thread.call(step()):
        pass
    assert box.run("SELECT * FROM t") == []
    assert entries(box) == 2
    swept(box)
    assert entries(box) == 0
    assert box.run("SELECT * FROM t") == []


def test_passes_are_due_when_there_is_something_to_drop(box: Box) -> None:
    sweeps = sweeper(box)
    box.run("INSERT INTO t (a, c, v) VALUES (1, 1, 1)")
    assert steps(box, sweeps) == 0
    box.run("DELETE FROM t WHERE a = 1")
    assert steps(box, sweeps) == 0
    box.clock.advance_ms(GRACE_S * 1000)
    assert steps(box, sweeps) > 0
    assert entries(box) == 0
    assert steps(box, sweeps) == 0
    box.run("DELETE FROM t WHERE a = 1")
    box.clock.advance_ms(GRACE_S * 1000)
    assert steps(box, sweeps) == 0  # it rests
    box.clock.advance_ms(sweep_module.REST_S * 1000)
    assert steps(box, sweeps) > 0
    assert not box.server.running.state.engine.garbage


def test_after_a_restart_it_is_known_which_tables_to_look_at(box: Box) -> None:
    box.run("CREATE TABLE other (a int PRIMARY KEY, v int)")
    box.run("INSERT INTO other (a, v) VALUES (1, 1)")
    box.run("INSERT INTO t (a, c, v) VALUES (1, 1, 1) USING TTL 10")
    box.stop()
    box.start()
    number = box.server.running.state.catalog.table("k", "t").number
    assert box.server.running.state.engine.garbage == {number: 0}
    assert steps(box, sweeper(box)) > 0
    assert box.server.running.state.engine.garbage == {number: now_s(box) + GRACE_S}
    box.run("DROP TABLE t")
    assert not box.server.running.state.engine.garbage


def test_a_table_dropped_under_a_pass_ends_it(box: Box) -> None:
    for c in range(20):
        box.run(f"DELETE FROM t WHERE a = {c}")
    box.clock.advance_ms(GRACE_S * 1000)
    sweeps = sweeper(box)

    async def step() -> bool:
        return sweeps.step(now_s(box), 1)

    assert box.thread is not None
    assert box.thread.call(step())
    box.run("DROP TABLE t")
    assert steps(box, sweeps) <= 1


@pytest.mark.parametrize("seed", range(6))
def test_nothing_comes_back_and_nothing_is_lost(box: Box, seed: int) -> None:
    """Random writes; a table that is swept all the time, in small steps, reads as its twin that never is."""
    chosen = random.Random(seed)
    box.run("CREATE TABLE u (a int, c int, s int static, v int, w text, m map<int, int>, PRIMARY KEY (a, c))")
    sweeps = sweeper(box)
    table = box.server.running.state.catalog.table("k", "t")
    under_way: list[Sweep] = []

    async def step() -> None:
        if not under_way:
            under_way.append(Sweep(box.server.running.state.engine, table))
        if under_way[0].step(table, now_s(box), chosen.randint(1, 4)):
            sweeps.finish(under_way.pop(), table, now_s(box))

    assert box.thread is not None
    for _ in range(300):
        statement = _random_write(chosen)
        for name in ("t", "u"):
            box.run(statement.replace("$TABLE", name).replace("$NOW", f"{box.clock.wall_ms() * 1000}"))
        box.thread.call(step())
        if not chosen.randrange(4):
            box.clock.advance_ms(chosen.choice([1_000, 30_000, 70_000]))
        if not chosen.randrange(8):
            assert box.run("SELECT * FROM t") == box.run("SELECT * FROM u")
    query = "SELECT a, c, v, w, writetime(v), ttl(w) FROM "
    assert box.run(query + "t") == box.run(query + "u")
    box.clock.advance_ms((GRACE_S + 200) * 1000)
    swept(box)
    rows = box.run("SELECT * FROM t")
    assert rows == box.run("SELECT * FROM u")
    assert entries(box) <= len(rows) + len({row[0] for row in rows})


def _random_write(chosen: random.Random) -> str:
    a, c, v = chosen.randrange(3), chosen.randrange(5), chosen.randrange(100)
    using = chosen.choice(["", f"AND TTL {chosen.choice([20, 150])}"])
    return chosen.choice([
        f"INSERT INTO $TABLE (a, c, v, w) VALUES ({a}, {c}, {v}, 'w') USING TIMESTAMP $NOW {using}",
        f"INSERT INTO $TABLE (a, c, v, m) VALUES ({a}, {c}, {v}, {{{v}: 1}}) USING TIMESTAMP $NOW {using}",
        f"UPDATE $TABLE USING TIMESTAMP $NOW {using} SET v = {v} WHERE a = {a} AND c = {c}",
        f"UPDATE $TABLE USING TIMESTAMP $NOW {using} SET s = {v} WHERE a = {a}",
        f"UPDATE $TABLE USING TIMESTAMP $NOW {using} SET m[{v % 3}] = {v} WHERE a = {a} AND c = {c}",
        f"DELETE FROM $TABLE USING TIMESTAMP $NOW WHERE a = {a} AND c = {c}",
        f"DELETE FROM $TABLE USING TIMESTAMP $NOW WHERE a = {a} AND c > {c}",
        f"DELETE v, m FROM $TABLE USING TIMESTAMP $NOW WHERE a = {a} AND c = {c}",
        f"DELETE FROM $TABLE USING TIMESTAMP $NOW WHERE a = {a}",
    ])  # fmt: skip


def test_a_dropped_column_that_comes_back_has_its_newer_cells_whatever_was_merged(box: Box) -> None:
    for key in (1, 2):
        box.run(f"UPDATE k.t USING TIMESTAMP 10 SET v = 1, m = {{1: 1}} WHERE a = {key} AND c = 1")
        box.run(f"UPDATE k.t USING TIMESTAMP 100 SET v = 2, m[2] = 2 WHERE a = {key} AND c = 2")
    box.run("ALTER TABLE k.t DROP (v, m) USING TIMESTAMP 50")
    assert box.run("SELECT c FROM k.t WHERE a = 1") == []
    box.run("UPDATE k.t SET w = 'x' WHERE a = 1 AND c = 2")
    swept(box)
    box.stop()
    box.start()
    box.run("ALTER TABLE k.t ADD (v int, m map<int, int>)")
    for key, w in ((1, "x"), (2, None)):
        assert box.run(f"SELECT c, v, m, w FROM k.t WHERE a = {key}") == [(2, 2, [(2, 2)], w)]
