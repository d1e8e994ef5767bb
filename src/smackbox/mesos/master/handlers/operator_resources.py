"""Operators' reservations and volumes. Offers of the required resources are rescinded; the answer is 202 at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from smackbox.mesos.http.answers import Answer, Refused
from smackbox.mesos.master.handlers.context import Call
from smackbox.mesos.master.state import operations
from smackbox.mesos.master.state.entities import Agent
from smackbox.mesos.master.state.offers import remove_offer
from smackbox.mesos.master.state.operations import OperationError
from smackbox.mesos.resources.resources import Resources
from smackbox.net.http import HttpResponse

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import (
        MasterCallCreateVolumes,
        MasterCallDestroyVolumes,
        MasterCallReserveResources,
        MasterCallUnreserveResources,
        OfferOperation,
        Resource,
    )


def reserve_resources(call: Call, message: MasterCallReserveResources) -> Answer:
    """RESERVE_RESOURCES."""
    return operate(call, "RESERVE", message["agent_id"]["value"], message.get("resources", []))


def unreserve_resources(call: Call, message: MasterCallUnreserveResources) -> Answer:
    """UNRESERVE_RESOURCES."""
    return operate(call, "UNRESERVE", message["agent_id"]["value"], message.get("resources", []))


def create_volumes(call: Call, message: MasterCallCreateVolumes) -> Answer:
    """CREATE_VOLUMES."""
    return operate(call, "CREATE", message["agent_id"]["value"], message.get("volumes", []))


def destroy_volumes(call: Call, message: MasterCallDestroyVolumes) -> Answer:
    """DESTROY_VOLUMES."""
    return operate(call, "DESTROY", message["agent_id"]["value"], message.get("volumes", []))


def not_done(_: Call, __: object) -> Answer:
    """501: GROW_VOLUME and SHRINK_VOLUME are not supported."""
    raise Refused(501, "Volumes are not resized: destroy the volume and create another")


def operate(call: Call, kind: str, agent_id: str, resources: list[Resource]) -> Answer:
    """Raises `Refused`: 400, 403, 409 if not enough is free even without offers."""
    agent = call.master.agents.get(agent_id)
    if agent is None:
        raise Refused(400, "No agent found with specified ID")
    info = cast("OfferOperation", {"type": kind, kind.lower(): {operations.ON_RESOURCES[kind]: resources}})
    try:
        before, after = operations.consumed_and_made(info)
        if kind == "CREATE":
            operations.check_new_volumes(agent, after)
        if kind == "DESTROY":
            operations.check_unused(agent, before)
    except OperationError as error:
        raise Refused(400, f"Invalid {kind} operation: {error}") from error
    _check_allowed(call, kind, before, after)
    _make_room(call, agent, before)
    pool = call.master.allocator.agents[agent.id]
    if not pool.free.contains(before):
        raise Refused(409, f"Invalid {kind} Operation: the agent does not have enough free resources")
    call.master.allocator.update_total(agent.id, agent.total - before + after)
    agent.total = pool.total
    operation = operations.begin(call.master, None, agent, info)
    operations.send_checkpoint(agent, [operation])
    call.master.allocation_wanted = True
    return HttpResponse(202)


def _check_allowed(call: Call, kind: str, before: Resources, after: Resources) -> None:
    if kind in {"RESERVE", "CREATE"}:
        for resource, _ in after:
            call.require("reserve_resources" if kind == "RESERVE" else "create_volumes", resource.role)
    else:
        for resource, _ in before:
            action = "unreserve_resources" if kind == "UNRESERVE" else "destroy_volumes"
            call.require(action, operations.owner_of(resource))


def _make_room(call: Call, agent: Agent, needed: Resources) -> None:
    free = call.master.allocator.agents[agent.id].free
    for offer in list(agent.offers.values()):
        if free.contains(needed):
            return
        remove_offer(call.master, offer, rescind=True)
        free = call.master.allocator.agents[agent.id].free
