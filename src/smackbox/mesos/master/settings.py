"""Settings of the master, under Mesos' own names where it has them."""

from __future__ import annotations

from pathlib import Path

from smackbox.base.errors import SettingError
from smackbox.base.settings import ServerSettings
from smackbox.mesos.wire.durations import DurationError, parse_duration_ms

MASTER_PORT = 5050
_DURATIONS = (
    "allocation_interval",
    "offer_timeout",
    "agent_ping_timeout",
    "agent_reregister_timeout",
    "scheduler_heartbeat_interval",
    "zk_session_timeout",
)


class MasterSettings(ServerSettings, frozen=True, kw_only=True):
    """`dir` is Mesos' work_dir. Durations have Mesos' form: `15secs`, `10mins`.

    `zk` makes it one of several masters: it joins the election there and keeps its registry there.
    `advertise_ip`, `advertise_port` and `hostname` are what it advertises.
    `scheduler_heartbeat_interval` is short for clients that see an event only when the next one arrives. `credentials`
    and `acls` are files with Mesos' JSON. With `ssl_cert_file` (PEM) all connections use TLS.
    """

    zk: str | None = None
    zk_session_timeout: str = "10secs"
    cluster: str | None = None
    hostname: str | None = None
    advertise_ip: str | None = None
    advertise_port: int | None = None
    allocation_interval: str = "1secs"
    offer_timeout: str | None = None
    min_allocatable_resources: str = "cpus:0.01|mem:32"
    filter_gpu_resources: bool = True
    scheduler_heartbeat_interval: str = "15secs"
    agent_ping_timeout: str = "15secs"
    max_agent_ping_timeouts: int = 5
    agent_reregister_timeout: str = "10mins"
    max_completed_frameworks: int = 50
    max_completed_tasks_per_framework: int = 1_000
    max_unreachable_tasks_per_framework: int = 1_000
    weights: str | None = None
    authenticate_frameworks: bool = False
    authenticate_agents: bool = False
    authenticate_http_readonly: bool = False
    authenticate_http_readwrite: bool = False
    credentials: Path | None = None
    acls: Path | None = None
    ssl_cert_file: Path | None = None
    ssl_key_file: Path | None = None
    ssl_ca_file: Path | None = None
    ssl_require_client_cert: bool = False

    def check(self) -> None:
        """Raises `SettingError` for an invalid value, or two values that contradict each other."""
        for name in _DURATIONS:
            self.milliseconds(name)
        if self.milliseconds("allocation_interval") == 0 or self.milliseconds("scheduler_heartbeat_interval") == 0:
            raise SettingError("mesos: allocation_interval and scheduler_heartbeat_interval must be positive")
        if self.max_agent_ping_timeouts < 1:
            raise SettingError("mesos: max_agent_ping_timeouts must be at least 1")
        if self.authenticates and self.credentials is None:
            raise SettingError("mesos: credentials must name a file when authentication is enabled")

    def milliseconds(self, name: str) -> int | None:
        """The duration of that setting in milliseconds. Raises `SettingError`."""
        text = getattr(self, name)
        if text is None:
            return None
        try:
            return parse_duration_ms(text)
        except DurationError as error:
            raise SettingError(f"mesos: {name}: {error}") from error

    @property
    def authenticates(self) -> bool:
        """Whether any caller must authenticate."""
        return (
            self.authenticate_frameworks
            or self.authenticate_agents
            or self.authenticate_http_readonly
            or self.authenticate_http_readwrite
        )

    @property
    def authenticates_all_who_change(self) -> bool:
        """Whether every caller that can start a process must authenticate."""
        return self.authenticate_frameworks and self.authenticate_agents and self.authenticate_http_readwrite
