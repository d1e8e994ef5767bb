"""Prometheus metrics of a master or an agent: the metrics of its `/metrics/snapshot`, as gauges under `mesos_`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric


def registry(metrics: Callable[[], dict[str, float]]) -> CollectorRegistry:
    """A registry that reads the current metrics."""
    from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
    from prometheus_client.core import GaugeMetricFamily
    from prometheus_client.registry import Collector

    class MetricsCollector(Collector):
        def collect(self) -> Iterator[Metric]:
            for name, value in metrics().items():
                metric = "mesos_" + name.replace("/", "_").replace(".", "_")
                yield GaugeMetricFamily(metric, f"Mesos' {name}", value=value)

    collector_registry = CollectorRegistry()
    ProcessCollector(registry=collector_registry)
    PlatformCollector(registry=collector_registry)
    GCCollector(registry=collector_registry)
    collector_registry.register(MetricsCollector())
    return collector_registry
