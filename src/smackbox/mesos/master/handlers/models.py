"""Agents, frameworks, tasks and executors in the form of Mesos' classic endpoints (`/state` and others)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smackbox.mesos.master.state.entities import Agent, Executor, Framework, Offer, Task
from smackbox.mesos.master.state.master import Master
from smackbox.mesos.resources.resources import Resources, total
from smackbox.mesos.resources.text import attribute_model

if TYPE_CHECKING:
    from smackbox.mesos.wire import messages
    from smackbox.mesos.wire.messages import TaskStatus

Json = dict[str, object]

TASK_STATES = (
    "TASK_STAGING",
    "TASK_STARTING",
    "TASK_RUNNING",
    "TASK_KILLING",
    "TASK_FINISHED",
    "TASK_KILLED",
    "TASK_FAILED",
    "TASK_LOST",
    "TASK_ERROR",
    "TASK_UNREACHABLE",
)


def agent_summary(agent: Agent) -> Json:
    used = total(agent.used().values())
    shown: Json = {
        "id": agent.id,
        "hostname": agent.hostname,
        "port": int(agent.address.rpartition(":")[2]),
        "attributes": attribute_model(agent.info.get("attributes", [])),
        "pid": agent.pid,
        "registered_time": agent.registered_ms / 1_000,
        "resources": agent.total.model(),
        "used_resources": used.model(),
        "offered_resources": agent.offered().model(),
        "reserved_resources": {role: one.model() for role, one in agent.total.reservations().items()},
        "unreserved_resources": agent.total.unreserved().model(),
        "active": agent.active,
        "deactivated": agent.deactivated,
        "version": agent.version,
        "capabilities": [capability["type"] for capability in agent.capabilities],
    }
    if "domain" in agent.info:
        shown["domain"] = agent.info["domain"]
    if agent.reregistered_ms is not None:
        shown["reregistered_time"] = agent.reregistered_ms / 1_000
    if agent.drain is not None:
        shown["drain_info"] = agent.drain
        if agent.drain_began_ms is not None:
            shown["estimated_drain_start_time_seconds"] = agent.drain_began_ms / 1_000
    return shown


def agent_full(agent: Agent) -> Json:
    reserved = {role: one.to_messages(refined=False) for role, one in agent.total.reservations().items()}
    return {
        **agent_summary(agent),
        "reserved_resources_full": reserved,
        "unreserved_resources_full": agent.total.unreserved().to_messages(refined=False),
        "used_resources_full": [
            message
            for (_, role), used in agent.used().items()
            for message in used.to_messages(role=role, refined=False)
        ],
        "offered_resources_full": [
            message
            for offer in agent.offers.values()
            for message in offer.resources.to_messages(role=offer.role, refined=False)
        ],
    }


def framework_summary(framework: Framework) -> Json:
    info = framework.info
    return {
        "id": framework.id,
        "name": info["name"],
        "used_resources": framework.used().model(),
        "offered_resources": framework.offered().model(),
        "capabilities": sorted(framework.capabilities),
        "hostname": info.get("hostname", ""),
        "webui_url": info.get("webui_url", ""),
        "active": framework.active,
        "connected": framework.connected,
        "recovered": framework.recovered,
    }


def framework_full(framework: Framework) -> Json:
    info = framework.info
    shown = {
        **framework_summary(framework),
        "user": info["user"],
        "failover_timeout": info.get("failover_timeout", 0.0),
        "checkpoint": info.get("checkpoint", False),
        "registered_time": framework.registered_ms / 1_000,
        "unregistered_time": framework.unregistered_ms / 1_000,
        "resources": (framework.used() + framework.offered()).model(),
        "tasks": [task_model(task.message) for task in framework.tasks.values()],
        "unreachable_tasks": [task_model(task.message) for task in framework.unreachable.values()],
        "completed_tasks": [task_model(message) for message in framework.completed],
        "offers": [offer_model(offer) for offer in framework.offers.values()],
        "executors": [
            executor_model(executor, framework.id, agent_id)
            for agent_id, on_agent in framework.executors.items()
            for executor in on_agent.values()
        ],
    }
    if "MULTI_ROLE" in framework.capabilities:
        shown["roles"] = framework.roles
    else:
        shown["role"] = info.get("role", "*")
    if framework.principal is not None:
        shown["principal"] = framework.principal
    if framework.registered_ms != framework.reregistered_ms:
        shown["reregistered_time"] = framework.reregistered_ms / 1_000
    if "labels" in info:
        shown["labels"] = info["labels"].get("labels", [])
    return shown


def task_model(task: messages.Task) -> Json:
    resources = Resources.from_messages(task.get("resources", []))
    shown: Json = {
        "id": task["task_id"]["value"],
        "name": task["name"],
        "framework_id": task["framework_id"]["value"],
        "executor_id": task.get("executor_id", {}).get("value", ""),
        "slave_id": task["agent_id"]["value"],
        "state": task["state"],
        "resources": resources.model(),
        "role": _role(task),
        "statuses": [_status_model(status) for status in task.get("statuses", [])],
    }
    if "user" in task:
        shown["user"] = task["user"]
    if "labels" in task:
        shown["labels"] = task["labels"].get("labels", [])
    for key in ("discovery", "container", "health_check"):
        if key in task:
            shown[key] = task[key]
    return shown


def _role(task: messages.Task) -> str:
    for resource in task.get("resources", []):
        if "role" in resource.get("allocation_info", {}):
            return str(resource["allocation_info"]["role"])
    return "*"


def _status_model(status: TaskStatus) -> Json:
    shown: Json = {"state": status["state"], "timestamp": status.get("timestamp", 0.0)}
    if "labels" in status:
        shown["labels"] = status["labels"].get("labels", [])
    for key in ("container_status", "healthy", "check_status"):
        if key in status:
            shown[key] = status[key]
    return shown


def offer_model(offer: Offer) -> Json:
    return {
        "id": offer.id,
        "framework_id": offer.framework_id,
        "allocation_info": {"role": offer.role},
        "slave_id": offer.agent_id,
        "resources": offer.resources.model(),
    }


def executor_model(executor: Executor, framework_id: str, agent_id: str) -> Json:
    info = executor.info
    shown: Json = {
        "executor_id": info["executor_id"]["value"],
        "name": info.get("name", ""),
        "framework_id": framework_id,
        "command": info.get("command", {}),
        "resources": executor.resources.model(),
        "role": executor.role,
        "slave_id": agent_id,
    }
    if "type" in info:
        shown["type"] = info["type"]
    if "labels" in info:
        shown["labels"] = info["labels"].get("labels", [])
    return shown


def counts_of(tasks: list[Task], completed: list[messages.Task], unreachable: list[Task]) -> dict[str, int]:
    """The number of tasks in each state."""
    counts = dict.fromkeys(TASK_STATES, 0)
    for state in [task.state for task in tasks] + [task["state"] for task in completed]:
        counts[state] = counts.get(state, 0) + 1
    counts["TASK_UNREACHABLE"] += len(unreachable)
    return counts


def role_model(master: Master, role: str) -> Json:
    members = [framework for framework in master.frameworks.values() if role in framework.roles]
    allocated: list[Resources] = []
    offered: list[Resources] = []
    reserved: list[Resources] = []
    for agent in master.agents.values():
        allocated += [used for (_, other), used in agent.used().items() if other == role]
        offered += [offer.resources for offer in agent.offers.values() if offer.role == role]
        reserved.append(agent.total.reserved(role))
    quota = master.registry.quotas.get(role)
    shown: Json = {
        "name": role,
        "weight": master.registry.weights.get(role, 1.0),
        "frameworks": [member.id for member in members],
        "resources": total([*allocated, *offered]).model(),
        "allocated": total(allocated).model(),
        "offered": total(offered).model(),
        "reserved": total(reserved).model(),
    }
    consumed = master.allocator.quotas.consumed(role)
    shown["quota"] = {
        "role": role,
        "guarantee": _plain(quota.guarantees if quota else {}),
        "limit": _plain(quota.limits if quota else {}),
        "consumed": _plain({name: amount for name, amount in consumed.items() if amount}),
    }
    return shown


def _plain(quantities: dict[str, int]) -> dict[str, float]:
    return {name: amount / 1_000 for name, amount in quantities.items()}
