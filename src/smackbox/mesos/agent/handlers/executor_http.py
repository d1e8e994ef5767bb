"""`POST /api/v1/executor`: the v1 executor API, in JSON and protobuf."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smackbox.mesos.agent.handlers import executor_calls
from smackbox.mesos.agent.handlers.context import AgentContext
from smackbox.mesos.agent.handlers.executor_calls import CallError
from smackbox.mesos.agent.state.timers import Timer
from smackbox.mesos.http.answers import JSON, PROTOBUF, Refused, StreamSink, accepted, read_call
from smackbox.net.http import HttpRequest, HttpResponse, HttpStream

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import ExecutorCall


HEARTBEAT_MS = 15_000


def handle(context: AgentContext, request: HttpRequest) -> HttpResponse | HttpStream:
    """Answer a request, with the checks of Mesos' agent in its order. Raises `Refused`."""
    call = read_call(request, "executor.Call")
    context.check_executor(request, call)
    try:
        if call.get("type") != "SUBSCRIBE":
            executor_calls.handle(context.agent, call)
            return HttpResponse(202)
        return _subscribe(context, request, call)
    except CallError as error:
        raise Refused(error.status, str(error)) from error


def _subscribe(context: AgentContext, request: HttpRequest, call: ExecutorCall) -> HttpStream:
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    content_type = accepted(request, (sent, PROTOBUF if sent == JSON else JSON))
    timers = context.agent.timers
    stream = HttpStream(200, content_type)
    sink = StreamSink(stream, "executor.Event", content_type)
    closed = executor_calls.subscribe(context.agent, call, sink.send)
    heartbeat: Timer

    def beat() -> None:
        nonlocal heartbeat
        if not stream.closed:
            sink.send({"type": "HEARTBEAT"})
            heartbeat = timers.after(HEARTBEAT_MS, beat)

    def on_closed() -> None:
        heartbeat.cancel()
        closed()

    heartbeat = timers.after(HEARTBEAT_MS, beat)
    stream.on_closed = on_closed
    return stream
