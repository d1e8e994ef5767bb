"""Classic endpoints that change something, by POST of a form or JSON; some also support GET."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec

from smackbox.mesos.http.answers import Answer, Refused
from smackbox.mesos.master.handlers import endpoints_read, operator_agents, operator_maintenance, operator_resources
from smackbox.mesos.master.handlers import operator_roles as role_calls
from smackbox.mesos.master.handlers.context import Call
from smackbox.mesos.wire import json_format
from smackbox.mesos.wire.fields import MessageError

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import MachineID


def teardown(call: Call) -> Answer:
    _method(call, "POST")
    return operator_agents.teardown_framework(call, _form(call, "frameworkId"))


def reserve(call: Call) -> Answer:
    return _operate(call, "RESERVE", "resources")


def unreserve(call: Call) -> Answer:
    return _operate(call, "UNRESERVE", "resources")


def create_volumes(call: Call) -> Answer:
    return _operate(call, "CREATE", "volumes")


def destroy_volumes(call: Call) -> Answer:
    return _operate(call, "DESTROY", "volumes")


def _operate(call: Call, kind: str, field: str) -> Answer:
    _method(call, "POST")
    resources = _json_of(_form(call, field).encode(), "Request", "resources")
    return operator_resources.operate(call, kind, _form(call, "slaveId"), resources)


def quota(call: Call) -> Answer:
    """GET shows all, POST sets one, DELETE removes the one named by the path."""
    method = call.request.method
    if method == "GET":
        return endpoints_read.read(endpoints_read.quota_status(call))
    if method == "POST":
        try:
            request = json_format.decode("quota.QuotaRequest", call.request.body)
        except MessageError as error:
            raise Refused(400, f"Failed to parse set quota request JSON: {error}") from error
        force = request.get("force", False)
        return role_calls.set_quota_of(call, request.get("role", ""), request.get("guarantee", []), force=force)
    if method == "DELETE":
        role = call.request.path.partition("quota")[2].strip("/")
        if not role:
            raise Refused(400, "Failed to remove quota: the path must name a role, as in /quota/role")
        return role_calls.remove_quota_of(call, role)
    raise _wrong_method(call, "GET", "POST", "DELETE")


def weights(call: Call) -> Answer:
    if call.request.method == "GET":
        return endpoints_read.read(endpoints_read.weights(call))
    if call.request.method == "PUT":
        infos = _json_of(call.request.body, "master.Call.UpdateWeights", "weight_infos")
        return role_calls.update_weights_to(call, infos)
    raise _wrong_method(call, "GET", "PUT")


def maintenance_schedule(call: Call) -> Answer:
    if call.request.method == "GET":
        return endpoints_read.read(endpoints_read.maintenance_schedule(call))
    _method(call, "POST")
    try:
        schedule = json_format.decode("maintenance.Schedule", call.request.body)
    except MessageError as error:
        raise Refused(400, f"Failed to parse the schedule: {error}") from error
    return operator_maintenance.update_schedule_to(call, schedule)


def machine_down(call: Call) -> Answer:
    _method(call, "POST")
    return operator_maintenance.start_maintenance(call, _machines(call))


def machine_up(call: Call) -> Answer:
    _method(call, "POST")
    return operator_maintenance.stop_maintenance(call, _machines(call))


def _machines(call: Call) -> list[MachineID]:
    return _json_of(call.request.body, "master.Call.StartMaintenance", "machines")


def _json_of(body: bytes, message_type: str, field: str) -> list[Any]:
    """A JSON array of values of that repeated field of that message."""
    try:
        values = msgspec.json.decode(body, type=list[Any])
        checked: list[Any] = json_format.check(message_type, {field: values})[field]
    except (msgspec.DecodeError, msgspec.ValidationError, MessageError) as error:
        raise Refused(400, f"Error in parsing '{field}': {error}") from error
    return checked


def _form(call: Call, name: str) -> str:
    """A value of the form in the body. Raises `Refused`: 400."""
    values = parse_qs(call.request.body.decode("utf-8", "replace")).get(name)
    if not values:
        raise Refused(400, f"Missing '{name}' query parameter in the request body")
    return values[0]


def _method(call: Call, wanted: str) -> None:
    if call.request.method != wanted:
        raise _wrong_method(call, wanted)


def _wrong_method(call: Call, *wanted: str) -> Refused:
    listed = ", ".join(f"'{name}'" for name in wanted)
    said = f"Expecting one of {{ {listed} }}, but received '{call.request.method}'"
    return Refused(405, said, {"Allow": ", ".join(wanted)})
