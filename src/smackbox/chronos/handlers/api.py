"""The arguments of handlers: the API and one request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from smackbox.chronos.state.chronos import Chronos
from smackbox.net.http import HttpRequest, HttpResponse

Json = dict[str, Any]


@dataclass(slots=True)
class Api:
    """The leading Chronos behind its REST API. `defaults` are the resources of a job that sets none."""

    chronos: Chronos
    leader: str
    defaults: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, and the path parameters of its route."""

    api: Api
    request: HttpRequest
    parts: dict[str, str]

    @property
    def chronos(self) -> Chronos:
        """The jobs."""
        return self.api.chronos


Handler = Callable[[Call], HttpResponse]


def no_content() -> HttpResponse:
    """Chronos' answer for success."""
    return HttpResponse(204, b"")
