"""A cluster on which tasks stay launched until the test says what becomes of them, and the Chronos on it."""

from __future__ import annotations

from typing import Any

import msgspec

from smackbox.base.clock import FakeClock
from smackbox.chronos.handlers.api import Api
from smackbox.chronos.handlers.routes import handle
from smackbox.chronos.state.chronos import Chronos
from smackbox.election.state_store import apply
from smackbox.mesos_framework.effects import Effects
from smackbox.net.http import HttpRequest

Json = dict[str, Any]

START_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z


class Cluster:
    """One agent with 4 CPUs. Every task that was ever launched is in `launched`, in order."""

    def __init__(self, **settings: Any) -> None:
        self.clock = FakeClock(START_MS)
        self.records: dict[str, bytes] = {}
        self.calls: list[Json] = []
        self.launched: list[str] = []
        self.tasks: dict[str, Json] = {}
        self.has_offers = True
        self.connected = True
        self._settings = settings
        self._wants_offers = False
        self._offer_number = 0
        self._filtered_until_ms = 0
        self.chronos = self._new()

    def _new(self) -> Chronos:
        chronos = Chronos(self.clock, self, **self._settings)
        chronos.load(self.records)
        chronos.subscribed("f1")
        self.chronos = chronos
        self.settle()
        return chronos

    def fail_over(self) -> None:
        """What was not committed is lost; another Chronos takes over."""
        self.connected = True
        self._new()

    def call(self, kind: str, **fields: Any) -> None:
        if not self.connected:
            return
        self.calls.append({"type": kind, **fields})
        if kind in {"ACCEPT", "DECLINE"}:
            refuse_s = fields[kind.lower()]["filters"]["refuse_seconds"]
            self._filtered_until_ms = self.clock.monotonic_ms() + round(refuse_s * 1000)
        if kind in {"REVIVE", "SUPPRESS"}:
            self._wants_offers = kind == "REVIVE"
            self._filtered_until_ms = 0
        elif kind == "ACCEPT":
            for info in fields["accept"]["operations"][0]["launch"]["task_infos"]:
                task_id = info["task_id"]["value"]
                assert task_id not in self.launched, f"{task_id} is launched twice"
                self.launched.append(task_id)
                self.tasks[task_id] = info
        elif kind == "KILL":
            task_id = fields["kill"]["task_id"]["value"]
            if task_id in self.tasks:
                self.end(task_id, "TASK_KILLED")
        elif kind == "RECONCILE":
            for asked in fields["reconcile"]["tasks"]:
                task_id = asked["task_id"]["value"]
                state = "TASK_RUNNING" if task_id in self.tasks else "TASK_UNKNOWN"
                self.chronos.update({**asked, "state": state, "reason": "REASON_RECONCILIATION"})

    def acknowledge(self, status: Json) -> None:
        self.call("ACKNOWLEDGE", task_id=status["task_id"]["value"])

    def say(self, task_id: str, state: str, **more: Any) -> None:
        agent = {"agent_id": {"value": "a1"}}
        self.chronos.update({"task_id": {"value": task_id}, "state": state, "uuid": "dQ==", **agent, **more})
        self.settle()

    def end(self, task_id: str, state: str = "TASK_FINISHED", **more: Any) -> None:
        del self.tasks[task_id]
        self.say(task_id, state, **more)

    def settle(self) -> None:
        for _ in range(100):
            self._commit()
            if self.chronos.effects:
                continue
            if not (self._wants_offers and self.has_offers and self.connected and self._offer()):
                return
        raise AssertionError("it never settles")

    def _commit(self) -> None:
        effects, self.chronos.effects = self.chronos.effects, Effects()
        for piece in effects.pieces(1):
            apply(piece.records, self.records)
            for action in piece.actions:
                action()

    def _offer(self) -> bool:
        if self.clock.monotonic_ms() < self._filtered_until_ms:
            return False
        self._offer_number += 1
        used = sum(lot["scalar"]["value"] for task in self.tasks.values() for lot in task["resources"][:1])
        amounts = {"cpus": 4 - used, "mem": 10_000.0, "disk": 10_000.0}
        resources = [{"name": name, "type": "SCALAR", "scalar": {"value": amount}} for name, amount in amounts.items()]
        attributes = [{"name": "rack", "type": "TEXT", "text": {"value": "r1"}}]
        before = len(self.launched)
        self.chronos.offers(
            [{"id": {"value": f"o{self._offer_number}"}, "agent_id": {"value": "a1"}, "hostname": "host1",
              "resources": resources, "attributes": attributes}]
        )  # fmt: skip
        self._commit()
        return len(self.launched) > before

    def advance(self, seconds: float) -> None:
        for _ in range(max(1, round(seconds))):
            self.clock.advance_ms(1000)
            self.chronos.tick()
            self.settle()

    def request(self, method: str, target: str, body: Any = None) -> tuple[int, Any]:
        path, _, query = target.partition("?")
        parameters = {pair.partition("=")[0]: [pair.partition("=")[2]] for pair in query.split("&") if pair}
        data = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        api = Api(self.chronos, "127.0.0.1:4400", {"cpus": 0.1, "mem": 128.0, "disk": 256.0})
        answer = handle(api, HttpRequest(method, path, parameters, {}, data, "", target))
        self.settle()
        if answer.content_type == "application/json" and answer.body:
            return answer.status, msgspec.json.decode(answer.body)
        return answer.status, answer.body.decode()

    def add(self, name: str = "job", schedule: str = "R/2026-01-01T00:00:10Z/PT10S", **fields: Any) -> None:
        job = {"name": name, "command": "true", "owner": "", "disabled": False, "schedule": schedule, **fields}
        if "parents" in fields:
            del job["schedule"]
            assert self.request("POST", "/v1/scheduler/dependency", job) == (204, "")
        else:
            assert self.request("POST", "/v1/scheduler/iso8601", job) == (204, "")

    def due(self, name: str = "job") -> list[int]:
        """Seconds from the beginning at which the launched runs of a job were due, first attempts alone."""
        parts = [task_id.split(":") for task_id in self.launched]
        return [(int(part[1]) - START_MS) // 1000 for part in parts if part[3] == name and part[2] == "0"]
