"""Whether a task, a task group or an executor may be launched: the rules of Mesos' master (its validation.cpp)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

from smackbox.base.errors import RequestError
from smackbox.mesos.master.state.entities import Agent, Framework
from smackbox.mesos.resources.resources import ResourceError, Resources, total

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import (
        CheckInfo,
        CheckInfoCommand,
        CommandInfo,
        DurationInfo,
        ExecutorInfo,
        HealthCheck,
        TaskInfo,
    )


ID_LIMIT = 255
_FORBIDDEN = frozenset('/\\\x7f"') | {chr(code) for code in range(0x20)}


class TaskError(RequestError):
    """An invalid task, which is answered with TASK_ERROR."""


def check_id(value: str, label: str) -> None:
    """Check an id, which becomes the name of a directory. Raises `TaskError`."""
    if not value:
        raise TaskError(f"{label} must not be empty")
    if len(value) > ID_LIMIT:
        raise TaskError(f"{label} must not be greater than {ID_LIMIT} characters")
    if value in {".", ".."}:
        raise TaskError(f"'{value}' is disallowed as {label}")
    if _FORBIDDEN.intersection(value):
        raise TaskError(f"{label} '{value}' contains invalid characters")


def resources_of(message: TaskInfo | ExecutorInfo, role: str) -> Resources:
    """The resources of a task or an executor in an offer to `role`. Raises `TaskError`."""
    for resource in message.get("resources", []):
        allocated_to = resource.get("allocation_info", {}).get("role", role)
        if allocated_to != role:
            raise TaskError(
                f"Resource {resource['name']!r} is allocated to {allocated_to!r}, the offer was made to {role!r}"
            )
    try:
        return Resources.from_messages(message.get("resources", []))
    except ResourceError as error:
        raise TaskError(f"Task uses invalid resources: {error}") from error


def validate_task(framework: Framework, agent: Agent, task: TaskInfo) -> None:
    """Check everything except available resources. Raises `TaskError`."""
    task_id = task["task_id"]["value"]
    check_id(task_id, "TaskID")
    if task_id in framework.tasks or (framework.id, task_id) in agent.tasks:
        raise TaskError(f"Task has duplicate ID: {task_id}")
    if task["agent_id"]["value"] != agent.id:
        raise TaskError(f"Task uses invalid agent {task['agent_id']['value']} while agent {agent.id} is expected")
    executor, command = task.get("executor"), task.get("command")
    if (executor is None) == (command is None):
        raise TaskError("Task should have at least one (but not both) of CommandInfo or ExecutorInfo present")
    _validate_details(task)
    if executor is not None:
        validate_executor(framework, agent, executor)
    if command is not None:
        _validate_command(command)


def validate_executor(framework: Framework, agent: Agent, executor: ExecutorInfo) -> None:
    """Check an executor. Raises `TaskError`."""
    executor_id = executor["executor_id"]["value"]
    check_id(executor_id, "ExecutorID")
    owner = executor.get("framework_id", {}).get("value", framework.id)
    if owner != framework.id:
        raise TaskError(f"ExecutorInfo has an invalid FrameworkID (Actual: {owner} vs Expected: {framework.id})")
    kind = executor.get("type", "UNKNOWN")
    if kind == "DEFAULT" and "command" in executor:
        raise TaskError("'ExecutorInfo.command' must not be set for 'DEFAULT' executor")
    if kind == "CUSTOM" and "command" not in executor:
        raise TaskError("'ExecutorInfo.command' must be set for 'CUSTOM' executor")
    if kind == "UNKNOWN" and "command" not in executor and "container" not in executor:
        raise TaskError("'ExecutorInfo.command' must be set for a custom executor")
    if kind == "DEFAULT" and (container := executor.get("container")) is not None:
        if container["type"] != "MESOS":
            raise TaskError("'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor")
        if "image" in container.get("mesos", {}):
            raise TaskError("'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor")
    if executor.get("shutdown_grace_period", {}).get("nanoseconds", 0) < 0:
        raise TaskError("ExecutorInfo's 'shutdown_grace_period' must be non-negative")
    if "command" in executor:
        _validate_command(executor["command"])
    running = agent.executors.get((framework.id, executor_id))
    if running is not None and not _same_executor(running.info, executor, framework.id):
        raise TaskError(
            f"ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID {executor_id!r}"
        )


def validate_group(framework: Framework, agent: Agent, executor: ExecutorInfo, tasks: list[TaskInfo]) -> None:
    """Raises `TaskError`; its first line names the invalid task."""
    if executor.get("type", "UNKNOWN") == "UNKNOWN":
        raise TaskError("'ExecutorInfo.type' must be set")
    if not tasks:
        raise TaskError("Task group cannot be empty")
    seen: set[str] = set()
    for task in tasks:
        task_id = task["task_id"]["value"]
        try:
            check_id(task_id, "TaskID")
            if task_id in framework.tasks or task_id in seen:
                raise TaskError(f"Task has duplicate ID: {task_id}")
            seen.add(task_id)
            if task["agent_id"]["value"] != agent.id:
                raise TaskError(f"Task uses invalid agent {task['agent_id']['value']}")
            if "executor" in task and not _same_executor(task["executor"], executor, framework.id):
                raise TaskError("The 'ExecutorInfo' of task differs from that of the task group")
            if executor["type"] == "DEFAULT" and "command" not in task and "container" not in task:
                raise TaskError("'TaskInfo.command' must be set for a task of the default executor")
            if task.get("container", {}).get("network_infos"):
                raise TaskError("NetworkInfos must not be set on the task")
            if task.get("container", {}).get("type", "MESOS") == "DOCKER":
                raise TaskError("Docker ContainerInfo is not supported on the task")
            _validate_details(task)
            if "command" in task:
                _validate_command(task["command"])
        except TaskError as error:
            raise TaskError(f"Task '{task_id}' is invalid: {error}") from error
    validate_executor(framework, agent, executor)


def check_enough(offered: Resources, needs: list[Resources], label: str) -> None:
    """Raises `TaskError` if the offer holds less than the sum of `wanted`."""
    needed = total(needs)
    if not offered.contains(needed):
        from smackbox.mesos.resources.text import format_resources

        raise TaskError(
            f"Total resources {format_resources(needed)} required by {label} is more than available "
            f"{format_resources(offered)}"
        )


def _same_executor(left: ExecutorInfo, right: ExecutorInfo, framework_id: str) -> bool:
    ignored = {"framework_id", "resources"}
    return {key: value for key, value in left.items() if key not in ignored} == {
        key: value for key, value in right.items() if key not in ignored
    } and right.get("framework_id", {}).get("value", framework_id) == framework_id


def _validate_details(task: TaskInfo) -> None:
    _not_negative(task.get("kill_policy", {}).get("grace_period"), "Task's 'kill_policy.grace_period'")
    _not_negative(task.get("max_completion_time"), "Task's 'max_completion_time'")
    if (check := task.get("check")) is not None:
        _validate_check(check, "check", {"COMMAND": "command", "HTTP": "http", "TCP": "tcp"})
    if (health := task.get("health_check")) is not None:
        _validate_check(health, "health check", {"COMMAND": "command", "HTTP": "http", "TCP": "tcp"})
        scheme = health.get("http", {}).get("scheme", "http")
        if scheme not in {"http", "https"}:
            raise TaskError(f"Task uses invalid health check: Unsupported HTTP health check scheme: '{scheme}'")
    for name, limit in task.get("limits", {}).items():
        if name not in {"cpus", "mem"}:
            raise TaskError(f"Task has a limit of {name!r}: only 'cpus' and 'mem' can be limited")
        if limit["value"] < 0:
            raise TaskError(f"The limit of {name!r} must not be negative")


def _validate_check(check: CheckInfo | HealthCheck, label: str, fields: dict[str, str]) -> None:
    kind = check.get("type", "UNKNOWN")
    if kind not in fields:
        raise TaskError(f"Task uses invalid {label}: {label.capitalize()} must specify 'type'")
    if fields[kind] not in check:
        raise TaskError(f"Task uses invalid {label}: Expecting '{fields[kind]}' to be set for {kind} {label}")
    periods = {
        "delay_seconds": check.get("delay_seconds", 0.0),
        "interval_seconds": check.get("interval_seconds", 0.0),
        "timeout_seconds": check.get("timeout_seconds", 0.0),
        "grace_period_seconds": cast("HealthCheck", check).get("grace_period_seconds", 0.0),
    }
    for name, seconds in periods.items():
        if not math.isfinite(seconds) or seconds < 0:
            raise TaskError(f"Task uses invalid {label}: Expecting '{name}' to be non-negative")
    path = check.get("http", {}).get("path", "/")
    if not path.startswith("/"):
        raise TaskError(f"Task uses invalid {label}: The path '{path}' of HTTP {label} must start with '/'")
    if kind == "COMMAND":
        command = cast("CheckInfoCommand", check["command"]).get("command", cast("CommandInfo", check["command"]))
        if "value" not in command and command.get("shell", True):
            raise TaskError(f"Task uses invalid {label}: Command {label} must contain 'shell command'")


def _validate_command(command: CommandInfo) -> None:
    for variable in command.get("environment", {}).get("variables", []):
        kind = variable.get("type", "VALUE")
        if kind == "VALUE" and "value" not in variable:
            raise TaskError(f"Environment variable '{variable['name']}' of type 'VALUE' must have a value set")
        if kind == "SECRET" and "secret" not in variable:
            raise TaskError(f"Environment variable '{variable['name']}' of type 'SECRET' must have a secret set")
        if kind == "VALUE" and "\0" in variable["value"]:
            raise TaskError(f"Environment variable '{variable['name']}' has a null byte in its value")


def _not_negative(duration: DurationInfo | None, label: str) -> None:
    if duration is not None and duration["nanoseconds"] < 0:
        raise TaskError(f"{label} must be non-negative")
