"""Events from the master: which handler serves which event of the stream."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from smackbox.mesos.agent.handlers import framework_events, resource_events, task_events
from smackbox.mesos.agent.state.agent import Agent

if TYPE_CHECKING:
    from smackbox.mesos.wire.link_messages import LinkEvent


log = logging.getLogger(__name__)


def subscribed(agent: Agent, event: LinkEvent) -> None:
    """The master has registered this agent under that id."""
    agent.subscribed(event["subscribed"]["agent_id"]["value"])


def ping(agent: Agent, _: LinkEvent) -> None:
    """Answer the master's health check."""
    agent.tell_master({"type": "PONG"})


def drain(agent: Agent, event: LinkEvent) -> None:
    """Drain the agent: kill its tasks."""
    order = event.get("drain", {})
    grace = order.get("max_grace_period")
    agent.drain(None if grace is None else int(grace["nanoseconds"]) // 1_000_000)


def shutdown(agent: Agent, event: LinkEvent) -> None:
    """Shut this agent down."""
    agent.shut_down(event.get("shutdown", {}).get("message", ""))


HANDLERS: dict[str, Callable[[Agent, LinkEvent], None]] = {
    "SUBSCRIBED": subscribed,
    "PING": ping,
    "RUN_TASK": task_events.run_task,
    "RUN_TASK_GROUP": task_events.run_task_group,
    "KILL_TASK": task_events.kill_task,
    "ACKNOWLEDGE": task_events.acknowledge,
    "MESSAGE": framework_events.message,
    "SHUTDOWN_EXECUTOR": framework_events.shutdown_executor,
    "SHUTDOWN_FRAMEWORK": framework_events.shutdown_framework,
    "UPDATE_FRAMEWORK": framework_events.update_framework,
    "CHECKPOINT_RESOURCES": resource_events.checkpoint_resources,
    "DRAIN": drain,
    "SHUTDOWN": shutdown,
}


def handle(agent: Agent, event: LinkEvent) -> None:
    """Events of unknown types are ignored: the master may be newer."""
    handler = HANDLERS.get(event.get("type", ""))
    if handler is None:
        log.warning("the master sent an event of the unknown type %s", event.get("type"))
        return
    handler(agent, event)
