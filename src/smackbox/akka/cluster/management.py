"""Health and members of a cluster over HTTP, with the paths and JSON of Pekko Management.

    GET  /ready /alive /startup            200, or 500 with the checks that fail
    GET  /cluster/members                  all members, who is unreachable, the leader, the oldest
    GET  /cluster/members/ADDRESS          one; ADDRESS as `pekko://system@host:port` or `system@host:port`
    POST /cluster/members                  form `address=…`: join
    PUT  /cluster/members/ADDRESS          form `operation=leave` or `down`
    DELETE /cluster/members/ADDRESS        leave

    management = ClusterManagement(system)
    await management.start("127.0.0.1", 7626)

What changes the cluster is there only with `read_only=False`. Source: `HealthCheckRoutes`,
`ClusterHttpManagementRoutes` and `reference.conf` of pekko-management.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from smackbox.akka.actor.path import Address
from smackbox.akka.actor.system import ActorSystem
from smackbox.akka.cluster.cluster import Cluster
from smackbox.akka.cluster.member import Member, MemberStatus
from smackbox.akka.http.directives import delete, extract_request, get, post, put
from smackbox.akka.http.forms import parse_form
from smackbox.akka.http.paths import REMAINING, path, path_prefix
from smackbox.akka.http.route import Route, complete, concat
from smackbox.akka.http.server import Http, ServerBinding
from smackbox.net.http import HttpRequest

PORT = 7626
CHECK_TIMEOUT_S = 1.0
"""For all checks of one request."""
READY = frozenset({MemberStatus.UP, MemberStatus.WEAKLY_UP})

Check = Callable[[], Awaitable[bool]]
"""Whether something is well. One that raises or takes too long is not."""


class ClusterManagement:
    """Of an actor system with a `Cluster`. Raises `LookupError` where there is none."""

    def __init__(self, system: ActorSystem, *, read_only: bool = True) -> None:
        self._system = system
        self._cluster = Cluster.of(system)
        self._read_only = read_only
        self._checks: dict[str, dict[str, Check]] = {
            "startup": {},
            "ready": {"cluster-membership": self._is_ready},
            "alive": {},
        }

    def add_check(self, kind: str, name: str, check: Check) -> None:
        """Of the kind `startup`, `ready` or `alive`. Raises `ValueError` for another kind."""
        if kind not in self._checks:
            raise ValueError(f"no kind of check {kind!r}: there are {', '.join(self._checks)}")
        self._checks[kind][name] = check

    async def start(self, host: str = "127.0.0.1", port: int = PORT, *, insecure: bool = False) -> ServerBinding:
        """Listen until the system shuts down. Raises `StartError`. `insecure` allows another address than loopback."""
        return await Http(self._system).new_server_at(host, port, insecure=insecure).bind(self.routes)

    @property
    def routes(self) -> Route:
        """To be put beside others in a server of one's own."""
        health = [path(kind)(get(self._health(kind))) for kind in self._checks]
        members = path_prefix("cluster", "members")
        one = path(REMAINING)
        all_members, each = [get(lambda: complete(self._members()))], [(one & get)(self._get_member)]
        if not self._read_only:
            all_members.append((post & extract_request)(self._join))
            each += [(one & delete)(self._leave), (one & put & extract_request)(self._change)]
        return concat(*health, members(concat(path()(concat(*all_members)), *each)))

    # -- health

    async def _is_ready(self) -> bool:
        return self._cluster.self_status in READY

    def _health(self, kind: str) -> Callable[[], Awaitable[Route]]:
        async def answer() -> Route:
            checks = self._checks[kind]
            results = await asyncio.gather(*(self._try(check) for check in checks.values()))
            failing = [name for name, is_well in zip(checks, results, strict=True) if not is_well]
            if not failing:
                return complete("OK")
            return complete(f"Not Healthy: {', '.join(f'Check [{name}] not ok' for name in failing)}", status=500)

        return answer

    async def _try(self, check: Check) -> bool:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                return await check()
        except Exception:
            return False

    # -- members

    def _members(self) -> dict[str, Any]:
        state, cluster = self._cluster.state, self._cluster
        observers: dict[str, list[str]] = {}
        for observer, rows in state.reachability.rows.items():
            for subject in rows:
                if not state.reachability.is_reachable(observer, subject):
                    observers.setdefault(str(subject.address), []).append(str(observer.address))
        up = sorted((member for member in cluster.members if member.status is MemberStatus.UP), key=lambda m: m.age)
        roles = sorted({role for member in up for role in member.roles})
        found: dict[str, Any] = {
            "selfNode": str(cluster.own.address),
            "members": [_member(member) for member in cluster.members],
            "unreachable": [{"node": node, "observedBy": sorted(by)} for node, by in sorted(observers.items())],
            "oldestPerRole": {role: str(next(m for m in up if role in m.roles).node.address) for role in roles},
        }
        if cluster.leader is not None:
            found["leader"] = str(cluster.leader)
        if up:
            found["oldest"] = str(up[0].node.address)
        return found

    def _find(self, address: str) -> Member | None:
        for member in self._cluster.members:
            whole = str(member.node.address)
            if address in {whole, whole.partition("://")[2]}:
                return member
        return None

    def _get_member(self, address: str) -> Route:
        member = self._find(address)
        return _not_found(address) if member is None else complete(_member(member))

    def _leave(self, address: str) -> Route:
        member = self._find(address)
        if member is None:
            return _not_found(address)
        self._cluster.leave(member.node.address)
        return _message(f"Leaving {member.node.address}")

    def _change(self, address: str, request: HttpRequest) -> Route:
        operation = _field(request, "operation").lower()
        member = self._find(address)
        if member is None:
            return _not_found(address)
        if operation == "leave":
            return self._leave(address)
        if operation != "down":
            return _message("Operation not supported", 400)
        self._cluster.down(member.node.address)
        return _message(f"Downing {member.node.address}")

    def _join(self, request: HttpRequest) -> Route:
        text = _field(request, "address")
        try:
            address = Address.parse(text)
            self._cluster.join(address)
        except ValueError as error:
            return _message(str(error), 400)
        return _message(f"Joining {address}")


def _member(member: Member) -> dict[str, Any]:
    status = member.status.name.title().replace("_", "")
    node = member.node
    return {"node": str(node.address), "nodeUid": str(node.uid), "status": status, "roles": sorted(member.roles)}


def _field(request: HttpRequest, name: str) -> str:
    """Of a form in the body, multipart or urlencoded; empty where there is none."""
    try:
        return parse_form(request).texts.get(name, [""])[0]
    except (TypeError, ValueError):
        return ""


def _message(text: str, status: int = 200) -> Route:
    return complete({"message": text}, status=status)


def _not_found(address: str) -> Route:
    return _message(f"Member [{address}] not found", 404)
