"""An app in Marathon 1.11's REST API: its fields, their defaults, and its JSON form.

Fields that later releases replaced (`ports`, `uris`, `ipAddress`) are converted to the current ones first, see
`legacy`.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Json = dict[str, Any]

HOST = "host"
BRIDGE = "container/bridge"
CONTAINER = "container"
DISABLED = "disabled"
SINGLE_INSTANCE_LABEL = "MARATHON_SINGLE_INSTANCE_APP"


class Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A part of an app. A field that is None is not shown."""


class Artifact(Part, frozen=True):
    """A file that the agent fetches before the task."""

    uri: str
    extract: bool = True
    executable: bool = False
    cache: bool = False
    dest_path: str | None = None


class PortDefinition(Part, frozen=True):
    """A host port of a task."""

    port: int = 0
    protocol: str = "tcp"
    name: str | None = None
    labels: dict[str, str] = {}


class PortMapping(Part, frozen=True):
    """A container port, and the host port that maps to it."""

    container_port: int = 0
    host_port: int | None = None
    service_port: int = 0
    protocol: str = "tcp"
    name: str | None = None
    labels: dict[str, str] = {}
    network_names: list[str] = []


class Network(Part, frozen=True):
    """A network of the tasks."""

    mode: Literal["host", "container", "container/bridge"] = "container"
    name: str | None = None
    labels: dict[str, str] = {}


class DockerParameter(Part, frozen=True):
    """An option of the container's runtime."""

    key: str
    value: str


class Docker(Part, frozen=True):
    """The image of a container, and its options."""

    image: str
    force_pull_image: bool = False
    privileged: bool = False
    parameters: list[DockerParameter] = []
    pull_config: Json | None = None
    credential: Json | None = None


class PersistentVolume(Part, frozen=True):
    """Disk that outlives the task."""

    size: int
    type: Literal["root", "path", "mount"] = "root"
    max_size: int | None = None
    profile_name: str | None = None
    constraints: list[list[str]] = []


class Volume(Part, frozen=True):
    """A path in the container, and what is mounted there."""

    container_path: str | None = None
    host_path: str | None = None
    mode: Literal["RO", "RW"] | None = None
    persistent: PersistentVolume | None = None
    external: Json | None = None
    secret: str | None = None


class Container(Part, frozen=True):
    """The container of a task."""

    type: Literal["MESOS", "DOCKER"] = "DOCKER"
    docker: Docker | None = None
    volumes: list[Volume] = []
    port_mappings: list[PortMapping] | None = None
    linux_info: Json | None = None


class CommandCheck(Part, frozen=True):
    """A command whose exit code is the health status."""

    value: str


class HealthCheck(Part, frozen=True):
    """How a task's health is checked, and how often."""

    protocol: Literal["HTTP", "HTTPS", "TCP", "COMMAND", "MESOS_HTTP", "MESOS_HTTPS", "MESOS_TCP"] = "HTTP"
    path: str | None = None
    port: int | None = None
    port_index: int | None = None
    command: CommandCheck | None = None
    grace_period_seconds: int = 300
    interval_seconds: int = 60
    timeout_seconds: int = 20
    delay_seconds: int = 15
    max_consecutive_failures: int = 3
    ignore_http1xx: bool | None = msgspec.field(name="ignoreHttp1xx", default=None)
    ip_protocol: Literal["IPv4", "IPv6"] = "IPv4"

    @property
    def by_mesos(self) -> bool:
        """Whether the task's executor runs it, rather than Marathon over the network."""
        return self.protocol == "COMMAND" or self.protocol.startswith("MESOS_")


class HttpCheck(Part, frozen=True):
    """A request of Mesos' general check."""

    port_index: int = 0
    path: str = "/"
    scheme: Literal["HTTP", "HTTPS"] = "HTTP"


class TcpCheck(Part, frozen=True):
    """A connection of Mesos' general check."""

    port_index: int = 0


class ShellCommand(Part, frozen=True):
    """A command, for the shell or as arguments."""

    shell: str | None = None
    argv: list[str] | None = None


class ExecCheck(Part, frozen=True):
    """A command of Mesos' general check."""

    command: ShellCommand


class Check(Part, frozen=True):
    """A check run regularly by the task's executor; its result is shown with the task and has no other effect."""

    http: HttpCheck | None = None
    tcp: TcpCheck | None = None
    exec: ExecCheck | None = None
    interval_seconds: int = 60
    timeout_seconds: int = 20
    delay_seconds: int = 15


class ResourceLimits(Part, frozen=True):
    """Limits up to which an instance may exceed its resources: CPUs, and MB of memory."""

    cpus: float | None = None
    mem: float | None = None


class ReadinessCheck(Part, frozen=True):
    """A check that a new task must pass before a deployment continues."""

    name: str = "readinessCheck"
    protocol: Literal["HTTP", "HTTPS"] = "HTTP"
    path: str = "/"
    port_name: str = "http-api"
    interval_seconds: int = 30
    timeout_seconds: int = 10
    http_status_codes_for_ready: list[int] = msgspec.field(default_factory=lambda: [200])
    preserve_last_response: bool = False


class UpgradeStrategy(Part, frozen=True):
    """How many instances must stay, and how many extra ones are allowed, while an app is replaced."""

    minimum_health_capacity: float = 1.0
    maximum_over_capacity: float = 1.0


class UnreachableEnabled(Part, frozen=True):
    """When a task on an unreachable agent is replaced, and when it is removed."""

    inactive_after_seconds: int = 0
    expunge_after_seconds: int = 0


class Residency(Part, frozen=True):
    """What happens to a task with a volume when its agent is lost."""

    relaunch_escalation_timeout_seconds: int = 3600
    task_lost_behavior: Literal["WAIT_FOREVER", "RELAUNCH_AFTER_TIMEOUT"] = "WAIT_FOREVER"


class SecretSource(Part, frozen=True):
    """The source of a secret."""

    source: str


class SecretReference(Part, frozen=True):
    """An environment variable whose value is a secret."""

    secret: str


class VersionInfo(Part, frozen=True):
    """The times of the app's last scaling, and of its last other change."""

    last_scaling_at: str
    last_config_change_at: str


class App(Part, frozen=True):
    """A normalised app: it is stored, shown and launched in this form."""

    id: str
    cmd: str | None = None
    args: list[str] | None = None
    user: str | None = None
    env: dict[str, str | SecretReference] = {}
    instances: int = 1
    cpus: float = 1.0
    mem: float = 128.0
    disk: float = 0.0
    gpus: int = 0
    executor: str = ""
    constraints: list[list[str]] = []
    fetch: list[Artifact] = []
    port_definitions: list[PortDefinition] | None = None
    require_ports: bool = False
    networks: list[Network] = []
    container: Container | None = None
    backoff_seconds: int = 1
    backoff_factor: float = 1.15
    max_launch_delay_seconds: int = 300
    health_checks: list[HealthCheck] = []
    check: Check | None = None
    resource_limits: ResourceLimits | None = None
    readiness_checks: list[ReadinessCheck] = []
    dependencies: list[str] = []
    upgrade_strategy: UpgradeStrategy | None = None
    labels: dict[str, str] = {}
    accepted_resource_roles: list[str] | None = None
    residency: Residency | None = None
    secrets: dict[str, SecretSource] = {}
    task_kill_grace_period_seconds: int | None = None
    unreachable_strategy: UnreachableEnabled | Literal["disabled"] | None = None
    kill_selection: Literal["YOUNGEST_FIRST", "OLDEST_FIRST"] = "YOUNGEST_FIRST"
    tty: bool | None = None
    role: str | None = None
    version: str = ""
    version_info: VersionInfo | None = None

    @property
    def is_single_instance(self) -> bool:
        """Whether its label says that two of its instances must never run at once, as for the scheduler of a
        framework.
        """
        return self.labels.get(SINGLE_INSTANCE_LABEL) == "true"

    @property
    def is_resident(self) -> bool:
        """Whether its tasks have persistent volumes, and so stay on their agents."""
        return bool(self.persistent_volumes)

    @property
    def persistent_volumes(self) -> list[Volume]:
        """The volumes that outlive a task."""
        volumes = self.container.volumes if self.container is not None else []
        return [volume for volume in volumes if volume.persistent is not None]

    @property
    def host_networking(self) -> bool:
        """Whether its tasks use only the host's network."""
        return all(network.mode == HOST for network in self.networks)

    @property
    def port_mappings(self) -> list[PortMapping]:
        """The ports of its container."""
        return (self.container.port_mappings or []) if self.container is not None else []

    @property
    def config_version(self) -> str:
        """The version of the last change other than the number of instances."""
        return self.version_info.last_config_change_at if self.version_info is not None else self.version

    @property
    def service_ports(self) -> list[int]:
        """Its service ports, in the order of its ports."""
        if self.host_networking:
            return [definition.port for definition in self.port_definitions or []]
        return [mapping.service_port for mapping in self.port_mappings]


_OMITTED_WHEN_EMPTY = {
    "constraints", "dependencies", "env", "fetch", "healthChecks", "readinessChecks", "secrets",
    "networkNames", "labels", "parameters",
}  # fmt: skip


def render(app: App) -> Json:
    """The app as in GET."""
    shown: Json = _without_none(msgspec.to_builtins(app))
    shown.setdefault("labels", {})
    return shown


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_none(one)
            for key, one in value.items()
            if one is not None and (one or key not in _OMITTED_WHEN_EMPTY)
        }
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    return value
