"""The life of a framework: subscribed, disconnected, reconnected, removed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

from smackbox.base.errors import RequestError
from smackbox.mesos.master.state import roles as role_names
from smackbox.mesos.master.state.allocator import Claim, roles_of
from smackbox.mesos.master.state.entities import EventSink, Framework
from smackbox.mesos.master.state.master import Master
from smackbox.mesos.master.state.offer_constraints import ConstraintError, Test, compile_constraints
from smackbox.mesos.master.state.offers import remove_offer, rescind_all
from smackbox.mesos.master.state.operations import tell_unacknowledged
from smackbox.mesos.master.state.task_states import capabilities_of
from smackbox.mesos.master.state.tasks import remove_executor, remove_task, status_of, update_task
from smackbox.mesos.resources.resources import UNITS

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import (
        FrameworkInfo,
        MasterResponseGetFrameworksFramework,
        SchedulerOfferConstraints,
    )


FAILOVER_LIMIT_S = 365 * 24 * 3600.0 * 100


class FrameworkError(RequestError):
    """A framework that Mesos would reject."""


def validate_framework(master: Master, info: FrameworkInfo) -> None:
    """Check a framework. Raises `FrameworkError`."""
    capabilities = capabilities_of(info)
    if "MULTI_ROLE" in capabilities:
        if "role" in info:
            raise FrameworkError("'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable")
        roles = info.get("roles", [])
        if len(set(roles)) != len(roles):
            raise FrameworkError("'FrameworkInfo.roles' contains duplicates")
    elif info.get("roles"):
        raise FrameworkError("'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable")
    try:
        for role in roles_of(info):
            role_names.validate(role)
    except role_names.RoleError as error:
        raise FrameworkError(f"'FrameworkInfo.roles' contains an invalid role: {error}") from error
    timeout_s = info.get("failover_timeout", 0.0)
    if not math.isfinite(timeout_s) or abs(timeout_s) > FAILOVER_LIMIT_S:
        raise FrameworkError(f"The framework failover_timeout ({timeout_s}) is invalid: it is too large")
    framework_id = info.get("id", {}).get("value")
    if framework_id is not None:
        if master.is_completed(framework_id):
            raise FrameworkError("Framework has been removed")
        if not framework_id or "/" in framework_id:
            raise FrameworkError(f"'FrameworkInfo.id' {framework_id!r} is invalid")


def subscribe(
    master: Master,
    info: FrameworkInfo,
    sink: EventSink,
    stream_id: str,
    *,
    principal: str | None,
    suppressed: list[str],
    constraints: SchedulerOfferConstraints | None,
) -> Framework:
    """Subscribe a new or returning framework. Raises `FrameworkError` and changes nothing."""
    validate_framework(master, info)
    tests = _compile(constraints, roles_of(info))
    framework_id = info.get("id", {}).get("value")
    framework = master.frameworks.get(framework_id) if framework_id is not None else None
    now_ms = master.clock.wall_ms()
    if framework is None:
        framework = add_framework(
            master, framework_id or master.new_id(""), info, principal=principal, suppressed=suppressed
        )
        added = True
    else:
        added = False
        if framework.sink is not None:
            framework.send({"type": "ERROR", "error": {"message": "Framework failed over"}})
            old, framework.sink = framework.sink, None
            old.close()
        rescind_all(master, framework, tell=False)
        update_info(master, framework, _with_what_stays(framework, info), suppressed)
        framework.reregistered_ms = now_ms
        framework.principal = principal
    claim = master.allocator.claims[framework.id]
    framework.offer_constraints = constraints
    claim.constraints = tests
    framework.sink = sink
    framework.stream_id = stream_id
    framework.recovered = False
    framework.fails_over_until_ms = None
    framework.next_heartbeat_ms = master.now_ms + master.options.heartbeat_interval_ms
    master.allocator.set_framework_active(framework.id, True)
    framework.send(
        {
            "type": "SUBSCRIBED",
            "subscribed": {
                "framework_id": {"value": framework.id},
                "heartbeat_interval_seconds": master.options.heartbeat_interval_ms / 1_000,
                "master_info": master.info(),
            },
        }
    )
    framework.send({"type": "HEARTBEAT"})
    tell_unacknowledged(framework)
    master.allocation_wanted = True
    model = framework_model(framework)
    if added:
        master.publish({"type": "FRAMEWORK_ADDED", "framework_added": {"framework": model}})
    else:
        master.publish({"type": "FRAMEWORK_UPDATED", "framework_updated": {"framework": model}})
    return framework


def add_framework(
    master: Master, framework_id: str, info: FrameworkInfo, *, principal: str | None, suppressed: list[str]
) -> Framework:
    """Add a framework to state, not connected yet."""
    now_ms = master.clock.wall_ms()
    info = {**info, "id": {"value": framework_id}}
    framework = Framework(
        framework_id,
        info,
        roles_of(info),
        set(suppressed),
        principal,
        now_ms,
        now_ms,
        master.options.max_completed_tasks_per_framework,
        master.options.max_unreachable_tasks_per_framework,
    )
    master.frameworks[framework_id] = framework
    claim = master.allocator.add_framework(framework_id, framework.roles, suppressed, framework.capabilities)
    _set_minima(claim, info)
    master.allocator.set_framework_active(framework_id, False)
    for agent in master.agents.values():
        _count_in(master, framework, agent.id)
    return framework


UNCHANGEABLE = ("user", "checkpoint", "principal")


def _with_what_stays(framework: Framework, info: FrameworkInfo) -> FrameworkInfo:
    """The new information, with the user and the principal that a returning framework cannot change."""
    known = {name: value for name, value in framework.info.items() if name in UNCHANGEABLE}
    changeable = {name: value for name, value in info.items() if name not in UNCHANGEABLE}
    return cast("FrameworkInfo", {**changeable, **known})


def update_info(master: Master, framework: Framework, info: FrameworkInfo, suppressed: list[str]) -> None:
    """Apply new roles and capabilities; offers to roles that were left are rescinded."""
    framework.info = {**info, "id": {"value": framework.id}}
    framework.capabilities = capabilities_of(info)
    framework.roles = roles_of(info)
    framework.suppressed = set(suppressed)
    for offer in list(framework.offers.values()):
        if offer.role not in framework.roles:
            remove_offer(master, offer, rescind=True)
    master.allocator.update_framework(framework.id, framework.roles, suppressed, framework.capabilities)
    _set_minima(master.allocator.claims[framework.id], info)
    for agent in master.agents.values():
        if framework.id in agent.frameworks:
            agent.send({"type": "UPDATE_FRAMEWORK", "update_framework": {"framework": framework.info}})
    master.allocation_wanted = True


def set_constraints(master: Master, framework: Framework, constraints: SchedulerOfferConstraints | None) -> None:
    """Set a framework's offer constraints. Raises `FrameworkError`."""
    tests = _compile(constraints, framework.roles)
    framework.offer_constraints = constraints
    master.allocator.claims[framework.id].constraints = tests


def disconnected(master: Master, framework: Framework, stream_id: str) -> None:
    """The stream has ended: the framework has its failover timeout to reconnect."""
    if framework.stream_id != stream_id or framework.sink is None:
        return
    framework.sink = None
    framework.unregistered_ms = master.clock.wall_ms()
    rescind_all(master, framework, tell=False)
    master.allocator.set_framework_active(framework.id, False)
    timeout_s = max(framework.info.get("failover_timeout", 0.0), 0.0)
    framework.fails_over_until_ms = master.now_ms + int(timeout_s * 1_000)
    if timeout_s == 0:
        remove_framework(master, framework)
    else:
        master.publish({"type": "FRAMEWORK_UPDATED", "framework_updated": {"framework": framework_model(framework)}})


def remove_framework(master: Master, framework: Framework) -> None:
    """End everything of a framework: by its own request, an operator's, or after its failover timeout."""
    for agent in master.agents.values():
        if framework.id in agent.frameworks:
            agent.send({"type": "SHUTDOWN_FRAMEWORK", "shutdown_framework": {"framework_id": {"value": framework.id}}})
    rescind_all(master, framework, tell=False)
    for task in list(framework.tasks.values()):
        if not task.terminal:
            text = f"Framework {framework.id} removed"
            status = status_of(
                master, framework, task.id, "TASK_KILLED", "REASON_FRAMEWORK_REMOVED", text, agent_id=task.agent_id
            )
            update_task(master, task, status)
        remove_task(master, task)
    for agent_id, executors in list(framework.executors.items()):
        if (owner := master.agents.get(agent_id)) is not None:
            for executor_id in list(executors):
                remove_executor(master, framework, owner, framework.id, executor_id)
    for operation in framework.operations.values():
        if (owner := master.agents.get(operation.agent_id)) is not None:
            owner.operations.pop(operation.message["uuid"]["value"], None)
    for agent in master.agents.values():
        agent.frameworks.discard(framework.id)
    framework.executors.clear()
    framework.operations.clear()
    framework.unregistered_ms = master.clock.wall_ms()
    sink, framework.sink = framework.sink, None
    del master.frameworks[framework.id]
    master.allocator.remove_framework(framework.id)
    master.completed_frameworks.append(framework)
    if sink is not None:
        sink.close()
    master.publish({"type": "FRAMEWORK_REMOVED", "framework_removed": {"framework_info": framework.info}})


def framework_model(framework: Framework) -> MasterResponseGetFrameworksFramework:
    """A framework as in the operator API, without offers and resources, which its events omit too."""
    model: MasterResponseGetFrameworksFramework = {
        "framework_info": framework.info,
        "active": framework.active,
        "connected": framework.connected,
        "recovered": framework.recovered,
    }
    if not framework.recovered:
        model["registered_time"] = {"nanoseconds": framework.registered_ms * 1_000_000}
        model["reregistered_time"] = {"nanoseconds": framework.reregistered_ms * 1_000_000}
    if framework.unregistered_ms and not framework.connected:
        model["unregistered_time"] = {"nanoseconds": framework.unregistered_ms * 1_000_000}
    return model


def _count_in(master: Master, framework: Framework, agent_id: str) -> None:
    agent = master.agents[agent_id]
    for (framework_id, executor_id), executor in agent.executors.items():
        if framework_id == framework.id:
            framework.executors.setdefault(agent_id, {})[executor_id] = executor
    for (framework_id, task_id), task in agent.tasks.items():
        if framework_id == framework.id:
            framework.tasks[task_id] = task


def _set_minima(claim: Claim, info: FrameworkInfo) -> None:
    claim.min_allocatable = {}
    for role, filters in info.get("offer_filters", {}).items():
        minima = filters.get("min_allocatable_resources")
        if minima is not None:
            claim.min_allocatable[role] = [
                {name: round(one["value"] * UNITS) for name, one in quantities.get("quantities", {}).items()}
                for quantities in minima.get("quantities", [])
            ]


def _compile(constraints: SchedulerOfferConstraints | None, roles: list[str]) -> dict[str, Test]:
    if constraints is None:
        return {}
    by_role = constraints.get("role_constraints", {})
    for role in by_role:
        if role not in roles:
            raise FrameworkError(f"Offer constraints are set for role {role!r}, which the framework is not in")
    try:
        return {role: compile_constraints(one) for role, one in by_role.items()}
    except ConstraintError as error:
        raise FrameworkError(f"Offer constraints are not valid: {error}") from error
