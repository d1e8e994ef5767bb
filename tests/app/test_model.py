from __future__ import annotations

import enum
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec
import pytest

from smackbox.app.model import App
from smackbox.app.schema import cql_columns
from smackbox.base.errors import SettingError


class Event(msgspec.Struct, frozen=True):
    id: UUID
    campaign: UUID
    ts: datetime
    type: Literal["view", "click"]


class Shade(enum.Enum):
    LIGHT = "light"


class Everything(msgspec.Struct):
    a: UUID
    b: int
    c: float | None
    d: str
    e: bool
    f: bytes
    g: date
    h: Decimal
    i: Shade
    j: list[int]
    k: dict[str, float]
    l: set[str] | None  # noqa: E741


def test_an_application_is_what_it_declares() -> None:
    app = App("ads")
    raw = app.topic("raw_events", Event, key="campaign", unique="id", partitions=4, dead_letter="raw_events.dlq")
    app.post("/events", to=raw)
    events = app.table("event", Event, primary_key="id")
    daily = app.table("campaign", cql="CREATE TABLE campaign (id uuid PRIMARY KEY, views bigint)")
    app.stream(raw, to=events)

    @app.stream(raw, to=daily, every=timedelta(seconds=2), merge={"views": "max"})
    def rollup(batch: object) -> object:
        return batch

    @app.job(to=daily, schedule="R/2026-01-01T02:00:00Z/P1D")
    def report(spark: object) -> object:
        return spark

    @app.job(after=report)
    def mail(spark: object) -> None: ...

    columns = '"id" uuid, "campaign" uuid, "ts" timestamp, "type" text'
    assert events.cql == f'CREATE TABLE "event" ({columns}, PRIMARY KEY ("id"))'
    assert [(stream.name, stream.function) for stream in app.streams] == [
        ("raw_events_to_event", None),
        ("rollup", rollup),
    ]
    assert app.find_stream("rollup").merge == (("views", "max"),)
    assert (app.find_job("mail").after, app.find_job("report").target) == ("report", daily)
    assert app.keyspace == "ads"


def test_a_compound_key_keeps_its_order() -> None:
    table = App("ads").table("by_day", Event, primary_key=("campaign", "ts", "id"))
    assert table.cql.endswith('PRIMARY KEY ("campaign", "ts", "id"))')


def test_every_field_type_has_its_column() -> None:
    assert [cql_type for _, cql_type in cql_columns(Everything)] == [
        "uuid", "bigint", "double", "text", "boolean", "blob", "date", "decimal", "text",
        "frozen<list<bigint>>", "map<text, double>", "set<text>",
    ]  # fmt: skip


class Odd(msgspec.Struct):
    a: int | str


def test_a_type_without_a_column_is_refused_where_it_is_declared() -> None:
    with pytest.raises(SettingError, match=r"Odd\.a: int \| str has no column type; use UUID"):
        App("ads").topic("odd", Odd)
    with pytest.raises(SettingError, match=r"an event type is a msgspec\.Struct"):
        App("ads").topic("odd", dict)  # type: ignore[arg-type]


def test_mistakes_are_reported_with_the_near_name() -> None:
    app = App("ads")
    with pytest.raises(SettingError, match="key='campain' is not a field of Event .did you mean 'campaign'"):
        app.topic("raw", Event, key="campain")
    with pytest.raises(SettingError, match="'ids' is not a field of Event .did you mean 'id'"):
        app.table("event", Event, primary_key="ids")
    with pytest.raises(SettingError, match="no job 'reprot'; there is none"):
        app.find_job("reprot")


@pytest.mark.parametrize("name", ["", "Ads", "9ads", "a-b", "x" * 49])
def test_names_are_checked(name: str) -> None:
    with pytest.raises(SettingError, match="use a-z"):
        App(name)


def test_what_is_declared_twice_is_refused() -> None:
    app = App("ads")
    raw = app.topic("raw", Event)
    table = app.table("event", Event, primary_key="id")
    app.post("/events", to=raw)
    app.stream(raw, to=table)
    with pytest.raises(SettingError, match="topic raw is declared twice"):
        app.topic("raw", Event)
    with pytest.raises(SettingError, match="endpoint /events is declared twice"):
        app.post("/events", to=raw)
    with pytest.raises(SettingError, match="table event is declared twice"):
        app.table("event", Event, primary_key="id")
    with pytest.raises(SettingError, match="stream raw_to_event is declared twice"):
        app.stream(raw, to=table)


@pytest.mark.parametrize("path", ["events", "/healthz", "/metrics", "/a?b"])
def test_paths_are_checked(path: str) -> None:
    app = App("ads")
    with pytest.raises(SettingError, match="a path begins with /"):
        app.post(path, to=app.topic("raw", Event))


def test_a_table_is_declared_in_one_way_only() -> None:
    app = App("ads")
    with pytest.raises(SettingError, match="and not both"):
        app.table("event", Event, cql="CREATE TABLE event (id uuid PRIMARY KEY)")
    with pytest.raises(SettingError, match="and not both"):
        app.table("event")
    with pytest.raises(SettingError, match="primary_key= must name a field"):
        app.table("event", Event)
    with pytest.raises(SettingError, match="must begin with CREATE TABLE event"):
        app.table("event", cql="CREATE TABLE other (id uuid PRIMARY KEY)")


def test_after_must_be_a_job_declared_before() -> None:
    with pytest.raises(SettingError, match="declared before"):
        App("ads").job(after=print)
