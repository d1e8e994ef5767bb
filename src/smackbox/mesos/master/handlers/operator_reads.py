"""What operators can read: the whole state and its parts, flags, version, metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smackbox.mesos.http.answers import Answer
from smackbox.mesos.master.handlers.context import Call
from smackbox.mesos.master.handlers.metrics import snapshot
from smackbox.mesos.master.state.agents import agent_model
from smackbox.mesos.master.state.entities import Framework
from smackbox.mesos.master.state.frameworks import framework_model
from smackbox.mesos.version import BUILD
from smackbox.net.http import HttpResponse

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import (
        MasterCallSetLoggingLevel,
        MasterResponseGetAgents,
        MasterResponseGetExecutors,
        MasterResponseGetExecutorsExecutor,
        MasterResponseGetFlags,
        MasterResponseGetFrameworks,
        MasterResponseGetFrameworksFramework,
        MasterResponseGetHealth,
        MasterResponseGetLoggingLevel,
        MasterResponseGetMaster,
        MasterResponseGetMetrics,
        MasterResponseGetOperations,
        MasterResponseGetRoles,
        MasterResponseGetState,
        MasterResponseGetTasks,
        MasterResponseGetVersion,
        MasterResponseGetWeights,
        Role,
    )


def get_health(_: Call) -> MasterResponseGetHealth:
    """GET_HEALTH."""
    return {"healthy": True}


def get_flags(call: Call) -> MasterResponseGetFlags:
    """GET_FLAGS, with the names of Mesos' flags."""
    call.require("view_flags")
    return {"flags": [{"name": name, "value": value} for name, value in call.master.options.flags.items()]}


def get_version(_: Call) -> MasterResponseGetVersion:
    """GET_VERSION: the version of Mesos that this API implements."""
    return {"version_info": BUILD}


def get_metrics(call: Call) -> MasterResponseGetMetrics:
    """GET_METRICS."""
    return {"metrics": [{"name": name, "value": float(value)} for name, value in snapshot(call.context).items()]}


def get_logging_level(call: Call) -> MasterResponseGetLoggingLevel:
    """GET_LOGGING_LEVEL."""
    return {"level": call.context.log_level}


def set_logging_level(call: Call, message: MasterCallSetLoggingLevel) -> Answer:
    """SET_LOGGING_LEVEL: 0 is normal; any other level logs more, until the duration has passed."""
    call.require("set_log_level")
    call.context.log_level = message["level"]
    call.context.log_level_until_ms = call.master.now_ms + message["duration"]["nanoseconds"] // 1_000_000
    return HttpResponse(200)


def get_master(call: Call) -> MasterResponseGetMaster:
    """GET_MASTER: the leader."""
    master = call.master
    answer: MasterResponseGetMaster = {"master_info": master.info(), "start_time": master.started_ms / 1_000}
    if master.elected_ms is not None:
        answer["elected_time"] = master.elected_ms / 1_000
    return answer


def get_state(call: Call) -> MasterResponseGetState:
    """GET_STATE: everything that the caller may see."""
    return {
        "get_tasks": get_tasks(call),
        "get_executors": get_executors(call),
        "get_frameworks": get_frameworks(call),
        "get_agents": get_agents(call),
    }


def get_agents(call: Call) -> MasterResponseGetAgents:
    """GET_AGENTS."""
    recovered = [call.master.registry.agents[agent]["info"] for agent in call.master.recovered_agents]
    return {"agents": [agent_model(agent) for agent in call.master.agents.values()], "recovered_agents": recovered}


def visible(call: Call, action: str) -> list[Framework]:
    """The frameworks that the caller may see."""
    return [framework for framework in call.master.frameworks.values() if call.allows(action, framework.info["user"])]


def get_frameworks(call: Call) -> MasterResponseGetFrameworks:
    """GET_FRAMEWORKS."""
    completed = [
        framework
        for framework in call.master.completed_frameworks
        if call.allows("view_frameworks", framework.info["user"])
    ]
    return {
        "frameworks": [_full(framework) for framework in visible(call, "view_frameworks")],
        "completed_frameworks": [framework_model(framework) for framework in completed],
    }


def _full(framework: Framework) -> MasterResponseGetFrameworksFramework:
    model: MasterResponseGetFrameworksFramework = framework_model(framework)
    model["offers"] = [offer.message for offer in framework.offers.values()]
    model["inverse_offers"] = [inverse.message for inverse in framework.inverse_offers.values()]
    model["allocated_resources"] = framework.used().to_messages()
    model["offered_resources"] = framework.offered().to_messages()
    if framework.offer_constraints is not None:
        model["offer_constraints"] = framework.offer_constraints
    return model


def get_executors(call: Call) -> MasterResponseGetExecutors:
    """GET_EXECUTORS."""
    executors: list[MasterResponseGetExecutorsExecutor] = []
    for framework in visible(call, "view_executors"):
        for agent_id, on_agent in framework.executors.items():
            executors += [
                {"executor_info": executor.info, "agent_id": {"value": agent_id}} for executor in on_agent.values()
            ]
    return {"executors": executors}


def get_operations(call: Call) -> MasterResponseGetOperations:
    """GET_OPERATIONS."""
    operations = [operation.message for agent in call.master.agents.values() for operation in agent.operations.values()]
    return {"operations": operations}


def get_tasks(call: Call) -> MasterResponseGetTasks:
    """GET_TASKS."""
    answer: MasterResponseGetTasks = {
        "pending_tasks": [],
        "tasks": [],
        "unreachable_tasks": [],
        "completed_tasks": [],
    }
    completed = [
        framework for framework in call.master.completed_frameworks if call.allows("view_tasks", framework.info["user"])
    ]
    for framework in [*visible(call, "view_tasks"), *completed]:
        answer["tasks"] += [task.message for task in framework.tasks.values()]
        answer["unreachable_tasks"] += [task.message for task in framework.unreachable.values()]
        answer["completed_tasks"] += framework.completed
    return answer


def get_roles(call: Call) -> MasterResponseGetRoles:
    """GET_ROLES."""
    master = call.master
    roles: list[Role] = []
    for role in master.known_roles():
        if not call.allows("view_roles", role):
            continue
        members = [framework for framework in master.frameworks.values() if role in framework.roles]
        used = [
            message
            for agent in master.agents.values()
            for (_, other), resources in agent.used().items()
            if other == role
            for message in resources.to_messages(role=role)
        ]
        roles.append(
            {
                "name": role,
                "weight": master.registry.weights.get(role, 1.0),
                "frameworks": [{"value": member.id} for member in members],
                "resources": used,
            }
        )
    return {"roles": roles}


def get_weights(call: Call) -> MasterResponseGetWeights:
    """GET_WEIGHTS."""
    weights = call.master.registry.weights
    return {
        "weight_infos": [
            {"role": role, "weight": weight} for role, weight in weights.items() if call.allows("view_roles", role)
        ]
    }
