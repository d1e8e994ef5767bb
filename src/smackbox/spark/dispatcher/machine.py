"""The drivers of a dispatcher: queued, launched from offers, supervised, killed; the last ended ones are remembered.

What was simplified beside Spark's `MesosClusterScheduler`: one queue in the order of submission, without priorities.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from smackbox.base.clock import Clock
from smackbox.base.errors import RequestError
from smackbox.mesos_framework.machine import FRAMEWORK_RECORD, KILL_RETRY_MS, FrameworkMachine, Mesos, asked
from smackbox.mesos_framework.offer import Offer
from smackbox.spark.dispatcher.driver_run import FAILED, FINISHED, KILLED, QUEUED, RETRYING, RUNNING, DriverRun
from smackbox.spark.mesos_link import labels
from smackbox.spark.rdd.cluster.framework import unmet

Json = dict[str, Any]

RECORD = "driver:"
QUEUED_LIMIT = 200
"""`spark.mesos.maxDrivers`."""
RETAINED_LIMIT = 200
"""`spark.mesos.dispatcher.retainedDrivers`, those that have ended."""
RETRY_FIRST_MS, RETRY_LIMIT_MS = 1_000, 60_000
LOST = frozenset({"TASK_LOST", "TASK_DROPPED", "TASK_UNREACHABLE", "TASK_GONE", "TASK_GONE_BY_OPERATOR"})
LIVE = frozenset({"TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING"})
_EXITED = re.compile(r"exited with status (\d+)")

log = logging.getLogger(__name__)


class Dispatcher(FrameworkMachine):
    """`command` makes the CommandInfo of a driver."""

    def __init__(self, clock: Clock, mesos: Mesos, command: Callable[[DriverRun], Json]) -> None:
        super().__init__(clock, mesos)
        self.drivers: dict[str, DriverRun] = {}
        self.lacking = ""
        self._kill_again_ms: dict[str, int] = {}
        self._command = command

    # --- what users ask

    def submit(self, driver: DriverRun) -> None:
        """Queue it. Raises `RequestError` when too many wait."""
        if sum(not each.is_over for each in self.drivers.values()) >= QUEUED_LIMIT:
            raise RequestError("Already reached maximum submission size")
        self.drivers[driver.submission_id] = driver
        self._store(driver)
        self._forget_old()
        self.ask_again()

    def kill(self, submission_id: str) -> bool:
        """End a driver; False where there is none, or it has ended."""
        driver = self.drivers.get(submission_id)
        if driver is None or driver.is_over:
            return False
        driver.is_killed = True
        if driver.state in {QUEUED, RETRYING}:
            driver.state = KILLED
        else:
            self._kill(driver)
        self._store(driver)
        return True

    # --- what a FrameworkMachine is asked

    def load(self, records: dict[str, bytes]) -> None:
        """Take over what was stored."""
        for name, value in records.items():
            if name == FRAMEWORK_RECORD:
                self.framework_id = value.decode()
            elif name.startswith(RECORD):
                driver = msgspec.json.decode(value, type=DriverRun)
                self.drivers[driver.submission_id] = driver

    def wants_offers(self) -> bool:
        return any(self._waiting())

    def known_tasks(self) -> list[Json]:
        return [asked(each.task_id, each.agent_id) for each in self.drivers.values() if each.state == RUNNING]

    # --- what Mesos says

    def offers(self, messages: Iterable[Json]) -> None:
        """Launch the drivers that wait, in their order, on the first offer that suits each."""
        offers = [Offer(message) for message in messages]
        launches: dict[str, list[Json]] = {}
        for driver in self._waiting():
            for offer in offers:
                task = self._launch(driver, offer)
                if task is not None:
                    launches.setdefault(offer.id, []).append(task)
                    break
            else:
                self.lacking = "; ".join(
                    f"{offer.hostname}: "
                    + (
                        unmet(offer, driver.constraints)
                        or f"cpus {offer.scalar('cpus'):g} of {driver.cores:g}, "
                        f"mem {offer.scalar('mem'):g} of {driver.mem_mb}"
                    )
                    for offer in offers
                )
        for offer in offers:
            tasks = launches.get(offer.id, [])
            self.answer_offer(offer.message, [{"type": "LAUNCH", "launch": {"task_infos": tasks}}] if tasks else [])
        self.look_for_work()

    def update(self, status: Json) -> None:
        """Follow the state of a driver."""
        task_id, state = status["task_id"]["value"], status["state"]
        driver = next((each for each in self.drivers.values() if each.task_id == task_id), None)
        if driver is None or driver.state != RUNNING:
            if state in LIVE:
                self.call("KILL", kill=asked(task_id, status.get("agent_id", {}).get("value", "")))
        elif state not in LIVE:
            self._over(driver, state, status.get("message", ""))
        self.acknowledge(status)

    def tick(self) -> None:
        """Time has passed."""
        self.keep_reconciled()
        for driver in self.drivers.values():
            if driver.is_killed and driver.state == RUNNING:
                self._kill(driver)
        self.look_for_work()

    # --- inside

    def _waiting(self) -> Iterable[DriverRun]:
        now_ms = self.clock.wall_ms()
        return (
            each
            for each in self.drivers.values()
            if each.state == QUEUED or (each.state == RETRYING and each.retry_at_ms <= now_ms)
        )

    def _launch(self, driver: DriverRun, offer: Offer) -> Json | None:
        too_small = offer.scalar("cpus") < driver.cores or offer.scalar("mem") < driver.mem_mb
        if too_small or unmet(offer, driver.constraints) is not None:
            return None
        cpus, memory = offer.take_scalar("cpus", driver.cores), offer.take_scalar("mem", driver.mem_mb)
        url = (offer.message.get("url") or {}).get("address") or {}
        driver.state = RUNNING
        driver.agent_id, driver.hostname = offer.agent_id, offer.hostname
        driver.agent_url = f"http://{url.get('ip') or url.get('hostname') or offer.hostname}:{url.get('port', 5051)}"
        self._store(driver)
        return {
            "name": f"Driver for {driver.submission.name or driver.submission.job}",
            "task_id": {"value": driver.task_id},
            "agent_id": {"value": offer.agent_id},
            "resources": [*(cpus or []), *(memory or [])],
            "command": self._command(driver),
            **labels(driver.labels),
        }

    def _over(self, driver: DriverRun, state: str, message: str) -> None:
        self._kill_again_ms.pop(driver.task_id, None)
        exited = _EXITED.search(message)
        driver.message = f"{state}: {message}" if message else state
        driver.exit_code = 0 if state == "TASK_FINISHED" else int(exited.group(1)) if exited else 1
        if driver.is_killed:
            driver.state = KILLED
        elif state == "TASK_FINISHED":
            driver.state = FINISHED
        elif driver.supervise or state in LOST:
            driver.state = RETRYING
            driver.retry_at_ms = self.clock.wall_ms() + min(RETRY_FIRST_MS * 2**driver.attempt, RETRY_LIMIT_MS)
            driver.attempt += 1
        else:
            driver.state = FAILED
        log.debug("%s: %s", driver.submission_id, driver.message)
        self._store(driver)
        self.ask_again()

    def _kill(self, driver: DriverRun) -> None:
        """Ask for its end, again after a while: a call to a master that fails over may be lost."""
        now_ms = self.clock.monotonic_ms()
        if now_ms >= self._kill_again_ms.get(driver.task_id, 0):
            self._kill_again_ms[driver.task_id] = now_ms + KILL_RETRY_MS
            self.call("KILL", kill=asked(driver.task_id, driver.agent_id))

    def _store(self, driver: DriverRun) -> None:
        self.effects.records[RECORD + driver.submission_id] = msgspec.json.encode(driver)

    def _forget_old(self) -> None:
        ended = [each for each in self.drivers.values() if each.is_over]
        for driver in ended[: max(0, len(ended) - RETAINED_LIMIT)]:
            del self.drivers[driver.submission_id]
            self.effects.records[RECORD + driver.submission_id] = None
