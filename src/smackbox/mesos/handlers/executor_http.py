"""`POST /api/v1/executor`: the v1 executor API, in JSON and protobuf."""

from __future__ import annotations

from smackbox.mesos.handlers import executor_calls
from smackbox.mesos.handlers.executor_calls import CallError
from smackbox.mesos.state.agent import Agent
from smackbox.mesos.state.agent_timers import Timer
from smackbox.mesos.wire import json_format, protobuf
from smackbox.mesos.wire.fields import MessageError
from smackbox.net import recordio
from smackbox.net.http import JSON, Answer, HttpRequest, HttpResponse, HttpStream

PROTOBUF = "application/x-protobuf"
HEARTBEAT_MS = 15_000


def handle(agent: Agent, request: HttpRequest) -> Answer:
    """The checks of Mesos' agent, in its order."""
    if request.method != "POST":
        refused = HttpResponse.text(f"Expecting 'POST', received '{request.method}'", 405)
        refused.headers["Allow"] = "POST"
        return refused
    content_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if not content_type:
        return HttpResponse.text("Expecting 'Content-Type' to be present", 400)
    if content_type not in {JSON, PROTOBUF}:
        return HttpResponse.text(f"Expecting 'Content-Type' of {JSON} or {PROTOBUF}", 415)
    codec = json_format if content_type == JSON else protobuf
    try:
        call = codec.decode("executor.Call", request.body)
    except MessageError as error:
        kind = "JSON" if content_type == JSON else "protobuf"
        return HttpResponse.text(f"Failed to parse body into {kind}: {error}", 400)
    try:
        if call.get("type") != "SUBSCRIBE":
            executor_calls.handle(agent, call)
            return HttpResponse(202)
        accepted = accepts(request, content_type)
        if accepted is None:
            return HttpResponse.text(f"Expecting 'Accept' to allow '{PROTOBUF}' or '{JSON}'", 406)
        return _subscribe(agent, call, accepted)
    except CallError as error:
        return HttpResponse.text(str(error), error.status)


def accepts(request: HttpRequest, content_type: str) -> str | None:
    """The type to answer in: that of the request where `Accept` leaves the choice."""
    accepted = request.headers.get("accept", "*/*")
    kinds = {part.partition(";")[0].strip() for part in accepted.split(",")}
    if "*/*" in kinds or "application/*" in kinds:
        return content_type if content_type in {JSON, PROTOBUF} else JSON
    return next((kind for kind in (JSON, PROTOBUF) if kind in kinds), None)


def _subscribe(agent: Agent, call: dict[str, object], accepted: str) -> HttpStream:
    stream = HttpStream(200, accepted)

    def send(event: dict[str, object]) -> None:
        data = json_format.encode(event) if accepted == JSON else protobuf.encode("executor.Event", event)
        stream.send(recordio.encode(data))

    closed = executor_calls.subscribe(agent, call, send)
    heartbeat: Timer

    def beat() -> None:
        nonlocal heartbeat
        if not stream.closed:
            send({"type": "HEARTBEAT"})
            heartbeat = agent.timers.after(HEARTBEAT_MS, beat)

    def on_closed() -> None:
        heartbeat.cancel()
        closed()

    heartbeat = agent.timers.after(HEARTBEAT_MS, beat)
    stream.on_closed = on_closed
    return stream
