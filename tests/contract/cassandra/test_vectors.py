"""Vector search through the Python driver: bound vectors, paging, levels, and what the server warns of."""

from __future__ import annotations

from typing import Any

import pytest
from cassandra import ConsistencyLevel, InvalidRequest, ReadFailure, WriteFailure
from cassandra.cluster import Session
from cassandra.query import UNSET_VALUE, SimpleStatement
from tests.contract.cassandra.conftest import Connect

pytestmark = pytest.mark.contract

EXPERIMENTAL = "SAI ANN indexes on vector columns are experimental and are not recommended for production use."
QUERY = "SELECT k FROM t ORDER BY v ANN OF [1, 0] LIMIT 10"


def asked(session: Session, statement: Any, values: Any = None) -> tuple[list[int], list[str], bool]:
    """Keys, warnings, and whether there are more pages."""
    future = session.execute_async(statement, values)
    result = future.result()
    return [row[0] for row in result.current_rows], list(future.warnings or []), result.has_more_pages


@pytest.fixture(params=[4, 5])
def vectors(connect: Connect, request: pytest.FixtureRequest) -> Session:
    session = connect(protocol_version=request.param)
    session.execute("CREATE TABLE t (k int PRIMARY KEY, v vector<float, 2>, n int)")
    future = session.execute_async("CREATE INDEX tv ON t (v) USING 'sai'")
    future.result()
    assert [warning.partition("\n")[0] for warning in future.warnings] == [EXPERIMENTAL]
    for key in range(12):
        session.execute(f"INSERT INTO t (k, v, n) VALUES ({key}, [{key + 1}, 1], {key % 2})")
    return session


def test_creating_it_warns_whenever_the_table_has_one(session: Session) -> None:
    session.execute("CREATE TABLE t (k int PRIMARY KEY, v vector<float, 2>, n int)")
    texts = []
    for statement in (
        "CREATE INDEX tv ON t (v) USING 'sai'",
        "CREATE INDEX IF NOT EXISTS tv ON t (v) USING 'sai'",
        "CREATE INDEX IF NOT EXISTS tv2 ON t (v) USING 'sai'",
        "CREATE INDEX tn ON t (n) USING 'sai'",
    ):
        future = session.execute_async(statement)
        future.result()
        texts.append(future.warnings)
    assert texts[1:3] == [None, None]
    assert texts[0] == texts[3]
    assert texts[0][0].splitlines() == [
        EXPERIMENTAL,
        "They don't yet support SELECT queries with:",
        " * Consistency level higher than ONE/LOCAL_ONE.",
        " * Paging.",
        " * No LIMIT clauses.",
        " * PER PARTITION LIMIT clauses.",
        " * GROUP BY clauses.",
        " * Aggregation functions.",
        " * Filters on columns without a SAI index.",
    ]


@pytest.mark.parametrize("size", [1, 5, 9, 10, 100])
def test_one_page_has_all(vectors: Session, size: int) -> None:
    keys, warnings, more = asked(vectors, SimpleStatement(QUERY, fetch_size=size))
    assert keys == [11, 10, 9, 8, 7, 6, 5, 4, 3, 2]
    assert not more
    widened = (
        f"Top-K queries do not support paging and the page size is set to {size}, which is less than LIMIT 10. "
        "The page size has been set to 10 to match the LIMIT."
    )
    assert warnings == ([widened] if size < 10 else [])


@pytest.mark.parametrize(
    ("level", "served"),
    [
        ("ONE", None), ("LOCAL_ONE", None), ("TWO", "ONE"), ("QUORUM", "ONE"), ("ALL", "ONE"), ("EACH_QUORUM", "ONE"),
        ("LOCAL_QUORUM", "LOCAL_ONE"),
    ],
)  # fmt: skip
def test_the_level_is_brought_down(vectors: Session, level: str, served: str | None) -> None:
    statement = SimpleStatement(QUERY, consistency_level=getattr(ConsistencyLevel, level))
    keys, warnings, _ = asked(vectors, statement)
    assert len(keys) == 10
    downgraded = (
        "Top-K queries can only be run with consistency level ONE / LOCAL_ONE / NODE_LOCAL. Consistency level "
        f"{level} was requested. Downgrading the consistency level to {served}."
    )
    assert warnings == ([downgraded] if served else [])


def test_serial_is_refused(vectors: Session) -> None:
    with pytest.raises(InvalidRequest, match="ONE/LOCAL_ONE. Consistency level SERIAL was used"):
        vectors.execute(SimpleStatement(QUERY, consistency_level=ConsistencyLevel.SERIAL))


def test_bound_vectors(vectors: Session) -> None:
    prepared = vectors.prepare("SELECT k FROM t ORDER BY v ANN OF ? LIMIT ?")
    assert [(bind.name, bind.type.cql_parameterized_type()) for bind in prepared.column_metadata] == [
        ("v", "org.apache.cassandra.db.marshal.VectorType<float, 2>"),
        ("[limit]", "int"),
    ]
    assert asked(vectors, prepared, ([0.0, 1.0], 3))[0] == [0, 1, 2]
    with pytest.raises(InvalidRequest, match="LIMIT must be strictly positive"):
        vectors.execute(prepared, ([0.0, 1.0], 0))
    with pytest.raises(InvalidRequest, match="LIMIT was 1001"):
        vectors.execute(prepared, ([0.0, 1.0], 1001))
    with pytest.raises(InvalidRequest, match="Unsupported null value for column v"):
        vectors.execute(prepared, (None, 3))
    with pytest.raises(InvalidRequest, match="Unsupported unset value for column v"):
        vectors.execute(prepared, (UNSET_VALUE, 3))
    with pytest.raises(InvalidRequest, match="must have a limit specified"):
        vectors.execute(prepared, ([0.0, 1.0], UNSET_VALUE))


def test_binds_of_a_similarity(vectors: Session) -> None:
    prepared = vectors.prepare("SELECT k, similarity_cosine(v, ?) FROM t ORDER BY v ANN OF :q LIMIT 1")
    assert [bind.name for bind in prepared.column_metadata] == ["[selection]", "q"]
    (row,) = vectors.execute(prepared, ([0.0, 2.0], [1.0, 0.0]))
    assert row[0] == 11
    assert row[1] == pytest.approx(0.5415, abs=1e-4)
    element = vectors.prepare("SELECT k FROM t ORDER BY v ANN OF [?, 1] LIMIT 1")
    assert [(bind.name, bind.type.typename) for bind in element.column_metadata] == [("value(v)", "float")]
    assert asked(vectors, element, (100.0,))[0] == [11]
    with pytest.raises(InvalidRequest, match=r"Cannot infer type of argument \? in call to function"):
        vectors.prepare("SELECT similarity_cosine(?, ?) FROM t")


def test_vectors_that_no_index_holds(vectors: Session) -> None:
    with pytest.raises(WriteFailure) as written:
        vectors.execute("INSERT INTO t (k, v) VALUES (50, [0, 0])")
    assert (written.value.failures, written.value.received_responses) == (1, 0)
    with pytest.raises(ReadFailure) as read:
        vectors.execute("SELECT k FROM t ORDER BY v ANN OF [0, 0] LIMIT 1")
    assert (read.value.failures, read.value.data_retrieved) == (1, False)
    assert not list(vectors.execute("SELECT k FROM t WHERE k = 50"))
