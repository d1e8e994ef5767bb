"""A master without sockets; frameworks and agents that speak to its handlers; a clock that is told when to go on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import msgspec

from smackbox.base.clock import FakeClock
from smackbox.election.state_store import apply
from smackbox.mesos.http.access import Access
from smackbox.mesos.http.answers import JSON, Deferred, Refused
from smackbox.mesos.master.handlers import routes
from smackbox.mesos.master.handlers.context import Call, MasterContext
from smackbox.mesos.master.state import offers, ticks
from smackbox.mesos.master.state.allocator import MIN_ALLOCATABLE
from smackbox.mesos.master.state.master import Master, MasterOptions
from smackbox.mesos.master.state.registry import Registry
from smackbox.mesos.resources.text import parse_resources
from smackbox.net.http import HttpRequest, HttpResponse, HttpStream
from smackbox.net.recordio import RecordDecoder

Message = dict[str, Any]
SCHEDULER = "/api/v1/scheduler"
OPERATOR = "/api/v1"
AGENT_LINK = "/internal/v1/agent"
AGENT = "cpus:4;mem:4096;disk:10000;ports:[31000-32000]"


class Cluster:
    """`records` outlive a master, as its store would."""

    def __init__(self, clock: FakeClock | None = None, access: Access | None = None, **options: Any) -> None:
        self.clock = clock or FakeClock()
        self.context = MasterContext(access or Access(), leads=True)
        self.records: dict[str, bytes] = {}
        self.store_works = True
        self._options = {"min_allocatable": MIN_ALLOCATABLE, **options}
        self._uuids = itertools.count(1)
        self.new_master()

    @property
    def master(self) -> Master:
        assert self.context.master is not None
        return self.context.master

    def new_master(self) -> Master:
        """Another master takes over: all streams end, the records are there."""
        if self.context.master is not None:
            for one in (*self.master.frameworks.values(), *self.master.agents.values()):
                sink, one.sink = one.sink, None
                if sink is not None:
                    sink.close()
        master = Master(
            MasterOptions(**self._options),
            self.clock,
            new_uuid=lambda: next(self._uuids).to_bytes(16, "big"),
            shuffle=Random(1).shuffle,
            registry=Registry.load(self.records),
        )
        ticks.begin_to_lead(master)
        self.context.master = master
        self.context.leader = master.info()
        return master

    def settle(self) -> None:
        """What the server does after each request."""
        while self.master.commits:
            for commit in self.master.take_commits():
                if not self.store_works:
                    commit.failed("the store does not work")
                    continue
                apply(commit.changes, self.records)
                commit.then()
        if self.master.allocation_wanted:
            offers.allocate(self.master)

    def advance(self, seconds: float, step_s: float = 1.0) -> None:
        """Time goes on, a step and a tick after another."""
        while seconds > 0:
            self.clock.advance_ms(int(min(step_s, seconds) * 1_000))
            seconds -= step_s
            ticks.tick(self.master)
            self.settle()

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        *,
        principal: str | None = None,
        query: dict[str, str] | None = None,
        peer: str = "127.0.0.1:40000",
    ) -> HttpResponse | HttpStream:
        request = HttpRequest(
            method, path, {key: [value] for key, value in (query or {}).items()}, headers or {}, body, peer, path
        )
        route = routes.find(path)
        try:
            if route is None:
                raise Refused(404, "")
            if isinstance(route, routes.OpenRoute):
                answer = route.handler(self.context, request, principal)
            else:
                answer = route.handler(Call(self.context, self.context.leading(request), request, principal))
        except Refused as refused:
            return refused.response()
        if self.context.master is not None:
            self.settle()
        if isinstance(answer, Deferred):
            assert answer.answer is not None
            return answer.answer
        return answer

    def post(
        self, path: str, message: Message, headers: dict[str, str] | None = None, **more: Any
    ) -> HttpResponse | HttpStream:
        return self.request(
            "POST", path, msgspec.json.encode(message), {"content-type": JSON, **(headers or {})}, **more
        )

    def get(self, path: str, /, **query: str) -> Any:
        answer = self.request("GET", path, query=query)
        assert isinstance(answer, HttpResponse) and answer.status == 200, answer
        return msgspec.json.decode(answer.body)

    def operate(self, kind: str, **fields: Any) -> Message:
        """A call of the operator API that is answered 200."""
        answer = self.post(OPERATOR, {"type": kind, **fields})
        assert isinstance(answer, HttpResponse)
        assert answer.status in {200, 202}, answer
        return msgspec.json.decode(answer.body) if answer.body else {}


class Stream:
    """The events of an open stream."""

    def __init__(self, stream: HttpStream) -> None:
        self.stream = stream
        self.id = stream.headers["Mesos-Stream-Id"]
        self._decoder = RecordDecoder()
        self._events: list[Message] = []

    def events(self, kind: str | None = None) -> list[Message]:
        """The events since the last time, of one type only where it is given; the others stay."""
        self._events += [msgspec.json.decode(record) for record in self._decoder.feed(self.stream.take())]
        taken = [event for event in self._events if kind in {None, event["type"]}]
        self._events = [event for event in self._events if event not in taken]
        return taken


class FakeFramework:
    def __init__(self, cluster: Cluster, name: str = "f", principal: str | None = None, **info: Any) -> None:
        self.cluster = cluster
        self.info: Message = {"user": "root", "name": name, "failover_timeout": 60.0, **info}
        self.principal = principal
        self.subscribe()

    def subscribe(self, **more: Any) -> None:
        call: Message = {"type": "SUBSCRIBE", "subscribe": {"framework_info": self.info, **more}}
        if "id" in self.info:
            call["framework_id"] = self.info["id"]
        answer = self.cluster.post(SCHEDULER, call, principal=self.principal)
        assert isinstance(answer, HttpStream), answer
        self.stream = Stream(answer)
        for event in self.stream.events("SUBSCRIBED"):
            self.info["id"] = event["subscribed"]["framework_id"]
        self.id = self.info.get("id", {}).get("value", "")

    def call(self, kind: str, **fields: Any) -> HttpResponse:
        message = {"framework_id": {"value": self.id}, "type": kind, **fields}
        answer = self.cluster.post(SCHEDULER, message, {"mesos-stream-id": self.stream.id}, principal=self.principal)
        assert isinstance(answer, HttpResponse)
        return answer

    def do(self, kind: str, **fields: Any) -> None:
        answer = self.call(kind, **fields)
        assert answer.status == 202, answer

    def offers(self) -> list[Message]:
        return [offer for event in self.stream.events("OFFERS") for offer in event["offers"]["offers"]]

    def statuses(self) -> list[Message]:
        return [event["update"]["status"] for event in self.stream.events("UPDATE")]

    def states(self) -> list[tuple[str, str]]:
        return [(one["task_id"]["value"], one["state"]) for one in self.statuses()]

    def accept(self, offers: list[Message], *operations: Message, refuse_seconds: float = 5.0) -> None:
        self.do(
            "ACCEPT",
            accept={
                "offer_ids": [offer["id"] for offer in offers],
                "operations": list(operations),
                "filters": {"refuse_seconds": refuse_seconds},
            },
        )

    def launch(self, offer: Message, *tasks: Message, refuse_seconds: float = 5.0) -> None:
        launch = {"type": "LAUNCH", "launch": {"task_infos": list(tasks)}}
        self.accept([offer], launch, refuse_seconds=refuse_seconds)

    def acknowledge(self, status: Message) -> None:
        what = {"agent_id": status["agent_id"], "task_id": status["task_id"], "uuid": status["uuid"]}
        self.do("ACKNOWLEDGE", acknowledge=what)

    def go_away(self) -> None:
        self.stream.stream.close()
        self.cluster.settle()


class FakeAgent:
    """An agent with a null executor: what it is told to run runs at once, when it is asked to look."""

    def __init__(
        self, cluster: Cluster, resources: str = AGENT, hostname: str = "host", port: int = 5051, **info: Any
    ) -> None:
        self.cluster = cluster
        self.info: Message = {
            "hostname": hostname,
            "port": port,
            "resources": parse_resources(resources).to_messages(),
            **info,
        }
        self.tasks: dict[tuple[str, str], Message] = {}
        self.executors: list[Message] = []
        self.frameworks: dict[str, Message] = {}
        self.checkpointed: list[Message] = []
        self._uuids = itertools.count(1)
        self.subscribe()

    def subscribe(self) -> None:
        call = {
            "type": "SUBSCRIBE",
            "subscribe": {
                "agent_info": self.info,
                "version": "1.11.0",
                "tasks": list(self.tasks.values()),
                "executors": self.executors,
                "frameworks": list(self.frameworks.values()),
                "checkpointed_resources": self.checkpointed,
                "drained": False,
            },
        }
        answer = self.cluster.post(AGENT_LINK, call)
        assert isinstance(answer, HttpStream), answer
        self.stream = Stream(answer)
        for event in self.stream.events("SUBSCRIBED"):
            self.info["id"] = event["subscribed"]["agent_id"]
        self.id = self.info.get("id", {}).get("value", "")

    def call(self, kind: str, **fields: Any) -> int:
        answer = self.cluster.post(AGENT_LINK, {"type": kind, **fields}, {"mesos-stream-id": self.stream.id})
        assert isinstance(answer, HttpResponse)
        return answer.status

    def status(self, framework_id: str, task_id: str, state: str, **more: Any) -> Message:
        """Tell the master that a task is in that state."""
        status = {
            "task_id": {"value": task_id},
            "state": state,
            "uuid": msgspec.json.decode(msgspec.json.encode(next(self._uuids).to_bytes(16, "big"))),
            "agent_id": {"value": self.id},
            "source": "SOURCE_EXECUTOR",
            "timestamp": self.cluster.clock.wall_ms() / 1_000,
            **more,
        }
        if (framework_id, task_id) in self.tasks:
            self.tasks[framework_id, task_id]["state"] = state
        assert self.call("UPDATE", updates=[{"framework_id": {"value": framework_id}, "status": status}]) == 202
        return status

    def run(self) -> list[str]:
        """Start what the master has sent and say so; the ids of these tasks."""
        started = []
        for event in self.stream.events("RUN_TASK"):
            order = event["run_task"]
            started.append(self._start(order["framework"], order["task"]))
        for event in self.stream.events("RUN_TASK_GROUP"):
            order = event["run_task_group"]
            started += [self._start(order["framework"], task) for task in order["task_group"]["tasks"]]
        return started

    def _start(self, framework: Message, task: Message) -> str:
        framework_id = framework["id"]["value"]
        self.frameworks[framework_id] = framework
        task_id = task["task_id"]["value"]
        self.tasks[framework_id, task_id] = {
            "name": task["name"],
            "task_id": task["task_id"],
            "framework_id": framework["id"],
            "agent_id": task["agent_id"],
            "state": "TASK_RUNNING",
            "resources": task["resources"],
        }
        self.status(framework_id, task_id, "TASK_RUNNING")
        return str(task_id)

    def go_away(self) -> None:
        self.stream.stream.close()
        self.cluster.settle()


def task(offer: Message, task_id: str, resources: str = "cpus:1;mem:128", **more: Any) -> Message:
    return {
        "name": task_id,
        "task_id": {"value": task_id},
        "agent_id": offer["agent_id"],
        "resources": parse_resources(resources).to_messages(refined=False),
        "command": {"value": "true"},
        **more,
    }


@contextmanager
def nothing_said(framework: FakeFramework) -> Iterator[None]:
    framework.stream.events()
    yield
    assert framework.stream.events() == []
