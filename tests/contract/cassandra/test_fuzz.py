"""Differential fuzzing: statements made by Hypothesis, valid and invalid, are answered alike by ours and by a real one.

Runs with `make real` alone, for it needs both. Each example has a partition of its own in tables made once. Rows,
column names and types and error codes have to be equal. `SMACK_FUZZ_EXAMPLES` sets how many examples each test takes.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.cassandra.golden import SERVER_ERROR, Player

from smackbox.cassandra.server import CassandraServer
from smackbox.cassandra.settings import CassandraSettings
from smackbox.net.service import ServiceThread

REAL = os.environ.get("SMACK_REAL_CASSANDRA")
EXAMPLES = int(os.environ.get("SMACK_FUZZ_EXAMPLES", "60"))
pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(REAL is None, reason="compares with a real Cassandra: make real"),
]

TABLES = (
    (
        "CREATE TABLE t (k int, c int, d text, s int static, sl list<int> static, v int, w text, l list<int>, "
        "e set<int>, m map<text, int>, PRIMARY KEY (k, c, d)) WITH CLUSTERING ORDER BY (c ASC, d DESC)"
    ),
    "CREATE TABLE p (k int PRIMARY KEY, v int, w text, f frozen<list<int>>, m map<int, text>)",
)
_keys = itertools.count(1)


@contextmanager
def both_after(
    statements: Iterable[str], settings: CassandraSettings | None = None, real: str | None = REAL
) -> Iterator[tuple[Player, Player]]:
    """Ours and the real one, after these statements."""
    assert real is not None
    with ServiceThread(CassandraServer(settings or CassandraSettings())) as thread:
        pair = []
        for address in (thread.url, real):
            host, _, port = address.rpartition(":")
            player = Player((host, int(port)))
            for statement in statements:
                assert player.play(statement) == "ok"
            pair.append(player)
        yield pair[0], pair[1]
        for player in pair:
            player.close()


@pytest.fixture(scope="module")
def players() -> Iterator[tuple[Player, Player]]:
    with both_after(TABLES) as pair:
        yield pair


# ---- what statements are made of -------------------------------------------------------------------------------------

small = st.integers(0, 3)
letter = st.sampled_from(["'a'", "'b'", "'cc'", "''"])
number = st.one_of(st.integers(-2, 4).map(str), st.just("null"))
word = st.one_of(letter, st.just("null"))
numbers = st.one_of(st.lists(st.integers(0, 4), max_size=3).map(lambda items: str(items)), st.just("null"))
members = st.one_of(
    st.sets(st.integers(0, 4), max_size=3).map(lambda items: "{" + ", ".join(map(str, items)) + "}"), st.just("null")
)
pairs = st.one_of(
    st.dictionaries(letter, st.integers(0, 4), max_size=3).map(
        lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"
    ),
    st.just("null"),
)
COLUMNS = {"s": number, "sl": numbers, "v": number, "w": word, "l": numbers, "e": members, "m": pairs}
stamp = st.integers(1, 12).map(lambda timestamp: f"USING TIMESTAMP {timestamp}")


@st.composite
def row_key(draw: st.DrawFn) -> str:
    return f"k = {{k}} AND c = {draw(small)} AND d = {draw(letter)}"


@st.composite
def insert(draw: st.DrawFn) -> str:
    columns = draw(st.lists(st.sampled_from(sorted(COLUMNS)), unique=True, max_size=4))
    names = ["k"]
    values = ["{k}"]
    if draw(st.integers(0, 9)):
        names += ["c", "d"]
        values += [str(draw(small)), draw(letter)]
    for column in columns:
        names.append(column)
        values.append(draw(COLUMNS[column]).replace("{", "{{").replace("}", "}}"))
    return f"INSERT INTO t ({', '.join(names)}) VALUES ({', '.join(values)}) {draw(stamp)}"


@st.composite
def update(draw: st.DrawFn) -> str:
    changes = [draw(change()) for _ in range(draw(st.integers(1, 3)))]
    where = draw(st.one_of(row_key(), st.just("k = {k}"), st.just("k = {k} AND c = 1")))
    return f"UPDATE t {draw(stamp)} SET {', '.join(changes)} WHERE {where}"


@st.composite
def change(draw: st.DrawFn) -> str:
    kind = draw(st.integers(0, 8))
    if kind <= 2:
        column = draw(st.sampled_from(sorted(COLUMNS)))
        return f"{column} = {draw(COLUMNS[column])}".replace("{", "{{").replace("}", "}}")
    if kind == 3:
        return f"l = l + {draw(numbers)}"
    if kind == 4:
        return f"e = e {draw(st.sampled_from('+-'))} {draw(members)}".replace("{", "{{").replace("}", "}}")
    if kind == 5:
        return f"m[{draw(letter)}] = {draw(number)}"
    if kind == 6:
        return f"m = m + {draw(pairs)}".replace("{", "{{").replace("}", "}}")
    if kind == 7:
        return f"l = {draw(numbers)} + l"
    return f"l[{draw(st.integers(-1, 3))}] = {draw(number)}"


@st.composite
def delete(draw: st.DrawFn) -> str:
    target = draw(st.sampled_from(["", "", "", "v", "w, v", "m", "l", "s", "m['a']", "e[1]", "l[0]", "c"]))
    where = draw(
        st.one_of(
            row_key(),
            st.just("k = {k}"),
            st.builds("k = {{k}} AND c {} {}".format, st.sampled_from(["=", "<", ">=", ">"]), small),
            st.builds("k = {{k}} AND c = {} AND d {} {}".format, small, st.sampled_from(["<", ">="]), letter),
            st.builds("k = {{k}} AND c IN ({}, {})".format, small, small),
            st.builds("k = {{k}} AND c > {} AND c <= {}".format, small, small),
        )
    )
    return f"DELETE {target} FROM t {draw(stamp)} WHERE {where}"


@st.composite
def transaction(draw: st.DrawFn) -> str:
    """Conditional writes; they take the time of the server, so they come where no chosen timestamp matters."""
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return f"INSERT INTO p (k, v, w) VALUES ({{k}}, {draw(number)}, {draw(word)}) IF NOT EXISTS"
    condition = draw(
        st.one_of(
            st.builds("v {} {}".format, st.sampled_from(["=", "!=", "<", ">=", ">"]), number),
            st.builds("w = {} AND v = {}".format, word, number),
            st.builds("v IN ({}, {})".format, number, number),
            st.builds("m[{}] = {}".format, small, word),
            st.builds("f = {}".format, numbers),
            st.just("EXISTS"),
        )
    )
    if kind == 1:
        return f"DELETE FROM p WHERE k = {{k}} IF {condition}"
    changes = draw(
        st.lists(
            st.one_of(
                st.builds("v = {}".format, number),
                st.builds("w = {}".format, word),
                st.builds("f = {}".format, numbers),
                st.builds("m[{}] = {}".format, small, word),
            ),
            min_size=1,
            max_size=2,
        )
    )
    return f"UPDATE p SET {', '.join(changes)} WHERE k = {{k}} IF {condition}"


@st.composite
def select(draw: st.DrawFn) -> str:
    columns = draw(
        st.sampled_from(
            ["*", "*", "*", "c, d, v", "v, writetime(v)", "count(*)", "sum(v), max(w), min(c)", "s, sl",
             "DISTINCT k, s", "m['a'], e", "JSON c, d, w", "c, count(v)", "ttl(w), l", "d, v + c, -v",
             "writetime(m), maxwritetime(e)"]
        )
    )  # fmt: skip
    where = draw(
        st.one_of(
            st.just(""),
            row_key().map(lambda key: key.replace("k = {k}", "")),
            st.builds(" AND c {} {}".format, st.sampled_from(["=", "<", "<=", ">", ">="]), small),
            st.builds(" AND c = {} AND d {} {}".format, small, st.sampled_from(["=", "<", ">="]), letter),
            st.builds(" AND (c, d) {} ({}, {})".format, st.sampled_from(["=", "<", ">", ">="]), small, letter),
            st.builds(" AND c IN ({}, {})".format, small, small),
            st.builds(" AND c IN ({}, {}) AND d IN ({}, {})".format, small, small, letter, letter),
            st.builds(" AND d = {}".format, letter),
            st.builds(" AND v = {}".format, number),
            st.builds(" AND e CONTAINS {}".format, small),
            st.builds(" AND m['a'] = {}".format, small),
        )
    )
    tail = draw(
        st.sampled_from(
            ["", "", "", " ORDER BY c DESC", " ORDER BY c ASC, d DESC", " ORDER BY c DESC, d ASC", " ORDER BY d",
             " LIMIT 2", " PER PARTITION LIMIT 1", " GROUP BY k, c", " GROUP BY c",
             " GROUP BY k, c, d LIMIT 2"]
        )
    )  # fmt: skip
    filtering = draw(st.sampled_from(["", " ALLOW FILTERING"]))
    return f"SELECT {columns} FROM t WHERE k = {{k}}{where}{tail}{filtering}"


writes = st.one_of(insert(), insert(), update(), update(), delete())
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def compare(players: tuple[Player, Player], statements: list[str]) -> None:
    key = str(next(_keys))
    history = []
    for template in statements:
        statement = template.format(k=key) if "{k}" in template or "{{" in template else template
        history.append(statement)
        ours, real = (_comparable(player.play(statement)) for player in players)
        assert not ours.startswith(SERVER_ERROR), "\n".join(history)
        assert ours == real, "\n".join(["", *history, f"real: {real}", f"ours: {ours}"])


def _comparable(answer: str) -> str:
    """Rows as they are; of an error its code."""
    return answer[:10] if answer.startswith("error ") else answer


@SETTINGS
@given(first=st.lists(writes, min_size=1, max_size=12), questions=st.lists(select(), min_size=2, max_size=6))
def test_writes_and_what_is_read_after_them(
    players: tuple[Player, Player], first: list[str], questions: list[str]
) -> None:
    compare(players, [*first, "SELECT * FROM t WHERE k = {k}", *questions])


@SETTINGS
@given(statements=st.lists(transaction(), min_size=1, max_size=10))
def test_lightweight_transactions(players: tuple[Player, Player], statements: list[str]) -> None:
    compare(players, [*statements, "SELECT * FROM p WHERE k = {k}"])


@SETTINGS
@given(
    statements=st.lists(st.lists(writes, min_size=1, max_size=4), min_size=1, max_size=3),
    kind=st.sampled_from(["", "UNLOGGED "]),
)
def test_batches(players: tuple[Player, Player], statements: list[list[str]], kind: str) -> None:
    batches = [f"BEGIN {kind}BATCH {'; '.join(group)}; APPLY BATCH" for group in statements]
    compare(
        players,
        [*batches, "SELECT * FROM t WHERE k = {k}", "SELECT c, d, writetime(v), writetime(w) FROM t WHERE k = {k}"],
    )
