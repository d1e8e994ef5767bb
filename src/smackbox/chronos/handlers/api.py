"""What handlers work on, and a request as they get it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from smackbox.chronos.state.chronos import Chronos
from smackbox.net.http import HttpRequest, HttpResponse

Json = dict[str, Any]


@dataclass(slots=True)
class Api:
    """The leading Chronos behind its REST API. `defaults` are a job's resources where it names none."""

    chronos: Chronos
    leader: str
    defaults: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, and the parts of its path that the route names."""

    api: Api
    request: HttpRequest
    parts: dict[str, str]

    @property
    def chronos(self) -> Chronos:
        """The jobs."""
        return self.api.chronos


Handler = Callable[[Call], HttpResponse]


def no_content() -> HttpResponse:
    """Success, as Chronos answers it."""
    return HttpResponse(204, b"")
