"""Routes paths to handlers, with libprocess' rules.

The first part of a path may name the process, `master`, which is the default. A path without its own handler is
shortened from the right until one matches, and a trailing `.json` is ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from smackbox.mesos.http.answers import Answer
from smackbox.mesos.master.handlers import endpoints_change, endpoints_open, endpoints_read, files
from smackbox.mesos.master.handlers.agent_calls import call_of_agent
from smackbox.mesos.master.handlers.context import AGENTS, FRAMEWORKS, READERS, WRITERS, Call, MasterContext
from smackbox.mesos.master.handlers.operator import operator
from smackbox.mesos.master.handlers.scheduler import scheduler
from smackbox.net.http import HttpRequest

Handler = Callable[[Call], Answer]
OpenHandler = Callable[[MasterContext, HttpRequest, str | None], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the leading master. `realm` is the authentication realm; None requires no authentication."""

    realm: str | None
    handler: Handler


@dataclass(frozen=True, slots=True)
class OpenRoute:
    """A route of every master, whether or not it leads."""

    realm: str | None
    handler: OpenHandler


ROUTES: dict[str, Route | OpenRoute] = {
    "api/v1/scheduler": Route(FRAMEWORKS, scheduler),
    "internal/v1/agent": Route(AGENTS, call_of_agent),
    "api/v1": Route(WRITERS, operator),
    "state": Route(READERS, endpoints_read.state),
    "state-summary": Route(READERS, endpoints_read.state_summary),
    "slaves": Route(READERS, endpoints_read.slaves),
    "frameworks": Route(READERS, endpoints_read.frameworks),
    "tasks": Route(READERS, endpoints_read.tasks),
    "roles": Route(READERS, endpoints_read.roles),
    "flags": OpenRoute(READERS, endpoints_read.flags),
    "metrics/snapshot": OpenRoute(READERS, endpoints_read.metrics),
    "maintenance/status": Route(READERS, endpoints_read.maintenance_status),
    "maintenance/schedule": Route(READERS, endpoints_change.maintenance_schedule),
    "weights": Route(READERS, endpoints_change.weights),
    "quota": Route(READERS, endpoints_change.quota),
    "teardown": Route(WRITERS, endpoints_change.teardown),
    "reserve": Route(WRITERS, endpoints_change.reserve),
    "unreserve": Route(WRITERS, endpoints_change.unreserve),
    "create-volumes": Route(WRITERS, endpoints_change.create_volumes),
    "destroy-volumes": Route(WRITERS, endpoints_change.destroy_volumes),
    "machine/down": Route(WRITERS, endpoints_change.machine_down),
    "machine/up": Route(WRITERS, endpoints_change.machine_up),
    "files/browse": Route(READERS, files.browse),
    "files/read": Route(READERS, files.read),
    "files/download": Route(READERS, files.download),
    "files/debug": Route(READERS, files.debug),
    "health": OpenRoute(None, endpoints_open.health),
    "version": OpenRoute(None, endpoints_open.version),
    "redirect": OpenRoute(None, endpoints_open.redirect),
}


def find(path: str) -> Route | OpenRoute | None:
    """The route of a path."""
    name = path.strip("/").removesuffix(".json")
    if name == "master" or name.startswith("master/"):
        name = name.removeprefix("master").strip("/")
    while name:
        route = ROUTES.get(name) or ROUTES.get(name.removesuffix(".json"))
        if route is not None:
            return route
        name = name.rpartition("/")[0]
    return None


def realm_of(route: Route | OpenRoute, request: HttpRequest) -> str | None:
    """Reads and changes have separate authentication realms."""
    if route.realm == READERS and request.method not in {"GET", "HEAD"}:
        return WRITERS
    return route.realm
