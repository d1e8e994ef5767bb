"""How projections are doing, for people and for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from smackbox.akka.persistence.offset import Offset
from smackbox.akka.persistence.query import EventEnvelope
from smackbox.akka.projection.projection_id import ProjectionId

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric


class ProjectionStatus:
    """Of one instance. `lag_s` is how old the last event was when it was handled."""

    def __init__(self, id_: ProjectionId, wall_ms: Callable[[], int]) -> None:
        self.id = id_
        self._wall_ms = wall_ms
        self.state = "starting"
        self.handled_events = 0
        self.skipped_events = 0
        self.restarts = 0
        self.saved_offsets = 0
        self.lag_s = 0.0
        self.last_event_ms = 0
        self.offset: Offset | None = None
        self.error = ""

    def handled(self, envelopes: Sequence[EventEnvelope]) -> None:
        """The handler has handled these."""
        self.handled_events += len(envelopes)
        self.last_event_ms = envelopes[-1].timestamp_ms
        self.lag_s = max(0.0, (self._wall_ms() - self.last_event_ms) / 1_000)

    def skipped(self, count: int) -> None:
        """So many were left out."""
        self.skipped_events += count

    def saved(self, offset: Offset | None) -> None:
        """An offset was saved, or read at the start of a run."""
        self.offset = offset
        self.saved_offsets += 1


class ProjectionCollector:
    """For a `CollectorRegistry` of `prometheus_client`: `registry.register(ProjectionCollector(statuses))`."""

    def __init__(self, statuses: Callable[[], Iterable[ProjectionStatus]]) -> None:
        self._statuses = statuses

    def collect(self) -> Iterator[Metric]:
        """One family for each metric."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        labels = ["name", "key"]
        statuses = list(self._statuses())
        for kind, name, text, value in _METRICS:
            family: Any = GaugeMetricFamily if kind == "gauge" else CounterMetricFamily
            metric = family(f"smack_projection_{name}", text, labels=labels)
            for status in statuses:
                metric.add_metric([status.id.name, status.id.key], value(status))
            yield metric


_METRICS: tuple[tuple[str, str, str, Callable[[ProjectionStatus], float]], ...] = (
    ("gauge", "lag_seconds", "Age of the last event when it was handled", lambda s: s.lag_s),
    ("gauge", "last_event_seconds", "Unix time of the last handled event", lambda s: s.last_event_ms / 1_000),
    ("gauge", "running", "0 while it is paused or waits to restart", lambda s: float(s.state == "running")),
    ("counter", "events", "Events handled", lambda s: s.handled_events),
    ("counter", "skipped_events", "Events left out because their handler failed", lambda s: s.skipped_events),
    ("counter", "saved_offsets", "Offsets saved", lambda s: s.saved_offsets),
    ("counter", "restarts", "Restarts after a failure", lambda s: s.restarts),
)
