"""SUBSCRIBE, UPDATE, MESSAGE, HEARTBEAT: the calls of custom executors (`POST /api/v1/executor`).

A status is acknowledged to the executor when it is checkpointed, not when the framework has received it: from then on
the agent retries it on the executor's behalf.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import TYPE_CHECKING

from smackbox.base.errors import RequestError
from smackbox.mesos.agent.state.agent import Agent
from smackbox.mesos.agent.state.entities import (
    CUSTOM,
    RUNNING,
    TERMINATED,
    TERMINATING,
    AgentExecutor,
    AgentFramework,
    AgentTask,
)

if TYPE_CHECKING:
    from smackbox.mesos.wire.link_messages import LinkMessage
    from smackbox.mesos.wire.messages import (
        ExecutorCall,
        ExecutorEvent,
        ExecutorEventAcknowledged,
        ExecutorEventSubscribed,
        TaskStatus,
    )


UUID_BYTES = 16
Channel = Callable[["ExecutorEvent"], None]


class CallError(RequestError):
    """The call is answered with `status` and the text."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def handle(agent: Agent, call: ExecutorCall) -> None:
    """Any call but SUBSCRIBE; it is answered with 202. Raises `CallError`."""
    framework, executor = find(agent, call)
    if (framework.id, executor.id) not in agent.channels:
        raise CallError(403, "Executor is not subscribed")
    match call.get("type"):
        case "UPDATE":
            _check_has(call, "update")
            _update(agent, framework, executor, call["update"]["status"])
        case "MESSAGE":
            _check_has(call, "message")
            message: LinkMessage = {
                "framework_id": call["framework_id"],
                "executor_id": call["executor_id"],
                "data": call["message"]["data"],
            }
            agent.tell_master({"type": "MESSAGE", "message": message})
        case "HEARTBEAT":
            pass
        case other:
            raise CallError(501, f"Received '{other}' call which is not implemented")


def find(agent: Agent, call: ExecutorCall) -> tuple[AgentFramework, AgentExecutor]:
    """The calling framework and executor. Raises `CallError`."""
    framework = agent.frameworks.get(call["framework_id"]["value"])
    if framework is None:
        raise CallError(400, "Framework cannot be found")
    executor = framework.executors.get(call["executor_id"]["value"])
    if executor is None or executor.kind != CUSTOM:
        raise CallError(400, "Executor cannot be found")
    return framework, executor


def subscribe(agent: Agent, call: ExecutorCall, channel: Channel) -> Callable[[], None]:
    """Send events into `channel` from now on; returns a function to call when it is closed. Raises `CallError`."""
    _check_has(call, "subscribe")
    framework, executor = find(agent, call)
    if executor.state in {TERMINATING, TERMINATED}:
        channel({"type": "SHUTDOWN"})
        return lambda: None
    key = (framework.id, executor.id)
    agent.channels[key] = channel
    executor.stop_timer()
    executor.state = RUNNING
    subscribed: ExecutorEventSubscribed = {
        "executor_info": {**executor.info, "framework_id": framework.info["id"]},
        "framework_info": framework.info,
        "agent_info": agent.settings.info(agent.id),
        "container_id": {"value": executor.container_id},
    }
    channel({"type": "SUBSCRIBED", "subscribed": subscribed})
    message = call["subscribe"]
    for update in message.get("unacknowledged_updates", []):
        _update(agent, framework, executor, update["status"])
    _settle(executor, {info["task_id"]["value"] for info in message.get("unacknowledged_tasks", [])})
    agent.containers.resize(executor.container_id, executor.resources())
    agent.deliver(executor)

    def closed() -> None:
        if agent.channels.get(key) is channel:
            del agent.channels[key]

    return closed


def _settle(executor: AgentExecutor, unacknowledged: set[str]) -> None:
    """A task that the executor neither reports nor has reported has not reached it: deliver it again."""
    waiting = {task.id for queued in executor.queued for task in queued}
    missed: dict[tuple[str, ...], list[AgentTask]] = {}
    for task in executor.tasks.values():
        if task.id in unacknowledged:
            task.delivered = True
        elif task.state == "TASK_STAGING" and task.id not in waiting:
            missed.setdefault(task.group or (task.id,), []).append(task)
    executor.queued = [*missed.values(), *executor.queued]


def _update(agent: Agent, framework: AgentFramework, executor: AgentExecutor, status: TaskStatus) -> None:
    _check_status(agent, executor, status)
    task = executor.tasks.get(status["task_id"]["value"])
    if task is not None and status["uuid"] not in task.seen:
        status = {
            **status,
            "source": "SOURCE_EXECUTOR",
            "container_status": {
                "container_id": {"value": executor.container_id},
                "network_infos": [{"ip_addresses": [{"ip_address": agent.settings.ip, "protocol": "IPv4"}]}],
                **status.get("container_status", {}),
            },
        }
        agent.take_status(framework, executor, task, status)
    acknowledged: ExecutorEventAcknowledged = {"task_id": status["task_id"], "uuid": status["uuid"]}
    agent.send_executor(executor, {"type": "ACKNOWLEDGED", "acknowledged": acknowledged})


def _check_status(agent: Agent, executor: AgentExecutor, status: TaskStatus) -> None:
    """Raises `CallError` with Mesos' text."""
    if "uuid" not in status:
        raise CallError(400, "Expecting 'uuid' to be present")
    try:
        size = len(base64.b64decode(status["uuid"], validate=True))
    except binascii.Error as error:
        raise CallError(400, "Expecting 'uuid' to be in base64") from error
    if size != UUID_BYTES:
        raise CallError(400, "Expecting 'uuid' to be a valid UUID")
    if status.get("source", "SOURCE_EXECUTOR") != "SOURCE_EXECUTOR":
        raise CallError(400, "Expecting 'source' to be SOURCE_EXECUTOR")
    if status.get("state") == "TASK_STAGING":
        raise CallError(400, "TASK_STAGING should not be sent by the executor")
    if "executor_id" in status and status["executor_id"]["value"] != executor.id:
        raise CallError(400, "ExecutorID in Call: does not match ExecutorID in TaskStatus")
    if "agent_id" in status and status["agent_id"]["value"] != agent.id:
        raise CallError(400, "AgentID in TaskStatus does not match this agent's")


def _check_has(call: ExecutorCall, name: str) -> None:
    if name not in call:
        raise CallError(400, f"Failed to validate executor::Call: Expecting '{name}' to be present")
