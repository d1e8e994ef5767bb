"""A framework on the v1 scheduler API, with the standard library alone: takes any offer for what it was told to run."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from tests.mesos.agent.fake_master import TERMINAL, WAIT_S, scalar

Message = dict[str, Any]


class RawScheduler:
    """A context manager: subscribed while it is entered. Subscribes again when the stream ends."""

    def __init__(self, url: str, *, principal: str | None = None, **framework: Any) -> None:
        self.url = url
        self.framework: Message = {
            "user": "root",
            "name": "raw",
            "roles": ["*"],
            "checkpoint": True,
            "failover_timeout": 600.0,
            "capabilities": [{"type": "MULTI_ROLE"}, {"type": "PARTITION_AWARE"}],
            **framework,
        }
        self.statuses: list[Message] = []
        self.events: list[Message] = []
        self._wanted: list[Message] = []
        self._offers: dict[str, Message] = {}
        self._changed = threading.Condition()
        self._stopped = False
        self._stream_id = ""
        self._connection: http.client.HTTPConnection | None = None
        self._answer: http.client.HTTPResponse | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> RawScheduler:
        self._thread.start()
        self.wait(lambda: "id" in self.framework, "subscription")
        return self

    def __exit__(self, *_: object) -> None:
        self.call("TEARDOWN")
        self._stopped = True
        self._thread.join(WAIT_S)

    @property
    def framework_id(self) -> str:
        return str(self.framework["id"]["value"])

    def run(self, task_id: str, command: str, **fields: Any) -> str:
        info = {"name": task_id, "task_id": {"value": task_id}, "command": {"value": command}, **fields}
        info.setdefault("resources", [scalar("cpus", 0.1), scalar("mem", 32)])
        with self._changed:
            self._wanted.append(info)
        self._accept()
        return task_id

    def kill(self, task_id: str) -> None:
        self.call("KILL", kill={"task_id": {"value": task_id}})

    def states(self, task_id: str) -> list[str]:
        found = {one.get("uuid", ""): one["state"] for one in self.statuses if one["task_id"]["value"] == task_id}
        return list(found.values())

    def state(self, task_id: str, *states: str) -> Message:
        found: Message = self.wait(
            lambda: next(
                (one for one in self.statuses if one["task_id"]["value"] == task_id and one["state"] in states), None
            ),
            f"{states} of {task_id}",
        )
        return found

    def terminal(self, task_id: str) -> Message:
        return self.state(task_id, *TERMINAL)

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + WAIT_S
        with self._changed:
            while not (value := condition()):
                left_s = deadline - time.monotonic()
                heard = [(one["task_id"]["value"], one["state"], one.get("message")) for one in self.statuses]
                assert left_s > 0, f"no {what}; heard of {heard}, {[one['type'] for one in self.events]}"
                self._changed.wait(min(left_s, 0.1))
            return value

    def call(self, kind: str, **fields: Any) -> None:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        body = {"type": kind, "framework_id": self.framework["id"], **fields}
        headers = {"Content-Type": "application/json", "Mesos-Stream-Id": self._stream_id}
        with contextlib.closing(connection):
            connection.request("POST", "/api/v1/scheduler", json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        assert answer.status == 202, (answer.status, text)

    # --- the stream

    def _run(self) -> None:
        while not self._stopped:
            try:
                self._subscribe()
            except (OSError, http.client.HTTPException, ValueError, AssertionError):
                pass  # the master is going, or not there yet
            finally:
                self._close()
            time.sleep(0.05)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._answer is not None:
            self._answer.close()

    def _subscribe(self) -> None:
        parts = urlsplit(self.url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        body: Message = {"type": "SUBSCRIBE", "subscribe": {"framework_info": self.framework}}
        if "id" in self.framework:
            body["framework_id"] = self.framework["id"]
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        self._connection.request("POST", "/api/v1/scheduler", json.dumps(body), headers)
        answer = self._answer = self._connection.getresponse()
        self._stream_id = answer.getheader("Mesos-Stream-Id") or ""
        while line := answer.readline():
            self._event(json.loads(answer.read(int(line))))

    def _event(self, event: Message) -> None:
        with self._changed:
            self.events.append(event)
            if event["type"] == "SUBSCRIBED":
                self.framework["id"] = event["subscribed"]["framework_id"]
            elif event["type"] == "OFFERS":
                self._offers.update({one["id"]["value"]: one for one in event["offers"]["offers"]})
            elif event["type"] == "RESCIND":
                self._offers.pop(event["rescind"]["offer_id"]["value"], None)
            elif event["type"] == "UPDATE":
                self.statuses.append(event["update"]["status"])
            self._changed.notify_all()
        if event["type"] == "UPDATE" and "uuid" in event["update"]["status"]:
            status = event["update"]["status"]
            names = ("agent_id", "task_id", "uuid")
            self.call("ACKNOWLEDGE", acknowledge={name: status[name] for name in names})
        if event["type"] == "OFFERS":
            self._accept()

    def _accept(self) -> None:
        with self._changed:
            if not self._wanted or not self._offers:
                return
            _, offer = self._offers.popitem()
            infos, self._wanted = self._wanted, []
        for info in infos:
            info["agent_id"] = offer["agent_id"]
        launch = {"type": "LAUNCH", "launch": {"task_infos": infos}}
        accept = {"offer_ids": [offer["id"]], "operations": [launch], "filters": {"refuse_seconds": 0.0}}
        self.call("ACCEPT", accept=accept)
