"""What a stream shows: lag in records and seconds, late events, how far event time is behind."""

from __future__ import annotations

import urllib.request

from smackbox.spark.streaming.instances import PartitionMetrics
from smackbox.spark.streaming.metrics import StreamMetrics
from smackbox.spark.streaming.runner import BatchReport


def shown(metrics: StreamMetrics) -> dict[str, float]:
    with urllib.request.urlopen(metrics.url, timeout=10) as page:
        lines = [line.decode().split(" ") for line in page if line.startswith(b"smack_stream")]
    return {name.removesuffix('{stream="s"}'): float(value) for name, value in lines if name.endswith('{stream="s"}')}


def report(rows: int, seconds: float, late: int = 0, watermark_ms: int | None = None) -> BatchReport:
    return BatchReport(1, rows, rows - late, 0, 0, rows, seconds, late, watermark_ms)


def test_lag_is_shown_in_records_and_in_the_seconds_that_they_take() -> None:
    metrics = StreamMetrics("s", 0)
    try:
        metrics.show_lag(500)
        assert shown(metrics)["smack_stream_lag_seconds"] == 0, "no rate is known yet"
        metrics.tell(report(1_000, 2.0, late=3, watermark_ms=40_000), 100_000)
        found = shown(metrics)
        assert found["smack_stream_lag_records"] == 500
        assert found["smack_stream_lag_seconds"] == 1.0
        assert found["smack_stream_late_events_total"] == 3
        assert found["smack_stream_watermark_delay_seconds"] == 60.0
        metrics.show_lag(5_000)
        assert shown(metrics)["smack_stream_lag_seconds"] == 10.0
    finally:
        metrics.close()


def test_the_lag_of_an_instance_is_that_of_its_partitions() -> None:
    metrics = StreamMetrics("s", 0)
    try:
        lags: dict[int, int] = {}
        one, other = (PartitionMetrics(metrics, lags, number) for number in (1, 2))
        one.show_lag(10)
        other.show_lag(5)
        one.show_lag(3)
        other.tell(report(7, 1.0), 0)
        found = shown(metrics)
        assert (found["smack_stream_lag_records"], found["smack_stream_rows_total"]) == (8, 7)
    finally:
        metrics.close()
