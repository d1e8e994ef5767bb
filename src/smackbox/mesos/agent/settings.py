"""The agent's settings, under Mesos' names in this project's spelling (docs/configuration/agent.md of Mesos)."""

from __future__ import annotations

import json
from pathlib import Path

from smackbox.base.errors import SettingError
from smackbox.base.settings import ServerSettings
from smackbox.mesos.wire.durations import DurationError, parse_duration_ms

AGENT_PORT = 5051
RECONNECT = "reconnect"
CLEANUP = "cleanup"
_DURATIONS = (
    "container_disk_watch_interval",
    "disk_watch_interval",
    "docker_remove_delay",
    "executor_registration_timeout",
    "executor_reregistration_timeout",
    "executor_shutdown_grace_period",
    "fetcher_stall_timeout",
    "gc_delay",
    "recovery_timeout",
    "registration_wait",
)


class MesosAgentSettings(ServerSettings, frozen=True, kw_only=True):
    """Durations have Mesos' form: `5secs`. `dir` is Mesos' `work_dir`; None keeps it in memory.

    `master` is host:port, a URL, zk://… or file://…. `resources` and `attributes` have Mesos' text form; cpus, mem,
    disk and ports default to the machine's. `advertise_ip` and `hostname` are the agent's address for others.
    """

    master: str = "127.0.0.1:5050"
    resources: str = ""
    attributes: str = ""
    hostname: str | None = None
    advertise_ip: str | None = None
    default_role: str = "*"
    recover: str = RECONNECT
    reconfiguration_policy: str = "equal"
    switch_user: bool = True
    executor_registration_timeout: str = "1mins"
    executor_reregistration_timeout: str = "2secs"
    executor_shutdown_grace_period: str = "5secs"
    recovery_timeout: str = "15mins"
    executor_environment_variables: str = ""
    registration_wait: str = "5secs"
    kill_tasks_on_stop: bool = False
    isolation: str = ""
    cgroups_root: str = "mesos"
    cgroups_enable_cfs: bool = False
    container_disk_watch_interval: str = "15secs"
    enforce_container_disk_quota: bool = False
    gc_delay: str = "1weeks"
    gc_disk_headroom: float = 0.1
    disk_watch_interval: str = "1mins"
    fetcher_cache_dir: Path | None = None
    fetcher_cache_size: int = 2 * 1024**3
    fetcher_stall_timeout: str = "1mins"
    docker_socket: Path = Path("/var/run/docker.sock")
    docker_remove_delay: str = "6hrs"
    credential: Path | None = None
    http_credentials: Path | None = None
    authenticate_http_executors: bool = False
    ssl_cert_file: Path | None = None
    ssl_key_file: Path | None = None
    ssl_ca_file: Path | None = None

    def check(self) -> None:
        """Check the settings. Raises `SettingError`."""
        if self.recover not in {RECONNECT, CLEANUP}:
            raise SettingError(f"mesos_agent: recover must be {RECONNECT} or {CLEANUP}, not {self.recover!r}")
        if self.reconfiguration_policy not in {"equal", "additive"}:
            raise SettingError("mesos_agent: reconfiguration_policy must be equal or additive")
        if not 0.0 <= self.gc_disk_headroom <= 1.0:
            raise SettingError("mesos_agent: gc_disk_headroom must be between 0 and 1")
        self.environment()
        for name in _DURATIONS:
            self.milliseconds(name)

    def milliseconds(self, name: str) -> int:
        """The duration of that setting in milliseconds. Raises `SettingError`."""
        try:
            return parse_duration_ms(getattr(self, name))
        except DurationError as error:
            raise SettingError(f"mesos_agent: {name}: {error}") from error

    def environment(self) -> dict[str, str] | None:
        """The value of `executor_environment_variables`; None when unset. Raises `SettingError`."""
        if not self.executor_environment_variables:
            return None
        try:
            value = json.loads(self.executor_environment_variables)
        except ValueError as error:
            raise SettingError(f"mesos_agent: executor_environment_variables is not JSON: {error}") from error
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise SettingError("mesos_agent: executor_environment_variables must be a JSON object of strings")
        return value
