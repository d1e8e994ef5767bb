"""SUBSCRIBE of operators: the whole state at once, and then what changes in it."""

from __future__ import annotations

from smackbox.mesos.handlers.answers import Refused, StreamSink
from smackbox.mesos.handlers.context import Call
from smackbox.mesos.handlers.operator_reads import get_state
from smackbox.mesos.state.master import Subscriber
from smackbox.net.http import HttpStream

SUBSCRIBERS_LIMIT = 1_000


def subscribe(call: Call, content_type: str) -> HttpStream:
    """Raises `Refused`: 503 where there are too many already."""
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
            "subscribed": {"get_state": get_state(call, {}), "heartbeat_interval_seconds": interval_ms / 1_000},
        }
    )
    sink.send({"type": "HEARTBEAT"})
    master.subscribers[stream_id] = Subscriber(sink, master.now_ms + interval_ms)
    stream.on_closed = lambda: _closed(call, stream_id)
    return stream


def _closed(call: Call, stream_id: str) -> None:
    call.master.subscribers.pop(stream_id, None)
