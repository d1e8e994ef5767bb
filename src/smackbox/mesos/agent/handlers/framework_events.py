"""MESSAGE, SHUTDOWN_EXECUTOR, SHUTDOWN_FRAMEWORK, UPDATE_FRAMEWORK: the master's orders on frameworks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smackbox.mesos.agent.state.agent import Agent
from smackbox.mesos.agent.state.entities import AgentExecutor

if TYPE_CHECKING:
    from smackbox.mesos.wire.link_messages import LinkEvent, LinkMessage, LinkShutdownExecutor


def message(agent: Agent, event: LinkEvent) -> None:
    """Forward to the executor; delivery is not guaranteed."""
    order = event["message"]
    executor = _executor(agent, order)
    if executor is not None:
        agent.send_executor(executor, {"type": "MESSAGE", "message": {"data": order["data"]}})


def shutdown_executor(agent: Agent, event: LinkEvent) -> None:
    """Shut down an executor."""
    executor = _executor(agent, event["shutdown_executor"])
    if executor is not None:
        agent.shut_down_executor(executor)


def shutdown_framework(agent: Agent, event: LinkEvent) -> None:
    """Shut down all executors of a framework."""
    framework = agent.frameworks.get(event["shutdown_framework"]["framework_id"]["value"])
    if framework is not None:
        agent.shut_down_framework(framework)


def update_framework(agent: Agent, event: LinkEvent) -> None:
    """Update a framework's information."""
    info = event["update_framework"]["framework"]
    if info["id"]["value"] in agent.frameworks:
        agent.framework(info)


def _executor(agent: Agent, order: LinkMessage | LinkShutdownExecutor) -> AgentExecutor | None:
    framework = agent.frameworks.get(order["framework_id"]["value"])
    return None if framework is None else framework.executors.get(order["executor_id"]["value"])
