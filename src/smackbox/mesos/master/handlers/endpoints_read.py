"""Classic read endpoints: `/state`, its parts, roles, weights, quotas, maintenance, flags, metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smackbox.mesos.http.answers import Answer, Refused
from smackbox.mesos.master.handlers import models, operator_maintenance, operator_roles
from smackbox.mesos.master.handlers.context import Call, MasterContext
from smackbox.mesos.master.handlers.metrics import snapshot
from smackbox.mesos.master.handlers.operator_reads import visible
from smackbox.mesos.master.state.entities import Framework
from smackbox.mesos.version import BUILD
from smackbox.net.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from smackbox.mesos.wire import messages
    from smackbox.mesos.wire.messages import MaintenanceSchedule, QuotaQuotaStatus, WeightInfo

Json = dict[str, object]

TASKS_LIMIT = 100


def read(shown: object) -> Answer:
    return HttpResponse.json(shown)


def _get_only(call: Call) -> None:
    if call.request.method not in {"GET", "HEAD"}:
        raise Refused(405, f"Expecting one of {{ 'GET' }}, but received '{call.request.method}'", {"Allow": "GET"})


def state(call: Call) -> Answer:
    """The full state of this master."""
    _get_only(call)
    master = call.master
    agents = list(master.agents.values())
    leader = call.context.leader or master.info()
    shown: Json = {
        **BUILD,
        "start_time": master.started_ms / 1_000,
        "elected_time": (master.elected_ms or 0) / 1_000,
        "id": master.id,
        "pid": master.pid,
        "hostname": master.options.hostname,
        "capabilities": [capability["type"] for capability in master.info()["capabilities"]],
        "activated_slaves": sum(agent.active for agent in agents),
        "deactivated_slaves": sum(not agent.active for agent in agents),
        "unreachable_slaves": len(master.registry.unreachable),
        "leader": leader["pid"],
        "leader_info": {key: leader[key] for key in ("id", "pid", "port", "hostname")},
        "slaves": [models.agent_full(agent) for agent in agents],
        "recovered_slaves": _recovered(call),
        "frameworks": [models.framework_full(framework) for framework in visible(call, "view_frameworks")],
        "completed_frameworks": [models.framework_full(framework) for framework in _completed(call)],
        "orphan_tasks": [],
        "unregistered_frameworks": [],
    }
    if master.options.cluster is not None:
        shown["cluster"] = master.options.cluster
    if call.allows("view_flags"):
        shown["flags"] = master.options.flags
    return read(shown)


def state_summary(call: Call) -> Answer:
    """Counts instead of tasks."""
    _get_only(call)
    master = call.master
    frameworks = visible(call, "view_frameworks")
    slaves, shown_frameworks = [], []
    for agent in master.agents.values():
        counts = models.counts_of(list(agent.tasks.values()), [], [])
        slaves.append({**models.agent_summary(agent), **counts, "framework_ids": sorted(agent.frameworks)})
    for framework in frameworks:
        tasks = list(framework.tasks.values())
        counts = models.counts_of(tasks, list(framework.completed), list(framework.unreachable.values()))
        on = {task.agent_id for task in tasks} | set(framework.executors)
        shown_frameworks.append({**models.framework_summary(framework), **counts, "slave_ids": sorted(on)})
    shown: Json = {"hostname": master.options.hostname, "slaves": slaves, "frameworks": shown_frameworks}
    if master.options.cluster is not None:
        shown["cluster"] = master.options.cluster
    return read(shown)


def slaves(call: Call) -> Answer:
    _get_only(call)
    agent_id = call.request.parameter("slave_id")
    agents = [agent for agent in call.master.agents.values() if agent_id in {None, agent.id}]
    return read({"slaves": [models.agent_full(agent) for agent in agents], "recovered_slaves": _recovered(call)})


def frameworks(call: Call) -> Answer:
    _get_only(call)
    framework_id = call.request.parameter("framework_id")
    return read(
        {
            "frameworks": [
                models.framework_full(framework)
                for framework in visible(call, "view_frameworks")
                if framework_id in {None, framework.id}
            ],
            "completed_frameworks": [
                models.framework_full(framework)
                for framework in _completed(call)
                if framework_id in {None, framework.id}
            ],
            "unregistered_frameworks": [],
        }
    )


def tasks(call: Call) -> Answer:
    """Tasks, newest first; 100 unless `limit` is given. Further parameters: `offset`, `order=asc`, `framework_id`,
    `task_id`.
    """
    _get_only(call)
    limit, offset = _number(call, "limit", TASKS_LIMIT), _number(call, "offset", 0)
    framework_id, task_id = call.request.parameter("framework_id"), call.request.parameter("task_id")
    task_messages: list[messages.Task] = []
    for framework in [*visible(call, "view_tasks"), *_completed(call)]:
        if framework_id not in {None, framework.id}:
            continue
        task_messages += framework.completed
        task_messages += [task.message for task in (*framework.tasks.values(), *framework.unreachable.values())]
    if task_id is not None:
        task_messages = [task_message for task_message in task_messages if task_message["task_id"]["value"] == task_id]
    task_messages.sort(key=_began, reverse=call.request.parameter("order") != "asc")
    return read({"tasks": [models.task_model(task_message) for task_message in task_messages[offset : offset + limit]]})


def _began(task: messages.Task) -> float:
    statuses = task.get("statuses", [])
    return float(statuses[0].get("timestamp", 0.0)) if statuses else 0.0


def roles(call: Call) -> Answer:
    _get_only(call)
    known = [role for role in call.master.known_roles() if call.allows("view_roles", role)]
    return read({"roles": [models.role_model(call.master, role) for role in known]})


def flags(context: MasterContext, _: HttpRequest, principal: str | None) -> Answer:
    """The flags, from every master, whether or not it leads."""
    if not context.access.lists.allows(principal, "view_flags"):
        raise Refused(403, "not authorized to view the flags")
    return read({"flags": context.flags})


def metrics(context: MasterContext, _: HttpRequest, __: str | None) -> Answer:
    return read(snapshot(context))


def weights(call: Call) -> list[WeightInfo]:
    known = call.master.registry.weights.items()
    return [{"role": role, "weight": weight} for role, weight in known if call.allows("view_roles", role)]


def quota_status(call: Call) -> QuotaQuotaStatus:
    return operator_roles.get_quota(call)["status"]


def maintenance_schedule(call: Call) -> MaintenanceSchedule:
    return operator_maintenance.get_schedule(call)["schedule"]


def maintenance_status(call: Call) -> Answer:
    _get_only(call)
    return read(operator_maintenance.get_status(call)["status"])


def _completed(call: Call) -> list[Framework]:
    return [
        framework
        for framework in call.master.completed_frameworks
        if call.allows("view_frameworks", framework.info["user"])
    ]


def _recovered(call: Call) -> list[Json]:
    """Agents that have not yet reconnected to this leader."""
    infos = [call.master.registry.agents[agent]["info"] for agent in call.master.recovered_agents]
    return [{"id": info["id"]["value"], "hostname": info["hostname"], "port": info.get("port", 5051)} for info in infos]


def _number(call: Call, name: str, default: int) -> int:
    text = call.request.parameter(name)
    if text is None:
        return default
    if not text.isdigit():
        raise Refused(400, f"Failed to parse '{name}': {text!r}")
    return int(text)
