"""Differential fuzzing by mutation: valid statements changed by one step are taken or refused alike by both servers.

As `test_fuzz`: with `make real` alone. A step is another type, literal, name or operator, one left out or said twice,
or two neighbours exchanged. Error codes and rows have to be equal, and ours never answers with a server error; where
Cassandra does, any refusal is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.cassandra.golden import Player
from tests.contract.cassandra.test_fuzz import REAL, SETTINGS, _comparable, both_after

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(REAL is None, reason="compares with a real Cassandra: make real"),
]
SERVER_ERROR = "error 0000"
TABLES = (
    "CREATE TYPE u (a int, b text)",
    (
        "CREATE TABLE t (k int, c int, d text, s int static, v int, w text, l list<int>, e set<int>, m map<text, int>, "
        "u frozen<u>, p tuple<int, text>, x duration, y decimal, z timestamp, f frozen<list<int>>, g vector<int, 2>, "
        "PRIMARY KEY (k, c, d))"
    ),
    "INSERT INTO t (k, c, d, v, w) VALUES (1, 1, 'a', 1, 'b')",
)
VALID = (
    "SELECT c, v FROM t WHERE k = 1 AND c = 1 ORDER BY d DESC LIMIT 2",
    "SELECT DISTINCT k, s FROM t WHERE k = 1",
    "SELECT k, count(*) FROM t WHERE k = 1 GROUP BY k, c",
    "SELECT v FROM t WHERE k = 1 AND (c, d) > (0, 'a')",
    "SELECT v FROM t WHERE token(k) > 0 AND v = 1 ALLOW FILTERING",
    "SELECT v FROM t WHERE l CONTAINS 1 AND m['a'] = 1 ALLOW FILTERING",
    "SELECT k FROM t WHERE k IN (1, 2) AND c IN (1) AND d = 'a'",
    "SELECT m['a'], e[1], u.a, v + 1, -v FROM t WHERE k = 1",
    "SELECT k FROM t WHERE z > '2024-01-01' + 1d ALLOW FILTERING",
    "UPDATE t SET v = 1, w = 'a' WHERE k = 9 AND c = 1 AND d = 'a'",
    "UPDATE t SET l = l + [1], e = e - {1}, m['a'] = 1 WHERE k = 9 AND c = 1 AND d = 'a'",
    "UPDATE t SET u = {a: 1, b: 'x'}, p = (1, 'x'), x = 1d, y = 1.5, g = [1, 2] WHERE k = 9 AND c = 1 AND d = 'a'",
    "UPDATE t SET s = 1 WHERE k = 9 IF s = 1",
    "UPDATE t SET v = 1 WHERE k = 9 AND c = 1 AND d = 'a' IF v = 1 AND w IN ('a', 'b')",
    "UPDATE t USING TTL 10 SET v = 1 WHERE k = 9 AND c = 1 AND d = 'a'",
    "INSERT INTO t (k, c, d, v, f, l) VALUES (9, 1, 'a', 1, [1], [1]) USING TIMESTAMP 1",
    "INSERT INTO t (k, c, d, e, m) VALUES (9, 1, 'a', {1}, {'a': 1}) IF NOT EXISTS",
    "DELETE v, m['a'] FROM t WHERE k = 9 AND c = 1 AND d = 'a'",
    "DELETE FROM t WHERE k = 9 AND c > 1",
    "DELETE s FROM t WHERE k = 9 IF s = 7",
    "CREATE TABLE n (k int, c text, v list<int>, PRIMARY KEY (k, c)) WITH CLUSTERING ORDER BY (c DESC)",
    "CREATE TABLE n (k int PRIMARY KEY, v vector<float, 3>) WITH gc_grace_seconds = 10",
    "CREATE TABLE n (k int PRIMARY KEY) WITH compaction = {'class': 'LeveledCompactionStrategy', 'fanout_size': 10}",
    "CREATE TABLE n (k int PRIMARY KEY) WITH compression = {'class': 'LZ4Compressor', 'chunk_length_in_kb': 16}",
    "CREATE TABLE n (k int PRIMARY KEY) WITH speculative_retry = '99p' AND caching = {'keys': 'ALL'}",
    "CREATE TYPE n (a int, b frozen<list<text>>)",
    "CREATE INDEX n ON t (v)",
    "CREATE CUSTOM INDEX n ON t (w) USING 'sai' WITH OPTIONS = {'case_sensitive': false}",
)
CLEAN = ("DROP TABLE IF EXISTS n", "DROP INDEX IF EXISTS n", "DROP TYPE IF EXISTS n")
TOKEN = re.compile(r"'[^']*'|[A-Za-z_]\w*|\d+(?:\.\d+)?|<=|>=|[^\s\w]")
NAMES = ("k", "c", "d", "s", "v", "w", "l", "e", "m", "u", "p", "x", "y", "z", "f", "g", "nosuch")
TYPES = ("int", "text", "duration", "counter", "u", "blob", "boolean", "frozen<list<int>>", "map<int, int>", "nosuch")
LITERALS = (
    "0", "1", "-1", "2147483647", "2147483648", "9223372036854775808", "1.5", "'x'", "''", "null", "true", "1d", "1d1y",
    "0x00", "[1]", "{1}", "{1: 1}", "(1, 'x')", "[]", "{}", "630720000", "630720001", "?",
)  # fmt: skip
OPERATORS = ("=", "<", "<=", ">", ">=", "!=", "IN", "CONTAINS", "+", "-", "LIKE")


@pytest.fixture(scope="module")
def players() -> Iterator[tuple[Player, Player]]:
    with both_after(TABLES) as pair:
        yield pair


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A valid statement, changed by one step."""
    tokens = TOKEN.findall(draw(st.sampled_from(VALID)))
    place = draw(st.integers(1, len(tokens) - 1))
    token = tokens[place]
    step = draw(st.sampled_from(["replace", "replace", "replace", "drop", "swap", "twice"]))
    if step == "drop":
        del tokens[place]
    elif step == "twice":
        tokens.insert(place, token)
    elif step == "swap" and place + 1 < len(tokens):
        tokens[place], tokens[place + 1] = tokens[place + 1], token
    elif token in {"int", "text", "float", "list"}:
        tokens[place] = draw(st.sampled_from(TYPES))
    elif token[0].isdigit() or token[0] == "'":
        tokens[place] = draw(st.sampled_from(LITERALS))
    elif token in OPERATORS:
        tokens[place] = draw(st.sampled_from(OPERATORS))
    elif token in NAMES:
        tokens[place] = draw(st.sampled_from(NAMES))
    else:
        tokens[place] = draw(st.sampled_from((*NAMES, *LITERALS)))
    return " ".join(tokens)


@SETTINGS
@given(statement=mutated())
def test_a_statement_changed_by_one_step(players: tuple[Player, Player], statement: str) -> None:
    ours, real = (player.play(statement) for player in players)
    for clean in CLEAN:
        for player in players:
            player.play(clean)
    assert not ours.startswith(SERVER_ERROR), f"{statement}\n{ours}"
    if not real.startswith(SERVER_ERROR):
        assert _comparable(ours) == _comparable(real), f"{statement}\nreal: {real}\nours: {ours}"
