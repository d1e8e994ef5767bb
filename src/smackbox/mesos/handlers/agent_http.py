"""Which endpoint of the agent serves which path.

A path without an endpoint of its own is shortened from the right until one matches, as libprocess does; the name of
Mesos' process, `slave(1)`, may stand before it.
"""

from __future__ import annotations

from collections.abc import Callable

from smackbox.mesos.handlers import executor_http
from smackbox.mesos.state.agent import Agent
from smackbox.net.http import Answer, HttpRequest, HttpResponse

PROCESS = "slave(1)"
Endpoint = Callable[[Agent, HttpRequest], Answer]


def health(_agent: Agent, _request: HttpRequest) -> Answer:
    return HttpResponse.text("")


ENDPOINTS: dict[str, Endpoint] = {
    "/api/v1/executor": executor_http.handle,
    "/health": health,
}


class Endpoints:
    """All endpoints of one agent."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def handle(self, request: HttpRequest) -> Answer:
        endpoint = find(request.path)
        if endpoint is None:
            return HttpResponse.text("", 404)
        return endpoint(self._agent, request)


def find(path: str) -> Endpoint | None:
    """The endpoint of the longest beginning of the path that has one."""
    parts = [part for part in path.split("/") if part]
    if parts and parts[0] == PROCESS:
        parts = parts[1:]
    while parts:
        endpoint = ENDPOINTS.get("/" + "/".join(parts))
        if endpoint is not None:
            return endpoint
        last, dot, _ = parts[-1].rpartition(".")
        if dot and (endpoint := ENDPOINTS.get("/" + "/".join([*parts[:-1], last]))) is not None:
            return endpoint
        parts = parts[:-1]
    return None
