"""Sources, targets and streams that could not be exact are refused where they are declared, with the alternative."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from smackbox.app.load import load_app
from smackbox.app.model import App
from smackbox.app.repeatable import check_statement
from smackbox.base.errors import SettingError
from smackbox.flow import Count


class Event(msgspec.Struct, frozen=True):
    id: int
    key: str
    ts: datetime


class Total(msgspec.Struct, frozen=True):
    key: str
    n: int


class Wide(msgspec.Struct, frozen=True):
    id: int
    key: str
    n: int | None


class Shop:
    """An application with one of each."""

    def __init__(self) -> None:
        self.app = App("shop")
        self.raw = self.app.topic("raw", Event, key="key", unique="id", partitions=2)
        self.unkeyed = self.app.topic("unkeyed", Event)
        self.other = self.app.topic("other", Total)
        self.copy = self.app.topic("copy", Event)
        self.table = self.app.table("event", Event, primary_key="id")
        self.totals = self.app.table("totals", cql="CREATE TABLE totals (key text PRIMARY KEY, n bigint)")
        self.flow = self.app.flow(self.raw).group_by("key").agg(n=Count())


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda s: s.app.stream(s.raw, to=s.app.table("c", cql="CREATE TABLE c (key text PRIMARY KEY, n counter)")),
         "has counters, which a batch that is repeated would raise twice: make them bigint"),
        (lambda s: s.app.stream(s.raw, to=s.app.table("l", cql="CREATE TABLE l (key text PRIMARY KEY, n list<int>)")),
         "a list that is not frozen: a batch that is repeated writes it with the same timestamp"),
        (lambda s: s.app.stream(s.raw, to=s.raw), "its source as well"),
        (lambda s: s.app.stream(s.raw, to=()), "at least one target"),
        (lambda s: s.app.stream(s.raw, to="table"), "is no target"),
        (lambda s: s.app.stream(s.raw, to=(s.table, s.totals)), "one table for a stream"),
        (lambda s: s.app.stream("raw", to=s.table), "'raw' is no source"),
        (lambda s: s.app.stream((s.raw, s.other), to=s.copy), "share their type"),
        (lambda s: s.app.stream((s.raw, s.unkeyed), to=s.copy), "differ in unique="),
        (lambda s: s.app.stream(s.flow, to=s.copy), "copy takes Event, and EventTotals has no id, ts"),
        (lambda s: s.app.stream(s.flow, to=s.totals, merge={"n": "max"}), "merge= is for the totals of a function"),
        (lambda s: s.app.stream(s.raw, to=s.copy, merge={"n": "max"}), "merge= is for"),
        (lambda s: s.app.stream(s.flow, to=s.totals)(lambda batch: batch), "a flow has its own functions"),
        (lambda s: s.app.stream(s.raw, to=s.copy, delivery="at_least_once"), "only a table can take at_least_once"),
        (lambda s: s.app.stream(s.flow, to=s.totals, delivery="at_least_once"), "only a table can"),
        (lambda s: s.app.stream(s.raw, to=s.table, every=timedelta(-1)), "must not be negative"),
        (lambda s: s.app.stream(s.raw, to=s.table, instances=0), "instances must be 1 to 100"),
        (lambda s: s.app.stream((s.raw,), to=s.table, instances=2, delivery="at_least_once"), "need delivery="),
        (lambda s: s.app.stream(s.app.rate("r"), to=len, instances=2), "share the partitions of one topic"),
        (lambda s: s.app.stream(s.app.flow(s.unkeyed).group_by("key").agg(n=Count()), to=s.totals, instances=2),
         "give unkeyed a key="),
        (lambda s: s.app.stream(s.app.flow(s.raw).group_by("id").agg(n=Count()), to=len, instances=2),
         "it groups by id, and raw is divided by key"),
        (lambda s: s.app.stream(
            s.app.flow(s.raw).with_watermark("ts", timedelta(0), late_to=s.table).group_by("key").agg(n=Count()), to=len
        ), "late events go to a topic"),
        (lambda s: s.app.stream(
            s.app.flow(s.raw).with_watermark("ts", timedelta(0), late_to=s.copy).map(Total, to=Total).group_by("key")
            .tumbling_window(timedelta(1)).agg(n=Count()).final(), to=len
        ), "copy takes Event, and Total has no id, ts"),
        (lambda s: s.app.stream(s.raw, to=len, instances=2), "a function knows a batch by its number"),
        (lambda s: s.app.stream(
            s.app.flow(s.raw).with_watermark("ts", timedelta(0), late_to=print).group_by("key").agg(n=Count()),
            to=s.totals, instances=2,
        ), "a function knows a batch by its number"),
        (lambda s: s.app.stream(s.app.flow(s.raw).lookup(s.other, on="key", into=Wide), to=len),
         "the topic other is a table by its key"),
        (lambda s: s.app.kinesis("raw", Event), "topic raw is declared twice"),
        (lambda s: s.app.kinesis("k", Event, starting="now"), "'latest', 'trim_horizon' or a datetime"),
        (lambda s: s.app.kinesis("k", Event, unique="idd"), "did you mean 'id'"),
        (lambda s: s.app.files("f", Event, "x.what"), "does not tell its format"),
        (lambda s: s.app.files("f", Event, "x", format="xml"), "format is json, csv or parquet"),
        (lambda s: s.app.rate("r", rows_per_second=0), "must be more than 0"),
        (lambda s: s.app.socket("s", Event, host="h", port=0), "port must be 1 to 65535"),
        (lambda s: s.app.websocket("s", Event, url="http://h"), "begins with ws:// or wss://, not 'http://h'"),
        (lambda s: s.app.mqtt("s", Event, host="h", topic="a/#/b"), "'a/#/b' is no filter of topics"),
        (lambda s: s.app.mqtt("s", Event, host="h", topic="a/b+"), "is no filter of topics"),
        (lambda s: s.app.mqtt("s", Event, host="h", topic="a", port=0), "mqtt s: port must be 1 to 65535"),
        (lambda s: s.app.folder("f", "s3://b/*", format="json"), "is a pattern; name one folder"),
        (lambda s: s.app.folder("f", "x", format="csv"), "format is json or parquet"),
        (lambda s: s.app.folder("f", "x", compression="lzo"), "compression is none, gz or zst"),
        (lambda s: s.app.http("h", "ftp://x"), "not the URL of an HTTP endpoint"),
        (lambda s: s.app.http("h", "http://x", rows=0), "rows must be 1 to"),
    ],
)  # fmt: skip
def test_it_is_refused_where_it_is_declared(declare: Callable[[Shop], Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        declare(Shop())


@pytest.mark.parametrize(
    ("cql", "message"),
    [
        ("UPDATE t SET n = n + :n WHERE k = :k", "`n = n \\+` adds once more"),
        ("UPDATE t SET l = l + [:x] WHERE k = :k", "write whole values"),
        ("UPDATE t SET l = [:x] + l WHERE k = :k", "adds once more"),
        ("update t set n += 1 where k = :k", "adds once more"),
        ("UPDATE t SET n -= 1 WHERE k = :k", "adds once more"),
        ("INSERT INTO t (k, at) VALUES (:k, toTimestamp(now()))", "now\\(\\) gives another value"),
        ("INSERT INTO t (k, id) VALUES (:k, uuid())", "uuid\\(\\) gives another value"),
        ("INSERT INTO t (k) VALUES (:k) IF NOT EXISTS", "a condition"),
        ("SELECT * FROM t", "is an INSERT, UPDATE or DELETE"),
    ],
)
def test_statements_with_another_effect_when_they_run_again_are_refused(cql: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        check_statement(cql)


@pytest.mark.parametrize(
    "cql",
    [
        "INSERT INTO t (k, text) VALUES (:k, 'now() IF n = n + 1')",
        "UPDATE t SET m[:id] = :x, a = :b WHERE k = :k -- n = n + 1",
        'UPDATE t SET "if" = :x WHERE k = :k',
        "UPDATE t USING TTL 5 SET a = :a, b = :b WHERE k = :k /* now() */",
        "DELETE FROM t WHERE k = :k",
    ],
)
def test_statements_with_the_same_effect_are_taken(cql: str) -> None:
    check_statement(cql)


def test_a_stream_keeps_what_it_was_told() -> None:
    shop = Shop()
    k = shop.app.kinesis("k", Event, starting=datetime(2015, 9, 1, tzinfo=UTC), unique="id")
    assert k.start == 1441065600000
    assert shop.app.kinesis("l", Event, starting="trim_horizon").start == "TRIM_HORIZON"
    shop.app.stream((shop.raw, k), to=(shop.table, shop.copy, print), every=timedelta(0))
    (stream,) = shop.app.streams
    assert (stream.name, stream.source, stream.target, stream.table) == (
        "raw_to_event",
        shop.raw,
        shop.table,
        shop.table,
    )
    assert [target.name for target in stream.targets] == ["event", "copy", "print"]


def test_late_rows_are_what_the_steps_before_have_made_of_them() -> None:
    shop = Shop()
    flow = shop.app.flow(shop.raw).with_watermark("ts", timedelta(0), late_to=shop.other)
    windows = flow.map(Total, to=Total).group_by("key").tumbling_window(timedelta(1))
    shop.app.stream(windows.agg(n=Count()).final(), to=len)
    assert len(shop.app.streams) == 1


def test_a_copy_into_a_topic_of_other_events_is_refused_when_the_file_is_loaded(tmp_path: Any) -> None:
    file = tmp_path / "shop_app.py"
    file.write_text(
        "import msgspec\nfrom smackbox.app.model import App\n"
        "class A(msgspec.Struct):\n    id: int\nclass B(msgspec.Struct):\n    n: int\n"
        "app = App('shop')\napp.stream(app.topic('a', A), to=app.topic('b', B))\n"
    )
    with pytest.raises(SettingError, match="b takes B, and A has no n"):
        load_app(file)
