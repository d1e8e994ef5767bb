"""A cluster that does what it is told: agents with resources, tasks that run until they are killed or told to end."""

from __future__ import annotations

import itertools
import random
from typing import Any

import msgspec

from smackbox.base.clock import FakeClock
from smackbox.election.state_store import apply
from smackbox.marathon.handlers.api import Api
from smackbox.marathon.handlers.routes import handle
from smackbox.marathon.state.marathon import Marathon
from smackbox.mesos_framework.effects import Effects
from smackbox.mesos_framework.machine import REVIVE_INTERVAL_MS
from smackbox.net.http import HttpRequest, HttpResponse, HttpStream

Json = dict[str, Any]


class Cluster:
    """Mesos, and the Marathon on it. `settle` lets everything happen that is under way."""

    def __init__(self, *, agents: int = 1, cpus: float = 8, mem: float = 4096, role: str = "*") -> None:
        self.clock = FakeClock()
        self.records: dict[str, bytes] = {}
        self.events: list[Json] = []
        self.calls: list[Json] = []
        self.tasks: dict[str, Json] = {}
        """By task id: TaskInfo and, under `state`, the state."""
        self.starting_state = "TASK_RUNNING"
        self.role = role
        self._agents: dict[str, Json] = {}
        self._reserved: dict[str, list[Json]] = {}
        self._ids = itertools.count(1)
        self.chance = random.Random(1)
        self._wants_offers = False
        self._filtered: dict[str, int] = {}
        """When the filter on a host's offers ends, in milliseconds."""
        self._queue: list[Json] = []
        for number in range(agents):
            self.add_agent(f"host{number}", cpus=cpus, mem=mem)
        self.marathon = self._new_marathon()
        self.marathon.subscribed("f1")
        self.settle()

    def _new_marathon(self) -> Marathon:
        def new_id() -> str:
            return f"{next(self._ids):08d}-0000-0000-0000-000000000000"

        return Marathon(self.clock, self, self.events.append, new_id, role=self.role, principal="p")

    def add_agent(self, host: str, *, cpus: float = 8, mem: float = 4096, **attributes: str) -> None:
        self._agents[host] = {"cpus": cpus, "mem": mem, "attributes": attributes, "up": True}

    def fail_over(self) -> None:
        """Another Marathon takes over with what was stored."""
        self.marathon = self._new_marathon()
        self.marathon.load(self.records)
        self.marathon.subscribed("f1")
        self.settle()

    # --- the scheduler API

    def call(self, kind: str, **fields: Any) -> None:
        self.calls.append({"type": kind, **fields})
        if kind in {"ACCEPT", "DECLINE"}:
            for offer_id in fields[kind.lower()]["offer_ids"]:
                refuse_s = fields[kind.lower()]["filters"]["refuse_seconds"]
                self._filtered[offer_id["value"].split("@")[1]] = self.clock.monotonic_ms() + round(refuse_s * 1000)
        if kind == "REVIVE":
            self._wants_offers = True
            self._filtered.clear()
        elif kind == "SUPPRESS":
            self._wants_offers = False
        elif kind == "ACCEPT":
            host = fields["accept"]["offer_ids"][0]["value"].split("@")[1]
            for operation in fields["accept"]["operations"]:
                self._apply(host, operation)
        elif kind == "KILL":
            task_id = fields["kill"]["task_id"]["value"]
            if task_id in self.tasks:
                self.end(task_id, "TASK_KILLED")
        elif kind == "RECONCILE":
            for asked in fields["reconcile"]["tasks"]:
                task_id = asked["task_id"]["value"]
                if task_id in self.tasks:
                    self._queue.append(self._status(task_id, self.tasks[task_id]["state"]))
                else:
                    self._queue.append({**asked, "state": "TASK_UNKNOWN", "reason": "REASON_RECONCILIATION"})

    def acknowledge(self, status: Json) -> None:
        self.calls.append({"type": "ACKNOWLEDGE", "task_id": status["task_id"]["value"], "state": status["state"]})

    def _apply(self, host: str, operation: Json) -> None:
        if operation["type"] == "LAUNCH":
            for info in operation["launch"]["task_infos"]:
                task_id = info["task_id"]["value"]
                assert task_id not in self.tasks, "a task is launched once"
                self.tasks[task_id] = {**info, "host": host, "state": self.starting_state}
                self._queue.append(self._status(task_id, self.starting_state))
        elif operation["type"] == "CREATE":
            self._reserved.setdefault(host, []).extend(operation["create"]["volumes"])
        elif operation["type"] == "RESERVE":
            lots = [lot for lot in operation["reserve"]["resources"] if lot["name"] != "disk"]
            self._reserved.setdefault(host, []).extend(lots)
        elif operation["type"] == "DESTROY":
            ids = [lot["disk"]["persistence"]["id"] for lot in operation["destroy"]["volumes"]]
            kept = [
                lot for lot in self._reserved[host] if lot.get("disk", {}).get("persistence", {}).get("id") not in ids
            ]
            self._reserved[host] = kept
        elif operation["type"] == "UNRESERVE":
            lots = operation["unreserve"]["resources"]
            self._reserved[host] = [lot for lot in self._reserved[host] if lot not in lots]

    def _status(self, task_id: str, state: str, **more: Any) -> Json:
        agent = {"agent_id": {"value": self.tasks[task_id]["host"]}}
        return {"task_id": {"value": task_id}, "state": state, "uuid": "dQ==", **agent, **more}

    # --- what the test makes happen

    def end(self, task_id: str, state: str, **more: Any) -> None:
        """The task ends."""
        status = self._status(task_id, state, **more)
        del self.tasks[task_id]
        self._queue.append(status)

    def say(self, task_id: str, state: str, **more: Any) -> None:
        """The task says something."""
        self.tasks[task_id]["state"] = state
        self._queue.append(self._status(task_id, state, **more))

    def settle(self, *, offers: bool = True) -> None:
        """Commit, deliver statuses and offers, until nothing more happens."""
        waited = 0
        for _ in range(1000):
            self._commit()
            if self._queue:
                self.marathon.update(self._queue.pop(0))
            elif not (offers and self._wants_offers and self._offer()):
                if not self.marathon.waiting or waited == 1:
                    return
                self.clock.advance_ms(REVIVE_INTERVAL_MS)
                self.marathon.tick()
                waited += 1
        raise AssertionError("it never settles")

    def advance(self, seconds: float) -> None:
        """Let time pass, in steps as a server's ticks."""
        for _ in range(max(1, round(seconds))):
            self.clock.advance_ms(1000)
            self.marathon.tick()
            self.settle()

    def _commit(self) -> None:
        effects, self.marathon.effects = self.marathon.effects, Effects()
        for piece in effects.pieces(1):
            apply(piece.records, self.records)
            for action in piece.actions:
                action()

    def _offer(self) -> bool:
        """Offer what every agent has: whether anything came of it."""
        before = len(self.calls)
        hosts = list(self._agents) * 2
        self.chance.shuffle(hosts)
        for host in hosts:
            agent = self._agents[host]
            if agent["up"] and self.clock.monotonic_ms() >= self._filtered.get(host, 0):
                self.marathon.offers([self._free(host, agent)])
                self._commit()
        return any(call["type"] == "ACCEPT" for call in self.calls[before:])

    def _free(self, host: str, agent: Json) -> Json:
        used = [lot for task in self.tasks.values() if task["host"] == host for lot in task["resources"]]
        plain = [lot for lot in used if not lot.get("reservations")]
        held = list(self._reserved.get(host, []))
        taken_ports = {
            port
            for lot in plain + held
            if lot["name"] == "ports"
            for one in lot["ranges"]["range"]
            for port in range(one["begin"], one["end"] + 1)
        }
        resources: list[Json] = []
        for name, total in (("cpus", agent["cpus"]), ("mem", agent["mem"]), ("disk", 10_000.0)):
            amount = sum(lot["scalar"]["value"] for lot in plain + held if lot["name"] == name)
            resources.append({"name": name, "type": "SCALAR", "scalar": {"value": round(total - amount, 3)}})
        free_ports = [port for port in range(31000, 31020) if port not in taken_ports]
        ranges = [{"begin": port, "end": port} for port in free_ports]
        resources.append({"name": "ports", "type": "RANGES", "ranges": {"range": ranges}})
        resources += [lot for lot in held if lot not in used]
        return {
            "id": {"value": f"o{next(self._ids)}@{host}"},
            "agent_id": {"value": host},
            "hostname": host,
            "resources": resources,
            "attributes": [
                {"name": name, "type": "TEXT", "text": {"value": value}} for name, value in agent["attributes"].items()
            ],
        }

    def lose_agent(self, host: str) -> None:
        """It stops offering, and its tasks are unreachable."""
        self._agents[host]["up"] = False
        for task_id, task in self.tasks.items():
            if task["host"] == host:
                self.say(task_id, "TASK_UNREACHABLE")

    # --- the REST API

    def request(self, method: str, target: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and JSON. Everything that follows at once has happened."""
        path, _, query = target.partition("?")
        pairs = [one.partition("=") for one in query.split("&") if one]
        parameters: dict[str, list[str]] = {}
        for name, _, value in pairs:
            parameters.setdefault(name, []).append(value)
        data = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        api = Api(self.marathon, lambda *_: HttpStream(), lambda: None, "127.0.0.1:8080")
        answer = handle(api, HttpRequest(method, path, parameters, dict(headers), data, "127.0.0.1:1", target))
        assert isinstance(answer, HttpResponse)
        self.settle()
        if answer.content_type == "application/json" and answer.body:
            return answer.status, msgspec.json.decode(answer.body)
        return answer.status, answer.body.decode()

    def running(self, app_id: str) -> list[str]:
        """The ids of its tasks that run, by when they were launched."""
        name = ".".join(reversed(app_id.strip("/").split("/")))
        return [task_id for task_id, task in self.tasks.items() if task["name"] == name]

    def event_types(self) -> list[str]:
        return [event["eventType"] for event in self.events]
