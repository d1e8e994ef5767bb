"""Patches on the box: rows put right once, whatever is stopped or run again."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer
from tests.kills import run_killed

import smackbox as sb
from smackbox.app.load import load_app
from smackbox.base.errors import SettingError, UserError
from smackbox.runtime import patch, patch_ledger
from smackbox.runtime.patch import Report, TablePatch
from smackbox.runtime.prepare import prepare
from smackbox.runtime.settings import BoxSettings, Urls
from smackbox.testing.fixtures import Smack

ROWS = 900
TIMEOUT_S = 60.0

APP = """
from datetime import date, timedelta
import itertools
import msgspec
import smackbox as sb

app = sb.App("shop")

class Sale(msgspec.Struct, frozen=True):
    id: int
    shop: str
    day: date
    price: int
    tags: list[str] = []

sales = app.topic("sales", Sale)
sale = app.table("sale", Sale, primary_key="id")
app.stream(sales, to=sale)

@app.patch(sale, where="shop = 's1'")
def doubled(row: Sale) -> Sale | None:
    return msgspec.structs.replace(row, price=row.price * 2) if row.price else None

@app.patch(sale)
def no_odd_ones(row: Sale):
    return sb.DELETE if row.id % 2 else None

@app.patch(sale, source=sales)
def as_they_came(event: Sale) -> Sale | None:
    return event if event.shop == "s1" else None

numbers = itertools.count()

@app.patch(sale)
def by_chance(row: Sale) -> Sale:
    return msgspec.structs.replace(row, price=next(numbers))
"""


class Shop:
    """The application's table, and its patches."""

    def __init__(self, smack: Smack, directory: Path) -> None:
        self.urls = Urls(kafka=smack.kafka.bootstrap, cassandra=smack.cassandra.address)
        self.file = directory / "shop.py"
        self.file.write_text(APP)
        self.app = load_app(self.file)
        prepare(self.app, kafka=smack.kafka.bootstrap, cassandra=smack.cassandra.address)
        self.cql = smack.cassandra.connect("shop")
        insert = self.cql.prepare("INSERT INTO sale (id, shop, day, price, tags) VALUES (?, ?, ?, ?, ?)")
        for number in range(ROWS):
            self.cql.execute_async(insert, (number, f"s{number % 3}", date(2015, 9, 1), number, ["a"]))
        while self.cql.execute("SELECT count(*) FROM sale").one()[0] < ROWS:
            pass

    def run(self, name: str, **options: Any) -> Report:
        running = TablePatch(self.app, self.app.find_patch(name), self.urls, BoxSettings())
        try:
            return running.run(**options)
        finally:
            running.close()

    def undo(self, name: str) -> tuple[int, int]:
        running = TablePatch(self.app, self.app.find_patch(name), self.urls, BoxSettings())
        try:
            return running.undo()
        finally:
            running.close()

    def killed(self, name: str, kill: str) -> int:
        where = (str(self.file), name, str(self.urls.kafka), str(self.urls.cassandra), kill)
        return run_killed("tests.runtime.patch_process", *where, timeout_s=TIMEOUT_S)

    def prices(self) -> dict[int, int]:
        return {row.id: row.price for row in self.cql.execute("SELECT id, price FROM sale")}


def doubled() -> dict[int, int]:
    return {number: number * 2 if number % 3 == 1 else number for number in range(ROWS)}


@pytest.fixture
def shop(smack: Smack, tmp_path: Path) -> Iterator[Shop]:
    yield Shop(smack, tmp_path)
    sys.modules.pop("shop", None)


def test_a_patch_changes_rows_once_and_is_taken_back(shop: Shop) -> None:
    before = shop.prices()
    report = shop.run("doubled", dry_run=True)
    assert (report.read, report.changed, report.deleted, report.added) == (300, 300, 0, 0)
    key, old, new = report.examples[0]
    assert new == {"price": old["price"] * 2}
    assert key["id"] * 2 == new["price"]
    assert shop.prices() == before
    assert shop.run("doubled", limit=100).is_whole is False
    assert sum(before[number] != price for number, price in shop.prices().items()) == 100
    assert shop.run("doubled").changed == 200
    assert shop.prices() == doubled()
    again = shop.run("doubled")
    assert again.former is not None
    assert "300 rows changed" in again.former
    assert shop.prices() == doubled()
    shop.cql.execute("UPDATE sale SET price = 5 WHERE id = 1")  # it has changed since, and stays
    assert shop.undo("doubled") == (299, 1)
    assert shop.prices() == before | {1: 5}
    assert shop.cql.execute("SELECT tags FROM sale WHERE id = 4").one()[0] == ["a"]
    assert shop.run("doubled").changed == 300
    assert shop.prices() == doubled() | {1: 10}


@pytest.mark.parametrize("step", ["kept", pytest.param("written", marks=pytest.mark.slow)])
def test_a_killed_patch_computes_no_row_twice(shop: Shop, step: str) -> None:
    assert shop.killed("doubled", f"{step}:1") == -signal.SIGKILL
    shop.cql.execute("DELETE owner FROM smack_patches WHERE name = 'doubled'")  # as it is forgotten by its TTL
    assert shop.run("doubled").is_whole
    assert shop.prices() == doubled()


def test_rows_are_deleted_and_come_back(shop: Shop) -> None:
    report = shop.run("no_odd_ones")
    assert (report.read, report.deleted) == (ROWS, ROWS // 2)
    assert shop.prices() == {number: number for number in range(0, ROWS, 2)}
    assert shop.undo("no_odd_ones") == (ROWS // 2, 0)
    assert shop.prices() == {number: number for number in range(ROWS)}


def test_rows_are_made_of_events(shop: Shop) -> None:
    producer = Producer({"bootstrap.servers": shop.urls.kafka})
    for number, price in ((1, 7), (2, 8), (4, 4), (ROWS + 1, 9), (1, 11)):
        shop_name = f"s{number % 3}"
        record = {"id": number, "shop": shop_name, "day": "2015-09-01", "price": price, "tags": ["a"]}
        producer.produce("sales", msgspec.json.encode(record))
    producer.produce("sales", b"no event")
    assert producer.flush(TIMEOUT_S) == 0
    report = shop.run("as_they_came")
    assert (report.read, report.changed, report.added, report.skipped) == (5, 1, 1, 1)
    expected = {number: number for number in range(ROWS)} | {1: 11, ROWS + 1: 9}
    assert shop.prices() == expected
    assert shop.undo("as_they_came") == (2, 0)
    assert shop.prices() == {number: number for number in range(ROWS)}


def test_a_function_that_says_another_thing_each_time_is_refused(shop: Shop) -> None:
    with pytest.raises(UserError, match="cannot be done twice"):
        shop.run("by_chance")
    assert shop.prices() == {number: number for number in range(ROWS)}


def test_two_at_once_are_one_after_the_other(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patch_ledger, "LEASE_WAIT_S", 0.5)
    monkeypatch.setattr(patch, "CHUNK_ROWS", 100)
    first = TablePatch(shop.app, shop.app.find_patch("doubled"), shop.urls, BoxSettings())
    try:
        refused: list[int] = []
        proposals = first._proposals

        def slow(counts: Any) -> Any:  # another one comes while this one is at it
            for number, page in enumerate(proposals(counts)):
                refused.append(number)
                if number == 1:
                    with pytest.raises(UserError, match="another process is at the patch"):
                        shop.run("doubled")
                yield page

        first._proposals = slow  # type: ignore[method-assign]
        first.run()
    finally:
        first.close()
    assert len(refused) > 1
    assert shop.prices() == doubled()


class Row(msgspec.Struct, frozen=True):
    id: int
    n: int


def declare(**options: Any) -> Any:
    app = sb.App("a")
    table = app.table("t", cql=options.pop("cql", "CREATE TABLE t (id bigint PRIMARY KEY, n bigint)"))

    def mend(row: Row) -> Row:
        return row

    return app.patch(table, **options)(mend)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"cql": "CREATE TABLE t (id bigint PRIMARY KEY, n counter)"}, "make them bigint"),
        ({"where": "n < toUnixTimestamp(now())"}, "chooses other rows when it is run again"),
        ({"where": "n = 1; DROP TABLE t"}, "one condition"),
        ({"source": "sales"}, "must be a topic"),
    ],
)
def test_a_patch_that_cannot_be_done_twice_is_refused_where_it_is_declared(options: Any, reason: str) -> None:
    with pytest.raises(SettingError, match=reason):
        declare(**options)


def test_a_patch_needs_the_type_of_its_rows() -> None:
    app = sb.App("a")
    table = app.table("t", cql="CREATE TABLE t (id bigint PRIMARY KEY, n bigint)")
    with pytest.raises(SettingError, match="say of which type a row is"):
        app.patch(table)(lambda row: row)


def test_totals_are_not_patched(shop: Shop) -> None:
    app = sb.App("a")
    rows = app.topic("rows", Row)
    table = app.table("t", cql="CREATE TABLE t (id bigint PRIMARY KEY, n bigint)")

    @app.stream(rows, to=table)
    def total(batch: Any) -> Any:
        return batch

    @app.patch(table)
    def mend(row: Row) -> Row:
        return row

    with pytest.raises(SettingError, match="smack replay APP --stream total"):
        TablePatch(app, app.patches[0], shop.urls, BoxSettings())


def test_what_is_written_meanwhile_wins(shop: Shop) -> None:
    def at(step: str) -> None:
        if step == "kept":
            shop.cql.execute("UPDATE sale SET price = 999 WHERE id = 1")

    running = TablePatch(shop.app, shop.app.find_patch("doubled"), shop.urls, BoxSettings(), at=at)
    running.run()
    running.close()
    assert shop.prices() == doubled() | {1: 999}
    assert shop.undo("doubled") == (299, 1)
    assert shop.prices() == {number: number for number in range(ROWS)} | {1: 999}


def test_totals_are_not_patched_where_they_are_declared(tmp_path: Path) -> None:
    file = tmp_path / "totals_app.py"
    file.write_text(
        APP.replace("app.stream(sales, to=sale)\n", "")
        + """
@app.stream(sales, to=sale)
def total(batch):
    return batch
"""
    )
    with pytest.raises(SettingError, match="are kept by the stream total"):
        load_app(file)
