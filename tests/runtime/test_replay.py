"""Replays of streams on the box: made, compared, put in while events come, resumed, undone."""

from __future__ import annotations

import itertools
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions
from tests.kills import run_killed

from smackbox.app.load import load_app
from smackbox.app.model import App
from smackbox.app.sources import RateEvent
from smackbox.backup.repository import Repository
from smackbox.base.errors import SettingError, UserError
from smackbox.flow import Count
from smackbox.runtime import box_backup
from smackbox.runtime.prepare import prepare
from smackbox.runtime.replay import StreamReplay
from smackbox.runtime.replay_building import Building
from smackbox.runtime.replay_checks import check_replayable
from smackbox.runtime.settings import BoxSettings, Urls
from smackbox.runtime.stream_gate import StreamGate
from smackbox.runtime.streams import stream_runner
from smackbox.spark.replay.comparing import Comparison
from smackbox.spark.streaming.archive import ArchiveRunner, ArchiveSettings
from smackbox.store.objects import open_objects
from smackbox.testing.fixtures import Smack

TIMEOUT_S = 60.0


class Sale(msgspec.Struct, frozen=True):
    id: int
    shop: str
    day: date
    price: int


DAYS = [date(2015, 8, 31) + timedelta(days=number) for number in range(4)]
SHOPS = 3


def sale(number: int) -> Sale:
    return Sale(number, f"s{number % SHOPS}", DAYS[number % len(DAYS)], number)


APP = """
from datetime import date, datetime, timedelta
import msgspec
import smackbox as sb
from smackbox.flow import Count, Sum

app = sb.App("shop")

class Sale(msgspec.Struct, frozen=True):
    id: int
    shop: str
    day: date
    price: int

class Sold(msgspec.Struct, frozen=True):
    shop: str
    at: datetime
    price: int

def sold(sale):
    return Sold(sale.shop, datetime(sale.day.year, sale.day.month, sale.day.day), sale.price * FACTOR)

sales = app.topic("sales", Sale, key="shop", unique="id", partitions=2)
daily = app.table(
    "daily",
    cql="CREATE TABLE daily (shop text, window_start timestamp, sold bigint, count bigint, "
    "PRIMARY KEY (shop, window_start))",
)
totals = (
    app.flow(sales)
    .filter(lambda sale: sale.shop != "SKIPPED")
    .map(sold, to=Sold)
    .with_watermark("at", timedelta(days=9))
    .group_by("shop")
    .tumbling_window(timedelta(days=1))
    .agg(sold=Sum("price"), count=Count())
    .current()
)
app.stream(totals, to=daily, every=timedelta(0), instances=INSTANCES)
"""
BATCHES = """
from datetime import UTC, date, datetime, timedelta
import msgspec
import smackbox as sb

app = sb.App("shop")

class Sale(msgspec.Struct, frozen=True):
    id: int
    shop: str
    day: date
    price: int

sales = app.topic("sales", Sale, key="shop", unique="id", partitions=2)
daily = app.table(
    "daily", cql="CREATE TABLE daily (shop text, day date, sold bigint, count bigint, PRIMARY KEY (shop, day))"
)

@app.stream(sales, to=daily, every=timedelta(seconds=0.1), instances=INSTANCES)
def totals(batch):
    wanted = batch.where("shop <> 'SKIPPED'").selectExpr("shop", "day", "price * FACTOR AS price")
    return wanted.groupBy("shop", "day").agg({"price": "sum", "*": "count"}).toDF("shop", "day", "sold", "count")
"""
Rows = dict[tuple[str, date], tuple[int, int]]


class Shop:
    """The box of a test: sells, runs the live stream, replays it."""

    def __init__(self, smack: Smack, directory: Path, program: str, *, instances: int | None = None) -> None:
        self.urls = Urls(kafka=smack.kafka.bootstrap, cassandra=smack.cassandra.address)
        self.settings = BoxSettings(dir=directory)
        self.file = directory / "app.py"
        self.sales: list[Sale] = []
        self._program = program.replace("INSTANCES", str(instances))
        self.app = self.mended(1)
        prepare(self.app, kafka=smack.kafka.bootstrap, cassandra=smack.cassandra.address)
        self._producer = Producer({"bootstrap.servers": smack.kafka.bootstrap, "linger.ms": 0})
        self.cql = smack.cassandra.connect("shop")

    def mended(self, factor: int, skipped: str = "") -> App:
        """The application with this formula; sales of a shop that is `skipped` do not count."""
        self.file.write_text(self._program.replace("FACTOR", str(factor)).replace("SKIPPED", skipped))
        self.app = load_app(self.file)
        return self.app

    def sell(self, *numbers: int) -> None:
        for number in numbers:
            one = sale(number)
            self.sales.append(one)
            self._producer.produce("sales", msgspec.json.encode(one), one.shop.encode(), int(one.shop[1:]) % 2)
        assert self._producer.flush(TIMEOUT_S) == 0

    def live(self) -> None:
        """The live stream, until it has read all."""
        stream = self.app.streams[0]
        StreamGate(self.app, stream, self.urls, self.settings).wait()
        with stream_runner(self.app, stream, self.urls, self.settings, metrics_port=None) as runner:
            while runner.step(0.2) is not None:
                pass

    def replay(self, at: Callable[[str], None] = lambda _step: None) -> StreamReplay:
        return StreamReplay(self.app, self.file, self.app.streams[0], self.urls, self.settings, at=at)

    def killed(self, verb: str, kill: str) -> int:
        """The same in a process that kills itself; its exit status."""
        where = (str(self.file), str(self.settings.dir), str(self.urls.kafka), str(self.urls.cassandra))
        return run_killed("tests.runtime.replay_process", *where, verb, kill, timeout_s=TIMEOUT_S)

    def rows(self) -> Rows:
        return {
            (row[0], row[1].date()): (row[2], row[3])
            for row in self.cql.execute("SELECT * FROM daily")
            for row in [(row.shop, getattr(row, "day", None) or row.window_start, row.sold, row.count)]
        }

    def expected(self, factor: int, skipped: str = "") -> Rows:
        found: dict[tuple[str, date], list[int]] = defaultdict(lambda: [0, 0])
        for one in {one.id: one for one in self.sales}.values():
            if one.shop != skipped:
                found[one.shop, one.day][0] += one.price * factor
                found[one.shop, one.day][1] += 1
        return {key: (sold, count) for key, (sold, count) in found.items()}


@pytest.fixture
def make_shop(smack: Smack, tmp_path: Path) -> Callable[..., Shop]:
    return lambda program=APP, **options: Shop(smack, tmp_path, program, **options)


@pytest.mark.parametrize(
    ("program", "instances"),
    [
        pytest.param(APP, 2, id="flow, instances"),
        pytest.param(BATCHES, None, id="function"),
        pytest.param(APP, None, id="flow", marks=pytest.mark.slow),
        pytest.param(BATCHES, 2, id="function, instances", marks=pytest.mark.slow),
    ],
)
def test_a_wrong_formula_is_put_right_and_undone(
    make_shop: Callable[..., Shop], program: str, instances: int | None
) -> None:
    shop = make_shop(program, instances=instances)
    shop.sell(*range(60))
    shop.live()
    assert shop.rows() == shop.expected(1)
    shop.mended(3, skipped="s2")
    replay = shop.replay()
    result = replay.build(replay.begin(None, None))
    assert shop.rows() == shop.expected(1)
    found = result.comparison
    assert (found.added, found.changed, found.gone, found.same) == (0, 8, 4, 0)
    assert result.counts.read == 60
    assert [one.size for one in found.largest] == sorted((one.size for one in found.largest), reverse=True)
    assert {one.column for one in found.largest} == {"sold"}
    shop.sell(*range(60, 80), 3, 4)
    replay.apply(replay.begin(None, None))
    assert shop.rows().keys() == shop.expected(3, "s2").keys()
    shop.live()
    assert shop.rows() == shop.expected(3, "s2")
    shop.mended(1)
    shop.sell(*range(80, 90))
    undo = shop.replay()
    undo.apply(undo.begin_undo())
    shop.sell(*range(90, 100))
    shop.live()
    assert shop.rows() == shop.expected(1)


STEPS = ["replay planned", "replay committed", "gated", "written down", "committed", "installed", "rows", "applied"]
FEW = ["replay committed", "installed"]


@pytest.mark.parametrize("steps", [FEW, pytest.param(STEPS, marks=pytest.mark.slow)], ids=["few", "all"])
def test_totals_are_exact_after_a_kill_at_each_step(make_shop: Callable[..., Shop], steps: list[str]) -> None:
    shop = make_shop()
    for number, step in enumerate(steps):
        shop.sell(*range(20 * number, 20 * number + 20), 1)
        shop.live()
        before = shop.rows()
        assert before == shop.expected(number + 1), step
        shop.mended(number + 2)
        assert shop.killed("apply", f"{step}:1") == -signal.SIGKILL
        if STEPS.index(step) < STEPS.index("committed"):
            assert shop.rows() == before, step
            assert shop.killed("apply", "none:0") == 0
        shop.sell(*range(1000 + number, 1010 + number))
        shop.live()
        assert shop.rows() == shop.expected(number + 2), step


class LiveProcess:
    """The stream as `smack run --only` runs it, started again whenever it ends; `kill` is `kill -9`."""

    def __init__(self, shop: Shop) -> None:
        urls = shop.urls
        self._argv = [
            *(sys.executable, "-m", "smackbox", "run", str(shop.file), "--only", "stream:sales_to_daily"),
            *("--kafka", str(urls.kafka), "--cassandra", str(urls.cassandra), "--dir", str(shop.settings.dir)),
            *("--port", "0"),
        ]
        self._log = (shop.settings.dir / "live.log").open("ab")  # of all of them
        self._stopping = threading.Event()
        self._start()
        self._thread = threading.Thread(target=self._restart)
        self._thread.start()

    def _start(self) -> None:
        self._process = subprocess.Popen(self._argv, stdout=self._log, stderr=subprocess.STDOUT)

    def _restart(self) -> None:
        while not self._stopping.wait(0.05):
            if self._process.poll() is not None and not self._stopping.is_set():
                self._start()

    def kill(self) -> None:
        self._process.kill()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        self._process.terminate()
        assert self._process.wait(TIMEOUT_S) == 0
        self._log.close()


@pytest.mark.parametrize(
    ("kills", "instances"),
    [(1, None), pytest.param(12, None, marks=pytest.mark.slow), pytest.param(6, 2, marks=pytest.mark.slow)],
)
def test_live_events_count_once_while_replay_and_stream_are_killed(
    make_shop: Callable[..., Shop], kills: int, instances: int | None
) -> None:
    shop = make_shop(instances=instances)
    shop.sell(*range(2_000))
    chance = random.Random(kills)
    processes = [LiveProcess(shop) for _ in range(instances or 1)]
    numbers = itertools.count(2_000)
    sold_out = threading.Event()

    def sell() -> None:
        while not sold_out.wait(0.01):
            shop.sell(*itertools.islice(numbers, 20))

    seller = threading.Thread(target=sell)
    seller.start()
    try:
        for number in range(kills):
            wait_for(lambda: len(shop.rows()) == 12)
            factor = number + 2
            shop.mended(factor)
            for step in chance.sample(STEPS, 1 if kills == 1 else 3):
                shop.killed("apply", f"{step}:1")
                chance.choice(processes).kill()
            if shop.replay().journal.latest_applied() is None or shop.replay().journal.under_way() is not None:
                assert shop.killed("apply", "none:0") == 0
            chance.choice(processes).kill()
            # every row is by the new formula and only by it: 's0' of the first day has the sales 0, 12, 24, …
            wait_for(lambda factor=factor: all(sold % factor == 0 for sold, _ in shop.rows().values()))
        sold_out.set()
        seller.join()
        wait_for(lambda: shop.rows() == shop.expected(factor))
    finally:
        sold_out.set()
        seller.join()
        for process in processes:
            process.stop()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def in_ms(*day: int) -> int:
    return int(datetime(*day, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc]


def test_a_range_of_days_is_replayed_and_no_other(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(BATCHES)
    shop.sell(*range(48))
    shop.live()
    before = shop.rows()
    shop.mended(5, skipped="s0")
    replay = shop.replay()
    result = replay.apply(replay.begin(in_ms(2015, 9, 1), in_ms(2015, 9, 3)))
    found = result.comparison
    assert (found.changed, found.gone, found.same, found.added) == (4, 2, 0, 0)
    after = shop.expected(5, "s0")
    days = {date(2015, 9, 1), date(2015, 9, 2)}
    assert shop.rows() == {key: row for key, row in after.items() if key[1] in days} | {
        key: row for key, row in before.items() if key[1] not in days
    }
    shop.mended(1)  # what is counted from here on goes onto these totals
    shop.sell(48)
    shop.live()
    one, former = sale(48), before[sale(48).shop, sale(48).day]
    assert shop.rows()[one.shop, one.day] == (former[0] + one.price, former[1] + 1)


def test_rows_that_a_replay_does_not_make_may_stay(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop()
    shop.sell(*range(24))
    shop.live()
    before = shop.rows()
    shop.mended(2, skipped="s1")
    replay = shop.replay()
    found = replay.apply(replay.begin(None, None, keeps_gone=True)).comparison
    assert (found.gone, found.others) == (0, 4)
    assert shop.rows() == shop.expected(2, "s1") | {key: row for key, row in before.items() if key[0] == "s1"}


def test_rows_of_others_are_left_alone(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(BATCHES)
    shop.sell(*range(12))
    shop.live()
    shop.cql.execute("INSERT INTO daily (shop, day, sold, count) VALUES ('by hand', '2015-09-01', 1, 2)")
    shop.mended(2)
    replay = shop.replay()
    found = replay.apply(replay.begin(None, None)).comparison
    assert (found.changed, found.gone, found.others) == (11, 0, 1)  # the sale of price 0 is the same
    assert shop.rows() == shop.expected(2) | {("by hand", date(2015, 9, 1)): (1, 2)}


def test_what_retention_took_comes_from_the_archive(make_shop: Callable[..., Shop], tmp_path: Path) -> None:
    shop = make_shop(APP + f'\napp.archive(sales, to="{tmp_path}/kept/{{hour}}-{{partition}}-{{offset}}.json.gz")\n')
    settings = ArchiveSettings(
        name="archive_sales", kafka=str(shop.urls.kafka), topic="sales", to=shop.app.archives[0].to,
        checkpoint_dir=tmp_path / "streams" / "shop" / "archive_sales", group="a", every_s=0.1,
    )  # fmt: skip
    shop.sell(*range(30))
    with ArchiveRunner(settings) as archive:
        while archive.step(0.2):
            shop.sell(*range(30, 40)) if len(shop.sales) == 30 else None
    shop.sell(*range(40, 50))
    shop.live()
    admin = AdminClient({"bootstrap.servers": shop.urls.kafka})
    for deleted in admin.delete_records([TopicPartition("sales", 0, 20), TopicPartition("sales", 1, 5)]).values():
        deleted.result(TIMEOUT_S)
    shop.mended(4)
    replay = shop.replay()
    assert replay.build(replay.begin(None, None)).counts.read == 50
    shop.sell(*range(50, 60))
    replay.apply(replay.begin(None, None))
    shop.live()
    assert shop.rows() == shop.expected(4)


def test_what_cannot_be_replayed_is_said(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop()
    with pytest.raises(UserError, match="has not run"):
        shop.replay().begin(None, None)
    shop.sell(*range(12))
    shop.live()
    with pytest.raises(UserError, match="nothing to undo"):
        shop.replay().begin_undo()
    with pytest.raises(SettingError, match="must be before"):
        shop.replay().begin(2, 1)
    replay = shop.replay()
    replay.build(replay.begin(None, None))
    with pytest.raises(UserError, match="smack replay discard"):
        replay.begin(in_ms(2015, 9, 1), None)
    shop.mended(7)
    with pytest.raises(UserError, match="app.py has changed"):
        shop.replay().begin(None, None)
    shop.replay().discard()
    admin = AdminClient({"bootstrap.servers": shop.urls.kafka})
    for deleted in admin.delete_records([TopicPartition("sales", 0, 2)]).values():
        deleted.result(TIMEOUT_S)
    with pytest.raises(UserError, match="retention took the records of sales before offset 2"):
        shop.replay().begin(None, None)


CANNOT = [
    ("app.stream(sales, to=events)", "it copies events"),
    ("app.stream(app.flow(sales), to=(daily, print))", "print got the former totals"),
    ("app.stream((sales, app.rate('r')), to=print)", "only one topic"),
    ("app.stream(app.flow(sales).group_by('value').agg(n=Count(), ttl=timedelta(days=1)), to=daily)", "ttl="),
]


@pytest.mark.parametrize(("declared", "reason"), CANNOT, ids=[reason for _, reason in CANNOT])
def test_streams_that_cannot_be_replayed(declared: str, reason: str) -> None:
    app = App("shop")
    sales = app.topic("sales", RateEvent)
    events = app.table("events", RateEvent, primary_key="value")
    daily = app.table("daily", cql="CREATE TABLE daily (value bigint PRIMARY KEY, n bigint)")
    eval(
        declared, {"app": app, "sales": sales, "daily": daily, "events": events, "Count": Count, "timedelta": timedelta}
    )
    with pytest.raises(SettingError, match=reason):
        check_replayable(app.streams[0])


@pytest.mark.parametrize("program", [APP, BATCHES], ids=["flow", "function"])
def test_rows_that_move_meanwhile_are_compared_as_they_were(
    make_shop: Callable[..., Shop], program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make_shop(program)
    shop.sell(*range(1, 37))
    shop.live()
    former = shop.app
    shop.mended(3)
    mended, compare = shop.app, Building.compare

    def after_more(*args: Any, **options: Any) -> Comparison:
        shop.app = former  # the stream goes on with the former formula
        shop.sell(*range(48, 52))
        shop.live()
        shop.app = mended
        return compare(*args, **options)

    monkeypatch.setattr(Building, "compare", after_more)
    replay = shop.replay()
    found = replay.build(replay.begin(None, None)).comparison
    monkeypatch.undo()
    assert found.changed + found.moving == 12
    assert found.moving == (4 if program == APP else 0)
    if program == BATCHES:
        sold = {key: row[0] for key, row in shop.expected(1).items()}
        assert all(one.old in sold.values() or one.old < max(sold.values()) for one in found.largest)
        assert all(one.new == 3 * one.old for one in found.largest)
    replay.apply(replay.begin(None, None))
    shop.live()
    assert shop.rows() == shop.expected(3)


def test_a_back_up_waits_until_a_replay_is_in(
    make_shop: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(box_backup, "REPLAY_LIMIT_S", 0.1)
    shop = make_shop()
    shop.sell(1)
    shop.live()
    (tmp_path / "kafka").mkdir()
    repository = Repository.create_or_open(open_objects(str(tmp_path / "kept")), None)
    with shop.replay().journal.gate(), pytest.raises(UserError, match="is being put in"):
        box_backup.back_up(tmp_path, repository)


IDLE = (
    APP.replace(
        '.with_watermark("at", timedelta(days=9))', '.with_watermark("at", timedelta(0), idle=timedelta(seconds=0.3))'
    )
    .replace(".current()", ".final()")
    .replace("timedelta(days=1)", "timedelta(milliseconds=200)")
)


def test_windows_that_the_clock_has_closed_are_closed_in_the_replay(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(IDLE)
    # of one partition, by the day, so that none is late
    shop.sell(*sorted((number for number in range(24) if number % SHOPS != 1), key=lambda number: number % len(DAYS)))
    stream = shop.app.streams[0]
    with stream_runner(shop.app, stream, shop.urls, shop.settings, metrics_port=None) as runner:
        wait_for(lambda: runner.step(0.1) is None and len(shop.rows()) == 8)
    before = shop.rows()
    shop.mended(2)
    replay = shop.replay()
    found = replay.apply(replay.begin(None, None)).comparison
    assert (found.gone, found.added) == (0, 0)
    assert {key: row[1] for key, row in shop.rows().items()} == {key: row[1] for key, row in before.items()}
    assert shop.rows() == shop.expected(2)


def test_a_column_that_came_later_is_filled_for_former_events(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(BATCHES)
    shop.sell(*range(24))
    shop.live()
    shop.cql.execute("ALTER TABLE daily ADD most bigint")
    shop.file.write_text(
        shop.file.read_text()
        .replace("to=daily, every", "to=daily, merge={'most': 'max'}, every")
        .replace('"price * 1 AS price"', '"price * 1 AS price", "price AS top"')
        .replace('{"price": "sum", "*": "count"}', '{"price": "sum", "*": "count", "top": "max"}')
        .replace('"sold", "count")\n', '"sold", "count", "most")\n')
    )
    shop.app = load_app(shop.file)
    replay = shop.replay()
    assert replay.apply(replay.begin(None, None)).comparison.changed == 12
    shop.sell(*range(24, 48))
    shop.live()
    assert shop.rows() == shop.expected(1)
    most = {(row.shop, row.day.date()): row.most for row in shop.cql.execute("SELECT shop, day, most FROM daily")}
    assert most == {key: max(one.price for one in shop.sales if (one.shop, one.day) == key) for key in most}
    shop.mended(1)  # the former formula knows nothing of the column
    undo = shop.replay()
    undo.apply(undo.begin_undo())
    shop.sell(48)
    shop.live()
    assert shop.rows() == shop.expected(1)
    assert {row.most for row in shop.cql.execute("SELECT most FROM daily")} == {None}


def test_the_stream_goes_on_while_the_history_is_read(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop()
    shop.sell(*range(24))
    shop.live()
    shop.mended(2)
    steps: list[tuple[str, bool]] = []
    replay = shop.replay(lambda step: steps.append((step, replay.journal.is_gated())))
    replay.apply(replay.begin(None, None))
    assert ("replay committed", False) in steps
    assert ("replay committed", True) not in steps
    assert ("installed", True) in steps


def test_partitions_that_get_their_first_events_later_are_read(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop()
    shop.sell(0, 2, 3)  # of one partition
    shop.live()
    shop.mended(2)
    replay = shop.replay()
    replay.build(replay.begin(None, None))
    shop.sell(1, 4, 5)
    admin = AdminClient({"bootstrap.servers": shop.urls.kafka})
    (added,) = admin.create_partitions([NewPartitions("sales", 3)]).values()
    added.result(TIMEOUT_S)
    producer = Producer({"bootstrap.servers": shop.urls.kafka})  # one that knows the partition
    for number in (7, 10):
        shop.sales.append(sale(number))
        producer.produce("sales", msgspec.json.encode(sale(number)), partition=2)
    assert producer.flush(TIMEOUT_S) == 0
    shop.live()
    replay.apply(replay.begin(None, None))
    shop.live()
    assert shop.rows() == shop.expected(2)


def test_a_range_of_windows_is_replayed(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(APP.replace("timedelta(days=9)", "timedelta(0)"))
    by_day = sorted((number for number in range(48) if number % SHOPS != 1), key=lambda number: number % len(DAYS))
    shop.sell(*by_day)
    shop.live()
    before = shop.rows()
    assert before == shop.expected(1)
    shop.mended(3, skipped="s0")
    replay = shop.replay()
    with pytest.raises(UserError, match="has not come to the range"):
        replay.build(replay.begin(in_ms(2015, 10, 1), None))
    replay.discard()
    with pytest.raises(UserError, match="leave --to out"):
        replay.build(replay.begin(in_ms(2015, 9, 1), in_ms(2015, 9, 3)))
    replay.discard()
    found = replay.apply(replay.begin(in_ms(2015, 9, 1), None)).comparison
    assert (found.changed, found.gone, found.same) == (3, 3, 0)
    shop.sell(59, 71)  # of the last day, whose window is open
    shop.live()
    after = shop.expected(3, "s0")
    assert shop.rows() == {key: before[key] if key[1] == DAYS[0] else after[key] for key in {*after, ("s0", DAYS[0])}}
