"""A stream's embedded engine replaces its Sail servers while batches run, and nobody notices."""

from __future__ import annotations

import time
from typing import Any

import pytest

from smackbox.spark.front import engine
from smackbox.spark.streaming.engine import StreamEngine

TIMEOUT_S = 60.0


def test_sail_is_another_one_after_so_many_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "QUERIES_LIMIT", 4)
    stream = StreamEngine(None, "stream")
    try:
        spark = stream.session()
        deadline = time.monotonic() + TIMEOUT_S
        while stream._server.pool.recycled < 2:
            assert time.monotonic() < deadline
            assert stream.session().range(3).count() == 3
        assert stream.session() is spark
    finally:
        stream.close()


def test_a_lost_engine_is_replaced() -> None:
    stream = StreamEngine(None, "stream")
    try:
        first = stream.session()
        stream.lost()
        second = stream.session()
        assert second is not first
        assert second.range(3).count() == 3
    finally:
        stream.close()


def test_a_stream_goes_on_over_a_renewal(streams: Any, topic: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "QUERIES_LIMIT", 3)

    def count(batch: Any) -> Any:
        return batch.selectExpr("campaign", "1L AS views", "0L AS clicks")

    table = streams.total_table()
    topic.put(*(streams.event(number, campaign="c") for number in range(80)))
    with streams.runner(table, count, max_rows_per_batch=10) as runner:
        assert len(streams.drain(runner, 80)) >= 8
    assert table.rows == {"c": (80, 0)}
