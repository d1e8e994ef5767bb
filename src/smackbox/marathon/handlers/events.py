"""/v2/events: everything that happens, as server-sent events."""

from __future__ import annotations

from smackbox.marathon.handlers.api import Call
from smackbox.net.http import HttpResponse, HttpStream


def get_events(call: Call) -> HttpStream | HttpResponse:
    """`event_type=…` (several) selects; `plan-format=light` leaves the groups out of plans."""
    accept = call.request.headers.get("accept", "*/*")
    if "text/event-stream" not in accept and "*/*" not in accept:
        return HttpResponse.json({"message": "GET /v2/events gives text/event-stream"}, 406)
    types = frozenset(call.request.query.get("event_type", []))
    return call.api.subscribe(call.request, types, call.request.parameter("plan-format") == "light")
