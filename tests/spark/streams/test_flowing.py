"""Flows in a stream: which failures are an event's, and which are the program's and end the stream."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cassandra import cqltypes
from tests.flow.model import Source, ms
from tests.spark.conftest import MemoryTable

from smackbox.base.clock import Clock, FakeClock
from smackbox.flow import Count, Sum, window_totals
from smackbox.flow.builder import Flow
from smackbox.spark.streaming.errors import SourceAwayError, StreamError
from smackbox.spark.streaming.feed import InputsFeed
from smackbox.spark.streaming.inputs.input import Bounds, Done, OwnRecord, Taken
from smackbox.spark.streaming.runner import MicroBatchRunner, Parts
from smackbox.spark.streaming.settings import StreamSettings


class Sale(msgspec.Struct, frozen=True):
    at: int
    key: str | None
    value: int = 1


class Each(msgspec.Struct, frozen=True):
    key: str
    n: float


SALES = Source("sales", Sale)


class Given:
    """A source of events that are given to it, all in the next batch."""

    name = "sales"
    strict = True

    def __init__(self) -> None:
        self.sales: list[Sale] = []
        self.away_for = 0

    def open(self, saved: Any, known: Any) -> Any: ...

    def take(self, bounds: Bounds, stopped: Any) -> Taken | None:
        if self.away_for:
            self.away_for -= 1
            raise SourceAwayError("away")
        plan, self.sales = [msgspec.to_builtins(sale) for sale in self.sales], []
        return Taken(self.again(plan, stopped), plan) if plan else None

    def again(self, plan: Any, stopped: Any) -> list[Any]:
        return [OwnRecord(json.dumps(sale).encode(), self.name, 0, number) for number, sale in enumerate(plan)]

    def done(self, plan: Any) -> Done:
        return Done(None)

    def lag(self) -> int | None: ...

    def close(self) -> None: ...


class Running:
    """A flow in a runner on a table in memory."""

    def __init__(self, folder: Path, flow: Flow, clock: Clock | None = None) -> None:
        self.source = Given()
        self.table = MemoryTable({"key": cqltypes.UTF8Type}, {"n": cqltypes.DoubleType})
        settings = StreamSettings(
            name="flowing", kafka="nowhere:1", topic="sales", cassandra="nowhere:1", keyspace="ks", table="t",
            checkpoint_dir=folder, every_s=0.01,
        )  # fmt: skip
        parts = Parts(feed=InputsFeed([self.source]), events={"sales": Sale}, flow=flow)
        self.runner = MicroBatchRunner(settings, Sale, target=self.table, parts=parts, clock=clock)

    def batch(self, sales: Sequence[Sale]) -> Any:
        self.source.sales = list(sales)
        return self.runner.step(0)


@pytest.fixture
def running(tmp_path: Path) -> Any:
    opened: list[Running] = []

    def run(flow: Flow) -> Running:
        opened.append(Running(tmp_path, flow))
        opened[-1].runner.open()
        return opened[-1]

    yield run
    for one in opened:
        one.runner.close()


def each(row: Any) -> Each:
    return Each(row.key, 1 / row.n)


def test_an_event_that_a_function_fails_on_is_set_aside(running: Callable[[Flow], Running]) -> None:
    flow = Flow.of([SALES]).map(lambda sale: Each(sale.key, 1 / sale.value), to=Each)
    stream = running(flow)
    report = stream.batch([Sale(1, "a"), Sale(1, "b", 0), Sale(1, "c", 2)])
    assert (report.events, report.dead_letters) == (2, 1)
    assert stream.table.rows == {"a": 1.0, "c": 0.5}


def test_a_function_that_fails_on_all_events_ends_the_stream(running: Callable[[Flow], Running]) -> None:
    stream = running(Flow.of([SALES]).map(lambda sale: sale.nothing, to=Each))
    assert stream.batch([Sale(1, "a")]).dead_letters == 1, "one event says nothing about the function"
    with pytest.raises(StreamError, match="has no attribute 'nothing'"):
        stream.batch([Sale(number, "a") for number in range(20)])
    assert stream.runner.checkpoint.plan() is not None, "the batch comes first when the function is mended"


def test_a_function_that_fails_on_a_closed_window_ends_the_stream_and_costs_no_event(
    running: Callable[[Flow], Running],
) -> None:
    windows = Flow.of([SALES]).with_watermark("at", ms(0)).group_by("key").tumbling_window(ms(10))
    stream = running(windows.agg(n=Sum("value")).final().map(each, to=Each))
    assert stream.batch([Sale(1, "a", 0)]).dead_letters == 0
    with pytest.raises(StreamError, match="ZeroDivisionError"):
        stream.batch([Sale(50, "b")])


def test_an_event_whose_key_is_null_is_set_aside(running: Callable[[Flow], Running]) -> None:
    stream = running(Flow.of([SALES]).group_by("key").agg(n=Count()))
    report = stream.batch([Sale(1, "a"), Sale(1, None), Sale(2, "a")])
    assert (report.events, report.dead_letters) == (2, 1)
    assert stream.table.rows == {"a": 2}


def test_an_event_of_a_wild_time_is_set_aside(running: Callable[[Flow], Running]) -> None:
    windows = Flow.of([SALES]).with_watermark("at", ms(0)).group_by("key").tumbling_window(ms(10))
    stream = running(windows.agg(n=Count()).final())
    assert stream.batch([Sale(1_792_000_000_000_000, "a"), Sale(5, "a")]).dead_letters == 1
    report = stream.batch([Sale(6, "a"), Sale(50, "b")])
    assert (report.events, report.late) == (2, 0)
    assert stream.table.rows == {"a": 2}


def test_a_stream_that_starts_again_after_a_long_time_does_not_take_it_for_silence(tmp_path: Path) -> None:
    clock = FakeClock()
    marked = Flow.of([SALES]).with_watermark("at", ms(0), idle=ms(1_000)).group_by("key")
    flow = marked.tumbling_window(ms(10)).agg(n=Count()).final()
    for sales, late in (([Sale(15, "a")], 0), ([Sale(16, "a")], 0), ([Sale(17, "a")], 0)):
        stream = Running(tmp_path, flow, clock)
        with stream.runner:
            assert stream.runner.step(0) is None, "what came while it was stopped may not be there at once"
            assert stream.batch(sales).late == late
        clock.advance_ms(3_600_000)
    with Running(tmp_path, flow, clock).runner as runner:
        clock.advance_ms(1_000)
        report = runner.step(0)
        assert report is not None
        assert report.written == 1


def test_windows_that_one_batch_leaves_are_closed_before_events_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_totals, "CLOSED_LIMIT", 2)
    flow = Flow.of([SALES]).with_watermark("at", ms(0)).group_by("key").tumbling_window(ms(10)).agg(n=Count()).final()
    first = Running(tmp_path, flow)
    with first.runner:
        first.batch([Sale(number, f"k{number}") for number in range(5)])
        assert first.batch([Sale(20, "end")]).written == 2
    second = Running(tmp_path, flow)
    with second.runner:
        reports = [second.batch([Sale(30, "late")]), second.runner.step(0), second.runner.step(0)]
    assert [(report.rows, report.written) for report in reports] == [(0, 2), (0, 1), (1, 1)]
    assert sorted(first.table.rows | second.table.rows) == ["end", "k0", "k1", "k2", "k3", "k4"]


def test_the_time_in_which_a_source_does_not_answer_is_no_silence_of_it(tmp_path: Path) -> None:
    clock = FakeClock()
    marked = Flow.of([SALES]).with_watermark("at", ms(0), idle=ms(1_000)).group_by("key")
    stream = Running(tmp_path, marked.tumbling_window(ms(10)).agg(n=Count()).final(), clock)
    with stream.runner:
        stream.batch([Sale(15, "a")])
        stream.source.away_for = 1
        clock.advance_ms(3_600_000)
        assert stream.runner.step(0) is None, "what came meanwhile is still to be read"
        assert stream.batch([Sale(16, "a")]).late == 0
        clock.advance_ms(1_000)
        report = stream.runner.step(0)
    assert report is not None and report.written == 1
    assert stream.table.rows == {"a": 2}
