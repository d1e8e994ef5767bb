"""Options of `format("cassandra")` on our Cassandra and on the real one: names of the well-known connector, TTL, times,
counters, every type written, joins by key. Each row of the table in docs/spark-sources.md that a server decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from smackbox.spark import direct_join

pytestmark = pytest.mark.contract

TIMEOUT_S = 30.0


@pytest.fixture(scope="module")
def cql(cql: Any) -> Iterator[Any]:
    """The session, in a keyspace of this module's."""
    name = f"ks_{uuid4().hex[:12]}"
    cql.execute(f"CREATE KEYSPACE {name} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
    cql.set_keyspace(name)
    yield cql
    cql.execute(f"DROP KEYSPACE {name}")


@pytest.fixture
def where(cql: Any, cassandra_address: tuple[str, int], unique: Callable[[str], str]) -> dict[str, str]:
    """Options in the connector's names, with a table of its own."""
    host, port = cassandra_address
    return {
        "keyspace": cql.keyspace,
        "table": unique("t"),
        "spark.cassandra.connection.host": host,
        "SPARK.cassandra.Connection.PORT": str(port),
    }


def write(frame: Any, where: dict[str, str], **options: Any) -> None:
    frame.write.format("org.apache.spark.sql.cassandra").options(**where, **options).mode("append").save()


def read(spark: Any, where: dict[str, str], **options: Any) -> Any:
    return spark.read.format("org.apache.spark.sql.cassandra").options(**where, **options).load()


def test_ttl_and_write_time_are_written_and_read(spark: Any, cql: Any, where: dict[str, str]) -> None:
    cql.execute(f"CREATE TABLE {where['table']} (k int PRIMARY KEY, v text)")
    write(spark.createDataFrame([(1, "a")], "k int, v string"), where, **{"spark.cassandra.output.ttl": "1000"})
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [(2, "b", 500, moment), (3, "c", None, None)]
    frame = spark.createDataFrame(rows, "k int, v string, left int, at timestamp")
    write(frame, where, ttl="left", writetime="at")
    write(spark.createDataFrame([(4, "d")], "k int, v string"), where, writetime="17")
    found = {row["k"]: row for row in read(spark, where, **{"ttl.v": "s", "writetime.v": "us"}).collect()}
    assert 0 < found[1]["s"] <= 1000
    assert 0 < found[2]["s"] <= 500
    assert (found[3]["s"], found[4]["s"], found[4]["us"]) == (None, None, 17)
    assert found[2]["us"] == int(moment.timestamp()) * 1_000_000
    assert found[3]["us"] > found[2]["us"]
    assert [row["us"] for row in read(spark, where, **{"writetime.v": "us"}).where("k = 4").select("us").collect()] == [
        17
    ]


def test_counters_are_added_to(spark: Any, cql: Any, where: dict[str, str]) -> None:
    cql.execute(f"CREATE TABLE {where['table']} (k int PRIMARY KEY, n counter)")
    for _ in range(2):
        write(spark.createDataFrame([(1, 2), (2, 3)], "k int, n bigint"), where)
    assert sorted(map(tuple, read(spark, where).collect())) == [(1, 4), (2, 6)]
    with pytest.raises(Exception, match="counters, which have neither TTL nor TIMESTAMP"):
        write(spark.createDataFrame([(1, 2)], "k int, n bigint"), where, ttl="5")


def test_every_type_goes_from_one_table_to_another(spark: Any, cql: Any, where: dict[str, str]) -> None:
    cql.execute("CREATE TYPE IF NOT EXISTS place (street text, number int)")
    columns = (
        "id uuid PRIMARY KEY, a ascii, bi bigint, bl blob, bo boolean, da date, de decimal, dou double, du duration, "
        "fl float, i inet, n int, s smallint, te text, ti time, ts timestamp, tu timeuuid, ty tinyint, va varint, "
        "li list<uuid>, se set<int>, ma map<text, timestamp>, tup tuple<int, text>, pl frozen<place>, "
        "ve vector<float, 2>"
    )
    copy = {**where, "table": f"{where['table']}_copy"}
    for table in (where["table"], copy["table"]):
        cql.execute(f"CREATE TABLE {table} ({columns})")
    one = UUID(int=1)
    cql.execute(
        f"INSERT INTO {where['table']} (id, a, bi, bl, bo, da, de, dou, du, fl, i, n, s, te, ti, ts, tu, ty, va, li, "
        f"se, ma, tup, pl, ve) VALUES ({one}, 'a', -2, 0x0102, true, '2015-10-01', -1.5, 0.25, 1y2mo3d4h5ns, 0.5, "
        "'::1', 3, 4, 'ä', '12:30:00.000000001', '1969-12-31T23:59:59.999Z', 50554d6e-29bb-11e5-b345-feff819cdc9f, "
        f"5, -12345678901234567890, [{one}], {{2, 1}}, {{'k': '2015-10-01T12:00:00Z'}}, (1, null), "
        "{street: 'x', number: 7}, [1, 2.5])"
    )
    cql.execute(f"INSERT INTO {where['table']} (id) VALUES ({UUID(int=2)})")
    write(read(spark, where), copy)
    select = "SELECT * FROM {} WHERE id = %s"
    for key in (one, UUID(int=2)):
        (row,), (copied,) = (cql.execute(select.format(table), [key]) for table in (where["table"], copy["table"]))
        assert copied == row
    assert read(spark, copy).where(f"id = '{one}'").select("de", "da", "va").collect() == [
        (Decimal("-1.5"), date(2015, 10, 1), Decimal(-12345678901234567890))
    ]


def test_keys_of_two_columns_are_read_by_themselves(spark: Any, cql: Any, where: dict[str, str]) -> None:
    cql.execute(f"CREATE TABLE {where['table']} (a int, b text, c int, v int, PRIMARY KEY ((a, b), c))")
    rows = [(a, b, c, a * c) for a in range(5) for b in "xy" for c in range(10)]
    write(spark.createDataFrame(rows, "a int, b string, c int, v int"), where)
    for options in ({}, {"pushdown": "false"}, {"splits": "3", "concurrentReads": "2", "fetchSize": "4"}):
        found = read(spark, where, **options).where("a IN (1, 3) AND b IN ('x', 'z') AND c >= 2 AND c < 5")
        assert sorted(map(tuple, found.collect())) == [
            r for r in rows if r[0] in {1, 3} and r[1] == "x" and 2 <= r[2] < 5
        ]


@pytest.mark.parametrize("how", ["inner", "left"])
def test_a_direct_join_reads_the_keys_alone(spark: Any, cql: Any, where: dict[str, str], how: str) -> None:
    cql.execute(f"CREATE TABLE {where['table']} (id uuid, day int, v text, w int, PRIMARY KEY (id, day))")
    rows = [(str(UUID(int=number)), day, f"v{day}", number) for number in range(50) for day in range(3)]
    write(spark.createDataFrame(rows, "id string, day int, v string, w int"), where)
    orders = [(n, str(UUID(int=n % 60)) if n % 7 else None) for n in range(120)]
    frame = spark.createDataFrame(orders, "n int, who string")
    joined = direct_join(frame, on={"who": "id"}, how=how, columns="day,v", concurrentReads=5, fetchSize=2, **where)
    wanted = []
    for number, who in orders:
        matches = [(number, who, day, v) for key, day, v, _ in rows if key == who]
        wanted += matches or ([(number, who, None, None)] if how == "left" else [])
    key = lambda row: (row[0], -1 if row[2] is None else row[2])  # noqa: E731
    assert sorted(map(tuple, joined.collect()), key=key) == sorted(wanted, key=key)
    by_row = direct_join(
        frame.selectExpr("who", "n % 3 AS d"), on={"who": "id", "d": "day"}, how=how, columns="w", **where
    )
    assert by_row.where("w = 1").count() == 2


@pytest.mark.parametrize(
    ("on", "message"),
    [
        ("day", "is on id, then day, not on day"),
        ({"who": "day"}, "is on id, then day, not on day"),
        ("whom", "has no column 'whom' .did you mean 'who'"),
    ],
)
def test_a_direct_join_is_on_the_key(spark: Any, cql: Any, where: dict[str, str], on: Any, message: str) -> None:
    cql.execute(f"CREATE TABLE {where['table']} (id uuid, day int, PRIMARY KEY (id, day))")
    with pytest.raises(Exception, match=message):
        direct_join(spark.createDataFrame([(1, "x")], "day int, who string"), on=on, **where)
