"""Keys, clustering values and indexed values of sizes at the limit of 64 KiB, one less and one more."""

from __future__ import annotations

import pytest
from cassandra import InvalidRequest
from cassandra.cluster import Session

pytestmark = pytest.mark.contract
LIMIT = 65_535


def refusal(session: Session, statement: str, *values: object) -> str | None:
    """In what words it is refused, bound and prepared; None when it is taken."""
    try:
        session.execute(session.prepare(statement), values)
    except InvalidRequest as error:
        return str(error).split('message="')[1].removesuffix('"')
    return None


@pytest.mark.parametrize("length", [LIMIT - 1, LIMIT, LIMIT + 1])
def test_a_key_and_the_clustering_values_together(session: Session, length: int) -> None:
    session.execute("CREATE TABLE t (k text, c text, d text, v int, PRIMARY KEY (k, c, d))")
    text = "x" * length
    too_long = f"Key length of {length} is longer than maximum of {LIMIT}" if length > LIMIT else None
    assert refusal(session, "INSERT INTO t (k, c, d, v) VALUES (?, '', '', 1)", text) == too_long
    assert refusal(session, "INSERT INTO t (k, c, d, v) VALUES (?, ?, ?, ?)", "a", text, "", 1) == too_long
    assert refusal(session, "DELETE FROM t WHERE k = 'a' AND c = ? AND d = ''", text) == too_long
    assert refusal(session, "DELETE FROM t WHERE k = 'a' AND c > ?", text) is None
    both = f"Key length of {2 * length} is longer than maximum of {LIMIT}"
    assert refusal(session, "INSERT INTO t (k, c, d, v) VALUES (?, ?, ?, ?)", "a", text, text, 1) == both


@pytest.mark.parametrize("length", [LIMIT - 9, LIMIT - 7, LIMIT - 6, LIMIT, LIMIT + 1])
def test_a_key_of_two_parts(session: Session, length: int) -> None:
    session.execute("CREATE TABLE t (a text, b text, v int, PRIMARY KEY ((a, b)))")
    serialised = length + 7 if length < LIMIT else length + 1
    expected = f"Key length of {serialised} is longer than maximum of {LIMIT}" if serialised > LIMIT else None
    assert refusal(session, "INSERT INTO t (a, b, v) VALUES (?, 'b', 1)", "x" * length) == expected


@pytest.mark.parametrize("length", [LIMIT - 1, LIMIT, LIMIT + 1])
def test_a_value_under_an_index(session: Session, length: int) -> None:
    session.execute("CREATE TABLE t (k int PRIMARY KEY, v text, l list<text>, m map<text, text>)")
    for target, name in (("v", "i_v"), ("l", "i_l"), ("keys(m)", "i_m")):
        session.execute(f"CREATE INDEX {name} ON t ({target})")
    text = "x" * length
    for column, value in (("v", text), ("l", [text]), ("m", {text: "a"})):
        expected = (
            f"Cannot index value of size {length} for index i_{column} on {session.keyspace}.t({column}) "
            f"(maximum allowed size={LIMIT})"
            if length >= LIMIT
            else None
        )
        assert refusal(session, f"INSERT INTO t (k, {column}) VALUES (1, ?)", value) == expected
