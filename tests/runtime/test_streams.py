"""Streams of an application on the box: sources, flows and targets, from declaration to rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition

from smackbox.app.model import App
from smackbox.flow import Count, Sum
from smackbox.runtime.run import stream_specs
from smackbox.runtime.settings import BoxSettings, Urls
from smackbox.runtime.streams import stream_runner
from smackbox.spark.streaming.outputs.http import HttpOutput
from smackbox.spark.streaming.runner import MicroBatchRunner
from smackbox.testing.fixtures import Smack

TIMEOUT_S = 20.0


class Click(msgspec.Struct, frozen=True):
    id: int
    campaign: str
    ts: datetime
    price: int = 1


class PerMinute(msgspec.Struct, frozen=True):
    campaign: str
    window_start: datetime
    clicks: int
    spent: int | None


class Campaign(msgspec.Struct, frozen=True):
    campaign: str
    owner: str


class Owned(msgspec.Struct, frozen=True):
    id: int
    campaign: str
    owner: str | None


def click(number: int, second: int, campaign: str = "a") -> Click:
    return Click(number, campaign, datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(seconds=second))


def records(kafka: str, topic: str, partitions: int = 1) -> list[Any]:
    consumer = Consumer(
        {"bootstrap.servers": kafka, "group.id": "c", "isolation.level": "read_committed", "enable.partition.eof": True}
    )
    found = []
    for number in range(partitions):
        consumer.assign([TopicPartition(topic, number, 0)])
        while (message := consumer.poll(TIMEOUT_S)) is not None and message.error() is None:
            found.append(json.loads(message.value()))
    consumer.close()
    return found


def test_windows_into_a_table_and_a_topic_and_late_events_into_another(smack: Smack) -> None:
    app = App("windows")
    raw = app.topic("clicks", Click, key="campaign", unique="id", partitions=2)
    late = app.topic("late", Click)
    results = app.topic("results", PerMinute, key="campaign")
    app.post("/clicks", to=raw)
    table = app.table(
        "per_minute",
        cql="CREATE TABLE per_minute (campaign text, window_start timestamp, clicks bigint, spent bigint, "
        "PRIMARY KEY (campaign, window_start))",
    )
    grouped = app.flow(raw).with_watermark("ts", timedelta(seconds=30), late_to=late).group_by("campaign")
    totals = grouped.tumbling_window(timedelta(minutes=1)).agg(clicks=Count(), spent=Sum("price"))
    app.stream(totals.current(), to=(table, results), every=timedelta(milliseconds=50))
    with Smack(smack.kafka, smack.cassandra) as box:
        running = box.run(app)
        for events in ([click(1, 5), click(2, 59), click(1, 5)], [click(3, 61), click(4, 200)], [click(5, 10)]):
            assert running.post("/clicks", events)[0] == 202
            running.settle()
        rows = smack.cassandra.connect("windows").execute(
            "SELECT campaign, window_start, clicks, spent FROM per_minute"
        )
        noon = datetime(2026, 1, 1, 12)
        assert sorted(map(tuple, rows)) == [
            ("a", noon + timedelta(minutes=minute), n, n) for minute, n in ((0, 2), (1, 1), (3, 1))
        ]
        assert [row["id"] for row in records(smack.kafka.bootstrap, "late")] == [5]
        assert sorted(row["clicks"] for row in records(smack.kafka.bootstrap, "results")) == [1, 1, 2]


@pytest.mark.parametrize("kind", ["table", "topic"])
def test_a_lookup_joins_a_table_or_a_compacted_topic(smack: Smack, kind: str) -> None:
    app = App(f"lookup_{kind}")
    raw = app.topic("clicks", Click)
    owners = app.topic("owners", Campaign, key="campaign")
    app.post("/clicks", to=raw)
    app.post("/owners", to=owners)
    table = app.table("owner", Campaign, primary_key="campaign")
    app.stream(owners, to=table, every=timedelta(milliseconds=20))
    target = app.table("owned", Owned, primary_key="id")
    flow = app.flow(raw).lookup(
        owners if kind == "topic" else table, on="campaign", into=Owned, cache_time=timedelta(0)
    )
    app.stream(flow, to=target, every=timedelta(milliseconds=20))
    with Smack(smack.kafka, smack.cassandra) as box:
        running = box.run(app)
        running.post("/owners", [Campaign("a", "Ada"), Campaign("b", "Bo")])
        running.settle()
        running.post("/clicks", [click(1, 0, "a"), click(2, 0, "b"), click(3, 0, "nobody")])
        running.settle()
        running.post("/owners", [Campaign("a", "Eve")])
        running.settle()
        running.post("/clicks", [click(4, 0, "a")])
        running.settle()
        rows = smack.cassandra.connect(app.keyspace).execute("SELECT id, owner FROM owned")
        assert sorted(map(tuple, rows)) == [(1, "Ada"), (2, "Bo"), (3, None), (4, "Eve")]


def test_a_csv_goes_to_a_function_a_statement_and_a_folder_and_what_is_none_is_kept(
    smack: Smack, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    rows = "1,a,2026-01-01T12:00:00Z,5\nx,a,2026-01-01T12:00:00Z,5\n2,b\n"
    (tmp_path / "in" / "a.csv").write_text(f"id,campaign,ts,price\n{rows}")
    app = App("files")
    app.table("spent", cql="CREATE TABLE spent (campaign text PRIMARY KEY, prices map<bigint, bigint>)")
    source = app.files("csv", Click, f"{tmp_path}/in/*.csv", dead_letter="bad")
    seen: list[tuple[int, list[Any]]] = []

    def collect(batch: int, rows: list[Any]) -> None:
        seen.append((batch, rows))

    statement = app.statement("spend", "UPDATE spent SET prices[:id] = :price WHERE campaign = :campaign")
    folder = app.folder("out", str(tmp_path / "out"))
    app.stream(source, to=(collect, statement, folder), every=timedelta(milliseconds=20))
    with Smack(smack.kafka, smack.cassandra) as box:
        box.run(app).settle()
    assert seen == [(1, [Click(1, "a", datetime(2026, 1, 1, 12, tzinfo=UTC), 5)])]
    (row,) = smack.cassandra.connect("files").execute("SELECT prices FROM spent")
    assert dict(row.prices) == {1: 5}
    (file,) = (tmp_path / "out").iterdir()
    assert json.loads(file.read_text())["id"] == 1
    consumer = Consumer({"bootstrap.servers": smack.kafka.bootstrap, "group.id": "c"})
    consumer.assign([TopicPartition("bad", 0, 0)])
    first, second = (consumer.poll(TIMEOUT_S) for _ in range(2))
    consumer.close()
    reasons = [dict(message.headers())["error.reason"].decode() for message in (first, second)]
    assert "Expected `int`" in reasons[0]
    assert json.loads(first.value())["id"] == "x"
    assert reasons[1] == "the row has 2 fields, the header 4"
    assert second.value().endswith(b"/in/a.csv")


def test_a_function_without_a_table_gives_what_it_made_of_each_batch(smack: Smack) -> None:
    from pyspark.sql import functions as F  # noqa: N812 - as everyone writes it

    class Total(msgspec.Struct, frozen=True):
        campaign: str
        clicks: int

    app = App("batches")
    raw = app.topic("clicks", Click)
    totals = app.topic("totals", Total, key="campaign")
    app.post("/clicks", to=raw)

    @app.stream(raw, to=totals, every=timedelta(milliseconds=50))
    def count(batch: Any) -> Any:
        return batch.groupBy("campaign").agg(F.count("*").alias("clicks"))

    with Smack(smack.kafka, smack.cassandra) as box:
        running = box.run(app)
        for _ in range(2):
            running.post("/clicks", [click(1, 0), click(2, 0)])
            running.settle()
    assert records(smack.kafka.bootstrap, "totals") == [{"campaign": "a", "clicks": 2}] * 2


def test_instances_of_an_application_divide_its_topic(smack: Smack) -> None:
    app = App("shared")
    raw = app.topic("clicks", Click, key="campaign", partitions=3)
    app.post("/clicks", to=raw)
    table = app.table("totals", cql="CREATE TABLE totals (campaign text PRIMARY KEY, clicks bigint)")
    flow = app.flow(raw).group_by("campaign").agg(clicks=Count())
    app.stream(flow, to=table, every=timedelta(0), instances=2)
    with Smack(smack.kafka, smack.cassandra) as box:
        running = box.run(app)
        running.post("/clicks", [click(number, 0, f"c{number % 7}") for number in range(70)])
        running.settle()
        rows = smack.cassandra.connect("shared").execute("SELECT campaign, clicks FROM totals")
        assert sorted(map(tuple, rows)) == [(f"c{number}", 10) for number in range(7)]


def test_instances_are_processes_of_one_part() -> None:
    app = App("shared")
    raw = app.topic("clicks", Click, key="campaign", partitions=3)
    table = app.table("event", Click, primary_key="id")
    app.stream(raw, to=table, instances=2)
    app.stream(raw, to=app.topic("copy", Click))
    specs = [spec for stream in app.streams for spec in stream_specs(stream, ("smack", "run", "app.py"))]
    assert [(spec.name, spec.argv[-1]) for spec in specs] == [
        ("clicks_to_event-1", "stream:clicks_to_event"),
        ("clicks_to_event-2", "stream:clicks_to_event"),
        ("clicks_to_copy", "stream:clicks_to_copy"),
    ]


def test_two_endpoints_of_a_stream_have_keys_of_their_own() -> None:
    app = App("shop")
    raw = app.topic("clicks", Click)
    urls = Urls(kafka="nowhere:1", cassandra="nowhere:1")
    app.stream(raw, to=(app.http("one", "http://localhost/one"), app.http("two", "http://localhost/two")))
    runner = stream_runner(app, app.streams[0], urls, BoxSettings(), metrics_port=None)
    assert isinstance(runner, MicroBatchRunner)
    outputs = [output for output in runner._delivery.outputs if isinstance(output, HttpOutput)]
    assert [output._stream for output in outputs] == ["shop.clicks_to_one.one", "shop.clicks_to_one.two"]
