"""`/state` of the agent: its resources and tasks, in the form that Mesos' web UI and older clients read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from smackbox.mesos.agent.handlers.context import AgentContext
from smackbox.mesos.agent.state.entities import AgentExecutor, AgentFramework, AgentTask
from smackbox.mesos.resources.resources import UNITS, Resources, format_amount
from smackbox.mesos.resources.text import attribute_model
from smackbox.mesos.version import BUILD
from smackbox.net.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import Resource


Json = dict[str, object]


def state(context: AgentContext, _request: HttpRequest) -> HttpResponse:
    """The agent with everything that runs on it."""
    agent = context.agent
    settings = agent.settings
    resources = [*settings.resources]
    leader = context.leader()
    return HttpResponse.json(
        {
            **BUILD,
            "start_time": agent.started_ms / 1_000,
            "id": agent.id or "",
            "pid": f"slave(1)@{settings.endpoint}",
            "hostname": settings.hostname,
            "capabilities": agent.capabilities,
            "resources": resource_model(resources),
            "reserved_resources": {
                role: resource_model(found) for role, found in _by_role(resources).items() if role != "*"
            },
            "unreserved_resources": resource_model(_by_role(resources).get("*", [])),
            "attributes": attribute_model(settings.attributes),
            "master_hostname": "" if leader is None else leader.partition("://")[2].rpartition(":")[0],
            "flags": context.flags,
            "frameworks": [framework_model(context, framework) for framework in agent.frameworks.values()],
            "completed_frameworks": [framework_model(context, framework) for framework in agent.completed],
        }
    )


def framework_model(context: AgentContext, framework: AgentFramework) -> Json:
    """A framework as `/state` shows it."""
    info = framework.info
    return {
        "id": framework.id,
        "name": info.get("name", ""),
        "user": info.get("user", ""),
        "failover_timeout": info.get("failover_timeout", 0.0),
        "checkpoint": framework.is_checkpointed,
        "hostname": info.get("hostname", ""),
        "principal": info.get("principal", ""),
        "roles": info.get("roles", [info.get("role", "*")]),
        "executors": [executor_model(context, executor) for executor in framework.executors.values()],
        "completed_executors": [executor_model(context, executor) for executor in framework.completed],
    }


def executor_model(_context: AgentContext, executor: AgentExecutor) -> Json:
    """An executor as `/state` shows it."""
    queued = {task.id for tasks in executor.queued for task in tasks}
    shown = list(executor.tasks.values())
    return {
        "id": executor.id,
        "name": executor.info.get("name", ""),
        "source": executor.info.get("source", ""),
        "framework_id": executor.framework_id,
        "container": executor.container_id,
        "directory": str(executor.directory),
        "type": executor.kind.upper(),
        "resources": resource_model(executor.resources()),
        "tasks": [task_model(task) for task in shown if not task.is_terminal and task.id not in queued],
        "queued_tasks": [task_model(task) for task in shown if task.id in queued],
        "completed_tasks": [
            task_model(framework)
            for framework in [*(framework for framework in shown if framework.is_terminal), *executor.completed]
        ],
    }


def task_model(task: AgentTask) -> Json:
    """A task as `/state` shows it."""
    info = task.info
    model: Json = {
        "id": task.id,
        "name": info.get("name", ""),
        "framework_id": task.framework_id,
        "executor_id": task.executor_id,
        "slave_id": info["agent_id"]["value"],
        "state": task.state,
        "resources": resource_model(info.get("resources", [])),
        "statuses": [
            {name: status[name] for name in ("state", "timestamp", "healthy", "container_status") if name in status}
            for status in task.statuses
        ],
        "labels": info.get("labels", {}).get("labels", []),
    }
    if "discovery" in info:
        model["discovery"] = info["discovery"]
    return model


def resource_model(resources: Sequence[Resource]) -> Json:
    """Sums by name: numbers, and ranges and sets as text. The four standard resources are always included."""
    model: Json = {"cpus": 0.0, "gpus": 0.0, "mem": 0.0, "disk": 0.0}
    model.update(quantities(resources))
    others: dict[str, list[str]] = {}
    for kind, amount in Resources.from_messages(resources):
        if not isinstance(amount, int):
            others.setdefault(kind.name, []).append(format_amount(amount))
    model.update({name: ", ".join(texts) for name, texts in others.items()})
    return model


def quantities(resources: Sequence[Resource]) -> dict[str, float]:
    """The total of each scalar."""
    return {name: amount / UNITS for name, amount in Resources.from_messages(resources).quantities().items()}


def _by_role(resources: Sequence[Resource]) -> dict[str, list[Resource]]:
    by_role: dict[str, list[Resource]] = {}
    for resource in resources:
        reservations = resource.get("reservations", [])
        role = reservations[-1].get("role", "*") if reservations else resource.get("role", "*")
        by_role.setdefault(role, []).append(resource)
    return by_role
