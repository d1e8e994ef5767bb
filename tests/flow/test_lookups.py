"""Rows with columns of a table: what is asked for, what is kept and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from smackbox.flow.builder import Flow
from tests.flow.model import CLICKS, Click, Run, Source, ms


class Named(msgspec.Struct, frozen=True):
    key: str
    name: str | None


class Table:
    """Answers from a dictionary, and notes what it was asked."""

    def __init__(self, **rows: str) -> None:
        self.rows = rows
        self.asked: list[list[Any]] = []

    def read(self, keys: Sequence[Any], columns: Sequence[str]) -> list[dict[str, Any] | None]:
        self.asked.append([key for (key,) in keys])
        return [{"name": self.rows[key]} if key in self.rows else None for (key,) in keys]


def run_with(table: Table, **options: Any) -> Run:
    flow = Flow.of([CLICKS]).lookup(Source("names"), on="key", into=Named, **options)
    return Run(flow, {"names": table})


def test_a_batch_asks_for_each_key_once_and_keeps_the_answers_for_their_time() -> None:
    table = Table(a="Ada")
    run = run_with(table, cache_time=ms(100))
    clicks = [Click(0, "a"), Click(0, "b"), Click(0, "a")]
    assert run.batch(*clicks).rows == [Named("a", "Ada"), Named("b", None), Named("a", "Ada")]
    run.now_ms = 99
    table.rows = {"a": "Eve"}
    assert run.batch(Click(0, "a")).rows == [Named("a", "Ada")]
    run.now_ms = 100
    assert run.batch(Click(0, "a")).rows == [Named("a", "Eve")]
    assert table.asked == [["a", "b"], ["a"]]


def test_rows_without_a_partner_are_dropped_by_an_inner_lookup() -> None:
    run = run_with(Table(a="Ada"), how="inner")
    assert run.batch(Click(0, "b"), Click(0, "a")).rows == [Named("a", "Ada")]


def test_the_least_recently_used_answers_leave_a_full_cache() -> None:
    table = Table(a="A", b="B", c="C")
    run = run_with(table, cache_rows=2)
    for keys in ("ab", "a", "c", "a", "b"):
        run.batch(*(Click(0, key) for key in keys))
    assert table.asked == [["a", "b"], ["c"], ["b"]]
