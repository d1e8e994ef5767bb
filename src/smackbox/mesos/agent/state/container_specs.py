"""The containers of tasks and executors: their command, environment, sandbox, volumes and limits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from smackbox.mesos.agent.state.checkpoints import Checkpoints
from smackbox.mesos.agent.state.container import ContainerSpec, Started
from smackbox.mesos.agent.state.entities import CUSTOM, DEFAULT, AgentExecutor, AgentFramework, AgentTask
from smackbox.mesos.agent.state.executor_environment import executor_environment
from smackbox.mesos.agent.state.options import AgentOptions
from smackbox.mesos.agent.state.volumes import AgentVolumes

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import ContainerID, ContainerStatus, ExecutorInfo, NetworkInfoIPAddress, TaskInfo


class ContainerSpecs:
    """Builds the container specs of one agent. Both methods raise `SecretError` for an unknown secret."""

    def __init__(self, settings: AgentOptions, checkpoints: Checkpoints, volumes: AgentVolumes) -> None:
        self._settings = settings
        self._checkpoints = checkpoints
        self._volumes = volumes

    def of_task(
        self, agent_id: str, framework: AgentFramework, executor: AgentExecutor, task: AgentTask
    ) -> ContainerSpec:
        """The container of a task that the agent runs itself."""
        return self._spec(agent_id, framework, executor, task.container_id, sandbox(executor, task), task.info)

    def of_executor(self, agent_id: str, framework: AgentFramework, executor: AgentExecutor) -> ContainerSpec:
        """The container of a custom executor."""
        return self._spec(agent_id, framework, executor, executor.container_id, executor.directory, executor.info)

    def status(self, spec: ContainerSpec, started: Started) -> ContainerStatus:
        """The `ContainerStatus` of a container."""
        parent, _, own = spec.id.rpartition(".")
        container_id: ContainerID = {"value": own}
        if parent:
            container_id["parent"] = {"value": parent}
        addresses: list[NetworkInfoIPAddress] = [
            {"ip_address": address, "protocol": "IPv6" if ":" in address else "IPv4"}
            for address in started.ip_addresses or (self._settings.ip,)
        ]
        status: ContainerStatus = {"container_id": container_id, "network_infos": [{"ip_addresses": addresses}]}
        if started.pid is not None:
            status["executor_pid"] = started.pid
        return status

    def _spec(
        self,
        agent_id: str,
        framework: AgentFramework,
        executor: AgentExecutor,
        container_id: str,
        directory: Path,
        info: TaskInfo | ExecutorInfo,
    ) -> ContainerSpec:
        settings = self._settings
        command, own = info.get("command", {}), info.get("resources", [])
        environment = executor_environment(settings, agent_id, framework, executor, directory, command, own)
        if executor.kind == CUSTOM and settings.executor_token is not None:
            environment["MESOS_EXECUTOR_AUTHENTICATION_TOKEN"] = settings.executor_token(framework.id, executor.id)
        user = command.get("user") or framework.info.get("user") or None
        return ContainerSpec(
            id=container_id,
            name=info.get("name", ""),
            framework_id=framework.id,
            executor_id=executor.id,
            sandbox=directory,
            status_file=self._checkpoints.status_file(framework.id, executor.id, container_id),
            command=command,
            environment=environment,
            user=user if settings.switch_user else None,
            resources=executor.resources(),
            container=info.get("container"),
            volumes=self._volumes.of(own),
            checkpointed=framework.is_checkpointed,
        )


def sandbox(executor: AgentExecutor, task: AgentTask) -> Path:
    """The sandbox of a task: its executor's, or a directory in it if the agent runs a group."""
    if executor.kind != DEFAULT:
        return executor.directory
    return executor.directory / "containers" / task.container_id.rpartition(".")[2]
