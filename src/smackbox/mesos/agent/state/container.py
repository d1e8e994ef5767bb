"""What the agent's state machine asks of the containerizer, and the events that come back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from smackbox.mesos.agent.state.limited_resource import LimitedResource
    from smackbox.mesos.wire.messages import CheckInfo, CommandInfo, ContainerInfo, HealthCheck, Resource


NEVER_STARTED = "never started"
RUNNING = "running"
ENDED = "ended"
Statistics = dict[str, float]
"""The numbers of a `ResourceStatistics`, by name, and `pid`."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A persistent volume or a directory of the host, seen at `container_path` in the sandbox."""

    container_path: str
    source: Path
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """Everything that is needed to start a container, and to find it again."""

    id: str
    """A UUID; that of a nested one is `<parent>.<UUID>`."""
    name: str
    framework_id: str
    executor_id: str
    sandbox: Path
    status_file: Path
    command: CommandInfo
    environment: dict[str, str]
    user: str | None
    resources: Sequence[LimitedResource]
    container: ContainerInfo | None = None
    volumes: tuple[Volume, ...] = ()
    checkpointed: bool = False

    @property
    def root_id(self) -> str:
        """The outermost container, whose limits hold for all in it."""
        return self.id.partition(".")[0]

    @property
    def is_docker(self) -> bool:
        """Whether Docker runs it."""
        return self.container is not None and self.container.get("type") == "DOCKER"


@dataclass(frozen=True, slots=True)
class Started:
    """The container runs."""

    pid: int | None = None
    ip_addresses: tuple[str, ...] = ()
    data: str | None = None
    """For the `data` of the TASK_RUNNING status, in base64."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The container is gone. `status` is a wait status; None when nobody knows it."""

    status: int | None = None
    started: bool = True
    reason: str | None = None
    """Set where it was not its own end: a limit, or that it could not be launched."""
    message: str = ""
    """What to say; empty: what its status says."""
    limitation: list[Resource] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ProbeOutcome:
    """What one check found. `value` is an exit code, an HTTP status or whether a connection was made, or None."""

    value: int | bool | None = None
    message: str = ""


class Containers(Protocol):
    """The containerizer, as the machine sees it. Nothing here waits: results are sent to the listeners."""

    def launch(self, spec: ContainerSpec, started: Callable[[Started], None], ended: Callable[[Ended], None]) -> None:
        """Fetch, start, and call `started`, later `ended`; or `ended` alone when it cannot be started."""

    def find(self, spec: ContainerSpec) -> str:
        """NEVER_STARTED, RUNNING or ENDED: what became of a container of the agent's former life."""

    def resume(self, spec: ContainerSpec, started: Callable[[Started], None], ended: Callable[[Ended], None]) -> None:
        """Go on with a container that was started before: the same two calls."""

    def signal(self, container_id: str, signum: int) -> None:
        """Send to every process in the container."""

    def destroy(self, container_id: str) -> None:
        """Kill what is in the container, or stop its launch; `ended` follows."""

    def resize(self, container_id: str, resources: Sequence[LimitedResource]) -> None:
        """Other limits for a container that runs."""

    def statistics(self, container_id: str) -> Statistics:
        """What it uses, as a `ResourceStatistics`, and its `pid`."""

    def probe(
        self, spec: ContainerSpec, check: CheckInfo | HealthCheck, timeout_ms: int, done: Callable[[ProbeOutcome], None]
    ) -> Callable[[], None]:
        """Run a check (`type` and the field of that name) once; the answer cancels it."""


def split_status(status: int) -> tuple[int | None, int | None]:
    """Exit code and signal of a wait status; one of them is None."""
    signum = status & 0x7F
    return (None, signum) if signum else (status >> 8 & 0xFF, None)
