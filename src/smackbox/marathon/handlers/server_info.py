"""/ping, /v2/info, /v2/leader: the server itself."""

from __future__ import annotations

from smackbox.marathon.handlers.api import Call
from smackbox.net.http import HttpResponse


def get_ping(_: Call) -> HttpResponse:
    """`pong`."""
    return HttpResponse.text("pong")


def get_info(call: Call) -> HttpResponse:
    """The server, its settings and its leader."""
    return HttpResponse.json(
        {**call.api.info, "frameworkId": call.marathon.framework_id, "leader": call.api.leader, "elected": True}
    )


def get_leader(call: Call) -> HttpResponse:
    """The address of the leader."""
    return HttpResponse.json({"leader": call.api.leader})


def delete_leader(call: Call) -> HttpResponse:
    """Resign, so that another process leads; all state is kept."""
    call.api.abdicate()
    return HttpResponse.json({"message": "Leadership abdicated"})


def get_plugins(_: Call) -> HttpResponse:
    """The plugins: there are none."""
    return HttpResponse.json({"plugins": []})
