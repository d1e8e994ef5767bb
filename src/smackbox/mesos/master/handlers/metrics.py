"""The master's metrics, with the names of Mesos' `/metrics/snapshot`."""

from __future__ import annotations

from smackbox.mesos.master.handlers.context import MasterContext
from smackbox.mesos.master.state.master import Master
from smackbox.mesos.resources.resources import UNITS

_STATES = (
    "staging",
    "starting",
    "running",
    "killing",
    "finished",
    "failed",
    "killed",
    "lost",
    "error",
    "dropped",
    "unreachable",
    "gone",
    "gone_by_operator",
)
_RESOURCES = ("cpus", "gpus", "mem", "disk")


def snapshot(context: MasterContext) -> dict[str, float]:
    """All current metrics."""
    metrics: dict[str, float] = {"master/elected": float(context.leads)}
    master = context.master
    if master is None:
        return metrics
    metrics["master/uptime_secs"] = (master.clock.wall_ms() - master.started_ms) / 1_000
    frameworks = list(master.frameworks.values())
    agents = list(master.agents.values())
    connected = [framework for framework in frameworks if framework.connected]
    metrics |= {
        "master/frameworks_connected": len(connected),
        "master/frameworks_disconnected": len(frameworks) - len(connected),
        "master/frameworks_active": len(connected),
        "master/frameworks_inactive": len(frameworks) - len(connected),
        "master/slaves_connected": sum(agent.connected for agent in agents),
        "master/slaves_disconnected": sum(not agent.connected for agent in agents),
        "master/slaves_active": sum(agent.active for agent in agents),
        "master/slaves_inactive": sum(not agent.active for agent in agents),
        "master/slaves_unreachable": len(master.registry.unreachable),
        "master/outstanding_offers": len(master.offers),
        "master/recovery_slave_removals": 0,
        "master/event_queue_messages": 0,
        "allocator/mesos/allocation_runs": master.allocator.passes,
        "registrar/registry_size_bytes": 0,
    }
    states = dict.fromkeys(_STATES, 0)
    for framework in frameworks:
        for task in framework.tasks.values():
            if not task.terminal:
                states[task.state.removeprefix("TASK_").lower()] += 1
    for state in _STATES:
        metrics[f"master/tasks_{state}"] = states[state] or master.counters.get(f"tasks/{state}", 0)
    for state in ("staging", "starting", "running", "killing"):
        metrics[f"master/tasks_{state}"] = states[state]
    for name, value in master.counters.items():
        if not name.startswith("tasks/"):
            metrics[f"master/{name}"] = value
    _resources(master, metrics)
    return metrics


def _resources(master: Master, metrics: dict[str, float]) -> None:
    total: dict[str, int] = {}
    used: dict[str, int] = {}
    for agent in master.agents.values():
        for name, amount in agent.total.quantities().items():
            total[name] = total.get(name, 0) + amount
        for resources in agent.used().values():
            for name, amount in resources.quantities().items():
                used[name] = used.get(name, 0) + amount
    for name in _RESOURCES:
        metrics[f"master/{name}_total"] = total.get(name, 0) / UNITS
        metrics[f"master/{name}_used"] = used.get(name, 0) / UNITS
        metrics[f"master/{name}_percent"] = used.get(name, 0) / total[name] if total.get(name) else 0.0
