"""How long is the allocator's turn for 1,000 agents and 100 frameworks, and how many tasks a second are launched?

The turn is measured in this process: all is free, all was refused by all, and one of the 100 revives. The launches go
through the v1 API of a master in a process of its own: one framework accepts the offers of 100 agents, whose null
executors say TASK_RUNNING at once, and acknowledges each status. Framework and agents share this process.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from base64 import b64encode
from random import Random
from typing import Any

from smackbox.base.clock import FakeClock
from smackbox.mesos.master.state.allocator import Allocator
from smackbox.mesos.resources.text import parse_resources
from smackbox.net.http_client import HttpClient
from smackbox.net.recordio import RecordDecoder
from smackbox.net.service import run_loop

AGENTS, FRAMEWORKS = 1_000, 100
TURNS = 7
LAUNCH_AGENTS, TASKS_EACH = 100, 100
ROUNDS = 3
ACKNOWLEDGERS = 16
TIMEOUT_S = 60.0
CLIENTS = 8
"""Each keeps at most 64 connections to one host."""
TARGET_MS, TARGET_TASKS = 100, 1_000
RESOURCES = "cpus:16;mem:65536;disk:1000000;ports:[31000-32000]"

Message = dict[str, Any]


def main() -> None:
    for roles in (1, FRAMEWORKS):
        free, refused, revived = turns(roles)
        print(
            f"{AGENTS} agents, {FRAMEWORKS} frameworks in {roles} roles: all free {free:.0f} ms, all refused by all "
            f"{refused:.1f} ms, then one revives {revived:.0f} ms (<= {TARGET_MS})"
        )
    rates = sorted(launches() for _ in range(ROUNDS))
    tasks = LAUNCH_AGENTS * TASKS_EACH
    print(
        f"{tasks} launches, each acknowledged: {statistics.median(rates):.0f} tasks/s, {rates[0]:.0f} to "
        f"{rates[-1]:.0f} in {ROUNDS} rounds (>= {TARGET_TASKS})"
    )


def turns(roles: int) -> tuple[float, float, float]:
    """Medians in milliseconds."""
    allocator = Allocator(FakeClock(), Random(1).shuffle)
    for number in range(AGENTS):
        allocator.add_agent(f"a{number}", {}, parse_resources(RESOURCES))
    for number in range(FRAMEWORKS):
        allocator.add_framework(f"f{number}", [f"r{number % roles}"], [], [])
    free = [turn(allocator, None) for _ in range(TURNS)]
    for _ in range(FRAMEWORKS + 1):
        turn(allocator, 1e6)
    refused = [turn(allocator, 1e6) for _ in range(TURNS)]
    revived = []
    for number in range(TURNS):
        allocator.revive(f"f{number}", [])
        revived.append(turn(allocator, 1e6))
    return statistics.median(free), statistics.median(refused), statistics.median(revived)


def turn(allocator: Allocator, refuse_seconds: float | None) -> float:
    began = time.perf_counter()
    grants = allocator.allocate()
    milliseconds = (time.perf_counter() - began) * 1_000
    for one in grants:
        allocator.recover(one.framework_id, one.role, one.agent_id, one.resources, refuse_seconds)
    return milliseconds


class Stream:
    """A subscription, and calls beside it."""

    def __init__(self, client: HttpClient, url: str) -> None:
        self.client = client
        self.url = url
        self.id = ""

    async def follow(self, first: Message, handle: Any) -> None:
        decoder = RecordDecoder()
        async with self.client.stream("POST", self.url, body=dump(first), headers=HEADERS) as answer:
            self.id = answer.headers["mesos-stream-id"]
            async for chunk in answer.chunks(60.0):
                await handle([json.loads(record) for record in decoder.feed(chunk)])

    async def call(self, message: Message) -> None:
        answer = await self.client.request(
            "POST", self.url, body=dump(message), headers={**HEADERS, "Mesos-Stream-Id": self.id}, timeout_s=60.0
        )
        assert answer.status == 202, answer


HEADERS = {"Content-Type": "application/json"}


def dump(message: Message) -> bytes:
    return json.dumps(message).encode()


def launches() -> float:
    """Tasks a second, from the first ACCEPT to the last acknowledgement."""
    command = [sys.executable, "-m", "smackbox", "mesos", "master", "--memory", "--port=0"]
    master = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert master.stdout is not None
        return run_loop(launch(master.stdout.readline().split()[2]))
    finally:
        master.terminate()
        master.wait()


async def launch(url: str) -> float:
    clients = [HttpClient() for _ in range(CLIENTS)]
    framework = Framework(clients[0], url)
    tasks = [asyncio.create_task(agent(clients[one % CLIENTS], url, one)) for one in range(LAUNCH_AGENTS)]
    tasks.append(asyncio.create_task(framework.run()))
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await framework.done.wait()
        return LAUNCH_AGENTS * TASKS_EACH / (framework.ended - framework.began)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in clients:
            await client.close()


async def agent(client: HttpClient, url: str, number: int) -> None:
    stream = Stream(client, f"{url}/internal/v1/agent")
    resources = parse_resources(f"cpus:{TASKS_EACH};mem:{TASKS_EACH * 10}").to_messages()
    info = {"hostname": f"h{number}", "port": 10_000 + number, "resources": resources}

    async def handle(events: list[Message]) -> None:
        updates = []
        for event in events:
            if event["type"] == "RUN_TASK":
                order = event["run_task"]
                task_id = order["task"]["task_id"]
                uuid = b64encode(task_id["value"].rjust(16, "0").encode()).decode()
                status = {"task_id": task_id, "state": "TASK_RUNNING", "uuid": uuid, "source": "SOURCE_EXECUTOR"}
                updates.append({"framework_id": order["framework"]["id"], "status": status})
            elif event["type"] == "PING":
                await stream.call({"type": "PONG"})
        if updates:
            await stream.call({"type": "UPDATE", "updates": updates})

    await stream.follow({"type": "SUBSCRIBE", "subscribe": {"agent_info": info, "version": "1.11.0"}}, handle)


class Framework:
    def __init__(self, client: HttpClient, url: str) -> None:
        self.done = asyncio.Event()
        self.began = self.ended = 0.0
        self._stream = Stream(client, f"{url}/api/v1/scheduler")
        self._offers: list[Message] = []
        self._acknowledged = 0
        self._statuses: asyncio.Queue[Message] = asyncio.Queue()
        self._id: Message = {}

    async def run(self) -> None:
        info = {"user": "root", "name": "scale"}
        workers = [asyncio.create_task(self._acknowledge()) for _ in range(ACKNOWLEDGERS)]
        try:
            await self._stream.follow({"type": "SUBSCRIBE", "subscribe": {"framework_info": info}}, self._handle)
        finally:
            for worker in workers:
                worker.cancel()

    async def _handle(self, events: list[Message]) -> None:
        for event in events:
            if event["type"] == "SUBSCRIBED":
                self._id = event["subscribed"]["framework_id"]
            elif event["type"] == "OFFERS":
                self._offers += event["offers"]["offers"]
                if len(self._offers) == LAUNCH_AGENTS and not self.began:
                    self.began = time.perf_counter()
                    self._launching = asyncio.create_task(self._launch())
            elif event["type"] == "UPDATE":
                self._statuses.put_nowait(event["update"]["status"])

    async def _launch(self) -> None:
        wanted = parse_resources("cpus:1;mem:10").to_messages(refined=False)
        for number, offer in enumerate(self._offers):
            infos = [
                {
                    "name": "null",
                    "task_id": {"value": f"{number}-{one}"},
                    "agent_id": offer["agent_id"],
                    "resources": wanted,
                    "command": {"value": "true"},
                }
                for one in range(TASKS_EACH)
            ]
            operations = [{"type": "LAUNCH", "launch": {"task_infos": infos}}]
            accept = {"offer_ids": [offer["id"]], "operations": operations}
            await self._stream.call({"framework_id": self._id, "type": "ACCEPT", "accept": accept})

    async def _acknowledge(self) -> None:
        while True:
            status = await self._statuses.get()
            assert status["state"] == "TASK_RUNNING", status
            what = {key: status[key] for key in ("agent_id", "task_id", "uuid")}
            await self._stream.call({"framework_id": self._id, "type": "ACKNOWLEDGE", "acknowledge": what})
            self._acknowledged += 1
            if self._acknowledged == LAUNCH_AGENTS * TASKS_EACH:
                self.ended = time.perf_counter()
                self.done.set()


if __name__ == "__main__":
    main()
