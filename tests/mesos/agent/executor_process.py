"""A custom executor on the v1 executor API, with nothing but the standard library; tests start it as a process.

It keeps its tasks running until they are killed; what a task's data says is done at once: `finish`, `exit`, `mute`.
Each event's type goes to standard output.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import sys
import time
import uuid

HOST, _, PORT = os.environ["MESOS_AGENT_ENDPOINT"].rpartition(":")
IDS = {
    "framework_id": {"value": os.environ["MESOS_FRAMEWORK_ID"]},
    "executor_id": {"value": os.environ["MESOS_EXECUTOR_ID"]},
}
updates: dict[str, dict] = {}
tasks: dict[str, dict] = {}


def headers() -> dict[str, str]:
    token = os.environ.get("MESOS_EXECUTOR_AUTHENTICATION_TOKEN")
    sent = {"Content-Type": "application/json", "Accept": "application/json"}
    return {**sent, "Authorization": f"Bearer {token}"} if token else sent


def call(kind: str, **fields: object) -> None:
    connection = http.client.HTTPConnection(HOST, int(PORT), timeout=5)
    connection.request("POST", "/api/v1/executor", json.dumps({"type": kind, **IDS, **fields}), headers())
    answer = connection.getresponse()
    if answer.status != 202:
        print("refused", answer.status, answer.read().decode(), flush=True)
    connection.close()


def update(task_id: dict, state: str) -> None:
    uid = base64.b64encode(uuid.uuid4().bytes).decode()
    status = {
        "task_id": task_id,
        "state": state,
        "uuid": uid,
        "source": "SOURCE_EXECUTOR",
        "executor_id": IDS["executor_id"],
    }
    updates[uid] = {"status": status}
    call("UPDATE", update=updates[uid])


def launch(info: dict) -> None:
    tasks[info["task_id"]["value"]] = info
    order = base64.b64decode(info.get("data", "")).decode()
    if order == "mute":
        return
    update(info["task_id"], "TASK_RUNNING")
    if order == "finish":
        update(info["task_id"], "TASK_FINISHED")
    if order == "exit":
        sys.exit(7)


def handle(event: dict) -> None:
    kind = event["type"]
    print(kind, flush=True)
    if kind == "SUBSCRIBED":
        assert event["subscribed"]["framework_info"]["id"] == IDS["framework_id"]
        assert event["subscribed"]["executor_info"]["executor_id"] == IDS["executor_id"]
    elif kind == "LAUNCH":
        launch(event["launch"]["task"])
    elif kind == "LAUNCH_GROUP":
        for info in event["launch_group"]["task_group"]["tasks"]:
            launch(info)
    elif kind == "KILL":
        update(event["kill"]["task_id"], "TASK_KILLED")
    elif kind == "ACKNOWLEDGED":
        acknowledged = updates.pop(event["acknowledged"]["uuid"], None)
        if acknowledged is not None:
            tasks.pop(event["acknowledged"]["task_id"]["value"], None)
    elif kind == "MESSAGE":
        call("MESSAGE", message=event["message"])
    elif kind == "SHUTDOWN":
        sys.exit(0)


def subscribe() -> None:
    connection = http.client.HTTPConnection(HOST, int(PORT))
    given = {"unacknowledged_tasks": list(tasks.values()), "unacknowledged_updates": list(updates.values())}
    connection.request(
        "POST", "/api/v1/executor", json.dumps({"type": "SUBSCRIBE", **IDS, "subscribe": given}), headers()
    )
    answer = connection.getresponse()
    if answer.status != 200:
        print("refused", answer.status, answer.read().decode(), flush=True)
        return
    while line := answer.readline():
        handle(json.loads(answer.read(int(line))))


if __name__ == "__main__":
    while True:
        try:
            subscribe()
        except (OSError, http.client.HTTPException, ValueError):
            pass
        if os.environ["MESOS_CHECKPOINT"] != "1":
            sys.exit(1)
        time.sleep(0.05)
