"""RDDs of Cassandra's tables, on an embedded Cassandra or a real one (`SMACK_REAL_CASSANDRA`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

import msgspec
import pytest
from pyspark.sql.types import Row

from smackbox.base.errors import SettingError
from smackbox.net.service import ServiceThread
from smackbox.spark.cql_session import CqlSession
from smackbox.spark.rdd.cassandra_conf import CassandraConf
from smackbox.spark.rdd.cassandra_splits import token_ranges
from smackbox.spark.rdd.context import SparkContext
from smackbox.spark.rdd.errors import JobError

ROWS = 60


class Event(msgspec.Struct, frozen=True):
    id: UUID
    campaign: str
    day: date
    views: int = 0


@dataclass
class Daily:
    campaign: str
    viewCount: int  # noqa: N815 - a field in camelCase has the column in snake_case


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    if real := os.environ.get("SMACK_REAL_CASSANDRA"):
        yield real
        return
    from smackbox.cassandra.server import CassandraServer
    from smackbox.cassandra.settings import CassandraSettings

    with ServiceThread(CassandraServer(CassandraSettings())) as server:
        yield server.url


@pytest.fixture(scope="module")
def cql(address: str) -> Iterator[Any]:
    session = CqlSession(address, consistency="LOCAL_ONE")
    run = session.session.execute
    run("DROP KEYSPACE IF EXISTS rdds")
    run("CREATE KEYSPACE rdds WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    run("CREATE TABLE rdds.event (id uuid PRIMARY KEY, campaign text, day date, views bigint, note text)")
    run("CREATE TABLE rdds.daily (campaign text, day date, view_count bigint, PRIMARY KEY (campaign, day))")
    run("CREATE TABLE rdds.counted (campaign text PRIMARY KEY, views counter, clicks counter)")
    insert = session.session.prepare("INSERT INTO rdds.event (id, campaign, day, views) VALUES (?, ?, ?, ?)")
    for number in range(ROWS):
        run(insert, (UUID(int=number), f"c{number % 4}", date(2015, 9, 1 + number % 3), number))
    yield session.session
    session.close()


@pytest.fixture(scope="module", params=["local[1]", "local[2]"])
def sc(request: pytest.FixtureRequest, address: str, cql: Any) -> Iterator[SparkContext]:
    with SparkContext(request.param, conf={"spark.cassandra.connection.host": address}) as context:
        yield context


def test_the_views_of_each_campaign(sc: SparkContext) -> None:
    """The talk's listing: filter, map, reduceByKey, collect."""
    events = sc.cassandraTable("rdds", "event", Event)
    totals = events.filter(lambda event: event.day == date(2015, 9, 2)).map(lambda event: (event.campaign, event.views))
    expected: dict[str, int] = {}
    for number in range(1, ROWS, 3):
        expected[f"c{number % 4}"] = expected.get(f"c{number % 4}", 0) + number
    assert dict(totals.reduceByKey(lambda left, right: left + right).collect()) == expected


def test_rows_are_what_is_asked_for(sc: SparkContext) -> None:
    first = UUID(int=1)
    table = sc.cassandraTable("rdds", "event", Event).where("id = ?", first)
    assert table.collect() == [Event(first, "c1", date(2015, 9, 2), 1)]
    assert table.getNumPartitions() == 1  # the whole partition key: one read, no scan
    rows = sc.cassandraTable("rdds", "event").select("campaign", "views").where("id = ?", first).collect()
    assert rows == [Row(campaign="c1", views=1)]
    assert rows[0].asDict() == {"campaign": "c1", "views": 1}
    for kind, expected in ((tuple, ("c1", 1)), (dict, {"campaign": "c1", "views": 1})):
        chosen = sc.cassandraTable("rdds", "event", kind).select("campaign", "views").where("id IN (?)", first)
        assert chosen.collect() == [expected]


def test_every_row_is_read_once(sc: SparkContext) -> None:
    table = sc.cassandraTable("rdds", "event", Event)
    assert table.getNumPartitions() > 1
    assert sorted(event.views for event in table.collect()) == list(range(ROWS))
    assert table.cassandraCount() == ROWS == table.count()
    assert table.where("views >= ?", 50).cassandraCount() == 10
    assert sorted(event.views for event in table.where("views >= ?", 50).where("campaign = ?", "c1").collect()) == [
        53,
        57,
    ]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 256])
def test_token_ranges_cover_the_ring_once(count: int) -> None:
    ranges = list(token_ranges(count))
    assert len(ranges) == count
    assert ranges[0][0] == -(2**63)
    assert ranges[-1][1] == 2**63 - 1
    assert all(left[1] == right[0] for left, right in pairwise(ranges))


def test_what_is_saved_is_there(sc: SparkContext, cql: Any) -> None:
    cql.execute("TRUNCATE rdds.daily")
    days = [("a", date(2015, 9, 1), 3), ("b", date(2015, 9, 2), 4)]
    sc.parallelize(days, 2).saveToCassandra("rdds", "daily", ["campaign", "day", "view_count"])
    sc.parallelize([{"campaign": "c", "day": date(2015, 9, 3), "view_count": 5}]).saveToCassandra("rdds", "daily")
    assert sorted(cql.execute("SELECT campaign, day, view_count FROM rdds.daily")) == [
        (campaign, day, views) for campaign, day, views in [*days, ("c", date(2015, 9, 3), 5)]
    ]
    found = sc.cassandraTable("rdds", "daily", Daily).collect()
    assert sorted((row.campaign, row.viewCount) for row in found) == [("a", 3), ("b", 4), ("c", 5)]
    events = sc.parallelize([Event(UUID(int=999), "z", date(2015, 1, 1), 9)], 1)
    events.saveToCassandra("rdds", "event")
    assert sc.cassandraTable("rdds", "event", Event).where("id = ?", UUID(int=999)).collect() == events.collect()
    cql.execute("DELETE FROM rdds.event WHERE id = %s", (UUID(int=999),))


def test_time_to_live_and_timestamp_of_all_rows_and_of_each(sc: SparkContext, cql: Any) -> None:
    cql.execute("TRUNCATE rdds.daily")
    moment = datetime(2015, 9, 1, 12, 0, 0, 250, tzinfo=UTC)
    day = date(2015, 9, 1)
    columns = ["campaign", "day", "view_count"]
    sc.parallelize([("a", day, 1)], 1).saveToCassandra(
        "rdds", "daily", columns, ttl=timedelta(hours=1), timestamp=moment
    )
    own = [{"campaign": "b", "day": day, "view_count": 2, "left": 500, "at": 77}]
    sc.parallelize(own, 1).saveToCassandra("rdds", "daily", columns, ttl="left", timestamp="at")
    table = sc.cassandraTable("rdds", "daily", tuple)
    found = sorted(table.select("campaign", "ttl(view_count)", "writetime(view_count)").collect())
    (first, first_ttl, first_at), (second, second_ttl, second_at) = found
    assert (first, first_at, second, second_at) == ("a", 1441108800000250, "b", 77)
    assert 3500 < first_ttl <= 3600
    assert 400 < second_ttl <= 500


def test_counters_are_added_to(sc: SparkContext, cql: Any) -> None:
    cql.execute("TRUNCATE rdds.counted")
    columns = ["campaign", "views", "clicks"]
    for _ in range(2):
        sc.parallelize([("a", 1, 10), ("b", 2, 20)], 1).saveToCassandra("rdds", "counted", columns)
    assert sorted(cql.execute("SELECT campaign, views, clicks FROM rdds.counted")) == [("a", 2, 20), ("b", 4, 40)]
    with pytest.raises(JobError, match="holds counters, which have neither TTL nor TIMESTAMP"):
        sc.parallelize([("a", 1, 1)], 1).saveToCassandra("rdds", "counted", columns, ttl=5)


def test_a_join_reads_by_key(sc: SparkContext, cql: Any) -> None:
    cql.execute("TRUNCATE rdds.daily")
    days = [(f"c{number}", date(2015, 9, 1 + day), 10 * number + day) for number in range(4) for day in range(3)]
    sc.parallelize(days).saveToCassandra("rdds", "daily", ["campaign", "day", "view_count"])
    keys = sc.parallelize(["c1", "c3", "nothing"], 2)
    found = keys.joinWithCassandraTable("rdds", "daily", select=["day", "view_count"]).collect()
    assert sorted((key, row.view_count) for key, row in found) == [
        ("c1", 10), ("c1", 11), ("c1", 12), ("c3", 30), ("c3", 31), ("c3", 32),
    ]  # fmt: skip
    outer = keys.leftJoinWithCassandraTable("rdds", "daily", select=["view_count"])
    assert [row for key, row in outer.collect() if key == "nothing"] == [None]
    # a bound of the row itself, and one for all
    pairs = sc.parallelize([("c1", date(2015, 9, 2)), ("c2", date(2015, 9, 3))], 1)
    exact = pairs.joinWithCassandraTable("rdds", "daily", tuple, on=["campaign", "day"], select=["view_count"])
    assert sorted(exact.collect()) == [(("c1", date(2015, 9, 2)), (11,)), (("c2", date(2015, 9, 3)), (22,))]
    later = keys.joinWithCassandraTable(
        "rdds", "daily", tuple, select=["view_count"], where="day > ?", values=[date(2015, 9, 2)]
    )
    assert sorted(later.collect()) == [("c1", (12,)), ("c3", (32,))]


def test_a_joins_own_bounds_have_to_be_a_key(sc: SparkContext) -> None:
    keys = sc.parallelize([("c1", 1)])
    with pytest.raises(SettingError, match="'view_count' is no part of the primary key of rdds.daily"):
        keys.joinWithCassandraTable("rdds", "daily", on=["campaign", "view_count"])
    with pytest.raises(SettingError, match="needs its whole partition key: campaign"):
        keys.joinWithCassandraTable("rdds", "daily", on=["day"])


def test_rows_go_where_their_replica_is(sc: SparkContext) -> None:
    keys = [f"c{number}" for number in range(50)]
    moved = sc.parallelize(keys, 3).repartitionByCassandraReplica("rdds", "daily", 4)
    assert moved.getNumPartitions() == 4  # of the only host
    parts = [part for part in moved.glom().collect() if part]
    assert len(parts) > 1
    assert sorted(key for part in parts for key in part) == sorted(keys)


def test_consecutive_rows_of_one_key_are_spanned(sc: SparkContext) -> None:
    rows = sc.parallelize([("a", 1), ("a", 2), ("b", 3), ("a", 4)], 1)
    assert rows.span_by(lambda row: row[0]).map(lambda span: (span[0], [n for _, n in span[1]])).collect() == [
        ("a", [1, 2]), ("b", [3]), ("a", [4]),
    ]  # fmt: skip


def test_what_is_not_there_is_named(sc: SparkContext) -> None:
    class Wrong(msgspec.Struct):
        campain: str

    with pytest.raises(SettingError, match=r"no column for the field 'campain' of Wrong for rdds.event \(did you mean"):
        sc.cassandraTable("rdds", "event", Wrong)
    with pytest.raises(SettingError, match="the table rdds.event has no column 'campain'"):
        sc.cassandraTable("rdds", "event").select("campain")
    with pytest.raises(SettingError, match=r"there is no table rdds\.evnt"):
        sc.cassandraTable("rdds", "evnt")
    with pytest.raises(SettingError, match="has no column 'campain'"):
        sc.parallelize([(1,)]).saveToCassandra("rdds", "event", ["campain"])
    with pytest.raises(SettingError, match="a row cannot be of int"):
        sc.cassandraTable("rdds", "event", int)


def test_a_row_that_does_not_fit_fails_the_job_with_its_value(sc: SparkContext) -> None:
    rows = sc.parallelize([("a", date(2015, 9, 1), "many")], 1)
    with pytest.raises(JobError, match="column view_count cannot hold 'many'"):
        rows.saveToCassandra("rdds", "daily", ["campaign", "day", "view_count"])
    with pytest.raises(JobError, match="a row of 1 values for the columns campaign, day, view_count"):
        sc.parallelize([("a",)], 1).saveToCassandra("rdds", "daily", ["campaign", "day", "view_count"])


def test_settings_have_the_connectors_names() -> None:
    conf = CassandraConf.of(
        {
            "spark.cassandra.connection.host": "one, two:9043",
            "spark.cassandra.connection.port": "9142",
            "spark.cassandra.auth.username": "me",
            "spark.app.name": "not ours",
        }
    )
    assert (conf.contact, conf.user, conf.write_consistency) == ("one:9142,two:9043", "me", "LOCAL_QUORUM")
    with pytest.raises(SettingError, match=r"no setting 'spark.cassandra.connection.hosts' \(did you mean"):
        CassandraConf.of({"spark.cassandra.connection.hosts": "one"})
    with pytest.raises(SettingError, match="must be a number of at least 1, not '0'"):
        CassandraConf.of({"spark.cassandra.concurrent.reads": "0"})


def test_collections_come_as_pythons_own(sc: SparkContext, cql: Any) -> None:
    cql.execute("DROP TABLE IF EXISTS rdds.wide")
    cql.execute(
        "CREATE TABLE rdds.wide (k int PRIMARY KEY, days frozen<list<date>>, tags set<text>, by_day map<date, decimal>)"
    )
    cql.execute("INSERT INTO rdds.wide (k, days, tags, by_day) VALUES (1, ['2015-09-01'], {'x'}, {'2015-09-02': 1.5})")
    day = date(2015, 9, 1)
    row = (1, {day + timedelta(days=1): Decimal("1.5")}, [day], {"x"})
    found = sc.cassandraTable("rdds", "wide", tuple).select("k", "by_day", "days", "tags").collect()
    assert found == [row]
    assert [type(value) for value in found[0]] == [int, dict, list, set]
