"""`/health`, `/version`, `/flags`, `/metrics/snapshot` of the agent."""

from __future__ import annotations

from smackbox.mesos.agent.handlers.context import AgentContext
from smackbox.mesos.agent.handlers.state import quantities
from smackbox.mesos.agent.state.entities import COMMAND, REGISTERING, RUNNING, TERMINATING
from smackbox.mesos.http.answers import Refused
from smackbox.mesos.version import BUILD
from smackbox.mesos.wire.durations import DurationError, parse_duration_ms
from smackbox.net.http import HttpRequest, HttpResponse

_LIVE_STATES = ("staging", "starting", "running", "killing")
_ENDED_STATES = ("finished", "failed", "killed", "error", "lost", "gone")
_EXECUTOR_STATES = {"registering": REGISTERING, "running": RUNNING, "terminating": TERMINATING}


def health(_context: AgentContext, _request: HttpRequest) -> HttpResponse:
    """200: the agent serves requests."""
    return HttpResponse(200)


def version(_context: AgentContext, _request: HttpRequest) -> HttpResponse:
    """The version of Mesos that this API implements."""
    return HttpResponse.json(BUILD)


def flags(context: AgentContext, _request: HttpRequest) -> HttpResponse:
    """The settings, with the names of Mesos' flags."""
    return HttpResponse.json({"flags": context.flags})


def metrics_snapshot(context: AgentContext, request: HttpRequest) -> HttpResponse:
    """Raises `Refused`: 400 for an invalid `timeout`; otherwise it has no effect, as nothing here takes long."""
    timeout = request.parameter("timeout")
    if timeout is not None:
        try:
            parse_duration_ms(timeout)
        except DurationError as error:
            raise Refused(400, f"Invalid timeout '{timeout}': {error}.\n") from error
    return HttpResponse.json(snapshot(context))


def snapshot(context: AgentContext) -> dict[str, float]:
    """All current metrics, with Mesos' names."""
    agent = context.agent
    executors = context.agent.executors()
    tasks = [task for executor in executors for task in executor.tasks.values()]
    metrics: dict[str, float] = {
        "slave/registered": float(agent.is_subscribed),
        "slave/uptime_secs": (agent.timers.clock.wall_ms() - agent.started_ms) / 1_000,
        "slave/recovery_errors": 0.0,
        "slave/frameworks_active": float(len(agent.frameworks)),
        "slave/executors_terminated": 0.0,
        "slave/tasks_launched": 0.0,
        "containerizer/mesos/container_destroy_errors": 0.0,
    }
    for name, state in _EXECUTOR_STATES.items():
        in_state = [executor for executor in executors if executor.state == state and executor.kind != COMMAND]
        metrics[f"slave/executors_{name}"] = float(len(in_state))
    for name in _LIVE_STATES:
        metrics[f"slave/tasks_{name}"] = float(sum(task.state == f"TASK_{name.upper()}" for task in tasks))
    for name in _ENDED_STATES:
        metrics[f"slave/tasks_{name}"] = 0.0
    metrics.update({name: float(value) for name, value in agent.counters.items()})
    total = quantities(agent.settings.resources)
    used = quantities([part for executor in executors for part in executor.resources()])
    for name in ("cpus", "gpus", "mem", "disk"):
        all_of_it = total.get(name, 0.0)
        metrics[f"slave/{name}_total"] = all_of_it
        metrics[f"slave/{name}_used"] = used.get(name, 0.0)
        metrics[f"slave/{name}_percent"] = used.get(name, 0.0) / all_of_it if all_of_it else 0.0
    return metrics
