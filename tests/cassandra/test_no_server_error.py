"""No statement reaches the handler of our own faults: every form of expression in every clause, most of them nonsense.

`SMACK_FUZZ_EXAMPLES` sets how many are tried.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.cassandra.raw import Prepared, RawClient

from smackbox.cassandra.server import CassandraServer
from smackbox.cassandra.settings import CassandraSettings
from smackbox.net.service import ServiceThread

EXAMPLES = int(os.environ.get("SMACK_FUZZ_EXAMPLES", "60"))
SERVER_ERROR = 0x0000
TYPES = (
    "ascii", "bigint", "blob", "boolean", "date", "decimal", "double", "duration", "float", "inet", "int", "smallint",
    "text", "time", "timestamp", "timeuuid", "tinyint", "uuid", "varint",
)  # fmt: skip
SETUP = (
    "CREATE KEYSPACE f WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TYPE f.ut (x int, y text)",
    "CREATE TABLE f.t (k int, c int, st int static, l list<int>, m map<text, int>, s set<int>, u ut, fu frozen<ut>, "
    "fl frozen<list<int>>, fm frozen<map<text, int>>, fs frozen<set<int>>, tu tuple<int, text>, ve vector<float, 2>, "
    + ", ".join(f"c_{kind} {kind}" for kind in TYPES)
    + ", PRIMARY KEY (k, c))",
    "CREATE TABLE f.n (k int PRIMARY KEY, n counter)",
    "CREATE INDEX ON f.t (c_int)",
    "CREATE INDEX ON f.t (m)",
    "CREATE INDEX ON f.t (c_text) USING 'sai'",
    (
        "INSERT INTO f.t (k, c, st, l, m, s, u, fu, fl, fm, fs, tu, ve, c_int, c_text, c_decimal, c_varint, c_double) "
        "VALUES (1, 1, 1, [1, 2], {'a': 1}, {1}, {x: 1}, {x: 1}, [1], {'a': 1}, {1}, (1, 'a'), [1, 2], "
        "1, 'a', 1E300, 123, NaN)"
    ),
    f"INSERT INTO f.t (k, c, c_decimal, c_varint) VALUES (1, 2, 0.{'7' * 3000}, {'8' * 3000})",
)
COLUMNS = (
    "k", "c", "st", "l", "m", "s", "u", "fu", "fl", "fm", "fs", "tu", "ve", "nope", *(f"c_{kind}" for kind in TYPES),
)  # fmt: skip
FUNCTIONS = (
    "writetime", "ttl", "maxwritetime", "count", "sum", "avg", "min", "max", "toJson", "token", "abs", "exp", "log",
    "log10", "round", "collection_count", "collection_max", "map_keys", "map_values", "collection_sum", "toDate",
    "toTimestamp", "toUnixTimestamp", "intAsBlob", "blobAsInt", "blobAsText", "now", "uuid", "mintimeuuid",
    "similarity_cosine", "floor", "fromJson", "nothing",
)  # fmt: skip


@pytest.fixture(scope="module")
def client() -> Iterator[RawClient]:
    with ServiceThread(CassandraServer(CassandraSettings())) as thread:
        host, _, port = thread.url.rpartition(":")
        found = RawClient((host, int(port)), 5)
        for statement in SETUP:
            assert not found.query(statement).error, statement
        yield found
        found.close()


literal = st.sampled_from(
    ["0", "1", "-1", "2147483648", "99999999999999999999", "9" * 5000, "1.5", "-0.5", "1E300", "1E-400", "NaN",
     "-Infinity", "null", "true", "'a'", "''", "'é'", "'2020-01-01'", "0x", "0xff", "1h2m", "-1mo", "P1Y", "?", ":a",
     "123e4567-e89b-12d3-a456-426614174000", "[]", "{}", "[1, 2]", "{1}", "{'a': 1}", "{x: 1}", "(1, 'a')", "(1)",
     "[null]", "{{1}}", "[[1.5]]"]
)  # fmt: skip
column = st.sampled_from(COLUMNS)


def extended(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """All forms of expression, of smaller ones."""
    return st.one_of(
        st.builds("{} {} {}".format, inner, st.sampled_from("+-*/%"), inner),
        st.builds("-{}".format, inner),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("{}[{}..{}]".format, column, inner, st.one_of(inner, st.just(""))),
        st.builds("{}.{}".format, inner, st.sampled_from(["x", "y", "z"])),
        st.builds("cast({} AS {})".format, inner, st.sampled_from(TYPES)),
        st.builds("({}){}".format, st.sampled_from([*TYPES, "list<int>", "frozen<ut>", "vector<float, 2>"]), inner),
        st.builds("{}({})".format, st.sampled_from(FUNCTIONS), inner),
        st.builds("{}({}, {})".format, st.sampled_from(FUNCTIONS), inner, inner),
        st.builds("[{}]".format, inner),
        st.builds("{{{}}}".format, inner),
        st.builds("{{{}: {}}}".format, inner, inner),
        st.builds("({}, {})".format, inner, inner),
    )


expression = st.recursive(st.one_of(literal, column), extended, max_leaves=4)
# those that most often have a value
number = st.sampled_from([f"c_{kind}" for kind in ("decimal", "varint", "double", "float", "int", "bigint", "tinyint")])
known = st.recursive(
    st.one_of(
        number,
        st.sampled_from(COLUMNS),
        st.sampled_from(
            [
                "m['a']",
                "s[1]",
                "s[0..1]",
                "m['a'..]",
                "u.x",
                "fu.y",
                "fm['a']",
                "fs[1..]",
                "1",
                "1.5",
                "1E300",
                "-7",
                "'a'",
            ]
        ),
    ),
    lambda inner: st.one_of(
        st.builds("{} {} {}".format, inner, st.sampled_from("+-*/%"), number),
        st.builds("-{}".format, number),
        st.builds("cast({} AS {})".format, inner, st.sampled_from(TYPES)),
        st.builds("{}({})".format, st.sampled_from(FUNCTIONS), inner),
    ),
    max_leaves=5,
)
target = st.one_of(
    column,
    st.builds("{}[{}]".format, column, expression),
    st.builds("{}.{}".format, column, st.sampled_from(["x", "z"])),
    st.builds("({}, {})".format, column, column),
    st.builds("({})".format, column),
    st.builds("token({})".format, column),
)
operator = st.sampled_from(["=", "!=", "<", ">=", "IN", "NOT IN", "CONTAINS", "CONTAINS KEY", "LIKE"])
right = st.one_of(expression, st.builds("({}, {})".format, expression, expression), st.just("()"))
relation = st.builds("{} {} {}".format, target, operator, right)
where = st.one_of(
    st.just("k = 1"),
    st.just("k = 1 AND c = 1"),
    st.builds("k = 1 AND {}".format, relation),
    st.builds("k = 1 AND c = 1 AND {}".format, relation),
    relation,
)
tail = st.sampled_from(
    [
        "",
        "",
        " ALLOW FILTERING",
        " ALLOW FILTERING",
        " LIMIT 1",
        " ORDER BY c DESC",
        " GROUP BY k",
        " PER PARTITION LIMIT 1",
    ]
)
condition = st.one_of(st.just("EXISTS"), relation, st.builds("{} AND {}".format, relation, relation))
assignment = st.one_of(
    st.builds("{} = {}".format, target, expression),
    st.builds("{0} = {0} {1} {2}".format, column, st.sampled_from("+-"), expression),
    st.builds("{0} = {1} + {0}".format, column, expression),
    st.builds("{} += {}".format, column, expression),
)
statement = st.one_of(
    st.builds("SELECT {}, {} FROM f.t{}".format, known, known, tail),
    st.builds("SELECT {}, {} FROM f.t WHERE k = 1{}".format, known, known, tail),
    st.builds("SELECT JSON {} FROM f.t WHERE k = 1 AND c IN (1, 2)".format, known),
    st.builds("SELECT k FROM f.t WHERE {} {} {} ALLOW FILTERING".format, column, operator, literal),
    st.builds(
        "UPDATE f.t SET {} = {} WHERE k = 1 AND c = 3 IF {} {} {}".format, column, literal, column, operator, literal
    ),
    st.builds("UPDATE f.t SET {} = {} {} 1 WHERE k = 1 AND c = 3".format, number, literal, st.sampled_from("+-*/%")),
    st.builds("SELECT {} FROM f.t WHERE {}{}".format, expression, where, tail),
    st.builds("SELECT {}, {} FROM f.t{}".format, expression, expression, tail),
    st.builds("SELECT JSON {} FROM f.t WHERE {}".format, expression, where),
    st.builds("SELECT DISTINCT {} FROM f.t LIMIT {}".format, expression, expression),
    st.builds("SELECT k FROM f.t GROUP BY {}".format, expression),
    st.builds("SELECT * FROM f.t WHERE {} PER PARTITION LIMIT {}".format, where, expression),
    st.builds("UPDATE f.t SET {} WHERE {}".format, assignment, where),
    st.builds("UPDATE f.t SET c_int = 1 WHERE k = 1 AND c = 1 IF {}".format, condition),
    st.builds("UPDATE f.t SET {} WHERE k = 1 AND c = 1 IF {}".format, assignment, condition),
    st.builds(
        "UPDATE f.t USING TTL {} AND TIMESTAMP {} SET c_int = 1 WHERE k = 1 AND c = 1".format, expression, expression
    ),
    st.builds("UPDATE f.n SET n = n + {} WHERE k = {}".format, expression, expression),
    st.builds("INSERT INTO f.t (k, c, {}) VALUES (1, {}, {})".format, column, expression, expression),
    st.builds('INSERT INTO f.t JSON \'{{"k": {}, "c": {}}}\''.format, expression, expression),
    st.builds("DELETE {} FROM f.t WHERE {}".format, target, where),
    st.builds("DELETE FROM f.t WHERE {} IF {}".format, where, condition),
    st.builds("BEGIN BATCH UPDATE f.t SET {} WHERE {}; APPLY BATCH".format, assignment, where),
)
value = st.one_of(st.none(), st.binary(max_size=20), st.sampled_from([b"", b"\x7f" * 3000, b"\x80\x00\x00\x00" * 2]))


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(statements=st.lists(statement, min_size=8, max_size=16), values=st.lists(value, min_size=8, max_size=8))
def test_every_expression_in_every_clause(client: RawClient, statements: list[str], values: list[bytes | None]) -> None:
    for text in statements:
        answer = client.query(text)
        assert answer.error != SERVER_ERROR or not answer.is_error, text
        if "?" in text or ":a" in text:
            prepared = client.prepare(text)
            if isinstance(prepared, Prepared):
                answer = client.execute(prepared, values[: prepared.marks], skip_metadata=False)
            else:
                answer = prepared
            assert answer.error != SERVER_ERROR or not answer.is_error, (text, values)
