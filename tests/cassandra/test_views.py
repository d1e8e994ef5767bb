"""Materialized views under a clock that moves when told, over a restart, and in more rows than are sorted at once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cassandra.test_storage import Box

from smackbox.cassandra.execution import view_reading
from smackbox.cassandra.execution.access import Access
from smackbox.cassandra.server import CassandraServer
from smackbox.cassandra.settings import CassandraSettings
from smackbox.cassandra.statements.authorization import access_of
from smackbox.cassandra.statements.view_changes import where_text
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.cql.parser import parse
from smackbox.cassandra.wire.errors import Invalid
from smackbox.net.service import ServiceThread


class ViewBox(Box):
    """With views, unless `views` is made false before a start."""

    views = True

    def start(self) -> None:
        settings = CassandraSettings(dir=self.directory, materialized_views_enabled=self.views)
        self.thread = ServiceThread(CassandraServer(settings, clock=self.clock))
        self.thread.start()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[ViewBox]:
    found = ViewBox(tmp_path / "data")
    found.run("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    found.run("CREATE TABLE t (a int, b int, c int, d int, PRIMARY KEY (a, b))")
    found.run(
        "CREATE MATERIALIZED VIEW v AS SELECT * FROM t WHERE a IS NOT NULL AND b IS NOT NULL AND c IS NOT NULL "
        "PRIMARY KEY (c, a, b)"
    )
    yield found
    found.stop()


def test_a_row_lives_as_long_as_the_column_that_the_key_adds(box: ViewBox) -> None:
    box.run("INSERT INTO t (a, b, d) VALUES (1, 1, 5)")
    box.run("UPDATE t USING TTL 10 SET c = 7 WHERE a = 1 AND b = 1")
    assert box.run("SELECT * FROM v WHERE c = 7") == [(7, 1, 1, 5)]
    box.clock.advance_ms(10_000)
    assert box.run("SELECT * FROM v WHERE c = 7") == []
    assert box.run("SELECT * FROM t") == [(1, 1, None, 5)]


def test_an_expired_row_is_gone_from_the_view(box: ViewBox) -> None:
    box.run("INSERT INTO t (a, b, c, d) VALUES (1, 1, 7, 5) USING TTL 10")
    assert box.run("SELECT d, ttl(d) FROM v WHERE c = 7") == [(5, 10)]
    box.clock.advance_ms(9_000)
    assert box.run("SELECT d, ttl(d) FROM v WHERE c = 7") == [(5, 1)]
    box.clock.advance_ms(1_000)
    assert box.run("SELECT * FROM v") == []


def test_a_late_write_with_an_old_timestamp_does_not_move_a_row(box: ViewBox) -> None:
    box.run("INSERT INTO t (a, b, c) VALUES (1, 1, 7) USING TIMESTAMP 20")
    box.run("UPDATE t USING TIMESTAMP 10 SET c = 8 WHERE a = 1 AND b = 1")
    assert box.run("SELECT c FROM v") == [(7,)]
    assert box.run("SELECT c FROM v WHERE c = 8") == []
    box.run("DELETE c FROM t USING TIMESTAMP 30 WHERE a = 1 AND b = 1")
    assert box.run("SELECT c FROM v WHERE c = 7") == []


def test_a_view_is_there_after_a_restart_even_one_without_views(box: ViewBox) -> None:
    box.run("INSERT INTO t (a, b, c) VALUES (1, 1, 7)")
    box.run("ALTER TABLE t RENAME a TO z")
    box.stop()
    box.clock.advance_ms(1_000)
    box.views = False
    box.start()
    assert box.run("SELECT z, c FROM v WHERE c = 7") == [(1, 7)]
    with pytest.raises(Invalid, match="Materialized views are disabled"):
        box.run("CREATE MATERIALIZED VIEW w AS SELECT * FROM t WHERE z > 1 AND b > 1 PRIMARY KEY (b, z)")
    box.run("UPDATE t SET c = 8 WHERE z = 1 AND b = 1")
    assert box.run("SELECT z, c FROM v WHERE c = 7") == []
    box.run("DROP MATERIALIZED VIEW v")
    box.run("DROP TABLE t")


@pytest.mark.parametrize("order", ["ASC", "DESC"])
def test_more_rows_than_are_sorted_at_once(box: ViewBox, order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_reading, "SORTED_CHUNK", 4)
    for number in range(11):
        box.run(f"INSERT INTO t (a, b, c) VALUES ({number * 7 % 11}, 1, 5)")
    box.run("INSERT INTO t (a, b, c) VALUES (1, 2, 6)")
    found = [a for (a,) in box.run(f"SELECT a FROM v WHERE c = 5 ORDER BY a {order}")]
    assert found == sorted(range(11), reverse=order == "DESC")
    assert box.run("SELECT count(*) FROM v") == [(12,)]


def test_a_view_goes_with_its_keyspace(box: ViewBox) -> None:
    box.run("INSERT INTO t (a, b, c) VALUES (1, 1, 7)")
    box.run("DROP KEYSPACE k")
    assert box.run("SELECT * FROM system_schema.views") == []


DEFINITIONS = {
    "by_column": ("PRIMARY KEY (c, a, b)", "c = 1"),
    "by_clustering": ("PRIMARY KEY (b, a, c)", "b = 1"),
    "by_both": ("PRIMARY KEY ((b, c), a)", "b = 1 AND c = 1"),
    "by_own_key": ("PRIMARY KEY ((a, c), b)", "a = 1 AND c = 1"),
}


@pytest.mark.parametrize("key", DEFINITIONS)
def test_one_partition_of_a_view_is_read_without_a_scan(
    box: ViewBox, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    primary_key, wanted = DEFINITIONS[key]
    box.run("INSERT INTO t (a, b, c, d) VALUES (1, 1, 1, 5)")
    box.run(
        "CREATE MATERIALIZED VIEW w AS SELECT * FROM t WHERE a IS NOT NULL AND b IS NOT NULL AND c IS NOT NULL "
        + primary_key
    )
    box.run("INSERT INTO t (a, b, c, d) VALUES (1, 2, 1, 6)")
    box.run("INSERT INTO t (a, b, c, d) VALUES (2, 1, 2, 7)")
    expected = sorted(box.run(f"SELECT a, b, c, d FROM t WHERE {wanted} ALLOW FILTERING"), key=str)

    def scan(*_: object, **__: object) -> None:
        raise AssertionError("a scan of the table")

    monkeypatch.setattr(box.server.running.state.engine, "scan", scan)
    assert sorted(box.run(f"SELECT a, b, c, d FROM w WHERE {wanted}"), key=str) == expected


def test_what_a_view_is_read_by_is_no_index_of_the_table(box: ViewBox) -> None:
    assert box.run("SELECT * FROM system_schema.indexes") == []
    with pytest.raises(Invalid, match="ALLOW FILTERING"):
        box.run("SELECT * FROM t WHERE c = 1")


@pytest.mark.parametrize("indexed", [False, True])
def test_views_show_what_their_table_has(box: ViewBox, *, indexed: bool) -> None:
    """Whatever was written in whatever order, and some of it truncated."""
    if indexed:
        box.run("CREATE INDEX by_c ON t (c)")
    for name, (primary_key, _) in DEFINITIONS.items():
        box.run(
            f"CREATE MATERIALIZED VIEW {name} AS SELECT * FROM t WHERE a IS NOT NULL AND b IS NOT NULL "
            f"AND c IS NOT NULL {primary_key}"
        )
    chance = random.Random(5)
    for step in range(150):
        a, b, c, stamp = (chance.randrange(3) for _ in range(4))
        using = f"USING TIMESTAMP {step * 10 + stamp * 15 - 15 + 100}"
        box.run(
            chance.choice(
                [
                    f"INSERT INTO t (a, b, c, d) VALUES ({a}, {b}, {c}, {step}) {using}",
                    f"UPDATE t {using} SET c = {c} WHERE a = {a} AND b = {b}",
                    f"UPDATE t {using} AND TTL 3 SET c = {c}, d = {step} WHERE a = {a} AND b = {b}",
                    f"DELETE c FROM t {using} WHERE a = {a} AND b = {b}",
                    f"DELETE FROM t {using} WHERE a = {a} AND b = {b}",
                    f"DELETE FROM t {using} WHERE a = {a} AND b > {b}",
                ]
            )
        )
        box.clock.advance_ms(500)
        if step == 70:
            box.run("TRUNCATE t")
        have = [row for row in box.run("SELECT a, b, c, d FROM t") if row[2] is not None]
        for name in DEFINITIONS:
            assert sorted(box.run(f"SELECT a, b, c, d FROM {name}"), key=str) == sorted(have, key=str)
        for name in ("v", "by_column"):
            rows = box.run(f"SELECT a, b, c, d FROM {name} WHERE c = {c}")
            assert rows == sorted(row for row in have if row[2] == c)
        assert box.run(f"SELECT a, b, c, d FROM by_clustering WHERE b = {b}") == sorted(
            row for row in have if row[1] == b
        )


@pytest.mark.parametrize(
    "where",
    ["a IS NOT NULL", "a = 'it''s'", "a IN ('x', 'y''z') AND b >= -5", "(\"A\", b) > (1, 'q')"],
)
def test_a_where_kept_as_text_is_the_same_where(where: str) -> None:
    def relations(text: str) -> tuple[ast.Relation, ...]:
        parsed, _ = parse(f"SELECT * FROM t WHERE {text}")
        assert isinstance(parsed, ast.Select)
        return parsed.where

    assert where_text(relations(where)) == where


@pytest.mark.parametrize(
    ("statement", "permission"),
    [
        ("SELECT * FROM v", "SELECT"),
        ("CREATE MATERIALIZED VIEW w AS SELECT * FROM t WHERE a > 1 AND b > 1 PRIMARY KEY (b, a)", "ALTER"),
        ("ALTER MATERIALIZED VIEW v WITH comment = 'x'", "ALTER"),
        ("DROP MATERIALIZED VIEW v", "ALTER"),
    ],
)
def test_a_view_needs_what_is_granted_on_its_table(box: ViewBox, statement: str, permission: str) -> None:
    parsed, _ = parse(statement)
    assert access_of(parsed, "k", box.server.running.state.catalog) == (Access(permission, "k", "t"),)
