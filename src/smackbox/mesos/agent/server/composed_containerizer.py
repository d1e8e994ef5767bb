"""All containers of an agent: it delegates each to the containerizer of its type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from smackbox.mesos.agent.server.docker_containerizer import DockerContainerizer
from smackbox.mesos.agent.server.isolation import IsolatingContainerizer
from smackbox.mesos.agent.state.container import ContainerSpec, Ended, ProbeOutcome, Started, Statistics

if TYPE_CHECKING:
    from smackbox.mesos.agent.state.limited_resource import LimitedResource
    from smackbox.mesos.wire.messages import CheckInfo, HealthCheck


class ComposedContainerizer:
    """A `Containers` for processes of this host and for containers of a Docker Engine."""

    def __init__(self, processes: IsolatingContainerizer, docker: DockerContainerizer) -> None:
        self.processes = processes
        self.docker = docker

    async def stop(self) -> None:
        await self.processes.stop()
        await self.docker.stop()

    def launch(self, spec: ContainerSpec, started: Callable[[Started], None], ended: Callable[[Ended], None]) -> None:
        self._for(spec).launch(spec, started, ended)

    def find(self, spec: ContainerSpec) -> str:
        return self._for(spec).find(spec)

    def resume(self, spec: ContainerSpec, started: Callable[[Started], None], ended: Callable[[Ended], None]) -> None:
        self._for(spec).resume(spec, started, ended)

    def signal(self, container_id: str, signum: int) -> None:
        self._with(container_id).signal(container_id, signum)

    def destroy(self, container_id: str) -> None:
        self._with(container_id).destroy(container_id)

    def resize(self, container_id: str, resources: Sequence[LimitedResource]) -> None:
        self._with(container_id).resize(container_id, resources)

    def statistics(self, container_id: str) -> Statistics:
        return self._with(container_id).statistics(container_id)

    def probe(
        self, spec: ContainerSpec, check: CheckInfo | HealthCheck, timeout_ms: int, done: Callable[[ProbeOutcome], None]
    ) -> Callable[[], None]:
        return self._for(spec).probe(spec, check, timeout_ms, done)

    def _for(self, spec: ContainerSpec) -> IsolatingContainerizer | DockerContainerizer:
        return self.docker if spec.is_docker else self.processes

    def _with(self, container_id: str) -> IsolatingContainerizer | DockerContainerizer:
        return self.docker if self.docker.has(container_id) else self.processes
