"""Replays of streams on the box: made, compared, put in while events come, resumed, undone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from smackbox.app.model import App
from smackbox.base.errors import SettingError, UserError
from smackbox.flow import Count, Sum
from smackbox.runtime.prepare import prepare
from smackbox.runtime.replay import StreamReplay
from smackbox.runtime.settings import BoxSettings, Urls
from smackbox.runtime.streams import stream_runner
from smackbox.testing.fixtures import Smack

TIMEOUT_S = 60.0


class Sale(msgspec.Struct, frozen=True):
    id: int
    shop: str
    day: date
    price: int


DAYS = [date(2015, 8, 31) + timedelta(days=number) for number in range(4)]


def sale(number: int) -> Sale:
    return Sale(number, f"s{number % 3}", DAYS[number % len(DAYS)], number)


def shop_app(factor: int, skipped: str = "", *, instances: int | None = None) -> App:
    """Totals by shop and day. `factor` is the formula; sales of a shop that is `skipped` do not count."""
    app = App("shop")
    sales = app.topic("sales", Sale, key="shop", unique="id", partitions=2)
    daily = app.table(
        "daily", cql="CREATE TABLE daily (shop text, day date, sold bigint, count bigint, PRIMARY KEY (shop, day))"
    )

    @app.stream(sales, to=daily, every=timedelta(seconds=0.1), instances=instances)
    def totals(batch: Any) -> Any:
        from pyspark.sql import functions as F

        wanted = batch.where(F.col("shop") != skipped)
        return wanted.groupBy("shop", "day").agg(
            F.expr(f"sum(price * {factor})").alias("sold"), F.expr("count(*)").alias("count")
        )

    return app


def expected(sales: list[Sale], factor: Callable[[Sale], int]) -> dict[tuple[str, date], tuple[int, int]]:
    found: dict[tuple[str, date], list[int]] = defaultdict(lambda: [0, 0])
    for one in {one.id: one for one in sales}.values():
        if factor(one):
            found[one.shop, one.day][0] += one.price * factor(one)
            found[one.shop, one.day][1] += 1
    return {key: (sold, count) for key, (sold, count) in found.items()}


class Shop:
    """The box of a test: posts sales, runs the live stream, replays it."""

    def __init__(self, smack: Smack, directory: Path, make: Callable[..., App] = shop_app) -> None:
        self.smack = smack
        self.urls = Urls(kafka=smack.kafka.bootstrap, cassandra=smack.cassandra.address)
        self.settings = BoxSettings(dir=directory)
        self.file = directory / "app.py"
        self.file.write_text("# version 0")
        self.app = make(1)
        self.sales: list[Sale] = []
        prepare(self.app, kafka=smack.kafka.bootstrap, cassandra=smack.cassandra.address)
        self._producer = Producer({"bootstrap.servers": smack.kafka.bootstrap, "linger.ms": 0})
        self._cql = smack.cassandra.connect("shop")

    def sell(self, *numbers: int) -> None:
        for number in numbers:
            one = sale(number)
            self.sales.append(one)
            self._producer.produce(
                "sales", msgspec.json.encode(one), one.shop.encode(), partition=int(one.shop[1:]) % 2
            )
        assert self._producer.flush(TIMEOUT_S) == 0

    def live(self) -> None:
        """The live stream, until it has read all."""
        with stream_runner(self.app, self.app.streams[0], self.urls, self.settings, metrics_port=None) as runner:
            while runner.step(0.2) is not None:
                pass

    def mended(self, app: App) -> None:
        self.app = app
        self.file.write_text(f"# version {id(app)}")

    def replay(self, at: Callable[[str], None] = lambda _step: None) -> StreamReplay:
        return StreamReplay(self.app, self.file, self.app.streams[0], self.urls, self.settings, at=at)

    def rows(self) -> dict[tuple[str, date], tuple[int, int]]:
        return {
            (row.shop, row.day.date()): (row.sold, row.count)
            for row in self._cql.execute("SELECT shop, day, sold, count FROM daily")
        }


@pytest.fixture
def shop(smack: Smack, tmp_path: Path) -> Iterator[Shop]:
    yield Shop(smack, tmp_path)


def test_a_wrong_formula_is_put_right_and_undone(shop: Shop) -> None:
    shop.sell(*range(60))
    shop.live()
    wrong = expected(shop.sales, lambda one: 1)
    assert shop.rows() == wrong
    shop.mended(shop_app(3, skipped="s2"))
    replay = shop.replay()
    result = replay.build(replay.begin(None, None))
    assert shop.rows() == wrong
    found = result.comparison
    assert (found.added, found.changed, found.gone, found.same) == (0, 8, 4, 0)
    assert result.counts.read == 60
    assert (
        found.largest[0].size == max(2 * sold for (name, _), (sold, _) in wrong.items() if name != "s2")
        or found.largest[0].column == "sold"
    )
    shop.sell(*range(60, 80), 3, 4)
    result = replay.apply(replay.begin(None, None))
    assert shop.rows() != wrong
    right = lambda one: 0 if one.shop == "s2" else 3  # noqa: E731
    shop.live()
    assert shop.rows() == expected(shop.sales, right)
    shop.sell(*range(80, 90))
    shop.live()
    assert shop.rows() == expected(shop.sales, right)
    shop.mended(shop_app(1))
    undo = shop.replay()
    undo.apply(undo.begin_undo())
    shop.sell(*range(90, 100))
    shop.live()
    assert shop.rows() == expected(shop.sales, lambda one: 1)
