"""Tracing as drivers and cqlsh use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from cassandra import InvalidRequest
from cassandra.cluster import Cluster, Session
from cassandra.query import BatchStatement

WAIT_S = 10


@pytest.fixture
def session(cassandra_address: tuple[str, int], unique: Callable[[str], str]) -> Iterator[Session]:
    host, port = cassandra_address
    cluster = Cluster([host], port=port)
    session = cluster.connect()
    keyspace = unique("traced")
    replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
    session.execute(f"CREATE KEYSPACE {keyspace} WITH replication = {replication}")
    session.set_keyspace(keyspace)
    session.execute("CREATE TABLE t (k int PRIMARY KEY, v text)")
    yield session
    session.execute(f"DROP KEYSPACE {keyspace}")
    cluster.shutdown()


def test_a_query_tells_what_it_was(session: Session) -> None:
    trace = session.execute("SELECT * FROM t WHERE k = 1", trace=True).get_query_trace(WAIT_S)
    assert trace.request_type == "Execute CQL3 query"
    assert dict(trace.parameters) == {
        "consistency_level": "LOCAL_ONE",
        "page_size": "5000",
        "query": "SELECT * FROM t WHERE k = 1",
        "serial_consistency_level": "SERIAL",
    }
    assert trace.events[0].description == "Parsing SELECT * FROM t WHERE k = 1"
    assert trace.duration.total_seconds() > 0
    assert (trace.client, trace.coordinator) == ("127.0.0.1", "127.0.0.1")


def test_prepared_statements_and_batches_too(session: Session) -> None:
    insert = session.prepare("INSERT INTO t (k, v) VALUES (?, ?)")
    trace = session.execute(insert, (1, "a"), trace=True).get_query_trace(WAIT_S)
    assert trace.request_type == "Execute CQL3 prepared query"
    assert trace.parameters["query"] == "INSERT INTO t (k, v) VALUES (?, ?)"
    batch = BatchStatement()
    batch.add(insert, (2, "b"))
    trace = session.execute(batch, trace=True).get_query_trace(WAIT_S)
    assert trace.request_type == "Execute batch of CQL3 queries"
    assert trace.events
    assert {row.k for row in session.execute("SELECT k FROM t")} == {1, 2}


def test_traces_are_rows_of_their_tables(session: Session) -> None:
    result = session.execute("SELECT * FROM t", trace=True)
    trace = result.get_query_trace(WAIT_S)
    row = session.execute(
        "SELECT command, duration FROM system_traces.sessions WHERE session_id = %s", (trace.trace_id,)
    )
    assert [(one.command, one.duration > 0) for one in row] == [("QUERY", True)]
    events = list(session.execute("SELECT * FROM system_traces.events WHERE session_id = %s", (trace.trace_id,)))
    assert len(events) == len(trace.events)
    assert [one.event_id.time for one in events] == sorted(one.event_id.time for one in events)


def test_a_refused_statement_is_traced(session: Session) -> None:
    asked = session.execute_async("SELECT * FROM none", trace=True)
    with pytest.raises(InvalidRequest):
        asked.result()
    assert [trace.request_type for trace in asked.get_all_query_traces(WAIT_S)] == ["Execute CQL3 query"]


def test_who_does_not_ask_is_not_traced(session: Session) -> None:
    assert session.execute("SELECT * FROM t").get_query_trace() is None
