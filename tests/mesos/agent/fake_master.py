"""A master of the internal protocol, for tests of the agent: it hears, acknowledges when told to, and orders."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from smackbox.net.http import Answer, HttpRequest, HttpResponse, HttpStream
from smackbox.net.http_server import HttpServer
from smackbox.net.recordio import encode

WAIT_S = 20.0
TERMINAL = {"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_LOST", "TASK_DROPPED", "TASK_GONE"}
Message = dict[str, Any]


class FakeMaster:
    """A `Service`. Everything but the service's own methods may be called from any thread."""

    name = "fake-master"

    def __init__(self, *, port: int = 0, acknowledges: bool = True, agent_id: str = "agent-1") -> None:
        self.acknowledges = acknowledges
        self.agent_id = agent_id
        self.refuses: int | None = None
        self.ping_interval_s = 15.0
        self.subscribes: list[Message] = []
        self.calls: list[Message] = []
        self.headers: list[dict[str, str]] = []
        self.statuses: list[Message] = []
        self._http = HttpServer(self.name, self._answer, port=port)
        self._stream: HttpStream | None = None
        self._stream_id = ""
        self._changed = threading.Condition()
        self._ids = itertools.count()

    @property
    def url(self) -> str:
        return self._http.url

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._http.start()

    async def probe(self) -> None:
        """It is a fake."""

    async def stop(self) -> None:
        await self._http.stop()

    # --- what the agent says

    def _answer(self, request: HttpRequest) -> Answer:
        assert request.path == "/internal/v1/agent"
        call = json.loads(request.body)
        with self._changed:
            self.headers.append(request.headers)
            self._changed.notify_all()
            if self.refuses is not None:
                return HttpResponse(self.refuses)
            if call["type"] == "SUBSCRIBE":
                return self._subscribe(call["subscribe"])
            if request.headers.get("mesos-stream-id") != self._stream_id:
                return HttpResponse(403)
            self.calls.append(call)
            for update in call.get("updates", []):
                self.statuses.append(update["status"])
                if self.acknowledges and "uuid" in update["status"]:
                    self._send(acknowledge(update["framework_id"]["value"], update["status"]))
        return HttpResponse(202)

    def _subscribe(self, subscribe: Message) -> HttpStream:
        self.subscribes.append(subscribe)
        self._stream_id = str(uuid.uuid4())
        if self._stream is not None:
            self._stream.close()
        self._stream = HttpStream(200, headers={"Mesos-Stream-Id": self._stream_id})
        agent_id = subscribe["agent_info"].get("id", {}).get("value", self.agent_id)
        details = {
            "agent_id": {"value": agent_id},
            "ping_interval_s": self.ping_interval_s,
            "max_pings": 5,
            "master_info": {},
        }
        self._send({"type": "SUBSCRIBED", "subscribed": details})
        return self._stream

    def _send(self, event: Message) -> None:
        if self._stream is not None:
            self._stream.send(encode(json.dumps(event).encode()))

    # --- what a test says

    def send(self, event: Message) -> None:
        self._loop.call_soon_threadsafe(self._send, event)

    def hang_up(self) -> None:
        self._loop.call_soon_threadsafe(lambda: self._stream and self._stream.close())

    def run(self, command: str | Message, *, framework: Message | None = None, **fields: Any) -> str:
        """RUN_TASK of a shell command, or of a `CommandInfo`; the task's id."""
        info = task_info(fields.pop("task_id", f"t{next(self._ids)}"), command, **fields)
        order = {"framework": framework or framework_info(), "task": info}
        self.send({"type": "RUN_TASK", "run_task": order})
        return str(info["task_id"]["value"])

    def kill(self, task_id: str, grace_s: float | None = None, framework_id: str = "f") -> None:
        order: Message = {"framework_id": {"value": framework_id}, "task_id": {"value": task_id}}
        if grace_s is not None:
            order["kill_policy"] = {"grace_period": {"nanoseconds": int(grace_s * 1e9)}}
        self.send({"type": "KILL_TASK", "kill_task": order})

    def wait(self, condition: Callable[[], Any], what: str = "condition", timeout_s: float = WAIT_S) -> Any:
        """What `condition` gives once it is true; looked at after each message."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not (value := condition()):
                left_s = deadline - time.monotonic()
                assert left_s > 0, f"no {what}; heard of {[(s['task_id']['value'], s['state']) for s in self.statuses]}"
                self._changed.wait(min(left_s, 0.1))
            return value

    def states(self, task_id: str) -> list[str]:
        return [status["state"] for status in self.of(task_id)]

    def of(self, task_id: str) -> list[Message]:
        """The statuses of a task, each once, however often it was sent."""
        found = {status.get("uuid", ""): status for status in self.statuses if status["task_id"]["value"] == task_id}
        return list(found.values())

    def state(self, task_id: str, *states: str) -> Message:
        """The first status of the task with one of these states."""
        found: Message = self.wait(
            lambda: next((one for one in self.of(task_id) if one["state"] in states), None), f"{states} of {task_id}"
        )
        return found

    def terminal(self, task_id: str) -> Message:
        return self.state(task_id, *TERMINAL)


def acknowledge(framework_id: str, status: Message) -> Message:
    details = {"framework_id": {"value": framework_id}, "task_id": status["task_id"], "uuid": status["uuid"]}
    return {"type": "ACKNOWLEDGE", "acknowledge": details}


def framework_info(framework_id: str = "f", *capabilities: str, checkpoint: bool = True, **fields: Any) -> Message:
    return {
        "id": {"value": framework_id},
        "name": "test",
        "user": "",
        "checkpoint": checkpoint,
        "capabilities": [{"type": one} for one in capabilities],
        **fields,
    }


def scalar(name: str, value: float) -> Message:
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}}


def task_info(task_id: str, command: str | Message | None, **fields: Any) -> Message:
    info = {
        "name": task_id,
        "task_id": {"value": task_id},
        "agent_id": {"value": "agent-1"},
        "resources": [scalar("cpus", 0.1), scalar("mem", 32)],
        **fields,
    }
    if command is not None:
        info["command"] = {"value": command} if isinstance(command, str) else command
    return info
