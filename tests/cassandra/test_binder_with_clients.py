"""Clients' prepared INSERTs are bound by the compiled binder, whatever options the clients set."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.policies import RoundRobinPolicy
from cassandra.query import UNSET_VALUE, BatchStatement, BatchType
from tests.cassandra.bound_rows import BoundRows, counting_server

from smackbox.spark.cql_session import CqlSession
from smackbox.spark.cql_writer import CqlWriter

ROWS = 40
KEYSPACE = "CREATE KEYSPACE IF NOT EXISTS k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
TABLE = "CREATE TABLE IF NOT EXISTS k.t (id int, c timeuuid, v text, PRIMARY KEY (id, c))"


@pytest.fixture
def server() -> Iterator[BoundRows]:
    with counting_server() as counts:
        yield counts


@pytest.fixture(params=[3, 4, 5])
def session(request: pytest.FixtureRequest, server: BoundRows) -> Iterator[Session]:
    profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), request_timeout=60)
    cluster = Cluster(
        [server.address[0]],
        port=server.address[1],
        protocol_version=request.param,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
    )
    with ExitStack() as stack:
        stack.callback(cluster.shutdown)
        connected = cluster.connect()
        connected.execute(KEYSPACE)
        connected.execute(TABLE)
        connected.set_keyspace("k")
        yield connected


def count(session: Session) -> int:
    return int(session.execute("SELECT count(*) FROM k.t").one()[0])


def test_inserts_one_at_a_time(session: Session, server: BoundRows) -> None:
    insert = session.prepare("INSERT INTO t (id, c, v) VALUES (?, ?, ?)")
    for number in range(ROWS):
        session.execute(insert, (number, uuid.uuid1(), "é"))
    assert (server.bound, server.general, count(session)) == (ROWS, 0, ROWS)


def test_options_of_an_insert(session: Session, server: BoundRows) -> None:
    insert = session.prepare("INSERT INTO t (id, c, v) VALUES (?, ?, ?)")
    insert.consistency_level = ConsistencyLevel.LOCAL_QUORUM
    insert.serial_consistency_level = ConsistencyLevel.LOCAL_SERIAL
    insert.fetch_size = 7
    bound = insert.bind((1, uuid.uuid1(), "x"))
    session.execute(bound)
    assert (server.bound, server.general, count(session)) == (1, 0, 1)


@pytest.mark.parametrize("kind", [BatchType.LOGGED, BatchType.UNLOGGED])
def test_batches_of_a_session_with_a_keyspace(session: Session, server: BoundRows, kind: BatchType) -> None:
    insert = session.prepare("INSERT INTO t (id, c, v) VALUES (?, ?, ?)")
    batch = BatchStatement(kind, serial_consistency_level=ConsistencyLevel.SERIAL)
    for number in range(ROWS):
        batch.add(insert, (number % 3, uuid.uuid1(), "x"))
    session.execute(batch)
    assert (server.bound, server.general, count(session)) == (ROWS, 0, ROWS)


def test_what_is_out_of_the_ordinary_is_executed_by_its_plan(session: Session, server: BoundRows) -> None:
    insert = session.prepare("INSERT INTO t (id, c, v) VALUES (?, ?, ?)")
    batch = BatchStatement()
    batch.add(insert, (1, uuid.uuid1(), "x"))
    batch.add(insert, (1, uuid.uuid1(), None))
    session.execute(batch)
    session.execute(insert, (2, uuid.uuid1(), None if session.cluster.protocol_version < 4 else UNSET_VALUE))
    assert (server.bound, server.general, count(session)) == (0, 3, 3)


def test_the_writer_of_streams(server: BoundRows) -> None:
    host, port = server.address
    with closing(CqlSession(f"{host}:{port}")) as cql:
        cql.session.execute(KEYSPACE)
        cql.session.execute(TABLE)
        writer = CqlWriter(cql, "k", "t", ("id", "c", "v"), concurrency=4, unset_nulls=True)
        assert writer.write([(number, uuid.uuid1(), "x") for number in range(250)], 1_700_000_000_000_000) == 250
        assert (server.bound, server.general, count(cql.session)) == (250, 0, 250)


@pytest.mark.polyglot
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("program", ["cql_go", "cql_java"])
def test_drivers_in_other_languages(server: BoundRows, program: str) -> None:
    """Their scenario writes 500 prepared rows, in batches and alone, beside others that have nulls and collections."""
    from tests.contract.clients import builds

    host, port = server.address
    builds.run(program, f"{host}:{port}", program, "datacenter1")
    assert server.bound >= 500
