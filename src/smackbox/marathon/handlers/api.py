"""What handlers share: reading parameters, resolving app ids, answering with a deployment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from smackbox.marathon.state.deployment import Deployment
from smackbox.marathon.state.marathon import Marathon
from smackbox.marathon.wire import path_id
from smackbox.marathon.wire.app import App
from smackbox.marathon.wire.errors import invalid, unknown_app
from smackbox.net.http import HttpRequest, HttpResponse, HttpStream

Json = dict[str, Any]


@dataclass(slots=True)
class Api:
    """The leading Marathon behind its REST API. `subscribe` opens a stream of events of these types (none: all)."""

    marathon: Marathon
    subscribe: Callable[[HttpRequest, frozenset[str], bool], HttpStream]
    abdicate: Callable[[], None]
    leader: str
    info: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, and the path parameters of its route."""

    api: Api
    request: HttpRequest
    parts: dict[str, str]

    @property
    def marathon(self) -> Marathon:
        """The apps."""
        return self.api.marathon


Handler = Callable[[Call], HttpResponse | HttpStream]


def flag(request: HttpRequest, name: str, default: bool = False) -> bool:
    """A boolean query parameter; `?force` alone is true. Clients write `True` as well as `true`."""
    text = request.parameter(name)
    if text is None:
        return default
    if text.lower() in {"true", ""}:
        return True
    if text.lower() == "false":
        return False
    raise invalid([(f"/{name}", f"must be true or false, not {text!r}")])


def app_id_of(parts: dict[str, str]) -> str:
    """The absolute id of the app in the request's path."""
    return path_id.absolute("/" + parts["id"])


def existing_app(api: Api, app_id: str) -> App:
    """The app of the request. Raises `Refusal` (404)."""
    app = api.marathon.root.apps.get(app_id)
    if app is None:
        raise unknown_app(app_id)
    return app


def deployed(deployment: Deployment, status: int = 200) -> HttpResponse:
    """The answer to a request that started a deployment."""
    body = {"version": deployment.version, "deploymentId": deployment.id}
    location = {"Location": f"/v2/deployments/{deployment.id}", "Marathon-Deployment-Id": deployment.id}
    return HttpResponse.json(body, status, location)
