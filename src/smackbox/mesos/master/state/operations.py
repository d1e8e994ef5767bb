"""Reservations and volumes: how operations convert resources, and the notifications to the agent and the framework.

An operation replaces some of the available resources with others, all or nothing. The agent is sent all resources that
it must checkpoint, and confirms when it has done so.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from smackbox.base.errors import RequestError
from smackbox.mesos.master.state import roles
from smackbox.mesos.master.state.entities import Agent, Framework, Operation
from smackbox.mesos.master.state.master import Master
from smackbox.mesos.master.state.task_states import OPERATION_TERMINAL
from smackbox.mesos.master.state.tasks import uuid_text
from smackbox.mesos.resources.resources import Kind, ResourceError, Resources

if TYPE_CHECKING:
    from smackbox.mesos.wire import messages
    from smackbox.mesos.wire.link_messages import LinkOperation
    from smackbox.mesos.wire.messages import (
        OfferOperation,
        OperationStatus,
        Resource,
        SchedulerCallReconcileOperationsOperation,
    )

ON_RESOURCES = {"RESERVE": "resources", "UNRESERVE": "resources", "CREATE": "volumes", "DESTROY": "volumes"}
NOT_DONE = frozenset({"GROW_VOLUME", "SHRINK_VOLUME", "CREATE_DISK", "DESTROY_DISK"})


class OperationError(RequestError):
    """An operation that is invalid for these resources."""


def consumed_and_made(operation: OfferOperation) -> tuple[Resources, Resources]:
    """The resources that the operation consumes and those that it creates. Raises `OperationError`."""
    kind = operation.get("type", "UNKNOWN")
    if kind in NOT_DONE:
        raise OperationError(f"{kind} is not done by this master: destroy the volume and create another")
    resources = _resources_of(kind, operation)
    if resources is None:
        raise OperationError(f"an operation of type {kind} has no such field")
    try:
        created = Resources.from_messages(resources)
    except ResourceError as error:
        raise OperationError(f"Invalid resources: {error}") from error
    if not created:
        raise OperationError("No resources specified")
    before, after = Resources(), Resources()
    for resource, amount in created:
        plain, special = _convert(kind, resource)
        size = resource.size if resource.shared else amount
        before.add_in_place(plain, size)
        after.add_in_place(special, size)
    if kind in {"UNRESERVE", "DESTROY"}:
        return after, before
    return before, after


def _resources_of(kind: str, operation: OfferOperation) -> list[Resource] | None:
    """The resources in the field named after the kind; None if it is missing."""
    if kind == "RESERVE" and "reserve" in operation:
        return operation["reserve"].get("resources", [])
    if kind == "UNRESERVE" and "unreserve" in operation:
        return operation["unreserve"].get("resources", [])
    if kind == "CREATE" and "create" in operation:
        return operation["create"].get("volumes", [])
    if kind == "DESTROY" and "destroy" in operation:
        return operation["destroy"].get("volumes", [])
    return None


def _convert(kind: str, resource: Kind) -> tuple[Kind, Kind]:
    if kind in {"RESERVE", "UNRESERVE"}:
        if not resource.dynamic:
            raise OperationError(f"Resource {resource.name!r} is not dynamically reserved")
        if resource.is_volume:
            raise OperationError("A persistent volume must be destroyed before it is unreserved, and made after")
        if resource.role == roles.ANY:
            raise OperationError("Resources cannot be reserved for '*'")
        below = resource.reservations[:-1]
        if below and not roles.is_below(resource.role, msgspec.json.decode(below[-1])["role"]):
            raise OperationError(f"A reservation for {resource.role!r} does not refine the one it is made on")
        try:
            roles.validate(resource.role)
        except roles.RoleError as error:
            raise OperationError(str(error)) from error
        return resource.with_reservations(below), resource
    disk = msgspec.json.decode(resource.disk) if resource.disk else {}
    if "persistence" not in disk:
        raise OperationError("'persistence' is not set in DiskInfo")
    if "volume" not in disk:
        raise OperationError("Expecting 'volume' to be set for a persistent volume")
    if "host_path" in disk["volume"]:
        raise OperationError("Expecting 'host_path' to be unset for a persistent volume")
    if not resource.reservations:
        raise OperationError("Persistent volumes cannot be created from unreserved resources")
    if resource.revocable:
        raise OperationError("Persistent volumes cannot be created from revocable resources")
    source = disk.get("source")
    plain = Kind.of(
        "disk",
        resource.shape,
        resource.reservations,
        msgspec.json.encode({"source": source}, order="deterministic") if source else b"",
        provider=resource.provider,
        size=resource.size if source and source.get("type") == "MOUNT" else 0,
    )
    return plain, resource


def check_new_volumes(agent: Agent, made: Resources) -> None:
    """Raises `OperationError` if a volume id is already in use in its role on that agent."""
    taken = {(one.role, _volume_id(one)) for one, _ in agent.total if one.is_volume}
    for one, _ in made:
        if one.is_volume and (one.role, _volume_id(one)) in taken:
            raise OperationError(f"Persistence ID {_volume_id(one)!r} already exists")


def check_unused(agent: Agent, volumes: Resources) -> None:
    """Raises `OperationError` if a task or an executor uses one of the volumes."""
    for used in agent.used().values():
        if any(kind in used.amounts for kind, _ in volumes if kind.is_volume):
            raise OperationError("Persistent volumes in use")


def send_checkpoint(agent: Agent, operations: Iterable[Operation]) -> None:
    """Send the agent all resources to checkpoint, and the operation that caused this."""
    described = []
    for operation in operations:
        described_operation: LinkOperation = {"uuid": operation.message["uuid"], "info": operation.message["info"]}
        if operation.framework_id is not None:
            described_operation["framework_id"] = {"value": operation.framework_id}
        if operation.id is not None:
            described_operation["operation_id"] = {"value": operation.id}
        described.append(described_operation)
    resources = agent.total.checkpointed().to_messages()
    agent.send(
        {"type": "CHECKPOINT_RESOURCES", "checkpoint_resources": {"resources": resources, "operations": described}}
    )


def begin(master: Master, framework: Framework | None, agent: Agent, info: OfferOperation) -> Operation:
    """Record an operation that was applied here and is being sent to the agent."""
    uuid = uuid_text(master.new_uuid())
    status: OperationStatus = {"state": "OPERATION_PENDING", "agent_id": {"value": agent.id}}
    message: messages.Operation = {
        "agent_id": {"value": agent.id},
        "info": info,
        "latest_status": status,
        "statuses": [],
        "uuid": {"value": uuid},
    }
    if "id" in info:
        status["operation_id"] = info["id"]
    if framework is not None:
        message["framework_id"] = {"value": framework.id}
    operation = Operation(message, framework.id if framework is not None else None, agent.id)
    agent.operations[uuid] = operation
    if framework is not None:
        framework.operations[operation.id or uuid] = operation
    return operation


def refuse(
    master: Master, framework: Framework, info: OfferOperation, state: str, said: str, agent_id: str | None
) -> None:
    """Report a rejected operation to a framework that set an operation id."""
    master.count("operations/refused")
    if "id" not in info:
        return
    status: OperationStatus = {"operation_id": info["id"], "state": state, "message": said}
    if agent_id is not None:
        status["agent_id"] = {"value": agent_id}
    tell(framework, status)


def tell(framework: Framework, status: OperationStatus) -> None:
    framework.send({"type": "UPDATE_OPERATION_STATUS", "update_operation_status": {"status": status}})


def updated(master: Master, agent: Agent, uuid: str | None, status: OperationStatus) -> None:
    """The agent has checkpointed an operation, or failed to."""
    operation = agent.operations.get(uuid) if uuid is not None else None
    if operation is None:
        return
    message = operation.message
    status = {**status, "agent_id": {"value": agent.id}}
    if operation.id is not None:
        status["operation_id"] = {"value": operation.id}
    status["uuid"] = message["uuid"]
    message["latest_status"] = status
    message["statuses"].append(status)
    framework = master.frameworks.get(operation.framework_id) if operation.framework_id else None
    if framework is not None and operation.id is not None:
        tell(framework, status)
    elif status["state"] in OPERATION_TERMINAL:
        remove(master, operation)


def acknowledge(master: Master, framework: Framework, operation_id: str, uuid: str) -> None:
    operation = framework.operations.get(operation_id)
    if operation is None:
        return
    latest = operation.message["latest_status"]
    if latest.get("uuid", {}).get("value") == uuid and latest["state"] in OPERATION_TERMINAL:
        remove(master, operation)


def remove(master: Master, operation: Operation) -> None:
    uuid = operation.message["uuid"]["value"]
    if (agent := master.agents.get(operation.agent_id)) is not None:
        agent.operations.pop(uuid, None)
    if operation.framework_id is not None and (framework := master.frameworks.get(operation.framework_id)) is not None:
        framework.operations.pop(operation.id or uuid, None)


def drop_operations(master: Master, agent: Agent, state: str) -> None:
    """The agent is lost: drop its pending operations."""
    for operation in list(agent.operations.values()):
        framework = master.frameworks.get(operation.framework_id) if operation.framework_id else None
        if framework is not None and operation.id is not None:
            tell(framework, {"operation_id": {"value": operation.id}, "state": state, "agent_id": {"value": agent.id}})
        remove(master, operation)


def drop_pending(master: Master, agent: Agent) -> None:
    """The agent has reconnected with its checkpoint: drop operations that had not reached it."""
    for operation in list(agent.operations.values()):
        if operation.message["latest_status"]["state"] != "OPERATION_PENDING":
            continue
        framework = master.frameworks.get(operation.framework_id) if operation.framework_id else None
        if framework is not None and operation.id is not None:
            status: OperationStatus = {"operation_id": {"value": operation.id}, "state": "OPERATION_DROPPED"}
            tell(framework, {**status, "agent_id": {"value": agent.id}})
        remove(master, operation)


def tell_unacknowledged(framework: Framework) -> None:
    """Send a reconnected framework its unacknowledged statuses again."""
    for operation in framework.operations.values():
        status = operation.message["latest_status"]
        if operation.id is not None and status["state"] in OPERATION_TERMINAL:
            tell(framework, status)


def reconcile(master: Master, framework: Framework, asked: list[SchedulerCallReconcileOperationsOperation]) -> None:
    """The latest statuses of the requested operations, or of all."""
    if not asked:
        for operation in list(framework.operations.values()):
            if operation.id is not None:
                tell(framework, {**operation.message["latest_status"], "operation_id": {"value": operation.id}})
        return
    for entry in asked:
        operation_id = entry["operation_id"]["value"]
        known = framework.operations.get(operation_id)
        if known is not None:
            tell(framework, {**known.message["latest_status"], "operation_id": {"value": operation_id}})
            continue
        agent_id = entry.get("agent_id", {}).get("value")
        state = "OPERATION_UNKNOWN"
        if agent_id is not None:
            if agent_id in master.recovered_agents:
                state = "OPERATION_RECOVERING"
            elif agent_id in master.registry.unreachable:
                state = "OPERATION_UNREACHABLE"
            elif agent_id in master.registry.gone:
                state = "OPERATION_GONE_BY_OPERATOR"
        status: OperationStatus = {"operation_id": {"value": operation_id}, "state": state}
        if agent_id is not None:
            status["agent_id"] = {"value": agent_id}
        tell(framework, status)


def _volume_id(kind: Kind) -> str:
    return str(msgspec.json.decode(kind.disk)["persistence"]["id"])


def owner_of(kind: Kind) -> str:
    """The principal that made the reservation, or the volume."""
    if kind.is_volume:
        return str(msgspec.json.decode(kind.disk)["persistence"].get("principal", ""))
    return str(msgspec.json.decode(kind.reservations[-1]).get("principal", "")) if kind.reservations else ""
