"""SUBSCRIBE: an event stream for a new or returning framework."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smackbox.mesos.http.answers import StreamSink
from smackbox.mesos.master.handlers.context import Call
from smackbox.mesos.master.state import frameworks
from smackbox.mesos.master.state.allocator import roles_of
from smackbox.mesos.master.state.frameworks import FrameworkError
from smackbox.net.http import HttpStream

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import FrameworkInfo, SchedulerCallSubscribe


def subscribe(call: Call, subscribe: SchedulerCallSubscribe, content_type: str) -> HttpStream:
    """Subscribe; an invalid subscription is rejected with ERROR on a stream that ends."""
    master = call.master
    info = subscribe["framework_info"]
    stream_id = master.new_stream_id()
    stream = HttpStream(200, content_type, {"Mesos-Stream-Id": stream_id})
    sink = StreamSink(stream, "scheduler.Event", content_type)
    error = _not_allowed(call, info)
    if error is None:
        if call.principal is not None:
            info.setdefault("principal", call.principal)
        try:
            framework = frameworks.subscribe(
                master,
                info,
                sink,
                stream_id,
                principal=info.get("principal"),
                suppressed=subscribe.get("suppressed_roles", []),
                constraints=subscribe.get("offer_constraints"),
            )
        except FrameworkError as refused:
            error = str(refused)
        else:
            stream.on_closed = lambda: frameworks.disconnected(master, framework, stream_id)
            return stream
    sink.send({"type": "ERROR", "error": {"message": error}})
    stream.close()
    return stream


def _not_allowed(call: Call, info: FrameworkInfo) -> str | None:
    for role in roles_of(info):
        if not call.allows("register_frameworks", role):
            return f"Framework {info['name']} is not authorized to use role '{role}'"
    return None
