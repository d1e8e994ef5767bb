"""/v2/events: all events, as server-sent events."""

from __future__ import annotations

from smackbox.marathon.handlers.api import Call
from smackbox.net.http import HttpResponse, HttpStream


def get_events(call: Call) -> HttpStream | HttpResponse:
    """`event_type=…` (repeatable) selects types; `plan-format=light` omits the groups from plans."""
    accept = call.request.headers.get("accept", "*/*")
    if "text/event-stream" not in accept and "*/*" not in accept:
        return HttpResponse.json({"message": "GET /v2/events gives text/event-stream"}, 406)
    types = frozenset(call.request.query.get("event_type", []))
    return call.api.subscribe(call.request, types, call.request.parameter("plan-format") == "light")
