"""Tasks in the master: launched, updated, ended, and described."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from smackbox.mesos.master.state.entities import Agent, Executor, Framework, Task
from smackbox.mesos.master.state.master import Master, time_info
from smackbox.mesos.master.state.task_states import as_told, is_terminal

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import TaskStatus


def add_task(master: Master, framework: Framework, agent: Agent, task: Task) -> None:
    """Add a task to state; its resources are already allocated."""
    framework.tasks[task.id] = task
    agent.tasks[framework.id, task.id] = task
    agent.frameworks.add(framework.id)
    master.publish({"type": "TASK_ADDED", "task_added": {"task": task.message}})


def add_executor(framework: Framework, agent: Agent, executor: Executor) -> None:
    executor_id = executor.info["executor_id"]["value"]
    framework.executors.setdefault(agent.id, {})[executor_id] = executor
    agent.executors[framework.id, executor_id] = executor
    agent.frameworks.add(framework.id)


def remove_executor(
    master: Master, framework: Framework | None, agent: Agent, framework_id: str, executor_id: str
) -> None:
    """The executor has ended: free its resources."""
    executor = agent.executors.pop((framework_id, executor_id), None)
    if executor is None:
        return
    master.allocator.recover(framework_id, executor.role, agent.id, executor.resources)
    if framework is not None:
        on_agent = framework.executors.get(agent.id, {})
        on_agent.pop(executor_id, None)
        if not on_agent:
            framework.executors.pop(agent.id, None)


def status_of(
    master: Master,
    framework: Framework,
    task_id: str,
    state: str,
    reason: str,
    message: str,
    *,
    agent_id: str | None = None,
    source: str = "SOURCE_MASTER",
    unreachable_ms: int | None = None,
) -> TaskStatus:
    """A `TaskStatus` from the master; without a uuid it needs no acknowledgement."""
    status: TaskStatus = {
        "task_id": {"value": task_id},
        "state": as_told(state, framework.capabilities),
        "source": source,
        "reason": reason,
        "message": message,
        "timestamp": master.clock.wall_ms() / 1_000,
    }
    if agent_id is not None:
        status["agent_id"] = {"value": agent_id}
    if unreachable_ms is not None:
        status["unreachable_time"] = time_info(unreachable_ms)
    return status


def tell(framework: Framework, status: TaskStatus) -> None:
    framework.send({"type": "UPDATE", "update": {"status": status}})


def tell_of(framework: Framework, master: Master, task: Task, state: str, reason: str, message: str) -> TaskStatus:
    """Notify the framework of a state change by the master."""
    status = status_of(master, framework, task.id, state, reason, message, agent_id=task.agent_id)
    if "executor_id" in task.message:
        status["executor_id"] = task.message["executor_id"]
    tell(framework, status)
    return status


def update_task(master: Master, task: Task, status: TaskStatus, *, latest: str | None = None) -> None:
    """Apply a status. Of consecutive equal states the last is kept; a final one frees the resources."""
    state = status["state"]
    message = task.message
    if not task.terminal:
        message["state"] = latest or state
    message["status_update_state"] = state
    if "uuid" in status:
        message["status_update_uuid"] = status["uuid"]
    kept = status.copy()
    kept.pop("data", None)
    statuses = message["statuses"]
    if statuses and statuses[-1]["state"] == state:
        statuses[-1] = kept
    else:
        statuses.append(kept)
    master.count(f"tasks/{state.removeprefix('TASK_').lower()}")
    if task.terminal and task.in_use:
        free(master, task)
    master.publish(
        {
            "type": "TASK_UPDATED",
            "task_updated": {"framework_id": message["framework_id"], "status": kept, "state": message["state"]},
        }
    )


def free(master: Master, task: Task) -> None:
    """Free the task's resources."""
    task.in_use = False
    master.allocator.recover(task.framework_id, task.role, task.agent_id, task.resources)


def remove_task(master: Master, task: Task, *, unreachable: bool = False) -> None:
    """Remove a task from its agent and framework, and keep it among the completed or unreachable ones."""
    if task.in_use:
        free(master, task)
    agent = master.agents.get(task.agent_id)
    if agent is not None:
        agent.tasks.pop((task.framework_id, task.id), None)
    framework = master.frameworks.get(task.framework_id)
    if framework is None:
        return
    framework.tasks.pop(task.id, None)
    if unreachable:
        framework.add_unreachable(task)
    else:
        framework.completed.append(task.message)


def acknowledge(master: Master, framework: Framework, agent_id: str, task_id: str, uuid: str) -> None:
    """The framework has acknowledged a status; after the final one the task is removed."""
    agent = master.agents.get(agent_id)
    if agent is None or not agent.connected:
        master.count("invalid_status_update_acknowledgements")
        return
    task = agent.tasks.get((framework.id, task_id))
    agent.send(
        {
            "type": "ACKNOWLEDGE",
            "acknowledge": {"framework_id": {"value": framework.id}, "task_id": {"value": task_id}, "uuid": uuid},
        }
    )
    if task is None:
        return
    if task.message.get("status_update_uuid") == uuid and is_terminal(task.message.get("status_update_state", "")):
        remove_task(master, task)


def reconciliation_of(master: Master, framework: Framework, task: Task) -> TaskStatus:
    """The latest state of a known task, as an answer to RECONCILE."""
    state = task.message.get("status_update_state", task.state)
    status = status_of(
        master,
        framework,
        task.id,
        state,
        "REASON_RECONCILIATION",
        "Reconciliation: Latest task state",
        agent_id=task.agent_id,
    )
    if task.message["statuses"]:
        latest = task.message["statuses"][-1]
        if "executor_id" in latest:
            status["executor_id"] = latest["executor_id"]
        if "healthy" in latest:
            status["healthy"] = latest["healthy"]
        if "check_status" in latest:
            status["check_status"] = latest["check_status"]
        if "labels" in latest:
            status["labels"] = latest["labels"]
        if "container_status" in latest:
            status["container_status"] = latest["container_status"]
    if "executor_id" in task.message:
        status.setdefault("executor_id", task.message["executor_id"])
    return status


def reconcile_all(master: Master, framework: Framework) -> None:
    """The latest state of every known task (implicit reconciliation)."""
    for task in list(framework.tasks.values()):
        tell(framework, reconciliation_of(master, framework, task))


def reconcile_one(master: Master, framework: Framework, task_id: str, agent_id: str | None) -> None:
    """The state of one task, or of its agent; nothing if it will be known soon (docs/reconciliation.md)."""
    task = framework.tasks.get(task_id)
    if task is not None:
        tell(framework, reconciliation_of(master, framework, task))
        return
    lost = framework.unreachable.get(task_id)
    if agent_id is None and lost is not None:
        agent_id = lost.agent_id
    unreachable_ms: int | None = None
    if agent_id is None:
        if master.recovered_agents or master.changing_agents:
            return
        state, said = "TASK_UNKNOWN", "Reconciliation: Task is unknown"
    elif agent_id in master.recovered_agents or agent_id in master.changing_agents:
        return
    elif agent_id in master.agents:
        state, said = "TASK_GONE", "Reconciliation: Task is unknown to the agent"
    elif agent_id in master.registry.unreachable:
        state, said = "TASK_UNREACHABLE", "Reconciliation: Task is unreachable"
        unreachable_ms = master.registry.unreachable[agent_id]["since_ms"]
    elif agent_id in master.registry.gone:
        state, said = "TASK_GONE_BY_OPERATOR", "Reconciliation: Task is gone"
    else:
        state, said = "TASK_UNKNOWN", "Reconciliation: Task is unknown"
    tell(
        framework,
        status_of(
            master,
            framework,
            task_id,
            state,
            "REASON_RECONCILIATION",
            said,
            agent_id=agent_id,
            unreachable_ms=unreachable_ms,
        ),
    )


def uuid_text(uuid: bytes) -> str:
    return b64encode(uuid).decode()
