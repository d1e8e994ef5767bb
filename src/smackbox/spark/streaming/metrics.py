"""What a stream shows to Prometheus: lag, batch time, rows, and what was dropped or set aside."""

from __future__ import annotations

from typing import Any

from smackbox.base.errors import StartError

HOST = "127.0.0.1"
SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class StreamMetrics:
    """Served on `port` (0 picks a free one) while it is open."""

    def __init__(self, stream: str, port: int) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, start_http_server

        self._lag = 0
        self._rate: float | None = None
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        labels = {"stream": stream}
        names = list(labels)

        def counter(name: str, text: str) -> Any:
            return Counter(f"smack_stream_{name}", text, names, registry=self.registry).labels(**labels)

        def gauge(name: str, text: str) -> Any:
            return Gauge(f"smack_stream_{name}", text, names, registry=self.registry).labels(**labels)

        self.rows = counter("rows", "Records read")
        self.duplicates = counter("duplicates", "Events dropped because their identity was seen before")
        self.dead_letters = counter("dead_letters", "Records that are no events of the stream")
        self.retries = counter("retries", "Attempts repeated because a server did not answer")
        self.late = counter("late_events", "Rows that came later than all windows that they belong to")
        self.lag = gauge("lag_records", "Records in the topic that wait to be read")
        self.lag_seconds = gauge("lag_seconds", "How long the waiting records take at the rate of the last batches")
        self.watermark_delay = gauge("watermark_delay_seconds", "How far event time is behind the clock")
        self.batch = gauge("batch_id", "The last batch committed")
        self.seconds = Histogram(
            "smack_stream_batch_seconds",
            "From the last record read to the commit",
            names,
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        ).labels(**labels)
        try:
            self._server, self._thread = start_http_server(port, addr=HOST, registry=self.registry)
        except OSError as error:
            raise StartError(f"the metrics of {stream} cannot be served on {HOST}:{port}: {error.strerror}") from error

    def tell(self, report: Any, now_ms: int) -> None:
        """Add a batch; `report` is a `BatchReport`."""
        self.rows.inc(report.rows)
        self.duplicates.inc(report.duplicates)
        self.dead_letters.inc(report.dead_letters)
        self.late.inc(report.late)
        self.batch.set(report.batch)
        self.seconds.observe(report.seconds)
        if report.watermark_ms is not None:
            self.watermark_delay.set((now_ms - report.watermark_ms) / 1000)
        if report.rows:
            rate = report.rows / max(report.seconds, 1e-6)
            self._rate = rate if self._rate is None else 0.8 * self._rate + 0.2 * rate
            self.lag_seconds.set(self._lag / self._rate)

    def show_lag(self, records: int) -> None:
        """How many records wait, before a batch."""
        self._lag = records
        self.lag.set(records)
        self.lag_seconds.set(records / self._rate if self._rate else 0.0)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._server.server_port}/metrics"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
