"""`POST /api/v1` of the agent: the operator API, in JSON and protobuf."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from smackbox.mesos.agent.handlers import containers, files, metrics
from smackbox.mesos.agent.handlers.context import AgentContext
from smackbox.mesos.agent.state.entities import AgentExecutor, AgentTask
from smackbox.mesos.http.answers import Refused, accepted, message_response, read_call
from smackbox.mesos.version import BUILD
from smackbox.net.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from smackbox.mesos.wire import messages
    from smackbox.mesos.wire.messages import AgentCall, AgentResponse

Read = Callable[[AgentContext, "AgentCall"], "AgentResponse"]


def handle(context: AgentContext, request: HttpRequest) -> HttpResponse:
    """Answer a call. Raises `Refused`."""
    call = read_call(request, "agent.Call")
    kind = call.get("type")
    if kind is None or kind == "UNKNOWN":
        raise (
            Refused(501, "") if kind else Refused(400, "Failed to validate agent::Call: Expecting 'type' to be present")
        )
    operation = OPERATIONS.get(kind)
    if operation is None:
        raise Refused(501, f"{kind} is not served by this agent")
    content_type = accepted(request)
    return message_response("agent.Response", {"type": kind, **operation(context, call)}, content_type)


def _health(_context: AgentContext, _call: AgentCall) -> AgentResponse:
    return {"get_health": {"healthy": True}}


def _flags(context: AgentContext, _call: AgentCall) -> AgentResponse:
    return {"get_flags": {"flags": [{"name": name, "value": value} for name, value in context.flags.items()]}}


def _version(_context: AgentContext, _call: AgentCall) -> AgentResponse:
    return {"get_version": {"version_info": BUILD}}


def _metrics(context: AgentContext, _call: AgentCall) -> AgentResponse:
    figures = metrics.snapshot(context)
    return {"get_metrics": {"metrics": [{"name": name, "value": value} for name, value in figures.items()]}}


def _list_files(context: AgentContext, call: AgentCall) -> AgentResponse:
    _require(call, "list_files")
    named = call["list_files"]["path"]
    return {"list_files": {"file_infos": files.listing(named, files.resolve(context, named))}}


def _read_file(context: AgentContext, call: AgentCall) -> AgentResponse:
    _require(call, "read_file")
    arguments = call["read_file"]
    file = files.resolve(context, arguments["path"])
    if file.is_dir():
        raise Refused(400, f"'{arguments['path']}' is a directory")
    size, data = files.content(file, arguments["offset"], arguments.get("length", files.READ_LIMIT))
    return {"read_file": {"size": size, "data": files.base64_of(data)}}


def _state(context: AgentContext, call: AgentCall) -> AgentResponse:
    return {
        "get_state": {
            "get_tasks": _tasks(context, call)["get_tasks"],
            "get_executors": _executors(context, call)["get_executors"],
            "get_frameworks": _frameworks(context, call)["get_frameworks"],
        }
    }


def _containers(context: AgentContext, call: AgentCall) -> AgentResponse:
    nested = call.get("get_containers", {}).get("show_nested", False)
    return {"get_containers": {"containers": containers.listing(context, nested=nested)}}


def _frameworks(context: AgentContext, _call: AgentCall) -> AgentResponse:
    return {
        "get_frameworks": {
            "frameworks": [{"framework_info": framework.info} for framework in context.agent.frameworks.values()],
            "completed_frameworks": [{"framework_info": framework.info} for framework in context.agent.completed],
        }
    }


def _executors(context: AgentContext, _call: AgentCall) -> AgentResponse:
    return {
        "get_executors": {
            "executors": [{"executor_info": executor.info} for executor in context.agent.executors()],
            "completed_executors": [{"executor_info": framework.info} for framework in _completed(context)],
        }
    }


def _tasks(context: AgentContext, _call: AgentCall) -> AgentResponse:
    queued: list[messages.Task] = []
    launched: list[messages.Task] = []
    terminated: list[messages.Task] = []
    completed: list[messages.Task] = []
    for executor in context.agent.executors():
        waiting = {task.id for tasks in executor.queued for task in tasks}
        for task in executor.tasks.values():
            into = terminated if task.is_terminal else queued if task.id in waiting else launched
            into.append(_message(context, task))
        completed += [task.message() for task in executor.completed]
    completed += [task.message() for executor in _completed(context) for task in executor.completed]
    return {
        "get_tasks": {
            "pending_tasks": [],
            "queued_tasks": queued,
            "launched_tasks": launched,
            "terminated_tasks": terminated,
            "completed_tasks": completed,
        }
    }


def _agent(context: AgentContext, _call: AgentCall) -> AgentResponse:
    return {"get_agent": {"agent_info": context.agent.settings.info(context.agent.id)}}


def _logging_level(_context: AgentContext, _call: AgentCall) -> AgentResponse:
    return {"get_logging_level": {"level": 0}}


OPERATIONS: dict[str, Read] = {
    "GET_HEALTH": _health,
    "GET_FLAGS": _flags,
    "GET_VERSION": _version,
    "GET_METRICS": _metrics,
    "GET_LOGGING_LEVEL": _logging_level,
    "LIST_FILES": _list_files,
    "READ_FILE": _read_file,
    "GET_STATE": _state,
    "GET_CONTAINERS": _containers,
    "GET_FRAMEWORKS": _frameworks,
    "GET_EXECUTORS": _executors,
    "GET_TASKS": _tasks,
    "GET_AGENT": _agent,
}


def _require(call: AgentCall, name: str) -> None:
    """Raises `Refused`: 400."""
    if name not in call:
        raise Refused(400, f"Failed to validate agent::Call: Expecting '{name}' to be present")


def _message(context: AgentContext, task: AgentTask) -> messages.Task:
    return task.message(context.agent.updates.head(task.key))


def _completed(context: AgentContext) -> list[AgentExecutor]:
    frameworks = [*context.agent.frameworks.values(), *context.agent.completed]
    return [executor for framework in frameworks for executor in framework.completed]
