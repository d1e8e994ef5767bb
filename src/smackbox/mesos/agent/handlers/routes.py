"""Routes paths to the agent's endpoints.

Like in libprocess, a path without its own endpoint is shortened from the right until one matches; a trailing `.json` is
ignored; the name of Mesos' process, `slave(1)`, may precede it.
"""

from __future__ import annotations

from collections.abc import Callable

from smackbox.mesos.agent.handlers import containers, executor_http, files, metrics, operator, state
from smackbox.mesos.agent.handlers.context import AgentContext
from smackbox.mesos.http.answers import Refused
from smackbox.net.http import HttpRequest, HttpResponse, HttpStream

PROCESSES = ("slave(1)", "slave")
Endpoint = Callable[[AgentContext, HttpRequest], HttpResponse | HttpStream]

ENDPOINTS: dict[str, Endpoint] = {
    "api/v1": operator.handle,
    "api/v1/executor": executor_http.handle,
    "containers": containers.containers,
    "files/browse": files.browse,
    "files/debug": files.debug,
    "files/download": files.download,
    "files/read": files.read,
    "flags": metrics.flags,
    "health": metrics.health,
    "metrics/snapshot": metrics.metrics_snapshot,
    "monitor/statistics": containers.statistics,
    "state": state.state,
    "version": metrics.version,
}
OPEN = frozenset({"health", "version", "api/v1/executor"})
"""Endpoints without operator authentication; executors have tokens."""


def handle(context: AgentContext, request: HttpRequest) -> HttpResponse | HttpStream:
    """Answer a request of the agent's API."""
    name = find(request.path)
    if name is None:
        return HttpResponse(404)
    try:
        if name not in OPEN:
            context.check_operator(request)
        if not name.startswith("api/") and request.method not in {"GET", "HEAD"}:
            raise Refused(405, f"Expecting one of {{ 'GET' }}, but received '{request.method}'", {"Allow": "GET"})
        return ENDPOINTS[name](context, request)
    except Refused as refused:
        return refused.response()


def find(path: str) -> str | None:
    """The endpoint with the longest matching path prefix."""
    name = path.strip("/")
    first, _, rest = name.partition("/")
    if first in PROCESSES:
        name = rest
    while name:
        for candidate in (name, name.removesuffix(".json")):
            if candidate in ENDPOINTS:
                return candidate
        name = name.rpartition("/")[0]
    return None
