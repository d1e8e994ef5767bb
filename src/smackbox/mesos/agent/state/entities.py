"""The agent's state: frameworks, their executors, and their tasks."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from smackbox.mesos.agent.state.container import ContainerSpec
from smackbox.mesos.agent.state.timers import Timer

if TYPE_CHECKING:
    from smackbox.mesos.agent.state.limited_resource import LimitedResource
    from smackbox.mesos.wire import messages
    from smackbox.mesos.wire.messages import ExecutorInfo, FrameworkInfo, Resource, TaskInfo, TaskStatus, ValueScalar

COMMAND = "command"
DEFAULT = "default"
CUSTOM = "custom"

REGISTERING = "REGISTERING"
RUNNING = "RUNNING"
TERMINATING = "TERMINATING"
TERMINATED = "TERMINATED"

TERMINAL_STATES = frozenset(
    {
        "TASK_FINISHED",
        "TASK_FAILED",
        "TASK_KILLED",
        "TASK_ERROR",
        "TASK_LOST",
        "TASK_DROPPED",
        "TASK_GONE",
        "TASK_GONE_BY_OPERATOR",
    }
)
COMPLETED_EXECUTORS_LIMIT = 150
COMPLETED_FRAMEWORKS_LIMIT = 50
COMPLETED_TASKS_LIMIT = 200
STATUSES_LIMIT = 50


@dataclass(slots=True)
class AgentTask:
    """One task: its definition, and its state."""

    framework_id: str
    executor_id: str
    info: TaskInfo
    state: str = "TASK_STAGING"
    statuses: list[TaskStatus] = field(default_factory=list)
    delivered: bool = False
    """A custom executor has received it."""
    group: tuple[str, ...] = ()
    """The tasks launched together with it, all or none."""
    container_id: str = ""
    kill_grace_ms: int | None = None
    """Its kill was requested, with this grace period."""
    seen: set[str] = field(default_factory=set)
    """The uuids of its statuses: an executor may send one repeatedly."""

    @property
    def id(self) -> str:
        """The task's id."""
        return str(self.info["task_id"]["value"])

    @property
    def key(self) -> tuple[str, str]:
        """The ids of its framework and of the task."""
        return self.framework_id, self.id

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended."""
        return self.state in TERMINAL_STATES

    def take(self, status: TaskStatus) -> None:
        """Record a status: the state follows, and nothing follows a terminal one."""
        if not self.is_terminal:
            self.state = status["state"]
        if self.statuses and self.statuses[-1]["state"] == status["state"]:
            self.statuses[-1] = status
        else:
            self.statuses.append(status)
            if len(self.statuses) > STATUSES_LIMIT:
                del self.statuses[1]

    def message(self, forwarded: TaskStatus | None = None) -> messages.Task:
        """As a `Task` of the v1 API. `forwarded` is the status that awaits the framework's acknowledgement."""
        task: messages.Task = {
            "name": self.info.get("name", ""),
            "task_id": self.info["task_id"],
            "framework_id": {"value": self.framework_id},
            "agent_id": self.info["agent_id"],
            "state": self.state,
            "resources": self.info.get("resources", []),
            "statuses": self.statuses,
        }
        if "command" not in self.info or "executor" in self.info:
            task["executor_id"] = {"value": self.executor_id}
        if forwarded is not None:
            task["status_update_state"] = forwarded["state"]
            task["status_update_uuid"] = forwarded["uuid"]
        for name in ("labels", "discovery", "container", "health_check"):
            if name in self.info:
                task[name] = self.info[name]
        user = self.info.get("command", {}).get("user")
        if user:
            task["user"] = user
        return task


@dataclass(slots=True)
class AgentExecutor:
    """An executor and its container: built into the agent for a command or a task group, or a process of the
    framework.
    """

    framework_id: str
    info: ExecutorInfo
    kind: str
    container_id: str
    directory: Path
    state: str = REGISTERING
    spec: ContainerSpec | None = None
    tasks: dict[str, AgentTask] = field(default_factory=dict)
    completed: deque[AgentTask] = field(default_factory=lambda: deque(maxlen=COMPLETED_TASKS_LIMIT))
    queued: list[list[AgentTask]] = field(default_factory=list)
    """What a custom executor must launch when it subscribes: single tasks and groups."""
    pid: int | None = None
    pending_reason: tuple[str, str, str] | None = None
    """State, reason and message for the remaining tasks when it ends, if the agent knows why."""
    timer: Timer | None = None
    is_orphan: bool = False
    """Its framework does not checkpoint, so it should have ended with the agent: it is being killed."""

    @property
    def id(self) -> str:
        """The executor's id."""
        return str(self.info["executor_id"]["value"])

    @property
    def is_builtin(self) -> bool:
        """Whether it is the command executor or the default executor, which are parts of the agent."""
        return self.kind != CUSTOM

    def resources(self) -> list[LimitedResource]:
        """Its own resources and those of its running tasks. A part has a `limit` if the task may use more."""
        parts: list[LimitedResource] = []
        if self.kind != COMMAND:
            parts += _with_limits(self.info.get("resources", []), {})
        for task in self.tasks.values():
            if not task.is_terminal:
                parts += _with_limits(task.info.get("resources", []), task.info.get("limits", {}))
        return parts

    def stop_timer(self) -> None:
        """Cancel its pending timeout."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


def _with_limits(resources: list[Resource], limits: dict[str, ValueScalar]) -> list[LimitedResource]:
    """The first part of each name, with the task's limit for all parts."""
    remaining = dict(limits)
    limited: list[LimitedResource] = []
    for part in resources:
        if part["name"] in remaining:
            limited.append({**part, "limit": remaining.pop(part["name"])["value"]})
        else:
            limited.append(cast("LimitedResource", part))
    return limited


@dataclass(slots=True)
class AgentFramework:
    """A framework with executors on this agent."""

    info: FrameworkInfo
    executors: dict[str, AgentExecutor] = field(default_factory=dict)
    completed: deque[AgentExecutor] = field(default_factory=lambda: deque(maxlen=COMPLETED_EXECUTORS_LIMIT))
    shutting_down: bool = False

    @property
    def id(self) -> str:
        """The framework's id."""
        return str(self.info["id"]["value"])

    @property
    def is_checkpointed(self) -> bool:
        """Whether its executors survive a restart of the agent."""
        return bool(self.info.get("checkpoint", False))

    def has(self, capability: str) -> bool:
        """Whether it has that capability."""
        return any(entry.get("type") == capability for entry in self.info.get("capabilities", []))

    @property
    def is_orphan(self) -> bool:
        """Whether the master does not know it."""
        return all(executor.is_orphan for executor in self.executors.values())

    def task(self, task_id: str) -> tuple[AgentExecutor, AgentTask] | None:
        """A task with its executor, or None."""
        for executor in self.executors.values():
            if task_id in executor.tasks:
                return executor, executor.tasks[task_id]
        return None
