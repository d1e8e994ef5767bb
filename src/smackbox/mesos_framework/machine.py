"""What the state machines of all frameworks share: the subscription, the demand for offers, and the reconciliation of
tasks.

Plain and synchronous. The effects of an input are collected in `effects`: records to store, then calls to Mesos. The
machine's owner commits them after each input.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import Any, Protocol

from smackbox.base.clock import Clock
from smackbox.mesos_framework.effects import Effects

Json = dict[str, Any]

FRAMEWORK_RECORD = "framework:"
RECONCILE_INTERVAL_MS = 600_000
RECONCILE_AGAIN_MS = 15_000
"""After a subscription: agents that have reconnected to a new master by then can be reconciled."""

REVIVE_INTERVAL_MS = 100
KILL_RETRY_MS = 10_000
DECLINE_S = 120.0

log = logging.getLogger(__name__)


class Mesos(Protocol):
    """The calls of the scheduler API, as implemented by the driver."""

    def call(self, kind: str, **fields: Any) -> None:
        """Send a scheduler call of that type with these fields."""
        ...

    def acknowledge(self, status: Json) -> None:
        """Acknowledge a status update that has a uuid."""
        ...


class FrameworkMachine(ABC):
    """What the state machines of all frameworks share: their id, and effects that wait until state is stored."""

    def __init__(self, clock: Clock, mesos: Mesos) -> None:
        self.clock = clock
        self.effects = Effects()
        self.framework_id: str | None = None
        self.decline_s = DECLINE_S
        self._mesos = mesos
        self._subscribed = False
        self._suppressed = False
        self._revive_wanted = False
        self._revived_ms = -REVIVE_INTERVAL_MS
        self._reconciled_ms = 0
        self._reconcile_at_ms: int | None = None

    @abstractmethod
    def wants_offers(self) -> bool:
        """Whether something waits for an offer."""

    @abstractmethod
    def known_tasks(self) -> list[Json]:
        """The task and agent of every task that Mesos may have, in the form of RECONCILE."""

    # --- actions after storing

    def call(self, kind: str, **fields: Any) -> None:
        """Send that scheduler call once the records of this step are stored."""
        self.effects.actions.append(lambda: self._mesos.call(kind, **fields))

    def acknowledge(self, status: Json) -> None:
        """Acknowledge this status once the records of this step are stored."""
        self.effects.actions.append(lambda: self._mesos.acknowledge(status))

    def answer_offer(self, offer: Json, operations: list[Json]) -> None:
        """Accept an offer with these operations, or decline it if there are none."""
        offer_ids = [offer["id"]]
        if operations:
            filters = {"refuse_seconds": 0.0 if self.wants_offers() else self.decline_s}
            self.call("ACCEPT", accept={"offer_ids": offer_ids, "operations": operations, "filters": filters})
        else:
            self.call("DECLINE", decline={"offer_ids": offer_ids, "filters": {"refuse_seconds": self.decline_s}})

    # --- the subscription

    def subscribed(self, framework_id: str) -> None:
        """The master has accepted the subscription; a new id is stored."""
        if self.framework_id != framework_id:
            self.framework_id = framework_id
            self.effects.records[FRAMEWORK_RECORD] = framework_id.encode()
        self._subscribed = True
        self._suppressed = False
        self._reconcile()
        self._reconcile_at_ms = self.clock.monotonic_ms() + RECONCILE_AGAIN_MS
        self.ask_again()

    def disconnected(self) -> None:
        """The event stream has ended: send nothing until the next subscription."""
        self._subscribed = False

    def refused(self, message: str) -> None:
        """Mesos has ended this subscription for good. A removed framework subscribes again, under a new id."""
        log.error("Mesos: %s", message)
        if "removed" in message or "completed" in message.lower():
            self.framework_id = None
            self.effects.records[FRAMEWORK_RECORD] = None

    # --- offers and reconciliation

    def ask_again(self) -> None:
        """Something has become launchable: clear the filters on offers."""
        self._revive_wanted = True
        self.look_for_work()

    def look_for_work(self) -> None:
        """Ask for offers while something waits for one, and suppress them otherwise."""
        if not self._subscribed:
            return
        if self.wants_offers():
            now_ms = self.clock.monotonic_ms()
            overdue = now_ms - self._revived_ms >= REVIVE_INTERVAL_MS
            if self._suppressed or (self._revive_wanted and overdue):
                self._revive_wanted = self._suppressed = False
                self._revived_ms = now_ms
                self.call("REVIVE")
        elif not self._suppressed:
            self._suppressed = True
            self.call("SUPPRESS")

    def keep_reconciled(self) -> None:
        """Reconcile all tasks when it is due; called at every tick."""
        if not self._subscribed:
            return
        now_ms = self.clock.monotonic_ms()
        again = self._reconcile_at_ms is not None and now_ms >= self._reconcile_at_ms
        if again or now_ms - self._reconciled_ms >= RECONCILE_INTERVAL_MS:
            self._reconcile_at_ms = None
            self._reconcile()

    def _reconcile(self) -> None:
        """Reconcile every task that should exist (explicit), then all that do (implicit)."""
        self._reconciled_ms = self.clock.monotonic_ms()
        if tasks := self.known_tasks():
            self.call("RECONCILE", reconcile={"tasks": tasks})
        self.call("RECONCILE", reconcile={"tasks": []})


def asked(task_id: str, agent_id: str) -> Json:
    """A task in the form of RECONCILE and KILL."""
    task: Json = {"task_id": {"value": task_id}}
    return {**task, "agent_id": {"value": agent_id}} if agent_id else task
