"""Terms of leadership, one after another: each begins with an election and ends with the loss of leadership."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Generic

from smackbox.base.errors import StorageError
from smackbox.election.state_store import StateStore
from smackbox.mesos_framework.driver import Masters, SchedulerDriver
from smackbox.mesos_framework.framework import EndTerm, nothing
from smackbox.mesos_framework.term import M, Message, Term

TERM_RETRY_S = 1.0

log = logging.getLogger(__name__)


class Leadership(Generic[M]):
    """`term` is the current one if this process leads; `led` is set once there was one.

    `leader` is the advertised URL of the leader. `info` and `credentials` are those of `Term`. `begin_term` starts what
    runs besides a term and returns the function that stops it. `resign` withdraws from the election.
    """

    def __init__(
        self,
        store: StateStore,
        masters: Masters,
        new_machine: Callable[[SchedulerDriver], M],
        begin_term: Callable[[Term[M]], EndTerm],
        info: Message,
        credentials: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        resign: Callable[[], None] = lambda: None,
    ) -> None:
        self.term: Term[M] | None = None
        self.leader: str | None = None
        self.led = asyncio.Event()
        self.leads = False
        self._store = store
        self._masters = masters
        self._new_machine = new_machine
        self._begin_term = begin_term
        self._info = info
        self._credentials = credentials
        self._tls = tls
        self._resign = resign
        self._losses = 0
        """How many times leadership was lost: a term's loaded state is valid only while this does not change."""
        self._term_losses = 0
        self._end_term: EndTerm = nothing
        self._changed = asyncio.Event()
        self._life = asyncio.create_task(self._live())

    def elected(self) -> None:
        """This process is now the leader."""
        self.leads = True
        self._changed.set()

    def lost(self) -> None:
        """It is no longer the leader; stop what it started as the leader."""
        self.leads = False
        self._losses += 1
        self._changed.set()

    def leader_is(self, data: bytes | None) -> None:
        """The content of the leader's election node; None without a leader."""
        self.leader = None if data is None else data.decode()

    async def stop(self) -> None:
        """Stop the current term and leave the election."""
        self._life.cancel()
        await asyncio.gather(self._life, return_exceptions=True)
        await self._end()

    async def _live(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            if not self.leads or self._losses != self._term_losses:
                await self._end()
            if self.leads and self.term is None:
                await self._begin()

    async def _begin(self) -> None:
        losses = self._term_losses = self._losses

        def fenced() -> None:
            if losses == self._losses:
                self.lost()
                self._resign()

        term = await self._load(fenced)
        if term is None or losses != self._losses:
            if term is not None:
                await term.end()
            self._changed.set()
            return
        self._end_term = self._begin_term(term)
        self.term = term
        self.led.set()
        log.info("leading as %s", self._info["webui_url"])

    async def _load(self, fenced: Callable[[], None]) -> Term[M] | None:
        """A term that has loaded the stored state; None, after a delay, if that failed."""
        try:
            return await Term.begin(
                self._store, self._masters, self._new_machine, self._info, self._credentials, fenced, self._tls
            )
        except StorageError as error:
            log.error("cannot take over the state: %s", error)
        except Exception:
            log.exception("cannot go on from the stored state")
        await asyncio.sleep(TERM_RETRY_S)
        return None

    async def _end(self) -> None:
        term, self.term = self.term, None
        if term is not None:
            await self._end_term()
            await term.end()
