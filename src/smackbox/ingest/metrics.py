"""The content of `/metrics`. The hot path counts in plain integers; Prometheus objects are built on each scrape."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class RouteCounts:
    """Counts of one route. `seconds` has a count for each bucket and one for slower requests."""

    __slots__ = ("accepted", "dead_lettered", "refused", "responses", "seconds", "seconds_sum")

    def __init__(self) -> None:
        self.accepted = 0
        self.refused = 0
        self.dead_lettered = 0
        self.responses: dict[int, int] = {}
        self.seconds = [0] * (len(SECONDS_BUCKETS) + 1)
        self.seconds_sum = 0.0

    def answered(self, status: int, seconds: float) -> None:
        """Count an answer with that status and duration in seconds."""
        self.responses[status] = self.responses.get(status, 0) + 1
        self.seconds[bisect_left(SECONDS_BUCKETS, seconds)] += 1
        self.seconds_sum += seconds


class IngestCollector:
    """Converts the counts into Prometheus metrics."""

    def __init__(
        self,
        routes: dict[str, RouteCounts],
        unrouted: dict[int, int],
        gauges: dict[str, tuple[str, Callable[[], float]]],
    ) -> None:
        self._routes = routes
        self._unrouted = unrouted
        self._gauges = gauges

    def registry(self) -> CollectorRegistry:
        """A registry with this collector and the process metrics."""
        from prometheus_client import GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR, CollectorRegistry

        registry = CollectorRegistry()
        registry.register(PROCESS_COLLECTOR)
        registry.register(PLATFORM_COLLECTOR)
        registry.register(GC_COLLECTOR)
        registry.register(self)  # type: ignore[arg-type, unused-ignore]  # a collector by its shape
        return registry

    def collect(self) -> Iterator[Metric]:
        """The current metrics; called by the Prometheus client."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        for name, help_text in (
            ("accepted", "Events acknowledged by the broker and answered with 202"),
            ("refused", "Events rejected by their type"),
            ("dead_lettered", "Rejected events written to a dead-letter topic"),
        ):
            family = CounterMetricFamily(f"smack_ingest_events_{name}", help_text, labels=["path"])
            for path, counts in self._routes.items():
                family.add_metric([path], getattr(counts, name))
            yield family
        responses = CounterMetricFamily("smack_ingest_responses", "Answers", labels=["path", "status"])
        for path, counts in self._routes.items():
            for status, count in list(counts.responses.items()):
                responses.add_metric([path, str(status)], count)
        for status, count in list(self._unrouted.items()):
            responses.add_metric(["", str(status)], count)
        yield responses
        seconds = HistogramMetricFamily(
            "smack_ingest_request_seconds", "From the last byte of a request to its answer", labels=["path"]
        )
        for path, counts in self._routes.items():
            total = 0
            buckets = []
            for bound, count in zip((*map(str, SECONDS_BUCKETS), "+Inf"), counts.seconds, strict=True):
                total += count
                buckets.append((bound, float(total)))
            seconds.add_metric([path], buckets, counts.seconds_sum)
        yield seconds
        for name, (help_text, read) in self._gauges.items():
            gauge = GaugeMetricFamily(f"smack_ingest_{name}", help_text)
            gauge.add_metric([], read())
            yield gauge
