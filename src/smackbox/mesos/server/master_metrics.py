"""The master's Prometheus metrics: the figures of `/metrics/snapshot`, as gauges under `mesos_`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from smackbox.mesos.handlers.context import MasterContext
from smackbox.mesos.handlers.figures import snapshot

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric


def registry(context: Callable[[], MasterContext]) -> CollectorRegistry:
    """A registry that reads whichever machine is current."""
    from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
    from prometheus_client.core import GaugeMetricFamily
    from prometheus_client.registry import Collector

    class MasterCollector(Collector):
        def collect(self) -> Iterator[Metric]:
            for name, value in snapshot(context()).items():
                metric = "mesos_" + name.replace("/", "_").replace(".", "_")
                yield GaugeMetricFamily(metric, f"Mesos' {name}", value=value)

    made = CollectorRegistry()
    ProcessCollector(registry=made)
    PlatformCollector(registry=made)
    GCCollector(registry=made)
    made.register(MasterCollector())
    return made
