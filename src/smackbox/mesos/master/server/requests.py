"""From an HTTP request to the handler of its path: authentication, redirects to the leader, and deferred answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from smackbox.mesos.http.answers import Answer, Deferred, Refused
from smackbox.mesos.master.handlers import routes
from smackbox.mesos.master.handlers.context import REALMS, Call, MasterContext
from smackbox.net.http import Answer as HttpAnswer
from smackbox.net.http import HttpRequest, basic_credentials

log = logging.getLogger(__name__)


class Requests:
    """`changed` is called after each request, as the master's state may have changed."""

    def __init__(self, context: MasterContext) -> None:
        self.changed: Callable[[], None] = lambda: None
        self._context = context

    def handle(self, request: HttpRequest) -> HttpAnswer | Awaitable[HttpAnswer]:
        """Answer a request of the master's API."""
        try:
            answer = self._answer(request)
        except Refused as refused:
            answer = refused.response()
        self.changed()
        return _wait(answer) if isinstance(answer, Deferred) else answer

    def _answer(self, request: HttpRequest) -> Answer:
        log.debug("%s %s from %s", request.method, request.target, request.peer)
        route = routes.find(request.path)
        if route is None:
            raise Refused(404, f"{request.path} is not served")
        principal = self._authenticate(routes.realm_of(route, request), request)
        if isinstance(route, routes.OpenRoute):
            return route.handler(self._context, request, principal)
        master = self._context.leading(request)
        return route.handler(Call(self._context, master, request, principal))

    def _authenticate(self, realm: str | None, request: HttpRequest) -> str | None:
        """The authenticated principal. Raises `Refused`: 401."""
        access = self._context.access
        credentials = basic_credentials(request.headers.get("authorization"))
        known = credentials is not None and access.knows(*credentials)
        if realm is None or realm not in access.asked:
            return credentials[0] if credentials is not None and known else None
        if credentials is None or not known:
            raise Refused(401, "", {"WWW-Authenticate": f'Basic realm="{REALMS[realm]}"'})
        return credentials[0]


async def _wait(deferred: Deferred) -> HttpAnswer:
    answered: asyncio.Future[HttpAnswer] = asyncio.get_running_loop().create_future()
    deferred.then(lambda answer: None if answered.done() else answered.set_result(answer))
    return await answered
