"""Prometheus metrics of a master or an agent: the metrics of its `/metrics/snapshot`, as gauges under `mesos_`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from smackbox.net.metrics_endpoint import process_registry

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric


def registry(metrics: Callable[[], dict[str, float]]) -> CollectorRegistry:
    """A registry that reads the current metrics."""
    return process_registry(lambda: _gauges(metrics()))


def _gauges(metrics: dict[str, float]) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    for name, value in metrics.items():
        metric = "mesos_" + name.replace("/", "_").replace(".", "_")
        yield GaugeMetricFamily(metric, f"Mesos' {name}", value=value)
