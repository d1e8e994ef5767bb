"""The DataStax Python driver: connecting, schema, prepared statements, batches, paging, every protocol version."""

from __future__ import annotations

import struct
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import cassandra
import pytest
from cassandra import ConsistencyLevel, InvalidRequest, ProtocolVersion
from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.query import BatchStatement, BatchType, SimpleStatement, ValueSequence
from tests.cassandra.test_limits import Client, frame
from tests.contract.cassandra.conftest import Connect

pytestmark = pytest.mark.contract


def test_the_driver_settles_on_v5_and_knows_the_node(session: Session, cassandra_address: tuple[str, int]) -> None:
    assert session.cluster.protocol_version == ProtocolVersion.V5
    (host,) = session.cluster.metadata.all_hosts()
    assert host.endpoint.port == cassandra_address[1]
    assert host.release_version.startswith("5.0")
    assert session.cluster.metadata.token_map is not None


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize("compression", ["lz4", "snappy", False])
def test_each_protocol_version_with_each_compression(connect: Connect, version: int, compression: Any) -> None:
    session = connect(protocol_version=version, compression=compression)
    session.execute("CREATE TABLE t (k int PRIMARY KEY, v text, d blob)")
    insert = session.prepare("INSERT INTO t (k, v, d) VALUES (?, ?, ?)")
    large = b"\x01\x02" * 150_000  # more than one segment of v5
    session.execute(insert, (1, "x" * 1000, large))
    assert session.execute("SELECT v, d FROM t WHERE k = 1").one() == ("x" * 1000, large)
    if version >= 4:
        session.execute(insert.bind((2, cassandra.query.UNSET_VALUE, None)))
        assert session.execute("SELECT * FROM t WHERE k = 2").one() == (2, None, None)


def test_prepared_statements_of_every_native_type(session: Session) -> None:
    session.execute(
        "CREATE TABLE t (k int PRIMARY KEY, a ascii, bi bigint, b blob, bo boolean, d decimal, db double, f float, "
        "i inet, si smallint, t text, ts timestamp, tu timeuuid, ti tinyint, u uuid, v varint, l list<int>, "
        "s set<text>, m map<text, frozen<list<int>>>, tp tuple<int, text>)"
    )
    values = {
        "k": 1, "a": "abc", "bi": 2**63 - 1, "b": b"\x00\xff", "bo": False, "d": Decimal("-1.50"), "db": -0.5,
        "f": 0.25,         "i": "::1", "si": -32768, "t": "häß€", "ts": datetime(2015, 5, 3, 13, 30, 54, 234000),
        "tu": uuid.uuid1(), "ti": 127, "u": uuid.uuid4(), "v": -(10**30), "l": [3, 1], "s": {"b", "a"},
        "m": {"x": [1, 2]}, "tp": (1, None),
    }  # fmt: skip
    names = ", ".join(values)
    insert = session.prepare(f"INSERT INTO t ({names}) VALUES ({', '.join('?' * len(values))})")
    session.execute(insert, list(values.values()))
    row = session.execute(f"SELECT {names} FROM t").one()._asdict()
    assert {
        name: (set(value) if name == "s" else dict(value) if name == "m" else value) for name, value in row.items()
    } == values


def test_the_routing_key_is_known_from_the_prepared_statement(session: Session) -> None:
    session.execute("CREATE TABLE t (a int, b text, c int, v int, PRIMARY KEY ((a, b), c))")
    prepared = session.prepare("SELECT v FROM t WHERE b = ? AND c = ? AND a = ?")
    assert prepared.routing_key_indexes == [2, 0]
    bound = prepared.bind(("x", 1, 7))
    assert bound.routing_key == b"\x00\x04\x00\x00\x00\x07\x00\x00\x01x\x00"
    token = session.cluster.metadata.token_map.token_class.from_key(bound.routing_key)
    session.execute("INSERT INTO t (a, b, c, v) VALUES (7, 'x', 1, 1)")
    assert session.execute("SELECT token(a, b) FROM t").one()[0] == token.value


def test_named_parameters_in_lists(session: Session) -> None:
    session.execute("CREATE TABLE t (k int PRIMARY KEY, v int)")
    for number in range(5):
        session.execute("INSERT INTO t (k, v) VALUES (%s, %s)", (number, number * 10))
    rows = session.execute("SELECT v FROM t WHERE k IN %s", (ValueSequence([3, 1]),))
    assert sorted(row.v for row in rows) == [10, 30]
    named = session.prepare("SELECT v FROM t WHERE k = :key")
    assert session.execute(named, {"key": 2}).one().v == 20
    several = session.prepare("SELECT v FROM t WHERE k IN ?")
    assert sorted(row.v for row in session.execute(several, ([4, 2, 2],))) == [20, 40]


@pytest.mark.parametrize("kind", [BatchType.LOGGED, BatchType.UNLOGGED])
def test_batches_over_many_partitions(session: Session, kind: BatchType) -> None:
    session.execute("CREATE TABLE t (k int, c int, v text, PRIMARY KEY (k, c))")
    insert = session.prepare("INSERT INTO t (k, c, v) VALUES (?, ?, ?)")
    batch = BatchStatement(batch_type=kind)
    for number in range(100):
        batch.add(insert, (number % 10, number, "v"))
    batch.add("DELETE FROM t WHERE k = %s AND c = %s", (0, 0))
    batch.add(SimpleStatement("UPDATE t SET v = 'w' WHERE k = 1 AND c = 1"))
    session.execute(batch)
    assert session.execute("SELECT count(*) FROM t").one()[0] == 99  # at equal timestamps the deletion wins
    assert session.execute("SELECT v FROM t WHERE k = 1 AND c = 1").one().v == "w"


def test_a_batch_that_fails_leaves_nothing(session: Session) -> None:
    session.execute("CREATE TABLE t (k int PRIMARY KEY, v int)")
    insert = session.prepare("INSERT INTO t (k, v) VALUES (?, ?)")
    batch = BatchStatement(batch_type=BatchType.LOGGED)
    batch.add(insert, (1, 1))
    batch.add(insert, (None, 2))
    with pytest.raises(InvalidRequest):
        session.execute(batch)
    assert list(session.execute("SELECT * FROM t")) == []


@pytest.mark.parametrize("order", ["ASC", "DESC"])
def test_pages_fit_together(session: Session, order: str) -> None:
    session.execute("CREATE TABLE t (k int, c int, s int static, v int, PRIMARY KEY (k, c))")
    insert = session.prepare("INSERT INTO t (k, c, s, v) VALUES (?, ?, ?, ?)")
    execute_concurrent_with_args(session, insert, [(k, c, k, c) for k in range(5) for c in range(23)])
    session.execute("INSERT INTO t (k, s) VALUES (77, 7)")
    for size in (1, 7, 23, 115, 116, 200):
        rows = list(session.execute(SimpleStatement("SELECT k, c, s FROM t", fetch_size=size)))
        assert len(rows) == 116
        assert len(set(rows)) == 116
        one = SimpleStatement(f"SELECT c FROM t WHERE k = 3 ORDER BY c {order}", fetch_size=size)
        expected = sorted(range(23), reverse=order == "DESC")
        assert [row.c for row in session.execute(one)] == expected
    limited = SimpleStatement("SELECT k, c FROM t LIMIT 50", fetch_size=7)
    assert len(list(session.execute(limited))) == 50
    per_partition = SimpleStatement("SELECT k, c FROM t PER PARTITION LIMIT 3", fetch_size=2)
    assert len(list(session.execute(per_partition))) == 16
    grouped = SimpleStatement("SELECT k, count(c) AS n FROM t GROUP BY k", fetch_size=2)
    assert sorted((row.k, row.n) for row in session.execute(grouped)) == [
        (0, 23),
        (1, 23),
        (2, 23),
        (3, 23),
        (4, 23),
        (77, 0),
    ]
    several = SimpleStatement("SELECT c FROM t WHERE k IN (1, 2) AND c IN (1, 5, 9)", fetch_size=2)
    assert [row.c for row in session.execute(several)] == [1, 5, 9, 1, 5, 9]
    filtered = SimpleStatement("SELECT c FROM t WHERE v > 20 ALLOW FILTERING", fetch_size=3)
    assert len(list(session.execute(filtered))) == 10


def test_token_ranges_cover_the_table_once(session: Session) -> None:
    session.execute("CREATE TABLE t (k int PRIMARY KEY)")
    insert = session.prepare("INSERT INTO t (k) VALUES (?)")
    execute_concurrent_with_args(session, insert, [(k,) for k in range(500)])
    select = session.prepare("SELECT k FROM t WHERE token(k) > ? AND token(k) <= ?")
    select.fetch_size = 50
    bounds = [-(2**63), -(2**62), 0, 12345, 2**62, 2**63 - 1]
    found: list[int] = []
    for low, high in pairwise(bounds):
        found += [row.k for row in session.execute(select, (low, high))]
    assert sorted(found) == list(range(500))


def test_timestamps_of_the_client_decide(session: Session) -> None:
    session.execute("CREATE TABLE t (k int PRIMARY KEY, v int)")
    insert = session.prepare("INSERT INTO t (k, v) VALUES (?, ?) USING TIMESTAMP ?")
    session.execute(insert, (1, 1, 2_000))
    session.execute(insert, (1, 2, 1_000))
    assert session.execute("SELECT v, writetime(v) FROM t").one() == (1, 2_000)
    update = session.prepare("UPDATE t USING TTL ? SET v = ? WHERE k = ?")
    session.execute(update, (1_000, 5, 1))
    row = session.execute("SELECT v, ttl(v) AS ttl FROM t").one()
    assert row.v == 5
    assert 990 <= row.ttl <= 1_000


@pytest.mark.parametrize(
    "level",
    [
        ConsistencyLevel.ONE,
        ConsistencyLevel.QUORUM,
        ConsistencyLevel.ALL,
        ConsistencyLevel.LOCAL_QUORUM,
        ConsistencyLevel.EACH_QUORUM,
    ],
)
def test_consistency_levels(session: Session, level: int) -> None:
    session.execute("CREATE TABLE t (k int PRIMARY KEY)")
    session.execute(SimpleStatement("INSERT INTO t (k) VALUES (1)", consistency_level=level))
    read = ConsistencyLevel.QUORUM if level == ConsistencyLevel.EACH_QUORUM else level
    assert session.execute(SimpleStatement("SELECT k FROM t", consistency_level=read)).one().k == 1


def test_the_schema_is_seen_by_the_driver(session: Session) -> None:
    keyspace = session.keyspace
    session.execute("CREATE TYPE addr (street text, zip int)")
    session.execute(
        "CREATE TABLE t (a int, b text, c int, s text static, v frozen<addr>, PRIMARY KEY ((a), b, c)) "
        "WITH CLUSTERING ORDER BY (b DESC, c ASC) AND comment = 'the comment' AND default_time_to_live = 99"
    )
    session.cluster.refresh_schema_metadata()
    table = session.cluster.metadata.keyspaces[keyspace].tables["t"]
    assert [column.name for column in table.partition_key] == ["a"]
    assert [(column.name, column.is_reversed) for column in table.clustering_key] == [("b", True), ("c", False)]
    assert table.columns["s"].is_static
    assert table.options["comment"] == "the comment"
    assert table.options["default_time_to_live"] == 99
    assert "frozen<addr>" in table.export_as_string()
    session.execute("ALTER TABLE t ADD extra int")
    assert "extra" in session.cluster.metadata.keyspaces[keyspace].tables["t"].columns
    session.execute("DROP TABLE t")
    assert "t" not in session.cluster.metadata.keyspaces[keyspace].tables


def test_another_client_hears_of_schema_changes(connect: Connect) -> None:
    first, second = connect(), connect()
    first.execute("CREATE TABLE told (k int PRIMARY KEY)")
    assert second.cluster.control_connection.wait_for_schema_agreement()
    second.cluster.refresh_table_metadata(first.keyspace, "told")
    assert "told" in second.cluster.metadata.keyspaces[first.keyspace].tables


def test_a_statement_survives_the_change_of_its_table(session: Session) -> None:
    session.execute("CREATE TABLE t (k int PRIMARY KEY, v int)")
    session.execute("INSERT INTO t (k, v) VALUES (1, 1)")
    select = session.prepare("SELECT * FROM t")
    assert session.execute(select).one() == (1, 1)
    session.execute("ALTER TABLE t ADD w text")
    assert session.execute(select).one()._asdict() == {"k": 1, "v": 1, "w": None}
    session.execute("DROP TABLE t")
    with pytest.raises(InvalidRequest):
        session.execute(select)


def test_wrong_values_are_refused(session: Session) -> None:
    session.execute("CREATE TABLE t (k int PRIMARY KEY, v text)")
    insert = session.prepare("INSERT INTO t (k, v) VALUES (?, ?)")
    bound = insert.bind((1, "x"))
    bound.values[0] = b"\x01\x02"
    with pytest.raises(InvalidRequest, match="Expected 4 or 0 byte int"):
        session.execute(bound)
    bound = insert.bind((1, "x"))
    bound.values[1] = b"\xff\xfe"
    with pytest.raises(InvalidRequest, match="String didn't validate"):
        session.execute(bound)
    with pytest.raises(InvalidRequest):
        session.execute(SimpleStatement("SELECT * FROM t WHERE k = %s"), ("x",))


def test_lightweight_transactions(session: Session) -> None:
    session.execute("CREATE TABLE t (k int PRIMARY KEY, v int)")
    insert = session.prepare("INSERT INTO t (k, v) VALUES (?, ?) IF NOT EXISTS")
    results = execute_concurrent_with_args(session, insert, [(1, number) for number in range(20)])
    assert sum(result.result_or_exc.was_applied for result in results) == 1
    won = session.execute("SELECT v FROM t").one().v
    update = session.prepare("UPDATE t SET v = ? WHERE k = 1 IF v = ?")
    assert session.execute(update, (100, won)).was_applied
    refused = session.execute(update, (200, won)).one()
    assert (refused.applied, refused.v) == (False, 100)


def test_counters_add_up(session: Session) -> None:
    session.execute("CREATE TABLE c (k int PRIMARY KEY, n counter)")
    update = session.prepare("UPDATE c SET n = n + ? WHERE k = ?")
    execute_concurrent_with_args(session, update, [(number, number % 3) for number in range(300)])
    rows = {row.k: row.n for row in session.execute("SELECT * FROM c")}
    assert rows == {key: sum(range(key, 300, 3)) for key in range(3)}


def test_many_requests_in_flight_on_one_connection(session: Session) -> None:
    session.execute("CREATE TABLE t (k int PRIMARY KEY, v text)")
    insert = session.prepare("INSERT INTO t (k, v) VALUES (?, ?)")
    execute_concurrent_with_args(session, insert, [(number, str(number)) for number in range(2_000)], concurrency=500)
    select = session.prepare("SELECT v FROM t WHERE k = ?")
    results = execute_concurrent_with_args(session, select, [(number,) for number in range(2_000)], concurrency=500)
    assert [result.result_or_exc.one().v for result in results] == [str(number) for number in range(2_000)]


def test_dates_before_1970(session: Session) -> None:
    session.execute("CREATE TABLE t (k int PRIMARY KEY, ts timestamp)")
    session.execute("INSERT INTO t (k, ts) VALUES (1, '1815-12-10T00:00:00+0000')")
    moment = session.execute("SELECT ts FROM t").one().ts
    assert moment.replace(tzinfo=UTC) == datetime(1815, 12, 10, tzinfo=UTC)


def test_a_request_names_its_own_keyspace(connect: Connect) -> None:
    first, second = connect(protocol_version=5), connect(protocol_version=5)
    keyspace = second.keyspace
    second.execute("CREATE TABLE t (k int PRIMARY KEY, v int)")
    first.execute(SimpleStatement("INSERT INTO t (k, v) VALUES (1, 1)", keyspace=keyspace))
    insert = first.prepare("INSERT INTO t (k, v) VALUES (?, ?)", keyspace=keyspace)
    first.execute(insert, (2, 2))
    batch = BatchStatement()
    batch.keyspace = keyspace
    batch.add(SimpleStatement("INSERT INTO t (k, v) VALUES (3, 3)", keyspace=keyspace))
    batch.add(insert, (4, 4))
    first.execute(batch)
    rows = first.execute(SimpleStatement("SELECT k FROM t", keyspace=keyspace))
    assert sorted(row.k for row in rows) == [1, 2, 3, 4]
    with pytest.raises(InvalidRequest, match="table t does not exist"):
        first.execute("SELECT k FROM t")


def test_errors_bring_their_fields(session: Session) -> None:
    session.execute("CREATE TABLE t (k int PRIMARY KEY, v text)")
    with pytest.raises(cassandra.AlreadyExists) as exists:
        session.execute("CREATE TABLE t (k int PRIMARY KEY)")
    assert (exists.value.keyspace, exists.value.table) == (session.keyspace, "t")
    with pytest.raises(cassandra.AlreadyExists) as exists:
        session.execute(
            f"CREATE KEYSPACE {session.keyspace} WITH replication = "
            "{'class': 'SimpleStrategy', 'replication_factor': 1}"
        )
    assert (exists.value.keyspace, exists.value.table) == (session.keyspace, "")
    with pytest.raises(cassandra.FunctionFailure) as failed:
        session.execute("INSERT INTO t (k, v) VALUES (fromJson('x'), 'y')")
    assert (failed.value.keyspace, failed.value.function, failed.value.arg_types) == ("system", "fromjson", ["text"])


def test_a_request_brings_its_own_time(session: Session, cassandra_address: tuple[str, int]) -> None:
    session.execute("CREATE TABLE t (k int PRIMARY KEY, v int)")
    table = f"{session.keyspace}.t"
    host, port = cassandra_address
    with Client(f"{host}:{port}", version=5).startup() as client:

        def ask(statement: str, now_s: int) -> bytes:
            body = struct.pack(">i", len(statement)) + statement.encode() + struct.pack(">HIi", 1, 0x100, now_s)
            client.send(frame(7, body, version=5))
            _, opcode, answer = client.receive()
            assert opcode == 8, answer
            return answer

        now_s = 2_000_000_000
        ask(f"INSERT INTO {table} (k, v) VALUES (1, 1) USING TTL 100", now_s)
        for later_s, left_s in ((0, 100), (40, 60), (99, 1)):
            assert ask(f"SELECT ttl(v) FROM {table}", now_s + later_s).endswith(struct.pack(">iii", 1, 4, left_s))
        assert ask(f"SELECT ttl(v) FROM {table}", now_s + 100).endswith(struct.pack(">i", 0))
