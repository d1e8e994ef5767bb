"""`/api/v1/scheduler`: framework calls, checked in the same order as in Mesos."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from smackbox.mesos.http.answers import STREAM_ID, Answer, Refused, accepted, read_call
from smackbox.mesos.master.handlers import scheduler_accept, scheduler_calls
from smackbox.mesos.master.handlers.context import Call
from smackbox.mesos.master.handlers.scheduler_subscribe import subscribe
from smackbox.mesos.master.state.entities import Framework
from smackbox.net.http import HttpResponse

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import SchedulerCall


Handler = Callable[[Call, Framework, "SchedulerCall"], HttpResponse | None]

HANDLERS: dict[str, tuple[str | None, Handler]] = {
    "TEARDOWN": (None, scheduler_calls.teardown),
    "ACCEPT": ("accept", scheduler_accept.accept),
    "DECLINE": ("decline", scheduler_calls.decline),
    "ACCEPT_INVERSE_OFFERS": ("accept_inverse_offers", scheduler_calls.accept_inverse_offers),
    "DECLINE_INVERSE_OFFERS": ("decline_inverse_offers", scheduler_calls.decline_inverse_offers),
    "REVIVE": (None, scheduler_calls.revive),
    "SUPPRESS": (None, scheduler_calls.suppress),
    "KILL": ("kill", scheduler_calls.kill),
    "SHUTDOWN": ("shutdown", scheduler_calls.shutdown),
    "ACKNOWLEDGE": ("acknowledge", scheduler_calls.acknowledge),
    "ACKNOWLEDGE_OPERATION_STATUS": (
        "acknowledge_operation_status",
        scheduler_calls.acknowledge_operation_status,
    ),
    "RECONCILE": ("reconcile", scheduler_calls.reconcile),
    "RECONCILE_OPERATIONS": ("reconcile_operations", scheduler_calls.reconcile_operations),
    "MESSAGE": ("message", scheduler_calls.message),
    "REQUEST": ("request", scheduler_calls.request),
    "UPDATE_FRAMEWORK": ("update_framework", scheduler_calls.update_framework),
}
"""Each call's field, if it requires one, and its handler."""


def scheduler(call: Call) -> Answer:
    """Answer a framework's call. Raises `Refused`."""
    request = call.request
    message = read_call(request, "scheduler.Call")
    kind = str(message.get("type", "UNKNOWN"))
    framework_id = _validate(call, kind, message)
    call.master.count("messages/scheduler")
    if kind == "RECONCILE_OPERATIONS":
        accepted(request)
    stream_id = request.headers.get(STREAM_ID)
    if kind == "SUBSCRIBE":
        content_type = accepted(request)
        if stream_id is not None:
            raise Refused(400, "Subscribe calls should not include the 'Mesos-Stream-Id' header")
        return subscribe(call, message["subscribe"], content_type)
    framework = call.master.frameworks.get(framework_id)
    if framework is None:
        raise Refused(400, "Framework cannot be found")
    if call.principal is not None and call.principal != framework.principal:
        raise Refused(
            400,
            f"Authenticated principal '{call.principal}' does not match principal '{framework.principal}' set in "
            "`FrameworkInfo`",
        )
    if not framework.connected:
        raise Refused(403, "Framework is not subscribed")
    if stream_id is None:
        raise Refused(400, "All non-subscribe calls should include the 'Mesos-Stream-Id' header")
    if stream_id != framework.stream_id:
        raise Refused(
            400,
            f"The stream ID '{stream_id}' included in this request didn't match the stream ID currently associated "
            f"with framework ID {framework.id}",
        )
    _, handler = HANDLERS[kind]
    return handler(call, framework, message) or HttpResponse(202)


def _validate(call: Call, kind: str, message: SchedulerCall) -> str:
    """The framework's id, empty for a first SUBSCRIBE. Raises `Refused`: 400."""
    outer = message.get("framework_id", {}).get("value", "")
    if "type" not in message:
        raise _invalid("Expecting 'type' to be present")
    if kind == "SUBSCRIBE":
        if "subscribe" not in message:
            raise _invalid("Expecting 'subscribe' to be present")
        info = message["subscribe"]["framework_info"]
        principal = info.get("principal")
        if call.principal is not None and principal is not None and principal != call.principal:
            raise _invalid(f"Authenticated principal '{call.principal}' does not match principal '{principal}'")
        inner = info.get("id", {}).get("value", "")
        if inner != outer:
            raise _invalid("'framework_id' differs from 'subscribe.framework_info.id'")
        return str(outer)
    if "framework_id" not in message:
        raise _invalid("Expecting 'framework_id' to be present")
    if kind not in HANDLERS:
        raise Refused(501, f"Calls of type {kind} are not served")
    field, _ = HANDLERS[kind]
    if field is not None and field not in message:
        raise _invalid(f"Expecting '{field}' to be present")
    return str(outer)


def _invalid(said: str) -> Refused:
    return Refused(400, f"Failed to validate scheduler::Call: {said}")
