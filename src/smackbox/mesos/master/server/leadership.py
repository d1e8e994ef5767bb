"""Leadership: taking over from the store, the clock, storing pending changes, and stepping down.

Handlers are synchronous; the changes that they want stored are collected, written in one batch, and then take effect in
order. A master that loses its leadership closes all its streams and drops its state: its successor gets it from the
store, the agents and the frameworks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

import msgspec

from smackbox.base.errors import StorageError
from smackbox.election.state_store import Fenced, StateStore
from smackbox.mesos.master.handlers.context import MasterContext
from smackbox.mesos.master.state import offers, ticks
from smackbox.mesos.master.state.entities import EventSink
from smackbox.mesos.master.state.master import Master
from smackbox.mesos.master.state.registry import Commit, Registry

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import MasterInfo


TICK_S = 0.1
LOAD_RETRY_S = 1.0

log = logging.getLogger(__name__)


class Leadership:
    """`master` is that of the latest term, or one that has never led. `new_master` creates one for a term."""

    def __init__(
        self,
        context: MasterContext,
        store: StateStore,
        master: Master,
        new_master: Callable[[Registry], Master],
        weights: Mapping[str, float],
    ) -> None:
        self._context = context
        self._store = store
        self._latest = master
        self._new_master = new_master
        self._weights = weights
        self._recovery: asyncio.Task[None] | None = None
        self._committing: asyncio.Task[None] | None = None
        self._allocating: asyncio.Handle | None = None
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    # --- the election

    def leader_is(self, data: bytes | None) -> None:
        """The leader's MasterInfo as JSON; None without a leader."""
        try:
            self._context.leader = None if data is None else cast("MasterInfo", msgspec.json.decode(data, type=dict))
        except (msgspec.DecodeError, msgspec.ValidationError):
            log.warning("the leading master's node is not JSON")
            self._context.leader = None

    def elected(self) -> None:
        """This master leads: read the registry, then serve."""
        self._recovery = asyncio.get_running_loop().create_task(self.lead(), name="mesos-master-recovery")

    async def lead(self) -> None:
        """Take over from the previous leader: read everything in the store."""
        self._context.leads = True
        while True:
            try:
                registry = Registry.load(await self._store.load())
                break
            except StorageError as error:
                log.error("the registry cannot be read, trying again: %s", error)
                await asyncio.sleep(LOAD_RETRY_S)
        master = self._new_master(registry)
        master.succeed(self._latest)
        for role, weight in self._weights.items():
            master.allocator.set_weight(role, weight)
            master.registry.weights.setdefault(role, weight)
        ticks.begin_to_lead(master)
        self._latest = master
        self._context.master = master
        log.info("leading as %s with %d agents known", master.id, len(registry.agents))

    def lost(self) -> None:
        """Stop leading at once: fail pending changes, and close all streams."""
        self._context.leads = False
        master, self._context.master = self._context.master, None
        if self._recovery is not None:
            self._recovery.cancel()
        if master is None:
            return
        while master.commits:
            _fail(master.take_commits(), "This master no longer leads")
        sinks: list[EventSink | None] = [subscriber.sink for subscriber in master.subscribers.values()]
        sinks += [framework.sink for framework in master.frameworks.values()]
        sinks += [agent.sink for agent in master.agents.values()]
        for framework in master.frameworks.values():
            framework.sink = None
        for agent in master.agents.values():
            agent.sink = None
        for sink in sinks:
            if sink is not None:
                sink.close()

    async def stop(self) -> None:
        """Stop after `lost` and the end of all requests."""
        self._timer.cancel()
        for task in (self._recovery, self._committing):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    # --- the clock and the store

    def changed(self) -> None:
        """Store and allocate after anything that may have changed the master."""
        master = self._context.master
        if master is None:
            return
        loop = asyncio.get_running_loop()
        if master.commits and (self._committing is None or self._committing.done()):
            self._committing = loop.create_task(self._commit(), name="mesos-master-commit")
        if master.allocation_wanted and self._allocating is None:
            self._allocating = loop.call_soon(self._allocate)

    def _tick(self) -> None:
        if self._context.master is not None:
            ticks.tick(self._context.master)
            self._set_log_level(self._context.master)
            self.changed()
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _set_log_level(self, master: Master) -> None:
        """SET_LOGGING_LEVEL is temporary."""
        if self._context.log_level and self._context.log_level_until_ms <= master.now_ms:
            self._context.log_level = 0
        logging.getLogger("smackbox.mesos").setLevel(logging.DEBUG if self._context.log_level else logging.NOTSET)

    def _allocate(self) -> None:
        self._allocating = None
        if self._context.master is not None and self._context.master.allocation_wanted:
            offers.allocate(self._context.master)

    async def _commit(self) -> None:
        """Store the pending changes in one batch, then apply them."""
        while (master := self._context.master) is not None and master.commits:
            commits = master.take_commits()
            changes = {name: value for commit in commits for name, value in commit.changes.items()}
            try:
                await self._store.store(changes)
            except Fenced as error:
                log.error("%s", error)
                _fail(commits, str(error))
                if self._context.master is master:
                    self.lost()
                return
            except StorageError as error:
                log.error("the registry cannot be written: %s", error)
                _fail(commits, str(error))
                continue
            if self._context.master is not master:
                _fail(commits, "This master no longer leads")
                return
            for commit in commits:
                commit.then()
            self.changed()


def _fail(commits: list[Commit], reason: str) -> None:
    for commit in commits:
        commit.failed(reason)
