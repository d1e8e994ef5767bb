"""The content of /metrics, as JSON and for Prometheus."""

from __future__ import annotations

from typing import Any

from smackbox.marathon.state.marathon import Marathon
from smackbox.net.http import HttpResponse


def metrics(marathon: Marathon | None) -> dict[str, Any]:
    """The metrics in Marathon's form: gauges with dotted names. A standby has none."""
    return {
        "version": "4.0.0",
        "gauges": {f"marathon.{name}.gauge": {"value": value} for name, value in _values(marathon).items()},
        "counters": {},
        "histograms": {},
        "meters": {},
        "timers": {},
    }


def prometheus(marathon: Marathon | None) -> HttpResponse:
    """The metrics in Prometheus' format; `marathon` is None on a standby."""
    lines = []
    for name, value in _values(marathon).items():
        plain = "marathon_" + name.replace(".", "_")
        lines.append(f"# TYPE {plain} gauge\n{plain} {value}\n")
    return HttpResponse(200, "".join(lines).encode(), "text/plain; version=0.0.4")


def _values(marathon: Marathon | None) -> dict[str, int]:
    if marathon is None:
        return {"leading": 0}
    counts = [marathon.counts(app_id) for app_id in marathon.root.apps]
    return {
        "leading": 1,
        "apps.active": len(marathon.root.apps),
        "groups.active": len(marathon.root.groups),
        "deployments.active": len(marathon.deployments),
        "instances.staged": sum(counts_["tasksStaged"] for counts_ in counts),
        "instances.running": sum(counts_["tasksRunning"] for counts_ in counts),
        "instances.healthy": sum(counts_["tasksHealthy"] for counts_ in counts),
        "instances.unhealthy": sum(counts_["tasksUnhealthy"] for counts_ in counts),
        "apps.waiting": len(marathon.waiting),
    }
