"""One term of leadership: from the stored state to a running framework, and its end, after which it has no effects."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable
from typing import Any, Generic, Protocol, TypeVar

from smackbox.election.state_store import StateStore
from smackbox.mesos_framework.committer import Committer
from smackbox.mesos_framework.driver import Masters, SchedulerDriver
from smackbox.mesos_framework.effects import Effects
from smackbox.net.http import basic_authorization
from smackbox.net.http_client import HttpClient

Message = dict[str, Any]

TICK_S = 0.2
CAPABILITIES = ("PARTITION_AWARE", "TASK_KILLING_STATE", "MULTI_ROLE", "RESERVATION_REFINEMENT", "GPU_RESOURCES")


class Machine(Protocol):
    """A framework's state. The effects of its methods are collected in `effects`."""

    effects: Effects
    framework_id: str | None

    def load(self, records: dict[str, bytes]) -> None:
        """Load what a predecessor stored."""
        ...

    def subscribed(self, framework_id: str) -> None:
        """The master has accepted the subscription under this id."""
        ...

    def disconnected(self) -> None:
        """The event stream has ended."""
        ...

    def refused(self, message: str) -> None:
        """Mesos has ended the subscription for good, with this reason."""
        ...

    def offers(self, messages: Iterable[Message]) -> None:
        """Offers have arrived; each must be accepted or declined."""
        ...

    def update(self, status: Message) -> None:
        """The status of a task has changed; acknowledge it if it has a uuid."""
        ...

    def tick(self) -> None:
        """Do the work that is due."""
        ...


M = TypeVar("M", bound=Machine)


class Term(Generic[M]):
    """The scheduler that the driver talks to, and the owner of everything that runs while this process leads.

    `new_machine` creates the state machine for the driver. `info` are the fields of FrameworkInfo besides id and
    capabilities. `credentials` are principal and secret, `tls` verifies the masters' certificates. `fenced` is called
    when another process has taken over.
    """

    def __init__(
        self,
        store: StateStore,
        masters: Masters,
        new_machine: Callable[[SchedulerDriver], M],
        records: dict[str, bytes],
        info: Message,
        credentials: tuple[str, str] | None,
        fenced: Callable[[], None],
        client: HttpClient,
    ) -> None:
        self._info = info
        self._client = client
        headers = {"Authorization": basic_authorization(*credentials)} if credentials is not None else {}
        self.driver = SchedulerDriver(masters, self, client, headers)
        self.machine = new_machine(self.driver)
        self.machine.load(records)
        self.on_tick: Callable[[], None] = _nothing
        self.fenced = fenced
        self._committer = Committer(store, self._take, fenced)
        self.decided()
        self._tasks = [asyncio.create_task(self.driver.run()), asyncio.create_task(self._tick())]

    @classmethod
    async def begin(
        cls,
        store: StateStore,
        masters: Masters,
        new_machine: Callable[[SchedulerDriver], M],
        info: Message,
        credentials: tuple[str, str] | None,
        fenced: Callable[[], None],
        tls: ssl.SSLContext | None = None,
    ) -> Term[M]:
        """Load the stored state, and continue from there. Raises `StorageError`."""
        records = await store.load()
        client = HttpClient(tls=tls)
        try:
            return cls(store, masters, new_machine, records, info, credentials, fenced, client)
        except BaseException:
            await client.close()
            raise

    async def end(self) -> None:
        """Stop the driver and the timers, and finish storing pending effects."""
        try:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._committer.stop()
        finally:
            await self._client.close()

    def decided(self) -> None:
        """The machine has handled a request: commit its effects."""
        if self.machine.effects:
            self._committer.wake()

    async def committed(self) -> None:
        """Wait until all effects so far are stored. Raises `StorageError` when the term ends before."""
        await self._committer.committed()

    # --- the driver's callbacks

    def framework_info(self) -> Message:
        """The `FrameworkInfo` to subscribe with, with the id once it is known."""
        info = {**self._info, "checkpoint": True, "capabilities": [{"type": capability} for capability in CAPABILITIES]}
        if self.machine.framework_id is not None:
            info["id"] = {"value": self.machine.framework_id}
        return info

    def event(self, event: Message) -> None:
        """Pass one event of the stream to the machine."""
        kind = event.get("type")
        if kind == "SUBSCRIBED":
            self.machine.subscribed(event["subscribed"]["framework_id"]["value"])
        elif kind == "OFFERS":
            self.machine.offers(event["offers"]["offers"])
        elif kind == "UPDATE":
            self.machine.update(event["update"]["status"])
        elif kind == "ERROR":
            self.machine.refused(event["error"]["message"])
        self.decided()

    def disconnected(self) -> None:
        """The event stream has ended."""
        self.machine.disconnected()

    # --- inside

    def _take(self) -> Effects:
        effects, self.machine.effects = self.machine.effects, Effects()
        return effects

    async def _tick(self) -> None:
        while True:
            self.machine.tick()
            self.on_tick()
            self.decided()
            await asyncio.sleep(TICK_S)


def _nothing() -> None:
    pass
