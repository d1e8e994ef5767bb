"""What handlers of the agent's endpoints get besides the request: the agent's state machine, access rules and
metrics.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from smackbox.mesos.agent.state.agent import Agent
from smackbox.mesos.agent.state.container import Statistics
from smackbox.mesos.http.access import Access
from smackbox.mesos.http.answers import Refused
from smackbox.net.http import HttpRequest, basic_credentials

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import ExecutorCall


REALM = "mesos-agent"
OPERATORS = "agent_operators"
EXECUTORS = "agent_executors"


@dataclass(slots=True)
class AgentContext:
    """`statistics` gives a container's current usage by its id; `token` gives an executor's token by its framework's id
    and its own.
    """

    agent: Agent
    work_dir: Path
    flags: dict[str, str] = field(default_factory=dict)
    access: Access = field(default_factory=Access)
    statistics: Callable[[str], Statistics] = lambda _: {}
    leader: Callable[[], str | None] = lambda: None
    token: Callable[[str, str], str] | None = None
    log_file: Path | None = None

    def check_operator(self, request: HttpRequest) -> None:
        """Raises `Refused`: 401 if operators must authenticate and this one has not."""
        if OPERATORS not in self.access.asked:
            return
        credentials = basic_credentials(request.headers.get("authorization"))
        if credentials is None or not self.access.knows(*credentials):
            raise Refused(401, "Unauthorized", {"WWW-Authenticate": f'Basic realm="{REALM}"'})

    def check_executor(self, request: HttpRequest, call: ExecutorCall) -> None:
        """Raises `Refused`: 401 if executors have tokens and this is not the executor's own."""
        if EXECUTORS not in self.access.asked or self.token is None:
            return
        expected = self.token(call["framework_id"]["value"], call["executor_id"]["value"])
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self.access.equal(given.strip().encode(), expected.encode()):
            raise Refused(401, "Unauthorized", {"WWW-Authenticate": 'Bearer realm="mesos-agent-executor"'})
