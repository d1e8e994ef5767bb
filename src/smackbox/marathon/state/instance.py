"""One instance of an app: its agent, its task, its current state and its goal. It is stored as JSON.

    Provisioned -> Staging -> Starting -> Running -> (Killing) -> gone
                                 Running <-> Unreachable -> UnreachableInactive -> gone
    Reserved: has persistent volumes on an agent and no task

An instance is stored before its task is launched, so that a successor knows every task that can exist.
"""

from __future__ import annotations

from typing import Any

import msgspec

PROVISIONED = "Provisioned"
STAGING = "Staging"
STARTING = "Starting"
RUNNING = "Running"
KILLING = "Killing"
UNREACHABLE = "Unreachable"
UNREACHABLE_INACTIVE = "UnreachableInactive"
RESERVED = "Reserved"

CONDITIONS = {
    "TASK_STAGING": STAGING,
    "TASK_STARTING": STARTING,
    "TASK_RUNNING": RUNNING,
    "TASK_KILLING": KILLING,
    "TASK_UNREACHABLE": UNREACHABLE,
}
"""The non-terminal task states; all others are terminal."""

TERMINAL_CONDITIONS = {
    "TASK_FINISHED": "Finished", "TASK_FAILED": "Failed", "TASK_KILLED": "Killed", "TASK_ERROR": "Error",
    "TASK_LOST": "Gone", "TASK_DROPPED": "Dropped", "TASK_GONE": "Gone", "TASK_UNKNOWN": "Unknown",
    "TASK_GONE_BY_OPERATOR": "Gone",
}  # fmt: skip


class HealthRecord(msgspec.Struct, kw_only=True):
    """The results of one health check of one instance; times are milliseconds since 1970, 0 for never."""

    alive: bool = False
    consecutive_failures: int = 0
    first_success_ms: int = 0
    last_success_ms: int = 0
    last_failure_ms: int = 0
    last_failure_cause: str | None = None


class Instance(msgspec.Struct, kw_only=True):
    """One instance of an app, with or without a task at the moment."""

    id: str
    app_id: str
    app_version: str
    config_version: str
    role: str = "*"
    condition: str = PROVISIONED
    wanted: bool = True
    """False when it is to be killed and not replaced by itself."""
    incarnation: int = 1
    agent_id: str = ""
    host: str = ""
    attributes: list[dict[str, Any]] = []
    region: str | None = None
    zone: str | None = None
    ports: list[int] = []
    ip_addresses: list[dict[str, str]] = []
    volumes: list[str] = []
    """Persistence ids."""
    staged_ms: int = 0
    started_ms: int = 0
    since_ms: int = 0
    """The time of the last change of its condition."""
    unreachable_ms: int = 0
    killed_ms: int = 0
    """The time of the last KILL."""
    health: dict[int, HealthRecord] = {}
    """By the index of the health check. Not stored: it is determined again."""
    ready: bool | None = None
    readiness_response: dict[str, Any] | None = None

    @property
    def task_id(self) -> str:
        """The id of its task; a new one for each launch."""
        return f"{self.id}._app.{self.incarnation}"

    @property
    def is_live(self) -> bool:
        """Whether it counts as one of the app's instances."""
        return self.wanted and self.condition not in {KILLING, UNREACHABLE_INACTIVE}

    @property
    def has_task(self) -> bool:
        """Whether it has a task, rather than only reservations."""
        return self.condition != RESERVED

    def healthy(self, checks: int) -> bool | None:
        """None if nothing is known yet."""
        if checks == 0:
            return None
        if any(not record.alive and record.consecutive_failures for record in self.health.values()):
            return False
        return True if sum(record.alive for record in self.health.values()) == checks else None


def encode(instance: Instance) -> bytes:
    """The stored form of an instance."""
    kept = {field: getattr(instance, field) for field in _STORED}
    return msgspec.json.encode(kept)


def decode(data: bytes) -> Instance:
    """An instance from its stored form."""
    return msgspec.json.decode(data, type=Instance)


_STORED = tuple(
    field.name
    for field in msgspec.structs.fields(Instance)
    if field.name not in {"health", "ready", "readiness_response"}
)


def instance_of_task(task_id: str) -> str:
    """The instance id in a task id."""
    return task_id.partition("._app.")[0]
