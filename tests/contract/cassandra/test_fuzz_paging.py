"""Differential fuzzing of pages: every SELECT gives the same rows, cut into the same pages, whatever the page size.

As `test_fuzz`: with `make real` alone, both servers, equal answers. The tables are filled once; writes
and changes of the schema, run between the pages of a SELECT.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from cassandra import ReadFailure
from cassandra.query import SimpleStatement
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.contract.cassandra.golden import SERVER_ERROR, Player, _shown
from tests.contract.cassandra.test_fuzz import EXAMPLES, REAL, both_after

from smackbox.cassandra.settings import CassandraSettings

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(REAL is None, reason="compares with a real Cassandra: make real"),
]

PAGE_SIZES = (1, 2, 3, 7, 100)
WHOLE = 1_000
PAGE_LIMIT = 400  # more than any of these answers has
TABLES = (
    (
        "CREATE TABLE t (k int, c int, d int, s int static, v int, w int, m map<int, int>, PRIMARY KEY (k, c, d)) "
        "WITH CLUSTERING ORDER BY (c ASC, d DESC)"
    ),
    "CREATE INDEX t_v ON t (v)",
    "CREATE INDEX t_s ON t (s)",
    "CREATE INDEX t_c ON t (c)",
    "CREATE INDEX t_m ON t (m)",
    "CREATE TABLE p (k int PRIMARY KEY, v int, w int, m map<int, int>)",
    "CREATE INDEX p_v ON p (v)",
    "CREATE INDEX p_m ON p (m)",
    "CREATE TABLE q (a int, b int, c int, s int static, v int, PRIMARY KEY ((a, b), c))",
    "CREATE INDEX q_b ON q (b)",
    "CREATE INDEX q_a ON q (a)",
    "CREATE INDEX q_v ON q (v)",
    "CREATE TABLE a (k int, c int, v int, w int, PRIMARY KEY (k, c))",
    "CREATE INDEX a_v ON a (v) USING 'sai'",
    "CREATE INDEX a_w ON a (w) USING 'sai'",
    "CREATE TABLE b (k int, c int, v int, w int, PRIMARY KEY (k, c))",
)
VIEW = (
    "CREATE MATERIALIZED VIEW y AS SELECT * FROM b WHERE k IS NOT NULL AND c IS NOT NULL AND v IS NOT NULL "
    "PRIMARY KEY (v, k, c)"
)


def filling() -> list[str]:
    """The rows that are there from the beginning: partitions of no, one and many rows, with and without statics."""
    chance = random.Random(7)
    found = []

    def number(top: int = 3) -> str:
        return str(chance.randrange(top))

    def pairs() -> str:
        return "{" + ", ".join(f"{key}: {number()}" for key in range(chance.randrange(4))) + "}"

    for k in range(7):
        if k % 3 != 2:
            found.append(f"INSERT INTO t (k, s) VALUES ({k}, {number()})")
        for _ in range(0 if k in {1, 5} else chance.randrange(1, 7)):
            numbers = ", ".join(number() for _ in range(4))
            found.append(f"INSERT INTO t (k, c, d, v, w, m) VALUES ({k}, {numbers}, {pairs()})")
    found += [
        f"INSERT INTO p (k, v, w, m) VALUES ({k}, {number()}, {number()}, {pairs()})" for k in range(12) if k % 5 != 4
    ]
    for a in range(3):
        for b in range(3):
            if (a + b) % 3 != 2:
                found.append(f"INSERT INTO q (a, b, s) VALUES ({a}, {b}, {number()})")
            found += [
                f"INSERT INTO q (a, b, c, v) VALUES ({a}, {b}, {number()}, {number()})"
                for _ in range(chance.randrange(4))
            ]
    for table in ("a", "b"):
        found += [
            f"INSERT INTO {table} (k, c, v, w) VALUES ({k}, {c}, {number()}, {number()})"
            for k in range(5)
            for c in range(chance.randrange(1, 5))
        ]
    return [f"{statement} USING TIMESTAMP {order + 1}" for order, statement in enumerate(found)]


@pytest.fixture(scope="module")
def players() -> Iterator[tuple[Player, Player]]:
    with both_after((*TABLES, *filling())) as pair:
        yield pair


@pytest.fixture(scope="module")
def view_players(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Player, Player]]:
    """Servers that have views; the real one is started for it."""
    from bench.engines.real_cassandra import RealCassandra

    with RealCassandra(tmp_path_factory.mktemp("views"), {"materialized_views_enabled": "true"}) as engine:
        real = ":".join(map(str, engine.address))
        with both_after((*TABLES, *filling()), CassandraSettings(materialized_views_enabled=True), real) as pair:
            for player in pair:
                assert player.play(VIEW) == "ok"
            while "'y'" not in pair[1].play("SELECT view_name FROM system.built_views"):
                pass  # the timeout of the test is the limit
            yield pair


few = st.integers(0, 3)
keys = st.integers(0, 7)
KEYS = {"t": ("k", "c", "d"), "p": ("k",), "q": ("a", "b", "c"), "a": ("k", "c"), "b": ("k", "c"), "y": ("v", "k", "c")}
PARTITION = {"t": ("k",), "p": ("k",), "q": ("a", "b"), "a": ("k",), "b": ("k",), "y": ("v",)}
OTHERS = {"t": ("s", "v", "w"), "p": ("v", "w"), "q": ("s", "v"), "a": ("v", "w"), "b": ("v", "w"), "y": ("w",)}


@st.composite
def key_part(draw: st.DrawFn, name: str) -> str:
    """What restricts a column of the partition key."""
    if draw(st.integers(0, 2)):
        return f"{name} = {draw(keys if name == 'k' else few)}"
    chosen = draw(st.lists(keys if name == "k" else few, min_size=1, max_size=4))
    return f"{name} IN ({', '.join(map(str, chosen))})"


@st.composite
def where(draw: st.DrawFn, table: str) -> str:
    parts = []
    kind = draw(st.integers(0, 5))
    partition = PARTITION[table]
    if kind <= 1:
        parts += [draw(key_part(name)) for name in partition]
    elif kind == 2:
        parts.append(f"token({', '.join(partition)}) > {draw(st.integers(-4, 4)) * 2**61}")
    elif kind == 3:
        parts.append(f"{draw(st.sampled_from(partition))} = {draw(few)}")
    rest = (*KEYS[table][len(partition) :], *OTHERS[table])
    for name in draw(st.lists(st.sampled_from(rest), max_size=2, unique=True)):
        operator = draw(st.sampled_from(["=", "=", "=", "<", ">=", "IN"]))
        value = draw(few)
        parts.append(f"{name} {operator} {f'({value}, {draw(few)})' if operator == 'IN' else value}")
    if table in {"t", "p"} and not draw(st.integers(0, 3)):
        parts.append(draw(st.sampled_from(["m CONTAINS 1", "m CONTAINS 2", "m CONTAINS KEY 1", "m[1] = 2"])))
    return f" WHERE {' AND '.join(parts)}" if parts else ""


@st.composite
def select(draw: st.DrawFn, tables: str = "tttpqqab") -> str:
    table = draw(st.sampled_from(tables))
    key = KEYS[table]
    partition = ", ".join(PARTITION[table])
    columns = draw(
        st.sampled_from(
            ["*", "*", ", ".join((*key, *OTHERS[table])), f"{key[-1]}", f"DISTINCT {partition}", "count(*)",
             f"{partition}, count(*)", f"{partition}, sum({OTHERS[table][-1]}), count({key[-1]})",
             f"DISTINCT {partition}{', s' * ('s' in OTHERS[table])}", f"JSON {', '.join(key)}",
             f"{key[-1]}, writetime({OTHERS[table][-1]})"]
        )
    )  # fmt: skip
    chosen = draw(where(table))
    tail = ""
    if draw(st.integers(0, 2)) == 0:
        depth = draw(st.integers(len(PARTITION[table]), len(key)))
        tail += f" GROUP BY {', '.join(key[:depth])}"
    if draw(st.integers(0, 3)) == 0 and len(key) > len(PARTITION[table]):
        first = key[len(PARTITION[table])]
        tail += f" ORDER BY {first} {draw(st.sampled_from(['ASC', 'DESC']))}"
    if draw(st.integers(0, 3)) == 0:
        tail += f" PER PARTITION LIMIT {draw(st.integers(1, 3))}"
    if draw(st.integers(0, 2)) == 0:
        tail += f" LIMIT {draw(st.integers(1, 9))}"
    filtering = draw(st.sampled_from(["", " ALLOW FILTERING", " ALLOW FILTERING"]))
    return f"SELECT {columns} FROM {table}{chosen}{tail}{filtering}"


@st.composite
def disturbance(draw: st.DrawFn) -> str:
    """A statement that runs between two pages."""
    table = draw(st.sampled_from("tpqab"))
    key = KEYS[table]
    values = [draw(keys if name == "k" else few) for name in key]
    pinned = " AND ".join(f"{name} = {value}" for name, value in zip(key, values, strict=True))
    column = draw(st.sampled_from([name for name in OTHERS[table] if name != "s"]))
    names = ", ".join(key)
    shown = ", ".join(map(str, values))
    using = f"USING TIMESTAMP {draw(st.integers(1_000, 1_000_000))}"
    options = [
        f"INSERT INTO {table} ({names}, {column}) VALUES ({shown}, {draw(few)}) {using}",
        f"UPDATE {table} {using} SET {column} = {draw(few)} WHERE {pinned}",
        f"UPDATE {table} {using} SET {column} = null WHERE {pinned}",
        f"DELETE FROM {table} {using} WHERE {pinned}",
    ]
    if "s" in OTHERS[table]:
        count = len(PARTITION[table])
        part = " AND ".join(f"{name} = {value}" for name, value in zip(key[:count], values, strict=False))
        options += [
            f"UPDATE {table} {using} SET s = {draw(few)} WHERE {part}",
            f"DELETE s FROM {table} {using} WHERE {part}",
        ]
    if not draw(st.integers(0, 5)):
        options = [
            "ALTER TABLE a WITH comment = 'x'",
            "CREATE INDEX IF NOT EXISTS p_w ON p (w)",
            "DROP INDEX IF EXISTS p_w",
        ]
    return draw(st.sampled_from(options))


def pages(player: Player, query: str, size: int, between: list[str]) -> list[str]:
    """Each page as text, and whether the server says that there is another. All of `between` is played in any case."""
    disturbances = iter(between)
    found = _pages(player, query, size, disturbances)
    return found + [player.play(statement)[:10] for statement in disturbances]


def _pages(player: Player, query: str, size: int, disturbances: Iterator[str]) -> list[str]:
    found: list[str] = []
    state = None
    attempts = 0
    while True:
        try:
            result = player.session.execute(SimpleStatement(query, fetch_size=size), paging_state=state)
        except ReadFailure:
            attempts += 1
            assert attempts < PAGE_LIMIT, query
            continue  # a real one builds an index after it has said that it is there
        except Exception as error:  # noqa: BLE001 - whatever the server answers is compared
            return [*found, player._error(error)[:10]]
        head = " | ".join(
            f"{name} {kind.cql_parameterized_type()}"
            for name, kind in zip(result.column_names, result.column_types, strict=True)
        )
        state = result.paging_state
        rows = [" | ".join(map(_shown, row)) for row in result.current_rows]
        found.append("\n".join([head, *rows, "more" if state else "end"]))
        if state is None:
            return found
        assert len(found) < PAGE_LIMIT, f"{query} does not end with pages of {size}"
        statement = next(disturbances, None)
        if statement is not None:
            found.append(player.play(statement)[:10])


SETTINGS = settings(
    max_examples=EXAMPLES * 4,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def rows_of(found: list[str]) -> list[str]:
    """All rows of all pages."""
    return [row for page in found for row in page.split("\n")[1:-1]]


def compare(players: tuple[Player, Player], query: str, sizes: list[int], between: list[str]) -> None:
    if not between:
        whole = rows_of(pages(players[0], query, WHOLE, []))
        for size in sizes:
            found = pages(players[0], query, size, [])
            assert rows_of(found) == whole or found[-1].startswith("error"), f"{query} with pages of {size}: {found}"
    # a real one cannot read some of its own paging states of tables without clustering columns, and of groups with a
    # limit in each partition it loses some from the second page on
    if " FROM p" in query or ("GROUP BY" in query and "PER PARTITION" in query):
        sizes = [WHOLE]
    for size in sizes:
        ours, real = (pages(player, query, size, between) for player in players)
        assert not any(page.startswith(SERVER_ERROR) for page in ours), f"{query} with pages of {size}"
        assert ours == real, "\n".join(["", query, f"pages of {size}", *between, "real:", *real, "ours:", *ours])


sizes = st.lists(st.sampled_from(PAGE_SIZES), min_size=1, max_size=3, unique=True)


@SETTINGS
@given(
    query=select(),
    sizes=sizes,
    between=st.one_of(st.just([]), st.lists(disturbance(), max_size=3)),
)
def test_pages(players: tuple[Player, Player], query: str, sizes: list[int], between: list[str]) -> None:
    compare(players, query, sizes, between)


@SETTINGS
@given(query=select("y"), sizes=sizes)
def test_pages_of_a_view(view_players: tuple[Player, Player], query: str, sizes: list[int]) -> None:
    compare(view_players, query, sizes, [])
