"""What handlers of the master get besides the request: the state machine, the leader, the caller and its
permissions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from smackbox.mesos.http.access import Access
from smackbox.mesos.http.answers import Deferred, Refused
from smackbox.mesos.master.state.master import Master
from smackbox.net.http import HttpRequest, HttpResponse, HttpStream

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import MasterInfo


FRAMEWORKS, AGENTS, READERS, WRITERS = "frameworks", "agents", "http_readonly", "http_readwrite"
REALMS = {
    FRAMEWORKS: "mesos-master-scheduler",
    AGENTS: "mesos-master-agent",
    READERS: "mesos-master-readonly",
    WRITERS: "mesos-master-readwrite",
}


@dataclass(slots=True)
class MasterContext:
    """`master` is None until the earlier leader's state has been read."""

    access: Access
    master: Master | None = None
    leads: bool = False
    leader: MasterInfo | None = None
    log_level: int = 0
    log_level_until_ms: int = 0
    flags: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def leading(self, request: HttpRequest) -> Master:
        """The state machine, if this master leads. Raises `Refused`: 307 or 503."""
        if not self.leads:
            raise self.redirect(request.target)
        if self.master is None:
            raise Refused(503, "Master has not finished recovery")
        return self.master

    def redirect(self, target: str) -> Refused:
        """A redirect to the leader, with the same path; 503 without a leader."""
        if self.leader is None:
            return Refused(503, "No leader elected")
        address = self.leader.get("address", {})
        host = address.get("hostname") or self.leader.get("hostname") or address.get("ip")
        port = address.get("port") or self.leader["port"]
        return Refused(307, "", {"Location": f"//{host}:{port}{target}"})


@dataclass(slots=True)
class Call:
    """One request to the master."""

    context: MasterContext
    master: Master
    request: HttpRequest
    principal: str | None

    def require(self, action: str, thing: str | None = None) -> None:
        """Require a permission. Raises `Refused`: 403."""
        if not self.allows(action, thing):
            raise Refused(403, f"{self.principal or 'Nobody'} is not authorized to {action.replace('_', ' ')}")

    def allows(self, action: str, thing: str | None = None) -> bool:
        return self.context.access.lists.allows(self.principal, action, thing)

    def store(
        self, changes: dict[str, bytes | None], then: Callable[[], HttpResponse | None]
    ) -> HttpResponse | HttpStream | Deferred:
        """Answer when `changes` are stored and `then` has been run."""
        deferred = Deferred()
        self.master.commit(
            changes,
            lambda: deferred.resolve(then() or HttpResponse(200)),
            lambda said: deferred.resolve(HttpResponse.text(said, 503)),
        )
        return deferred
