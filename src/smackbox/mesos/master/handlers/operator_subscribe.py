"""SUBSCRIBE of operators: the whole state at once, then its changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smackbox.mesos.http.answers import Refused, StreamSink
from smackbox.mesos.master.handlers.context import Call
from smackbox.mesos.master.handlers.operator_reads import get_state
from smackbox.mesos.master.state.master import Subscriber
from smackbox.net.http import HttpStream

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import FrameworkInfo, MasterEvent


SUBSCRIBERS_LIMIT = 1_000


def subscribe(call: Call, content_type: str) -> HttpStream:
    """Subscribe to events. Raises `Refused`: 503 if there are too many subscribers."""
    master = call.master
    if len(master.subscribers) >= SUBSCRIBERS_LIMIT:
        raise Refused(503, f"there are {SUBSCRIBERS_LIMIT} subscribers already")
    stream_id = master.new_stream_id()
    stream = HttpStream(200, content_type, {"Mesos-Stream-Id": stream_id})
    sink = StreamSink(stream, "master.Event", content_type)
    interval_ms = master.options.heartbeat_interval_ms
    sink.send(
        {
            "type": "SUBSCRIBED",
            "subscribed": {"get_state": get_state(call), "heartbeat_interval_seconds": interval_ms / 1_000},
        }
    )
    sink.send({"type": "HEARTBEAT"})
    master.subscribers[stream_id] = Subscriber(sink, master.now_ms + interval_ms, lambda event: _sees(call, event))
    stream.on_closed = lambda: _closed(call, stream_id)
    return stream


def _sees(call: Call, event: MasterEvent) -> bool:
    """Tasks and frameworks that the caller may see; agents are visible to all."""
    match event["type"]:
        case "FRAMEWORK_ADDED":
            return _sees_framework(call, event["framework_added"]["framework"]["framework_info"])
        case "FRAMEWORK_UPDATED":
            return _sees_framework(call, event["framework_updated"]["framework"]["framework_info"])
        case "FRAMEWORK_REMOVED":
            return _sees_framework(call, event["framework_removed"]["framework_info"])
        case "TASK_ADDED":
            return _sees_task(call, event["task_added"]["task"]["framework_id"]["value"])
        case "TASK_UPDATED":
            return _sees_task(call, event["task_updated"]["framework_id"]["value"])
    return True


def _sees_framework(call: Call, info: FrameworkInfo) -> bool:
    return call.allows("view_frameworks", info["user"])


def _sees_task(call: Call, framework_id: str) -> bool:
    framework = call.master.frameworks.get(framework_id)
    return framework is not None and call.allows("view_tasks", framework.info["user"])


def _closed(call: Call, stream_id: str) -> None:
    call.master.subscribers.pop(stream_id, None)
