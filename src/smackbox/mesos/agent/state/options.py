"""What the agent's machine is told once: where it is, what it has, and how long it waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """`ip` and `port` are what executors and operators reach the agent by."""

    hostname: str
    ip: str
    port: int
    work_dir: Path
    resources: list[dict[str, Any]]
    attributes: list[dict[str, Any]] = field(default_factory=list)
    domain: dict[str, Any] | None = None
    scheme: str = "http"
    environment: dict[str, str] = field(default_factory=dict)
    switch_user: bool = False
    executor_registration_timeout_ms: int = 60_000
    executor_reregistration_timeout_ms: int = 2_000
    executor_shutdown_grace_period_ms: int = 5_000
    recovery_timeout_ms: int = 900_000
    executor_token: Callable[[str, str], str] | None = None
    """An executor's token, by its framework's id and its own, where executors have to give one."""

    @property
    def endpoint(self) -> str:
        return f"{self.ip}:{self.port}"

    def info(self, agent_id: str | None) -> dict[str, Any]:
        """As an `AgentInfo`."""
        info: dict[str, Any] = {
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
