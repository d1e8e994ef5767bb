"""`/api/v1`: operator calls. Reads are answered with a message, changes with 200 or 202 and no body."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from smackbox.mesos.http.answers import Answer, Refused, accepted, message_response, read_call
from smackbox.mesos.master.handlers import (
    files,
    operator_agents,
    operator_maintenance,
    operator_reads,
    operator_resources,
    operator_roles,
)
from smackbox.mesos.master.handlers.context import Call
from smackbox.mesos.master.handlers.operator_subscribe import subscribe

READS: dict[str, Callable[[Call], Mapping[str, object]]] = {
    "GET_HEALTH": operator_reads.get_health,
    "GET_FLAGS": operator_reads.get_flags,
    "GET_VERSION": operator_reads.get_version,
    "GET_METRICS": operator_reads.get_metrics,
    "GET_LOGGING_LEVEL": operator_reads.get_logging_level,
    "GET_STATE": operator_reads.get_state,
    "GET_AGENTS": operator_reads.get_agents,
    "GET_FRAMEWORKS": operator_reads.get_frameworks,
    "GET_EXECUTORS": operator_reads.get_executors,
    "GET_OPERATIONS": operator_reads.get_operations,
    "GET_TASKS": operator_reads.get_tasks,
    "GET_ROLES": operator_reads.get_roles,
    "GET_WEIGHTS": operator_reads.get_weights,
    "GET_MASTER": operator_reads.get_master,
    "GET_MAINTENANCE_STATUS": operator_maintenance.get_status,
    "GET_MAINTENANCE_SCHEDULE": operator_maintenance.get_schedule,
    "GET_QUOTA": operator_roles.get_quota,
}
"""Each returns the response field that has the name of the call."""

READS_OF: dict[str, Callable[..., Mapping[str, object]]] = {
    "LIST_FILES": files.list_files,
    "READ_FILE": files.read_file,
}
"""The same for calls with a field."""

CHANGES: dict[str, Callable[..., Answer]] = {
    "SET_LOGGING_LEVEL": operator_reads.set_logging_level,
    "UPDATE_WEIGHTS": operator_roles.update_weights,
    "UPDATE_QUOTA": operator_roles.update_quota,
    "SET_QUOTA": operator_roles.set_quota,
    "REMOVE_QUOTA": operator_roles.remove_quota,
    "RESERVE_RESOURCES": operator_resources.reserve_resources,
    "UNRESERVE_RESOURCES": operator_resources.unreserve_resources,
    "CREATE_VOLUMES": operator_resources.create_volumes,
    "DESTROY_VOLUMES": operator_resources.destroy_volumes,
    "GROW_VOLUME": operator_resources.not_done,
    "SHRINK_VOLUME": operator_resources.not_done,
    "UPDATE_MAINTENANCE_SCHEDULE": operator_maintenance.update_schedule,
    "START_MAINTENANCE": operator_maintenance.start,
    "STOP_MAINTENANCE": operator_maintenance.stop,
    "TEARDOWN": operator_agents.teardown,
    "MARK_AGENT_GONE": operator_agents.mark_agent_gone,
    "DRAIN_AGENT": operator_agents.drain_agent,
    "DEACTIVATE_AGENT": operator_agents.deactivate_agent,
    "REACTIVATE_AGENT": operator_agents.reactivate_agent,
}


def operator(call: Call) -> Answer:
    """Answer a call. Raises `Refused`."""
    message = read_call(call.request, "master.Call")
    if "type" not in message:
        raise Refused(400, "Failed to validate master::Call: Expecting 'type' to be present")
    kind = message["type"]
    field = kind.lower()
    if kind in CHANGES and field not in message:
        raise Refused(400, f"Failed to validate master::Call: Expecting '{field}' to be present")
    if kind in READS_OF and field not in message:
        raise Refused(400, f"Failed to validate master::Call: Expecting '{field}' to be present")
    content_type = accepted(call.request)
    if kind == "SUBSCRIBE":
        return subscribe(call, content_type)
    if kind in READS or kind in READS_OF:
        answer = {"type": kind, field: READS[kind](call) if kind in READS else READS_OF[kind](call, message[field])}
        return message_response("master.Response", answer, content_type)
    if kind in CHANGES:
        return CHANGES[kind](call, message[field])
    raise Refused(501, f"Calls of type {kind} are not served")
