"""Framework calls of a few lines each. All are answered with 202 unless stated otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smackbox.mesos.http.answers import Refused
from smackbox.mesos.master.handlers.context import Call
from smackbox.mesos.master.state import frameworks, operations, tasks
from smackbox.mesos.master.state.allocator import DEFAULT_REFUSE_SECONDS, roles_of
from smackbox.mesos.master.state.entities import Framework
from smackbox.mesos.master.state.offers import answer_inverse_offer, remove_offer
from smackbox.net.http import HttpResponse

if TYPE_CHECKING:
    from smackbox.mesos.wire.link_messages import LinkKillTask, LinkMessage, LinkShutdownExecutor
    from smackbox.mesos.wire.messages import (
        SchedulerCall,
        SchedulerCallAcceptInverseOffers,
        SchedulerCallDeclineInverseOffers,
    )


def teardown(call: Call, framework: Framework, _: SchedulerCall) -> None:
    """TEARDOWN: end the framework, with all its tasks."""
    frameworks.remove_framework(call.master, framework)


def decline(call: Call, framework: Framework, message: SchedulerCall) -> None:
    """DECLINE; offers that no longer exist are ignored."""
    refuse_seconds = message["decline"].get("filters", {}).get("refuse_seconds", DEFAULT_REFUSE_SECONDS)
    for offer_id in message["decline"].get("offer_ids", []):
        offer = framework.offers.get(offer_id["value"])
        if offer is not None:
            remove_offer(call.master, offer, rescind=False, refuse_seconds=refuse_seconds)


def accept_inverse_offers(call: Call, framework: Framework, message: SchedulerCall) -> None:
    """ACCEPT_INVERSE_OFFERS: the framework agrees to leave these machines."""
    _answer_inverse(call, framework, message["accept_inverse_offers"], "ACCEPT")


def decline_inverse_offers(call: Call, framework: Framework, message: SchedulerCall) -> None:
    """DECLINE_INVERSE_OFFERS."""
    _answer_inverse(call, framework, message["decline_inverse_offers"], "DECLINE")


def _answer_inverse(
    call: Call,
    framework: Framework,
    answer: SchedulerCallAcceptInverseOffers | SchedulerCallDeclineInverseOffers,
    status: str,
) -> None:
    refuse_seconds = answer.get("filters", {}).get("refuse_seconds")
    for id_ in answer.get("inverse_offer_ids", []):
        inverse = framework.inverse_offers.get(id_["value"])
        if inverse is not None:
            answer_inverse_offer(call.master, inverse, status, refuse_seconds)


def revive(call: Call, framework: Framework, message: SchedulerCall) -> None:
    """REVIVE; offers are sent at once, without waiting for the next allocation."""
    roles = message.get("revive", {}).get("roles", [])
    if all(role in framework.roles for role in roles):
        call.master.allocator.revive(framework.id, roles)
        framework.suppressed.difference_update(roles or framework.roles)
        call.master.allocation_wanted = True


def suppress(call: Call, framework: Framework, message: SchedulerCall) -> None:
    """SUPPRESS: no offers for these roles."""
    roles = message.get("suppress", {}).get("roles", [])
    if all(role in framework.roles for role in roles):
        call.master.allocator.suppress(framework.id, roles)
        framework.suppressed.update(roles or framework.roles)


def kill(call: Call, framework: Framework, message: SchedulerCall) -> None:
    """KILL; an unknown task is answered as in RECONCILE."""
    arguments = message["kill"]
    task_id = arguments["task_id"]["value"]
    task = framework.tasks.get(task_id)
    if task is None:
        tasks.reconcile_one(call.master, framework, task_id, arguments.get("agent_id", {}).get("value"))
        return
    agent = call.master.agents.get(task.agent_id)
    wrong_agent = "agent_id" in arguments and arguments["agent_id"]["value"] != task.agent_id
    if agent is None or wrong_agent:
        return
    order: LinkKillTask = {"framework_id": {"value": framework.id}, "task_id": arguments["task_id"]}
    if "kill_policy" in arguments:
        order["kill_policy"] = arguments["kill_policy"]
    agent.send({"type": "KILL_TASK", "kill_task": order})


def shutdown(call: Call, framework: Framework, message: SchedulerCall) -> None:
    """SHUTDOWN: end an executor."""
    arguments = message["shutdown"]
    agent = call.master.agents.get(arguments["agent_id"]["value"])
    if agent is not None:
        order: LinkShutdownExecutor = {"framework_id": {"value": framework.id}, "executor_id": arguments["executor_id"]}
        agent.send({"type": "SHUTDOWN_EXECUTOR", "shutdown_executor": order})


def acknowledge(call: Call, framework: Framework, message: SchedulerCall) -> None:
    """ACKNOWLEDGE: the framework has received a status update."""
    arguments = message["acknowledge"]
    tasks.acknowledge(
        call.master, framework, arguments["agent_id"]["value"], arguments["task_id"]["value"], arguments["uuid"]
    )
    agent = call.master.agents.get(arguments["agent_id"]["value"])
    if agent is not None and agent.drain is not None:
        from smackbox.mesos.master.state.agents import check_drained

        check_drained(call.master, agent)


def acknowledge_operation_status(call: Call, framework: Framework, message: SchedulerCall) -> None:
    """ACKNOWLEDGE_OPERATION_STATUS."""
    arguments = message["acknowledge_operation_status"]
    operations.acknowledge(call.master, framework, arguments["operation_id"]["value"], arguments["uuid"])


def reconcile(call: Call, framework: Framework, message: SchedulerCall) -> None:
    """RECONCILE: send the state of these tasks, or of all."""
    tasks_asked = message["reconcile"].get("tasks", [])
    if not tasks_asked:
        tasks.reconcile_all(call.master, framework)
    for task in tasks_asked:
        agent_id = task.get("agent_id", {}).get("value")
        tasks.reconcile_one(call.master, framework, task["task_id"]["value"], agent_id)


def reconcile_operations(call: Call, framework: Framework, message: SchedulerCall) -> None:
    """RECONCILE_OPERATIONS."""
    operations.reconcile(call.master, framework, message["reconcile_operations"].get("operations", []))


def message(call: Call, framework: Framework, message: SchedulerCall) -> None:
    """MESSAGE: bytes for an executor."""
    arguments = message["message"]
    agent = call.master.agents.get(arguments["agent_id"]["value"])
    if agent is not None:
        order: LinkMessage = {
            "framework_id": {"value": framework.id},
            "executor_id": arguments["executor_id"],
            "data": arguments["data"],
        }
        agent.send({"type": "MESSAGE", "message": order})


def request(call: Call, framework: Framework, message: SchedulerCall) -> None:
    """REQUEST: no effect, as in Mesos: the hierarchical allocator ignores requests."""


def update_framework(call: Call, framework: Framework, message: SchedulerCall) -> HttpResponse:
    """UPDATE_FRAMEWORK: 200 when all of it is applied. Raises `Refused`: 400, 403."""
    arguments = message["update_framework"]
    info = arguments["framework_info"]
    if info.get("id", {}).get("value") != framework.id:
        raise Refused(400, "'framework_info.id' differs from 'framework_id'")
    for name in frameworks.UNCHANGEABLE:
        if info.get(name) != framework.info.get(name):
            raise Refused(400, f"Updating 'FrameworkInfo.{name}' is unsupported")
    for role in roles_of(info):
        call.require("register_frameworks", role)
    try:
        frameworks.validate_framework(call.master, info)
        frameworks.update_info(call.master, framework, info, arguments.get("suppressed_roles", []))
        frameworks.set_constraints(call.master, framework, arguments.get("offer_constraints"))
    except frameworks.FrameworkError as error:
        raise Refused(400, str(error)) from error
    model = frameworks.framework_model(framework)
    call.master.publish({"type": "FRAMEWORK_UPDATED", "framework_updated": {"framework": model}})
    return HttpResponse(200)
