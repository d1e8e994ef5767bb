"""RUN_TASK, RUN_TASK_GROUP, KILL_TASK, ACKNOWLEDGE: the master's orders on tasks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from smackbox.base.errors import StorageError
from smackbox.mesos.agent.state.agent import Agent
from smackbox.mesos.agent.state.entities import (
    COMMAND,
    CUSTOM,
    DEFAULT,
    RUNNING,
    TERMINATED,
    TERMINATING,
    AgentExecutor,
    AgentFramework,
)

if TYPE_CHECKING:
    from smackbox.mesos.wire.link_messages import LinkEvent, LinkKillTask, LinkRunTask, LinkRunTaskGroup, LinkUpdate
    from smackbox.mesos.wire.messages import ExecutorInfo, FrameworkID, FrameworkInfo, TaskInfo, TaskStatus


ID_BYTES_LIMIT = 255
log = logging.getLogger(__name__)


def run_task(agent: Agent, event: LinkEvent) -> None:
    """Run a task."""
    order = event["run_task"]
    info = order["task"]
    try:
        _run(agent, order, info)
    except StorageError as error:
        _not_written(agent, order["framework"], [info], error)


def _run(agent: Agent, order: LinkRunTask, info: TaskInfo) -> None:
    if "executor" in info and info["executor"].get("type") != "DEFAULT":
        _run_custom(agent, order["framework"], info["executor"], [info], grouped=False)
    else:
        _run_command(agent, order["framework"], info)


def run_task_group(agent: Agent, event: LinkEvent) -> None:
    """Run a group of tasks, all or none."""
    order = event["run_task_group"]
    try:
        _run_group(agent, order)
    except StorageError as error:
        _not_written(agent, order["framework"], order["task_group"]["tasks"], error)


def _run_group(agent: Agent, order: LinkRunTaskGroup) -> None:
    executor_info, infos = order["executor"], order["task_group"]["tasks"]
    if executor_info.get("type") == "CUSTOM" or ("command" in executor_info and "type" not in executor_info):
        _run_custom(agent, order["framework"], executor_info, infos, grouped=True)
        return
    framework = _admit(agent, order["framework"], executor_info["executor_id"]["value"], infos)
    if framework is None:
        return
    executor = _executor(agent, framework, executor_info, DEFAULT, infos)
    if executor is None:
        return
    group = tuple(info["task_id"]["value"] for info in infos)
    tasks = [agent.add_task(executor, info, group) for info in infos]
    agent.run_builtin(framework, executor, tasks)


def kill_task(agent: Agent, event: LinkEvent) -> None:
    """Kill a task."""
    order = event["kill_task"]
    framework = agent.frameworks.get(order["framework_id"]["value"])
    executor_and_task = None if framework is None else framework.task(order["task_id"]["value"])
    if framework is None or executor_and_task is None:
        partition_aware = framework is not None and framework.has("PARTITION_AWARE")
        _refuse(
            agent,
            order["framework_id"],
            order,
            "TASK_GONE" if partition_aware else "TASK_LOST",
            "REASON_TASK_UNKNOWN",
            "The agent does not know the task",
        )
        return
    executor, task = executor_and_task
    agent.kill_task(executor, task, order.get("kill_policy"))


def acknowledge(agent: Agent, event: LinkEvent) -> None:
    """The framework has acknowledged a status update."""
    order = event["acknowledge"]
    agent.acknowledge(order["framework_id"]["value"], order["task_id"]["value"], order["uuid"])


def _run_command(agent: Agent, framework_info: FrameworkInfo, info: TaskInfo) -> None:
    executor_info: ExecutorInfo = {
        "executor_id": info["task_id"],
        "framework_id": framework_info["id"],
        "name": f"Command Executor (Task: {info['task_id']['value']})",
        "source": info["task_id"]["value"],
        "command": info.get("command", {}),
    }
    framework = _admit(agent, framework_info, info["task_id"]["value"], [info])
    if framework is None:
        return
    executor = _executor(agent, framework, executor_info, COMMAND, [info])
    if executor is not None:
        agent.run_builtin(framework, executor, [agent.add_task(executor, info)])


def _run_custom(
    agent: Agent,
    framework_info: FrameworkInfo,
    executor_info: ExecutorInfo,
    infos: list[TaskInfo],
    *,
    grouped: bool,
) -> None:
    framework = _admit(agent, framework_info, executor_info["executor_id"]["value"], infos)
    if framework is None:
        return
    executor_info.setdefault("framework_id", framework_info["id"])
    is_new = executor_info["executor_id"]["value"] not in framework.executors
    executor = _executor(agent, framework, executor_info, CUSTOM, infos)
    if executor is None:
        return
    group = tuple(info["task_id"]["value"] for info in infos) if grouped else ()
    executor.queued.append([agent.add_task(executor, info, group) for info in infos])
    if is_new:
        agent.launch_custom(framework, executor)
    elif executor.state == RUNNING:
        agent.containers.resize(executor.container_id, executor.resources())
        agent.deliver(executor)


def _executor(
    agent: Agent,
    framework: AgentFramework,
    info: ExecutorInfo,
    kind: str,
    infos: list[TaskInfo],
) -> AgentExecutor | None:
    """The executor for these tasks, created if it does not exist; None when it accepts no more tasks."""
    executor = framework.executors.get(info["executor_id"]["value"])
    if executor is None:
        return agent.make_executor(framework, info, kind)
    if executor.state not in {TERMINATING, TERMINATED} and kind != COMMAND:
        return executor
    for task_info in infos:
        _refuse(
            agent,
            framework.info["id"],
            task_info,
            "TASK_DROPPED" if framework.has("PARTITION_AWARE") else "TASK_LOST",
            "REASON_EXECUTOR_TERMINATED",
            "Executor terminating/terminated",
        )
    return None


def _admit(
    agent: Agent, framework_info: FrameworkInfo, executor_id: str, infos: list[TaskInfo]
) -> AgentFramework | None:
    """The framework, if its tasks can be accepted; otherwise they get a terminal status."""
    framework_id = framework_info["id"]["value"]
    known = agent.frameworks.get(framework_id)
    if known is not None and any(known.task(info["task_id"]["value"]) for info in infos):
        return None  # a duplicate
    partition_aware = any(
        capability.get("type") == "PARTITION_AWARE" for capability in framework_info.get("capabilities", [])
    )
    dropped = "TASK_DROPPED" if partition_aware else "TASK_LOST"
    ids = [framework_id, executor_id, *(info["task_id"]["value"] for info in infos)]
    resources = [part for info in infos for part in info.get("resources", [])]
    refusal: tuple[str, str, str] | None = None
    if bad := [id_ for id_ in ids if not _is_file_name(id_)]:
        refusal = ("TASK_ERROR", "REASON_TASK_INVALID", f"The id {bad[0][:80]!r} is not valid")
    elif unknown := agent.volumes.unknown(resources):
        refusal = (dropped, "REASON_RESOURCES_UNKNOWN", f"The agent has no persistent volume {unknown[0]!r}")
    elif agent.is_draining:
        refusal = (dropped, "REASON_AGENT_DISCONNECTED", "The agent is draining")
    elif known is not None and known.shutting_down:
        refusal = (dropped, "REASON_FRAMEWORK_REMOVED", "The framework is shutting down")
    if refusal is None:
        agent.is_drained = False
        return agent.framework(framework_info)
    for info in infos:
        _refuse(agent, framework_info["id"], info, *refusal)
    return None


def _not_written(agent: Agent, framework_info: FrameworkInfo, infos: list[TaskInfo], error: StorageError) -> None:
    """The disk rejected the order: it is not carried out, and nothing is left of it."""
    log.error("tasks are rejected: %s", error)
    framework = agent.frameworks.get(framework_info["id"]["value"])
    for info in infos:
        executor_and_task = None if framework is None else framework.task(info["task_id"]["value"])
        if executor_and_task is not None:
            executor_and_task[0].tasks.pop(executor_and_task[1].id)
        _refuse(agent, framework_info["id"], info, "TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED", str(error))
    if framework is not None:
        for executor in [
            executor for executor in framework.executors.values() if not executor.tasks and executor.spec is None
        ]:
            executor.state = TERMINATED
        try:
            agent.sweep(framework)
        except StorageError as again:
            log.error("their checkpoints could not be removed: %s", again)


def _refuse(
    agent: Agent, framework_id: FrameworkID, info: TaskInfo | LinkKillTask, state: str, reason: str, message: str
) -> None:
    """Send a terminal status for a task that was not accepted; without a uuid, it needs no acknowledgement."""
    status: TaskStatus = {
        "task_id": info["task_id"],
        "state": state,
        "reason": reason,
        "message": message,
        "source": "SOURCE_AGENT",
    }
    agent.take_status(None, None, None, status)
    update: LinkUpdate = {"framework_id": framework_id, "status": status, "latest_state": state}
    agent.tell_master({"type": "UPDATE", "updates": [update]})


def _is_file_name(text: str) -> bool:
    return (
        0 < len(text.encode()) <= ID_BYTES_LIMIT
        and text not in {".", ".."}
        and "/" not in text
        and all(ord(character) >= 32 for character in text)
    )
