"""The settings of the agent's state machine: its address, resources, and timeouts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import AgentInfo, Attribute, DomainInfo, Resource


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """`ip` and `port` are the agent's address for executors and operators."""

    hostname: str
    ip: str
    port: int
    work_dir: Path
    resources: list[Resource]
    attributes: list[Attribute] = field(default_factory=list)
    domain: DomainInfo | None = None
    scheme: str = "http"
    environment: dict[str, str] = field(default_factory=dict)
    switch_user: bool = False
    executor_registration_timeout_ms: int = 60_000
    executor_reregistration_timeout_ms: int = 2_000
    executor_shutdown_grace_period_ms: int = 5_000
    recovery_timeout_ms: int = 900_000
    executor_token: Callable[[str, str], str] | None = None
    """An executor's token, by its framework's id and its own, if executors must authenticate."""

    @property
    def endpoint(self) -> str:
        """The address of the agent's API, `ip:port`."""
        return f"{self.ip}:{self.port}"

    def info(self, agent_id: str | None) -> AgentInfo:
        """As an `AgentInfo`."""
        info: AgentInfo = {
            "hostname": self.hostname,
            "port": self.port,
            "resources": self.resources,
            "attributes": self.attributes,
        }
        if agent_id is not None:
            info["id"] = {"value": agent_id}
        if self.domain is not None:
            info["domain"] = self.domain
        return info
