"""`/containers` and `/monitor/statistics`: the running containers, and their current resource usage."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from smackbox.mesos.agent.handlers.context import AgentContext
from smackbox.mesos.agent.state.entities import DEFAULT
from smackbox.net.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import (
        AgentResponseGetContainersContainer,
        ContainerID,
        ContainerStatus,
        NetworkInfoIPAddress,
        ResourceStatistics,
    )


def containers(context: AgentContext, _request: HttpRequest) -> HttpResponse:
    """The running containers, with their resource usage."""
    return HttpResponse.json(
        [
            {
                "container_id": entry["container_id"]["value"],
                "executor_id": entry["executor_id"]["value"],
                "executor_name": entry["executor_name"],
                "framework_id": entry["framework_id"]["value"],
                "source": entry["executor_id"]["value"],
                "statistics": entry["resource_statistics"],
                "status": entry["container_status"],
            }
            for entry in listing(context)
        ]
    )


def statistics(context: AgentContext, _request: HttpRequest) -> HttpResponse:
    """The resource usage of each executor."""
    return HttpResponse.json(
        [
            {
                "executor_id": entry["executor_id"]["value"],
                "executor_name": entry["executor_name"],
                "framework_id": entry["framework_id"]["value"],
                "source": entry["executor_id"]["value"],
                "statistics": entry["resource_statistics"],
            }
            for entry in listing(context)
        ]
    )


def listing(context: AgentContext, *, nested: bool = False) -> list[AgentResponseGetContainersContainer]:
    """The containers as `Container` messages of the v1 API; nested ones only on request."""
    agent = context.agent
    containers: list[AgentResponseGetContainersContainer] = []
    for executor in context.agent.executors():
        ids = [executor.container_id]
        if nested and executor.kind == DEFAULT:
            ids += [task.container_id for task in executor.tasks.values() if task.key in agent.runs]
        for container_id in ids:
            parent, _, own = container_id.rpartition(".")
            identity: ContainerID = {"value": own}
            if parent:
                identity["parent"] = {"value": parent}
            protocol = "IPv6" if ":" in agent.settings.ip else "IPv4"
            addresses: list[NetworkInfoIPAddress] = [{"ip_address": agent.settings.ip, "protocol": protocol}]
            status: ContainerStatus = {"container_id": identity, "network_infos": [{"ip_addresses": addresses}]}
            figures = context.statistics(container_id)
            pid = figures.pop("pid", None)
            if pid is not None:
                status["executor_pid"] = int(pid)
            figures.setdefault("timestamp", agent.timers.clock.wall_ms() / 1_000)
            containers.append(
                {
                    "framework_id": {"value": executor.framework_id},
                    "executor_id": {"value": executor.id},
                    "executor_name": executor.info.get("name", ""),
                    "container_id": identity,
                    "container_status": status,
                    "resource_statistics": cast("ResourceStatistics", figures),
                }
            )
    return containers
