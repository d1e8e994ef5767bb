"""Pages of SELECT: whatever the page size, the same rows, each once, and an end where Cassandra says it."""

from __future__ import annotations

from typing import Any

import pytest
from cassandra.cluster import Session
from cassandra.query import SimpleStatement

PAGE_LIMIT = 50


def pages(session: Session, query: str, size: int) -> list[list[tuple[Any, ...]]]:
    """The rows of each page; an empty last page is one too."""
    found = []
    state = None
    while True:
        result = session.execute(SimpleStatement(query, fetch_size=size), paging_state=state)
        found.append([tuple(row) for row in result.current_rows])
        state = result.paging_state
        if state is None:
            return found
        assert len(found) < PAGE_LIMIT, f"{query} does not end"


def rows(session: Session, query: str, size: int) -> list[tuple[Any, ...]]:
    return [row for page in pages(session, query, size) for row in page]


@pytest.fixture
def filled(session: Session) -> Session:
    for statement in (
        "CREATE TABLE single (pk int PRIMARY KEY, v int, m map<int, int>)",
        "CREATE TABLE many (k int, c int, s int static, v int, PRIMARY KEY (k, c))",
        "CREATE TABLE pair (a int, b int, c int, s int static, PRIMARY KEY ((a, b), c))",
        "CREATE INDEX ON single (v)",
        "CREATE INDEX ON single (m)",
        "CREATE INDEX ON many (v)",
        "CREATE INDEX ON pair (b)",
    ):
        session.execute(statement)
    for number in range(5):
        session.execute(f"INSERT INTO single (pk, v, m) VALUES ({number}, 7, {{1: 7, 2: 7}})")
        for c in range(number):
            session.execute(f"INSERT INTO many (k, c, v) VALUES ({number}, {c}, 7)")
    session.execute("INSERT INTO many (k, s) VALUES (0, 1)")
    session.execute("INSERT INTO pair (a, b, s) VALUES (0, 1, 1)")
    for a, b, c in ((1, 1, 1), (1, 1, 2), (2, 1, 1)):
        session.execute(f"INSERT INTO pair (a, b, c, s) VALUES ({a}, {b}, {c}, 1)")
    return session


QUERIES = {
    "index": ("SELECT pk FROM single WHERE v = 7", 5),
    "index of map values": ("SELECT pk FROM single WHERE m CONTAINS 7", 5),
    "index and filter": ("SELECT pk FROM single WHERE v = 7 AND pk > 1 ALLOW FILTERING", 3),
    "index, filter and limit": ("SELECT pk FROM single WHERE v = 7 AND pk > 1 LIMIT 2 ALLOW FILTERING", 2),
    "index with clustering": ("SELECT k, c FROM many WHERE v = 7", 10),
    "index on a part of the partition key": ("SELECT a, b, c FROM pair WHERE b = 1", 4),
    "scan": ("SELECT k, c FROM many", 11),
    "distinct": ("SELECT DISTINCT k FROM many", 5),
    "in": ("SELECT k, c FROM many WHERE k IN (4, 0, 3)", 8),
    "reversed": ("SELECT c FROM many WHERE k = 4 ORDER BY c DESC", 4),
    "per partition": ("SELECT k, c FROM many PER PARTITION LIMIT 1", 5),
    "per partition, of an index": ("SELECT k, c FROM many WHERE v = 7 PER PARTITION LIMIT 2", 7),
    "groups": ("SELECT k, count(*) FROM many GROUP BY k", 5),
    "groups of rows": ("SELECT k, c, s, count(*) FROM many GROUP BY k, c", 11),
    "groups with a limit": ("SELECT k, count(*) FROM many GROUP BY k LIMIT 3", 3),
}


@pytest.mark.parametrize("name", QUERIES)
def test_every_page_size_gives_the_same_rows(filled: Session, name: str) -> None:
    query, count = QUERIES[name]
    whole = rows(filled, query, 5000)
    assert len(whole) == count
    assert len(set(whole)) == count
    for size in (1, 2, 3, 7, 100):
        assert rows(filled, query, size) == whole


def test_a_full_last_page_is_followed_by_an_empty_one(filled: Session) -> None:
    assert [len(page) for page in pages(filled, "SELECT pk FROM single", 5)] == [5, 0]
    assert [len(page) for page in pages(filled, "SELECT c FROM many WHERE k = 4", 2)] == [2, 2, 0]
    assert [len(page) for page in pages(filled, "SELECT k FROM many GROUP BY k", 5)] == [5, 0]


def test_the_end_is_said_where_nothing_can_follow(filled: Session) -> None:
    assert [len(page) for page in pages(filled, "SELECT pk FROM single LIMIT 5", 5)] == [5]
    assert [len(page) for page in pages(filled, "SELECT pk FROM single WHERE pk = 1", 1)] == [1]
    assert [len(page) for page in pages(filled, "SELECT pk FROM single WHERE pk IN (1, 2)", 1)] == [1, 1]
    assert [len(page) for page in pages(filled, "SELECT c FROM many WHERE k = 4 PER PARTITION LIMIT 2", 2)] == [2]
    assert [len(page) for page in pages(filled, "SELECT DISTINCT k FROM many WHERE k = 4", 1)] == [1]
