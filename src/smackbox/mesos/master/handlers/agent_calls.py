"""`/internal/v1/agent`: the calls from agents to the master (for the protocol see docs/architecture/mesos.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import msgspec

from smackbox.mesos.http.answers import JSON, STREAM_ID, Answer, Refused, StreamSink
from smackbox.mesos.master.handlers.context import Call
from smackbox.mesos.master.state import agents, operations, tasks
from smackbox.mesos.master.state.entities import Agent, Framework
from smackbox.mesos.master.state.master import Master
from smackbox.mesos.resources.resources import ResourceError
from smackbox.mesos.wire import json_format
from smackbox.mesos.wire.fields import MessageError
from smackbox.net.http import HttpResponse, HttpStream

if TYPE_CHECKING:
    from smackbox.mesos.wire.link_messages import LinkAcknowledge, LinkCall, LinkExecutor, LinkSubscribe
    from smackbox.mesos.wire.messages import AgentInfo, SchedulerEventFailure, SchedulerEventMessage, TaskStatus


def call_of_agent(call: Call) -> Answer:
    """Answer an agent's call. Raises `Refused`."""
    if call.request.method != "POST":
        raise Refused(405, "Expecting POST", {"Allow": "POST"})
    try:
        message = cast("LinkCall", msgspec.json.decode(call.request.body, type=dict))
        kind = message.get("type")
        if kind == "SUBSCRIBE":
            return _subscribe(call, message["subscribe"])
        agent = _agent_of(call.master, call.request.headers.get(STREAM_ID))
        handler = HANDLERS.get(str(kind))
        if handler is None:
            raise Refused(501, f"calls of type {kind} are not served")
        handler(call.master, agent, message)
    except (msgspec.DecodeError, msgspec.ValidationError, MessageError, ResourceError, KeyError, TypeError) as error:
        raise Refused(400, f"not a call of an agent: {error!r}") from error
    return HttpResponse(202)


def _agent_of(master: Master, stream_id: str | None) -> Agent:
    agent = master.agent_streams.get(stream_id or "")
    if agent is None or agent.stream_id != stream_id:
        raise Refused(403, "no agent subscribed with this stream")
    return agent


def _subscribe(call: Call, asked: LinkSubscribe) -> HttpStream:
    master = call.master
    if not call.allows("register_agents"):
        raise Refused(403, "not authorized to register an agent")
    info: AgentInfo = json_format.check("AgentInfo", asked["agent_info"])
    tasks_there = [json_format.check("Task", task) for task in asked.get("tasks", [])]
    frameworks = [json_format.check("FrameworkInfo", framework) for framework in asked.get("frameworks", [])]
    checkpointed = [json_format.check("Resource", resource) for resource in asked.get("checkpointed_resources", [])]
    executors: list[LinkExecutor] = [
        {
            "framework_id": json_format.check("FrameworkID", executor["framework_id"]),
            "executor_info": json_format.check("ExecutorInfo", executor["executor_info"]),
        }
        for executor in asked.get("executors", [])
    ]
    stream_id = master.new_stream_id()
    stream = HttpStream(200, JSON, {"Mesos-Stream-Id": stream_id})
    port = info.get("port", 5051)
    subscription = agents.Subscription(
        info,
        str(asked.get("version", "")),
        tasks_there,
        executors,
        frameworks,
        checkpointed,
        bool(asked.get("drained", False)),
        f"{asked.get('ip') or call.request.peer.rpartition(':')[0]}:{port}",
        StreamSink(stream, "", JSON),
        stream_id,
    )
    stream.on_closed = lambda: _closed(master, stream_id)
    agents.subscribe(master, subscription)
    return stream


def _closed(master: Master, stream_id: str) -> None:
    agent = master.agent_streams.pop(stream_id, None)
    if agent is not None:
        agents.disconnected(master, agent, stream_id)


def _update(master: Master, agent: Agent, message: LinkCall) -> None:
    for update in message["updates"]:
        status = json_format.check("TaskStatus", update["status"])
        _one_update(master, agent, update["framework_id"]["value"], status, update.get("latest_state"))
    if agent.drain is not None:
        agents.check_drained(master, agent)


def _one_update(master: Master, agent: Agent, framework_id: str, status: TaskStatus, latest: str | None) -> None:
    framework = master.frameworks.get(framework_id)
    task_id = status["task_id"]["value"]
    if framework is None:
        if master.is_completed(framework_id) and "uuid" in status:
            _acknowledge(agent, framework_id, task_id, status["uuid"])
        return
    status.setdefault("agent_id", {"value": agent.id})
    task = agent.tasks.get((framework_id, task_id))
    if task is not None:
        tasks.update_task(master, task, status, latest=latest)
    else:
        master.count("invalid_status_updates")
    tasks.tell(framework, status)
    if task is not None and "uuid" not in status and task.terminal:
        tasks.remove_task(master, task)


def _acknowledge(agent: Agent, framework_id: str, task_id: str, uuid: str) -> None:
    """Acknowledge on behalf of a completed framework, which cannot do it itself."""
    acknowledgement: LinkAcknowledge = {
        "framework_id": {"value": framework_id},
        "task_id": {"value": task_id},
        "uuid": uuid,
    }
    agent.send({"type": "ACKNOWLEDGE", "acknowledge": acknowledgement})


def _exited_executor(master: Master, agent: Agent, message: LinkCall) -> None:
    exited = message["exited_executor"]
    framework_id, executor_id = exited["framework_id"]["value"], exited["executor_id"]["value"]
    framework = master.frameworks.get(framework_id)
    if (framework_id, executor_id) not in agent.executors:
        return
    tasks.remove_executor(master, framework, agent, framework_id, executor_id)
    if framework is not None:
        failure: SchedulerEventFailure = {"agent_id": {"value": agent.id}, "executor_id": exited["executor_id"]}
        if "status" in exited:
            failure["status"] = exited["status"]
        framework.send({"type": "FAILURE", "failure": failure})


def _message(master: Master, agent: Agent, message: LinkCall) -> None:
    payload = message["message"]
    framework: Framework | None = master.frameworks.get(payload["framework_id"]["value"])
    if framework is not None:
        passed: SchedulerEventMessage = {
            "agent_id": {"value": agent.id},
            "executor_id": payload["executor_id"],
            "data": payload["data"],
        }
        framework.send({"type": "MESSAGE", "message": passed})


def _operation_update(master: Master, agent: Agent, message: LinkCall) -> None:
    status = message["operation_update"]["status"].copy()
    uuid = status.pop("uuid", None)
    operations.updated(master, agent, None if uuid is None else uuid["value"], status)
    if agent.drain is not None:
        agents.check_drained(master, agent)


def _pong(_: Master, agent: Agent, __: LinkCall) -> None:
    agent.unanswered_pings = 0


def _unsubscribe(master: Master, agent: Agent, _: LinkCall) -> None:
    agents.unsubscribe(master, agent)


HANDLERS: dict[str, Callable[[Master, Agent, LinkCall], None]] = {
    "UPDATE": _update,
    "EXITED_EXECUTOR": _exited_executor,
    "MESSAGE": _message,
    "OPERATION_UPDATE": _operation_update,
    "PONG": _pong,
    "UNSUBSCRIBE": _unsubscribe,
}
