"""The containerizer's interface to the agent's state machine, and its events."""

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
    """Everything needed to start a container, and to find it again."""

    id: str
    """A UUID; for a nested container it is `<parent>.<UUID>`."""
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
        """The outermost container, whose limits apply to all nested ones."""
        return self.id.partition(".")[0]

    @property
    def is_docker(self) -> bool:
        """Whether Docker runs it."""
        return self.container is not None and self.container.get("type") == "DOCKER"


@dataclass(frozen=True, slots=True)
class Started:
    """The container is running."""

    pid: int | None = None
    ip_addresses: tuple[str, ...] = ()
    data: str | None = None
    """For the `data` of the TASK_RUNNING status, in base64."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The container is gone. `status` is a wait status; None when it is unknown."""

    status: int | None = None
    started: bool = True
    reason: str | None = None
    """Set if it did not end by itself: a limit was exceeded, or it could not be launched."""
    message: str = ""
    """The message; if empty, it follows from the status."""
    limitation: list[Resource] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ProbeOutcome:
    """The result of one check. `value` is an exit code, an HTTP status, whether a connection was made, or None."""

    value: int | bool | None = None
    message: str = ""


class Containers(Protocol):
    """The containerizer, as the state machine sees it. Its methods return at once: results are sent to the
    listeners.
    """

    def launch(self, spec: ContainerSpec, started: Callable[[Started], None], ended: Callable[[Ended], None]) -> None:
        """Fetch, start, and call `started`, later `ended`; or only `ended` if it cannot be started."""

    def find(self, spec: ContainerSpec) -> str:
        """The state of a container from an earlier agent process: NEVER_STARTED, RUNNING or ENDED."""

    def resume(self, spec: ContainerSpec, started: Callable[[Started], None], ended: Callable[[Ended], None]) -> None:
        """Take over a container that was started before: with the same two calls."""

    def signal(self, container_id: str, signum: int) -> None:
        """Send a signal to every process in the container."""

    def destroy(self, container_id: str) -> None:
        """Kill everything in the container, or stop its launch; `ended` follows."""

    def resize(self, container_id: str, resources: Sequence[LimitedResource]) -> None:
        """Change the limits of a running container."""

    def statistics(self, container_id: str) -> Statistics:
        """Its usage, as a `ResourceStatistics`, and its `pid`."""

    def probe(
        self, spec: ContainerSpec, check: CheckInfo | HealthCheck, timeout_ms: int, done: Callable[[ProbeOutcome], None]
    ) -> Callable[[], None]:
        """Run a check (`type` and the field of that name) once; the returned function cancels it."""


def split_status(status: int) -> tuple[int | None, int | None]:
    """Exit code and signal of a wait status; one of them is None."""
    signum = status & 0x7F
    return (None, signum) if signum else (status >> 8 & 0xFF, None)
