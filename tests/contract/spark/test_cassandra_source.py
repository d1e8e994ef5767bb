"""The cassandra data source and streams on our Cassandra and on the real one."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import msgspec
import pyarrow as pa
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from smackbox.spark.cql_session import CqlSession
from smackbox.spark.cql_writer import BATCH_BYTES, CqlWriter
from smackbox.spark.streaming import MicroBatchRunner, StreamSettings

pytestmark = pytest.mark.contract

TIMEOUT_S = 30.0
CAMPAIGN = """CREATE TABLE {}.campaign (id uuid, year int, month int, day int, views bigint, clicks bigint,
PRIMARY KEY (id, year, month, day))"""
EVENT = "CREATE TABLE {}.event (id uuid, ad_id uuid, campaign uuid, ts bigint, type text, PRIMARY KEY (id))"


class Event(msgspec.Struct, frozen=True):
    id: UUID
    ad_id: UUID
    campaign: UUID
    ts: datetime
    type: Literal["view", "click"]


def event(number: int) -> Event:
    moment = datetime(2015, 10, 1 + number % 3, tzinfo=UTC)
    kind: Literal["view", "click"] = "click" if number % 5 == 0 else "view"
    return Event(UUID(int=number), UUID(int=7), UUID(int=number % 4), moment, kind)


@pytest.fixture
def keyspace(cql: Any, unique: Callable[[str], str]) -> Iterator[str]:
    name = unique("ks")
    cql.execute(f"CREATE KEYSPACE {name} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
    yield name
    cql.execute(f"DROP KEYSPACE {name}")


class Tables:
    def __init__(self, spark: Any, address: tuple[str, int], keyspace: str) -> None:
        self.spark = spark
        self.contact = f"{address[0]}:{address[1]}"
        self.keyspace = keyspace

    def read(self, table: str, **options: Any) -> Any:
        return self.spark.read.format("cassandra").options(**self._options(table), **options).load()

    def write(self, frame: Any, table: str, mode: str = "append", **options: Any) -> None:
        frame.write.format("cassandra").options(**self._options(table), **options).mode(mode).save()

    def frame(self, rows: list[dict[str, Any]], schema: pa.Schema | None = None) -> Any:
        return self.spark.createDataFrame(pa.Table.from_pylist(rows, schema=schema))

    def _options(self, table: str) -> dict[str, str]:
        return {"contact": self.contact, "keyspace": self.keyspace, "table": table}


@pytest.fixture
def tables(spark: Any, cassandra_address: tuple[str, int], keyspace: str) -> Tables:
    return Tables(spark, cassandra_address, keyspace)


def rows_of(frame: Any) -> list[dict[str, Any]]:
    return frame.toArrow().to_pylist()  # type: ignore[no-any-return]


CAMPAIGN_ROWS = [
    {
        "id": str(UUID(int=number % 5)),
        "year": 2015,
        "month": number % 12 + 1,
        "day": number,
        "views": number,
        "clicks": 1,
    }
    for number in range(1000)
]


@pytest.fixture
def campaign(tables: Tables, cql: Any) -> Tables:
    cql.execute(CAMPAIGN.format(tables.keyspace))
    tables.write(tables.frame(CAMPAIGN_ROWS), "campaign")
    return tables


def sort(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted(tuple(row[name] for name in ("id", "year", "month", "day", "views", "clicks")) for row in rows)


def test_what_is_written_is_read_by_every_number_of_splits(campaign: Tables) -> None:
    for splits in (1, 3, 16):
        found = rows_of(campaign.read("campaign", splits=splits, fetchSize=70))
        assert sort(found) == sort(CAMPAIGN_ROWS)


def test_writing_again_changes_nothing(campaign: Tables) -> None:
    campaign.write(campaign.frame(CAMPAIGN_ROWS[:100]), "campaign")
    assert campaign.read("campaign").count() == len(CAMPAIGN_ROWS)


def test_the_query_of_the_talk(campaign: Tables) -> None:
    one = str(UUID(int=1))
    found = campaign.read("campaign").where(f"id = '{one}' AND year = 2015 AND month > 8").select("views")
    wanted = [row["views"] for row in CAMPAIGN_ROWS if row["id"] == one and row["month"] > 8]
    assert sorted(row["views"] for row in rows_of(found)) == sorted(wanted)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("views >= 990", lambda row: row["views"] >= 990),
        ("month = 3 AND views < 500", lambda row: row["month"] == 3 and row["views"] < 500),
        ("id IN ('{1}', '{2}')", lambda row: row["id"] in {str(UUID(int=1)), str(UUID(int=2))}),
        ("id = '{1}' AND month = 3", lambda row: row["id"] == str(UUID(int=1)) and row["month"] == 3),
        ("id > '{2}'", lambda row: row["id"] > str(UUID(int=2))),
        ("year = 2015 AND year > 2000 AND views % 2 = 0", lambda row: row["views"] % 2 == 0),
        ("clicks IS NULL", lambda row: False),
    ],
)
def test_filters_find_what_they_should(campaign: Tables, condition: str, holds: Callable[[Any], bool]) -> None:
    for number in (1, 2):
        condition = condition.replace(f"{{{number}}}", str(UUID(int=number)))
    assert sort(rows_of(campaign.read("campaign").where(condition))) == sort([r for r in CAMPAIGN_ROWS if holds(r)])


def test_columns_are_pruned_by_option_and_by_schema(campaign: Tables) -> None:
    by_option = campaign.read("campaign", columns="id,views")
    assert by_option.columns == ["id", "views"]
    assert by_option.selectExpr("sum(views) AS s").toArrow().to_pylist() == [{"s": sum(range(1000))}]
    reader = campaign.spark.read.format("cassandra").options(**campaign._options("campaign"))
    assert reader.schema("views bigint").load().selectExpr("sum(views) AS s").collect()[0]["s"] == sum(range(1000))


def test_a_where_option_is_cql(campaign: Tables) -> None:
    assert campaign.read("campaign", where="views = 17").count() == 1


ALL_TYPES = """CREATE TABLE {}.everything (id uuid PRIMARY KEY, a ascii, bi bigint, bl blob, bo boolean, da date,
de decimal, dou double, fl float, i inet, n int, s smallint, te text, ti time, ts timestamp, tu timeuuid, ty tinyint,
va varint, li list<text>, se set<int>, ma map<text, bigint>, tup tuple<int, text>)"""


def test_every_type_is_read(tables: Tables, cql: Any) -> None:
    cql.execute(ALL_TYPES.format(tables.keyspace))
    cql.execute(
        f"INSERT INTO {tables.keyspace}.everything "
        "(id, a, bi, bl, bo, da, de, dou, fl, i, n, s, te, ti, ts, tu, ty, va, li, se, ma, tup) VALUES "
        "(00000000-0000-0000-0000-000000000001, 'a', 2, 0x0102, true, '2015-10-01', 1.5, 0.25, 0.5, '127.0.0.1', 3, 4, "
        "'ä', '12:30:00', '2015-10-01T12:00:00Z', 50554d6e-29bb-11e5-b345-feff819cdc9f, 5, 12345678901234567890, "
        "['x', 'y'], {2, 1}, {'k': 7}, (1, 'z'))"
    )
    cql.execute(f"INSERT INTO {tables.keyspace}.everything (id) VALUES (00000000-0000-0000-0000-000000000002)")
    full, empty = sorted(rows_of(tables.read("everything")), key=lambda row: row["id"])
    assert full == {
        "id": str(UUID(int=1)),
        "a": "a",
        "bi": 2,
        "bl": b"\x01\x02",
        "bo": True,
        "da": date(2015, 10, 1),
        "de": Decimal("1.5"),
        "dou": 0.25,
        "fl": 0.5,
        "i": "127.0.0.1",
        "li": ["x", "y"],
        "ma": [("k", 7)],
        "n": 3,
        "s": 4,
        "se": [1, 2],
        "te": "ä",
        "ti": 45_000_000_000_000,
        "ts": datetime(2015, 10, 1, 12, tzinfo=UTC),
        "tu": "50554d6e-29bb-11e5-b345-feff819cdc9f",
        "tup": {"_1": 1, "_2": "z"},
        "ty": 5,
        "va": Decimal(12345678901234567890),
    }
    assert {value for name, value in empty.items() if name != "id"} == {None}


def test_types_are_written(tables: Tables, cql: Any) -> None:
    cql.execute(
        f"CREATE TABLE {tables.keyspace}.t (id timeuuid PRIMARY KEY, ts timestamp, da date, de decimal, fl float, "
        "n int, s smallint, ty tinyint, li list<uuid>, ma map<text, bigint>, va varint)"
    )
    key = uuid.uuid1()
    schema = pa.schema(
        [
            *(("id", pa.string()), ("ts", pa.timestamp("us", tz="UTC")), ("da", pa.date32())),
            *(("de", pa.decimal128(10, 2)), ("fl", pa.float32()), ("n", pa.int32()), ("s", pa.int16())),
            *(("ty", pa.int8()), ("li", pa.list_(pa.string())), ("ma", pa.map_(pa.string(), pa.int64()))),
            ("va", pa.decimal128(38, 0)),
        ]
    )
    row = {"id": str(key), "ts": datetime(2015, 10, 1, 12, tzinfo=UTC), "da": date(2015, 10, 1), "de": Decimal("1.50")}
    row |= {"fl": 0.5, "n": 3, "s": 4, "ty": 5, "li": [str(key)], "ma": [("k", 1)], "va": Decimal(7)}
    tables.write(tables.frame([row], schema), "t")
    (found,) = cql.execute(f"SELECT id, ts, da, de, fl, n, s, ty, li, va, ma FROM {tables.keyspace}.t")
    assert found[:2] == (key, datetime(2015, 10, 1, 12))
    assert found[2].date() == date(2015, 10, 1)
    assert found[3:9] == (Decimal("1.50"), 0.5, 3, 4, 5, [key])
    assert found[9] == 7
    assert dict(found[10]) == {"k": 1}


def test_a_null_deletes_or_leaves_what_is_there(campaign: Tables) -> None:
    schema = pa.schema([("id", pa.string()), *((name, pa.int32()) for name in ("year", "month", "day"))]).append(
        pa.field("views", pa.int64())
    )
    row = {name: CAMPAIGN_ROWS[0][name] for name in ("id", "year", "month", "day")}
    key = f"id = '{row['id']}' AND year = 2015 AND month = {row['month']} AND day = {row['day']}"
    campaign.write(campaign.frame([{**row, "views": None}], schema), "campaign", ignoreNulls="true")
    assert rows_of(campaign.read("campaign").where(key).select("views", "clicks")) == [{"views": 0, "clicks": 1}]
    campaign.write(campaign.frame([{**row, "views": None}], schema), "campaign")
    assert rows_of(campaign.read("campaign").where(key).select("views", "clicks")) == [{"views": None, "clicks": 1}]


def test_overwrite_truncates_once_confirmed(campaign: Tables) -> None:
    with pytest.raises(Exception, match=r"confirm\.truncate=true"):
        campaign.write(campaign.frame(CAMPAIGN_ROWS[:3]), "campaign", "overwrite")
    campaign.write(campaign.frame(CAMPAIGN_ROWS[:3]), "campaign", "overwrite", **{"confirm.truncate": "true"})
    assert campaign.read("campaign").count() == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"colums": "id"}, "has no option 'colums' .did you mean 'columns'"),
        ({"columns": "idd"}, "has no column 'idd' .did you mean 'id'"),
        ({"splits": "0"}, "splits must be a number of at least 1"),
    ],
)
def test_options_that_cannot_be_are_errors(campaign: Tables, options: dict[str, str], message: str) -> None:
    with pytest.raises(Exception, match=message):
        campaign.read("campaign", **options).count()


def test_batches_stay_below_cassandras_warning(tables: Tables, cql: Any) -> None:
    cql.execute(f"CREATE TABLE {tables.keyspace}.t (k int PRIMARY KEY, v text)")
    session_ = CqlSession(tables.contact)
    try:
        sizes = []
        send = session_.session.execute_async

        def spy(message: Any) -> Any:
            sizes.append(sum(len(value) for _, _, row in message._statements_and_parameters for value in row))
            return send(message)

        session_.session.execute_async = spy
        writer = CqlWriter(session_, tables.keyspace, "t", ["k", "v"], concurrency=2, unset_nulls=False)
        assert writer.write([(number, "x" * 500) for number in range(100)]) == 100
    finally:
        session_.close()
    assert len(sizes) > 10
    assert max(sizes) < BATCH_BYTES
    assert cql.execute(f"SELECT count(*) FROM {tables.keyspace}.t").one() == (100,)


def test_a_write_with_an_earlier_timestamp_does_not_win(tables: Tables, cql: Any) -> None:
    cql.execute(f"CREATE TABLE {tables.keyspace}.t (k int PRIMARY KEY, v text)")
    session_ = CqlSession(tables.contact)
    try:
        writer = CqlWriter(session_, tables.keyspace, "t", ["k", "v"], concurrency=2, unset_nulls=False)
        writer.write([(1, "new")], timestamp_us=2000)
        writer.write([(1, "late")], timestamp_us=1000)
    finally:
        session_.close()
    assert list(cql.execute(f"SELECT v, writetime(v) FROM {tables.keyspace}.t")) == [("new", 2000)]


def test_both_streams_of_the_talk_are_exact(
    tables: Tables, cql: Any, kafka_bootstrap: str, unique: Callable[[str], str], tmp_path: Path
) -> None:
    cql.execute(CAMPAIGN.format(tables.keyspace))
    cql.execute(EVENT.format(tables.keyspace))
    topic = unique("raw_events")
    admin = AdminClient({"bootstrap.servers": kafka_bootstrap})
    next(iter(admin.create_topics([NewTopic(topic, 3, 1)]).values())).result(TIMEOUT_S)
    producer = Producer({"bootstrap.servers": kafka_bootstrap})
    events = [event(number) for number in range(3000)]
    for one in [*events, *events[:200]]:
        producer.produce(topic, msgspec.json.encode(one), str(one.campaign))
    assert producer.flush(TIMEOUT_S) == 0

    def settings(table: str) -> StreamSettings:
        return StreamSettings(
            name=table,
            kafka=kafka_bootstrap,
            topic=topic,
            cassandra=tables.contact,
            keyspace=tables.keyspace,
            table=table,
            checkpoint_dir=tmp_path / table,
            unique="id",
            every_s=0.2,
            max_rows_per_batch=1000,
        )

    def rollup(batch: Any) -> Any:
        from pyspark.sql.functions import col, count, day, month, when, year

        days = [part("ts").alias(part.__name__) for part in (year, month, day)]
        return batch.groupBy(col("campaign").alias("id"), *days).agg(
            count(when(col("type") == "view", 1)).alias("views"), count(when(col("type") == "click", 1)).alias("clicks")
        )

    for table, function in (("event", None), ("campaign", rollup)):
        with MicroBatchRunner(settings(table), Event, function) as runner:
            while sum(runner.checkpoint.offsets.values()) < 3200:
                assert runner.step() is not None
    assert sorted(cql.execute(f"SELECT id, campaign, ts, type FROM {tables.keyspace}.event")) == [
        (e.id, e.campaign, int(e.ts.timestamp()) * 1000, e.type) for e in events
    ]
    totals = {(row[0], row[3]): row[4:] for row in cql.execute(f"SELECT * FROM {tables.keyspace}.campaign")}
    wanted: dict[Any, list[int]] = {}
    for one in events:
        wanted.setdefault((one.campaign, one.ts.day), [0, 0])[0 if one.type == "click" else 1] += 1
    assert totals == {key: tuple(counts) for key, counts in wanted.items()}
