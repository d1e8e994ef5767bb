"""What a server warns of, and consistency levels that do not go with what is asked."""

from __future__ import annotations

from typing import Any

import pytest
from cassandra import ConsistencyLevel, InvalidRequest
from cassandra.cluster import Session
from cassandra.query import BatchStatement, BatchType, SimpleStatement

pytestmark = pytest.mark.contract

WARN_BYTES = 5 * 1024
FAIL_BYTES = 50 * 1024
# of two rows with one text each, beside the texts
OF_TWO_ROWS = 2 * 74


@pytest.fixture
def table(session: Session) -> str:
    session.execute(
        "CREATE TABLE t (k int, c int, v text, w text, s text static, l list<int>, m map<text, int>, "
        "PRIMARY KEY (k, c))"
    )
    session.execute("CREATE TABLE other (k text PRIMARY KEY, v text)")
    session.execute("CREATE TABLE n (k int PRIMARY KEY, n counter)")
    return f"{session.keyspace}.t"


def warnings(session: Session, statement: Any, values: Any = None) -> list[str]:
    future = session.execute_async(statement, values)
    future.result()
    return list(future.warnings or [])


@pytest.mark.parametrize(
    ("query", "warning"),
    [
        ("SELECT count(*) FROM t", "Aggregation query used without partition key"),
        ("SELECT max(c) FROM t WHERE c > 1 ALLOW FILTERING", "Aggregation query used without partition key"),
        ("SELECT k FROM t GROUP BY k", "Aggregation query used without partition key"),
        (
            "SELECT sum(c) FROM t WHERE k IN (1, 2)",
            "Aggregation query used on multiple partition keys (IN restriction)",
        ),
        ("SELECT count(*) FROM t WHERE k = 1", None),
        ("SELECT count(*) FROM t WHERE token(k) > 5", None),
        ("SELECT * FROM t", None),
        ("SELECT k FROM t WHERE k IN (1, 2)", None),
    ],
)
def test_aggregates_over_partitions(session: Session, table: str, query: str, warning: str | None) -> None:
    assert warnings(session, query) == ([warning] if warning else [])
    assert warnings(session, session.prepare(query)) == ([warning] if warning else [])


@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize("kind", [BatchType.LOGGED, BatchType.UNLOGGED])
def test_large_batches(session: Session, table: str, prepared: bool, kind: BatchType) -> None:
    insert: Any = "INSERT INTO t (k, c, v) VALUES (%s, %s, %s)"
    if prepared:
        insert = session.prepare(insert.replace("%s", "?"))

    def batch(size: int, partition: int) -> BatchStatement:
        made = BatchStatement(batch_type=kind)
        made.add(insert, (1, 1, "x" * (size - OF_TWO_ROWS)))
        made.add(insert, (partition, 2, ""))
        return made

    assert warnings(session, batch(WARN_BYTES, 2)) == []
    large = f"Batch for [{table}] is of size {WARN_BYTES + 1}, exceeding specified threshold of {WARN_BYTES} by 1."
    assert warnings(session, batch(WARN_BYTES + 1, 2)) == [large]
    assert len(warnings(session, batch(FAIL_BYTES, 2))) == 1
    with pytest.raises(InvalidRequest, match="Batch too large"):
        session.execute(batch(FAIL_BYTES + 1, 2))
    assert warnings(session, batch(FAIL_BYTES * 3, 1)) == []  # one partition is one mutation


@pytest.mark.parametrize(
    ("statement", "size"),
    [
        ("INSERT INTO t (k, c) VALUES (1, 1)", 54),
        ("INSERT INTO t (k, c, v, w) VALUES (1, 1, 'ab', '')", 96),
        ("INSERT INTO t (k, c, v) VALUES (1, 1, '') USING TTL 100", 86),
        ("INSERT INTO t (k, c, v) VALUES (1, 1, null)", 74),
        ("UPDATE t SET s = 'a' WHERE k = 1", 50),
        ("DELETE FROM t WHERE k = 1 AND c = 1", 54),
        ("DELETE FROM t WHERE k = 1", 29),
        ("DELETE v FROM t WHERE k = 1 AND c = 1", 74),
        ("UPDATE t SET l = l + [1, 2] WHERE k = 1 AND c = 1", 146),
        ("UPDATE t SET m['ab'] = 1 WHERE k = 1 AND c = 1", 92),
        ("INSERT INTO other (k, v) VALUES ('abc', '')", 70),
    ],
)
def test_the_size_of_what_is_in_a_batch(session: Session, table: str, statement: str, size: int) -> None:
    text = "x" * (WARN_BYTES - 74 - size + 1)
    first = f"INSERT INTO t (k, c, v) VALUES (99, 1, '{text}')"
    (found,) = warnings(session, f"BEGIN BATCH {first}; {statement}; APPLY BATCH")
    assert f"is of size {WARN_BYTES + 1}, exceeding" in found


def test_unlogged_batches_over_many_partitions(session: Session, table: str) -> None:
    def batch(count: int, kind: str = "UNLOGGED ", table: str = "t (k, c) VALUES ({}, 1)") -> str:
        inserts = "; ".join(f"INSERT INTO {table.format(number)}" for number in range(count))
        return f"BEGIN {kind}BATCH {inserts}; APPLY BATCH"

    assert warnings(session, batch(10)) == []
    (found,) = warnings(session, batch(11))
    assert found == (
        f"Unlogged batch covering 11 partitions detected against table [{table}]. You should use a logged batch for "
        "atomicity, or asynchronous writes for performance."
    )
    assert warnings(session, batch(11, "")) == []
    insert = session.prepare("INSERT INTO t (k, c) VALUES (?, 1)")
    made = BatchStatement(batch_type=BatchType.UNLOGGED)
    for number in range(12):
        made.add(insert, (number,))
    (found,) = warnings(session, made)
    assert found.startswith("Unlogged batch covering 12 partitions")


@pytest.mark.parametrize(
    ("level", "statement", "message"),
    [
        ("ANY", "SELECT * FROM t", "ANY ConsistencyLevel is only supported for writes"),
        ("ANY", "UPDATE n SET n = n + 1 WHERE k = 1", "Consistency level ANY is not yet supported for counter table n"),
        ("SERIAL", "INSERT INTO t (k, c) VALUES (1, 1)", "You must use conditional updates for serializable writes"),
        ("LOCAL_SERIAL", "DELETE FROM t WHERE k = 1", "You must use conditional updates for serializable writes"),
        ("SERIAL", "UPDATE n SET n = n + 1 WHERE k = 1", "Counter operations are inherently non-serializable"),
        (
            "SERIAL",
            "INSERT INTO t (k, c) VALUES (1, 1) IF NOT EXISTS",
            "SERIAL is not supported as conditional update commit consistency",
        ),
        (
            "EACH_QUORUM",
            "INSERT INTO t (k, c) VALUES (1, 1) IF NOT EXISTS",
            r"EACH_QUORUM not compatible with replication strategy \(org.apache.cassandra.locator.SimpleStrategy\)",
        ),
    ],
)
def test_levels_that_do_not_go(session: Session, table: str, level: str, statement: str, message: str) -> None:
    number = ConsistencyLevel.name_to_value[level]
    with pytest.raises(InvalidRequest, match=message):
        session.execute(SimpleStatement(statement, consistency_level=number))
    prepared = session.prepare(statement)
    prepared.consistency_level = number
    with pytest.raises(InvalidRequest, match=message):
        session.execute(prepared)


@pytest.mark.parametrize("level", ["ANY", "SERIAL", "LOCAL_SERIAL"])
def test_prepared_whole_rows_with_those_levels(session: Session, table: str, level: str) -> None:
    """The shortest way through the server asks as well."""
    insert = session.prepare("INSERT INTO other (k, v) VALUES (?, ?)")
    select = session.prepare("SELECT v FROM other WHERE k = ?")
    insert.consistency_level = select.consistency_level = ConsistencyLevel.name_to_value[level]
    if level == "ANY":
        session.execute(insert, ("a", "b"))
        with pytest.raises(InvalidRequest, match="only supported for writes"):
            session.execute(select, ("a",))
    else:
        with pytest.raises(InvalidRequest, match="must use conditional updates"):
            session.execute(insert, ("a", "b"))
        assert list(session.execute(select, ("a",))) == []


def test_replication_beyond_the_nodes(session: Session, unique: Any) -> None:
    name = unique("factors")
    more = f"Your replication factor {{}} for keyspace {name} is higher than the number of nodes 1 for datacenter "
    (local,) = session.execute("SELECT data_center FROM system.local")
    own = local.data_center
    replication = f"{{'class': 'NetworkTopologyStrategy', '{own}': %d}}"
    create = f"CREATE KEYSPACE {name} WITH replication = "
    alter = f"ALTER KEYSPACE {name} WITH replication = "
    assert warnings(session, create + replication % 3) == [more.format(3) + own]
    assert warnings(session, alter + replication % 4) == [
        more.format(4) + own,
        "When increasing replication factor you need to run a full (-full) repair to distribute the data.",
    ]
    assert warnings(session, alter + replication % 1) == []
    session.execute(f"DROP KEYSPACE {name}")
