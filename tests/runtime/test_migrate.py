"""An application that has changed, and its tables and topics made to follow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from smackbox.app.model import App
from smackbox.base.errors import UserError
from smackbox.runtime.changes import check_topics
from smackbox.runtime.migrate import migrate, plan
from smackbox.runtime.prepare import partition_counts, prepare
from smackbox.runtime.settings import BoxSettings, Urls
from smackbox.testing.fixtures import Smack


class Order(msgspec.Struct, frozen=True):
    id: int
    shop: str
    note: str = ""


class Wider(Order, frozen=True):
    price: float | None = None


class Narrower(msgspec.Struct, frozen=True):
    id: int
    shop: str


class Renamed(msgspec.Struct, frozen=True):
    id: int
    shop: str
    remark: str = ""


class Stricter(Order, frozen=True, kw_only=True):
    price: float


class Retyped(msgspec.Struct, frozen=True):
    id: int
    shop: int
    note: str = ""


def orders(event: type[msgspec.Struct] = Order, key: Any = "id", *, partitions: int = 2, shared: bool = False) -> App:
    app = App("shop")
    topic = app.topic("orders", event, key="shop", partitions=partitions)
    app.table("orders", event, primary_key=key)
    if shared:
        totals = app.table("totals", cql="CREATE TABLE totals (shop text PRIMARY KEY, n bigint)")

        @app.stream(topic, to=totals, instances=2)
        def count(batch: Any) -> Any:
            return batch

    return app


@pytest.fixture
def box(smack: Smack, tmp_path: Path) -> tuple[Urls, BoxSettings]:
    urls = Urls(kafka=smack.kafka.bootstrap, cassandra=smack.cassandra.address)
    prepare(orders(), kafka=smack.kafka.bootstrap, cassandra=smack.cassandra.address)
    check_topics(orders(), tmp_path, accept=False)
    return urls, BoxSettings(dir=tmp_path)


def columns(smack: Smack) -> set[str]:
    query = "SELECT column_name FROM system_schema.columns WHERE keyspace_name = 'shop' AND table_name = 'orders'"
    return {row.column_name for row in smack.cassandra.connect().execute(query)}


def test_a_field_with_a_default_becomes_a_column(smack: Smack, box: tuple[Urls, BoxSettings]) -> None:
    app = orders(Wider)
    found = plan(app, *box)
    assert [step.statement for step in found.steps] == ['ALTER TABLE "orders" ADD "price" double']
    assert found.news == ["topic orders: field price is new, and events that are there have its default"]
    assert (found.refusals, found.accepted, found.partitions) == ([], [], [])
    assert columns(smack) == {"id", "shop", "note"}
    assert len(migrate(app, found, *box)) == 1
    assert columns(smack) == {"id", "shop", "note", "price"}
    again = plan(app, *box)
    assert (again.steps, again.news) == ([], [])


def test_a_field_that_is_gone_stays_a_column_until_it_is_to_be_dropped(
    smack: Smack, box: tuple[Urls, BoxSettings]
) -> None:
    app = orders(Narrower)
    found = plan(app, *box)
    assert [(step.statement, step.loses) for step in found.steps] == [('ALTER TABLE "orders" DROP "note"', True)]
    assert "field note is gone" in found.news[0]
    assert migrate(app, found, *box) == []
    assert "note" in columns(smack)
    migrate(app, plan(app, *box), *box, drop=True)
    assert columns(smack) == {"id", "shop"}


def test_a_renamed_field_is_told_what_to_do(box: tuple[Urls, BoxSettings]) -> None:
    found = plan(orders(Renamed), *box)
    assert 'msgspec.field(name="note")' in " ".join(found.news)
    assert "was it renamed to remark? `smack patch` copies it first" in " ".join(step.why for step in found.steps)


@pytest.mark.parametrize(
    ("app", "reason"),
    [
        (orders(key="shop"), "a primary key cannot be changed, give the table another name"),
        (orders(key=("shop", "id")), "a primary key cannot be changed"),
        (orders(Retyped), "a type cannot be changed, give the column another name"),
        (orders(Stricter), "Give it a default"),
        (orders(partitions=1), "cannot be taken away"),
        (orders(partitions=4), "--add-partitions adds them"),
        (orders(partitions=4, shared=True), "would go to another one than its total"),
    ],
)
def test_what_cannot_be_migrated_is_said_and_nothing_is_changed(
    smack: Smack, box: tuple[Urls, BoxSettings], app: App, reason: str
) -> None:
    found = plan(app, *box)
    with pytest.raises(UserError, match=reason):
        migrate(app, found, *box)
    assert columns(smack) == {"id", "shop", "note"}


def test_partitions_are_added_when_told(smack: Smack, box: tuple[Urls, BoxSettings]) -> None:
    app = orders(partitions=4)
    migrate(app, plan(app, *box), *box, add_partitions=True)
    assert partition_counts(smack.kafka.bootstrap)["orders"] == 4
