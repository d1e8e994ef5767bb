"""The Mesos framework of a context: launches executors from offers, as many as are wanted, and follows their states.

Plain and synchronous, like the machines of Marathon and Chronos; nothing is stored: a driver that is gone takes its
executors with it. While no executor is wanted, offers are suppressed. An agent where executors ended before they
reached the driver twice gets no more (Spark's rule). After an executor was killed for its memory, later ones get
twice as much.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from smackbox.base.clock import Clock
from smackbox.mesos_framework.machine import FrameworkMachine, Mesos, asked
from smackbox.mesos_framework.offer import Offer, attribute_text
from smackbox.spark.rdd.cluster.settings import ClusterSettings

Json = dict[str, Any]

TERMINAL = frozenset(
    {"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_LOST", "TASK_DROPPED", "TASK_UNREACHABLE"}
    | {"TASK_GONE", "TASK_GONE_BY_OPERATOR", "TASK_UNKNOWN"}
)
NOT_THE_TASKS_FAULT = frozenset({"TASK_LOST", "TASK_DROPPED", "TASK_UNREACHABLE", "TASK_GONE", "TASK_GONE_BY_OPERATOR"})
MEMORY_LIMIT = "REASON_CONTAINER_LIMITATION_MEMORY"
AGENT_FAILURES_LIMIT = 2
REGISTER_TIMEOUT_MS = 120_000
MEMORY_DOUBLINGS = 4

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Launched:
    """An executor that Mesos has been asked for."""

    executor_id: str
    number: int
    agent_id: str
    hostname: str
    cores: int
    memory_mb: int
    launched_ms: int
    registered: bool = False
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """An executor has ended. `counts`: as a failure of the tasks that it ran."""

    executor: Launched
    reason: str
    counts: bool


class ExecutorFramework(FrameworkMachine):
    """`launch` makes the command of an executor; `ended` is called for each that has ended."""

    def __init__(
        self,
        clock: Clock,
        mesos: Mesos,
        settings: ClusterSettings,
        command: Callable[[Launched], Json],
        ended: Callable[[Ended], None],
    ) -> None:
        super().__init__(clock, mesos)
        self.decline_s = settings.reject_s
        self.executors: dict[str, Launched] = {}
        self.wanted_cores: float = 0.0
        self.lacking: str = ""
        """Why the last offers were not taken."""
        self.last_failure = ""
        self.error = ""
        """Why Mesos refuses this framework for good."""
        self._settings = settings
        self._command = command
        self._ended = ended
        self._hosts: frozenset[str] = frozenset()
        self._numbers = itertools.count()
        self._agents: set[str] = set()
        """Those that have offered something."""
        self._agent_failures: dict[str, int] = {}
        self._memory_mb = settings.memory_mb

    # --- what the pool says

    def want(self, cores: float, hosts: frozenset[str]) -> None:
        """Have executors with so many cores together, on these hosts where there are offers of them."""
        settings = self._settings
        most = settings.max_executors * (settings.executor_cores or 1)
        self._hosts = hosts
        before, self.wanted_cores = self.wanted_cores, min(cores, settings.cores_max, most)
        if self.wanted_cores > before:
            self.ask_again()
        else:
            self.look_for_work()

    def release(self, executor_ids: Iterable[str]) -> None:
        """End executors that are not needed."""
        for executor_id in executor_ids:
            executor = self.executors.get(executor_id)
            if executor is not None and not executor.leaving:
                executor.leaving = True
                self.call("KILL", kill=asked(executor_id, executor.agent_id))

    def registered(self, executor_id: str) -> None:
        """An executor has reached the driver."""
        executor = self.executors.get(executor_id)
        if executor is not None:
            executor.registered = True
            self._agent_failures.pop(executor.agent_id, None)

    @property
    def is_hopeless(self) -> bool:
        """Whether executors failed to start on every agent that has offered something, too often to try again."""
        failures = (self._agent_failures.get(agent_id, 0) for agent_id in self._agents)
        return bool(self._agents) and all(count >= AGENT_FAILURES_LIMIT for count in failures)

    @property
    def missing_cores(self) -> float:
        """How many cores are wanted and not launched."""
        return self.wanted_cores - sum(each.cores for each in self.executors.values() if not each.leaving)

    # --- what a FrameworkMachine is asked

    def wants_offers(self) -> bool:
        return self.missing_cores >= max(1, self._settings.executor_cores)

    def known_tasks(self) -> list[Json]:
        return [asked(each.executor_id, each.agent_id) for each in self.executors.values()]

    def refused(self, message: str) -> None:
        super().refused(message)
        self.error = message

    # --- what Mesos says

    def offers(self, messages: Iterable[Json]) -> None:
        """Launch what is missing, on hosts that tasks prefer first and spread over the offers; decline the rest."""
        offers = sorted((Offer(message) for message in messages), key=lambda offer: offer.hostname not in self._hosts)
        self._agents.update(offer.agent_id for offer in offers)
        reasons = []
        for place, offer in enumerate(offers):
            share = math.ceil(self.missing_cores / (len(offers) - place)) if self.wants_offers() else 0
            tasks: list[Json] = []
            reason = ""
            while self.wants_offers() and share > 0:
                reason = self._unsuitable(offer) or ""
                task = None if reason else self._launch(offer, share)
                if task is None:
                    break
                tasks.append(task)
                share -= self.executors[task["task_id"]["value"]].cores
            if reason and not tasks:
                reasons.append(f"{offer.hostname}: {reason}")
            self.answer_offer(offer.message, [{"type": "LAUNCH", "launch": {"task_infos": tasks}}] if tasks else [])
        if reasons:
            self.lacking = "; ".join(reasons[:5])
        self.look_for_work()

    def update(self, status: Json) -> None:
        """Follow the state of an executor."""
        executor_id, state = status["task_id"]["value"], status["state"]
        executor = self.executors.get(executor_id)
        if executor is not None and state in TERMINAL:
            self._over(executor, status)
        elif executor is None and state not in TERMINAL:
            self.call("KILL", kill=asked(executor_id, status.get("agent_id", {}).get("value", "")))
        self.acknowledge(status)

    def load(self, records: dict[str, bytes]) -> None:
        """Nothing is stored."""

    def tick(self) -> None:
        """Time has passed: end executors that never came."""
        self.keep_reconciled()
        now_ms = self.clock.monotonic_ms()
        for executor in list(self.executors.values()):
            if not executor.registered and now_ms - executor.launched_ms > REGISTER_TIMEOUT_MS:
                self.release([executor.executor_id])
        self.look_for_work()

    # --- inside

    def _unsuitable(self, offer: Offer) -> str | None:
        """Why no executor can be launched from what is left of an offer."""
        settings = self._settings
        if self._agent_failures.get(offer.agent_id, 0) >= AGENT_FAILURES_LIMIT:
            return f"executors failed to start there {AGENT_FAILURES_LIMIT} times"
        if (reason := unmet(offer, settings.constraints)) is not None:
            return reason
        cores, memory_mb = settings.executor_cores or 1, settings.container_mb(self._memory_mb)
        lacks = [
            f"{name} {has:g} of {needs:g}"
            for name, has, needs in (("cpus", offer.scalar("cpus"), cores), ("mem", offer.scalar("mem"), memory_mb))
            if has < needs
        ]
        return "too little " + " and ".join(lacks) if lacks else None

    def _launch(self, offer: Offer, share: int) -> Json | None:
        settings = self._settings
        cores = settings.executor_cores or max(1, min(int(offer.scalar("cpus")), share, int(self.missing_cores)))
        number = next(self._numbers)
        executor = Launched(
            f"executor-{number}",
            number,
            offer.agent_id,
            offer.hostname,
            cores,
            self._memory_mb,
            self.clock.monotonic_ms(),
        )
        cpus = offer.take_scalar("cpus", cores)
        memory = offer.take_scalar("mem", settings.container_mb(self._memory_mb))
        if cpus is None or memory is None:
            return None
        self.executors[executor.executor_id] = executor
        return {
            "name": f"executor {number}",
            "task_id": {"value": executor.executor_id},
            "agent_id": {"value": offer.agent_id},
            "resources": [*cpus, *memory],
            **self._command(executor),
        }

    def _over(self, executor: Launched, status: Json) -> None:
        del self.executors[executor.executor_id]
        state, message = status["state"], status.get("message", "")
        reason = f"executor {executor.number} on {executor.hostname}: {state}" + (f", {message}" if message else "")
        if status.get("reason") == MEMORY_LIMIT and self._memory_mb < self._settings.memory_mb * 2**MEMORY_DOUBLINGS:
            self._memory_mb = max(self._memory_mb, executor.memory_mb * 2)
            reason += f"; later executors get {self._memory_mb} MB"
        if not executor.leaving:
            log.warning("%s", reason)
            self.last_failure = reason
            if not executor.registered and state not in NOT_THE_TASKS_FAULT:
                self._agent_failures[executor.agent_id] = self._agent_failures.get(executor.agent_id, 0) + 1
        self._ended(Ended(executor, reason, not executor.leaving and state not in NOT_THE_TASKS_FAULT))
        self.ask_again()


def unmet(offer: Offer, constraints: Mapping[str, frozenset[str]]) -> str | None:
    """The constraint that an offer does not meet, as a reason; None where it meets all."""
    for name, values in constraints.items():
        if not _matches(offer, name, values):
            return f"attribute {name} is {offer.attribute(name)!r}, not of {', '.join(sorted(values)) or 'any value'}"
    return None


def _matches(offer: Offer, name: str, values: frozenset[str]) -> bool:
    """Spark's rule: text is one of the values, a scalar is at least the value, a range or a set has them."""
    attribute = next((each for each in offer.attributes if each["name"] == name), None)
    if attribute is None:
        return offer.attribute(name) is not None and (not values or offer.attribute(name) in values)
    if not values:
        return True
    kind = attribute["type"]
    if kind == "SCALAR":
        return all(attribute["scalar"]["value"] >= float(value) for value in values)
    if kind == "RANGES":
        ranges = attribute["ranges"].get("range") or []
        return any(each["begin"] <= int(value) <= each["end"] for each in ranges for value in values)
    if kind == "SET":
        return values <= set(attribute["set"].get("item") or [])
    return attribute_text(attribute) in values
