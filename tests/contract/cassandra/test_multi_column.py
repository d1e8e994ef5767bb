"""Relations on tuples of clustering columns: what a marker stands for, and with an index beside them."""

from __future__ import annotations

from typing import Any

import pytest
from cassandra.cluster import Session

FIRST, SECOND = [(1, 1), (1, 2)], [(2, 1), (2, 2)]
PREPARED: dict[str, tuple[tuple[Any, ...], list[tuple[str, str]], list[tuple[int, int]]]] = {
    "(c) IN ?": (([(1,)],), [("in(c)", "list<frozen<tuple<int>>>")], FIRST),
    "(c) IN (?, ?)": (((1,), (2,)), [("(c)", "frozen<tuple<int>>")] * 2, FIRST + SECOND),
    "(c) IN ((?), (?))": ((1, 2), [("c", "int")] * 2, FIRST + SECOND),
    "(c) = ?": (((1,),), [("(c)", "frozen<tuple<int>>")], FIRST),
    "(c) = (?)": ((1,), [("c", "int")], FIRST),
    "(c) > ?": (((1,),), [("(c)", "frozen<tuple<int>>")], SECOND),
    "(c, d) IN ?": (([(1, 1), (2, 2)],), [("in(c,d)", "list<frozen<tuple<int, int>>>")], [(1, 1), (2, 2)]),
    "(c, d) IN (?, ?)": (((1, 1), (2, 2)), [("(c,d)", "frozen<tuple<int, int>>")] * 2, [(1, 1), (2, 2)]),
    "(c, d) = ?": (((1, 2),), [("(c,d)", "frozen<tuple<int, int>>")], [(1, 2)]),
    "c = 1 AND (d) IN ?": (([(1,), (2,)],), [("in(d)", "list<frozen<tuple<int>>>")], FIRST),
    "(c, d) >= ? AND (c, d) <= ?": (((1, 2), (2, 1)), [("(c,d)", "frozen<tuple<int, int>>")] * 2, [(1, 2), (2, 1)]),
}
WITH_AN_INDEX = {
    "k = 1 AND (c, d) = (1, 1) AND v = 2": [(1, 1)],
    "k = 1 AND (c, d) > (1, 1) AND v = 3": [(1, 2), (2, 1)],
    "k = 1 AND (c, d) IN ((1, 2), (2, 1)) AND v = 3": [(1, 2), (2, 1)],
    "(c, d) = (1, 1) AND v = 2 ALLOW FILTERING": [(1, 1)],
    "(c, d) IN ((1, 2), (2, 1)) AND v = 3 ALLOW FILTERING": [(1, 2), (2, 1)],
    "(d) IN ((1), (2)) AND v = 3 ALLOW FILTERING": [(1, 2), (2, 1)],
    "(d) = (1)": [(1, 1), (2, 1)],
}


@pytest.fixture
def filled(session: Session) -> Session:
    session.execute("CREATE TABLE t (k int, c int, d int, v int, PRIMARY KEY (k, c, d))")
    session.execute("CREATE INDEX ON t (v)")
    session.execute("CREATE INDEX ON t (d)")
    for c, d in FIRST + SECOND:
        session.execute(f"INSERT INTO t (k, c, d, v) VALUES (1, {c}, {d}, {c + d})")
    return session


def test_what_markers_stand_for(filled: Session) -> None:
    for where, (values, specs, expected) in PREPARED.items():
        prepared = filled.prepare(f"SELECT c, d FROM t WHERE k = 1 AND {where}")
        assert [(spec.name, spec.type.cql_parameterized_type()) for spec in prepared.column_metadata] == specs, where
        assert [tuple(row) for row in filled.execute(prepared, values)] == expected, where


def test_beside_an_index(filled: Session) -> None:
    for where, expected in WITH_AN_INDEX.items():
        assert [tuple(row) for row in filled.execute(f"SELECT c, d FROM t WHERE {where}")] == expected, where
