"""One life of a persistent actor, from a start or restart to the next one.

While it recovers or writes its cell is held: commands wait in the mailbox, at most `stash_capacity` of them; more are
dead letters, as Pekko drops what overflows its internal stash.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from smackbox.akka.actor.actor import UNHANDLED
from smackbox.akka.actor.behaviors import SAME, UNHANDLED_BEHAVIOR, Behavior, Behaviors, Receive
from smackbox.akka.actor.cell_state import SignalItem
from smackbox.akka.actor.errors import StashOverflowError
from smackbox.akka.actor.messages import Signal, Terminated
from smackbox.akka.persistence.effect import Effect, Kind
from smackbox.akka.persistence.errors import JournalFailureError
from smackbox.akka.persistence.extension import Persistence
from smackbox.akka.persistence.signals import RecoveryCompleted, RecoveryFailed

if TYPE_CHECKING:
    from smackbox.akka.actor.cell import Cell
    from smackbox.akka.actor.context import ActorContext

C = TypeVar("C")
S = TypeVar("S")

log = logging.getLogger("smackbox.akka")


class PersistentLife(ABC, Generic[C, S]):
    """What event-sourced actors and those with a durable state have in common."""

    def __init__(
        self,
        context: ActorContext[C],
        id_: str,
        empty_state: S,
        on_command: Callable[[S, C], Effect[Any, S]],
        on_signal: Callable[[S, Signal], Any] | None,
    ) -> None:
        self._cell = cast("Cell[C]", context)
        self._id = id_
        self._persistence = Persistence.of(context.system)
        self._on_command = on_command
        self._on_signal = on_signal
        self._mailbox_capacity = self._cell.props.mailbox.capacity
        self.state = empty_state

    # -- recovery

    @abstractmethod
    async def _recover(self) -> None:
        """Read the stored state."""

    @abstractmethod
    def _recovered_up_to(self) -> str: ...

    def begin(self) -> Behavior[C]:
        """Start the recovery; commands wait for its end."""
        self._wait(self._recover(), self._recovered)
        return Receive(self._receive, self._receive_signal)

    def _recovered(self, error: BaseException | None) -> Any:
        if error is None:
            self._signal(RecoveryCompleted())
            return
        try:
            self._signal(RecoveryFailed(error))
        except Exception as failure:
            log.exception("[%s] failed on RecoveryFailed", self._cell.path, exc_info=failure)
        raise JournalFailureError(
            f"{self._id} could not be recovered; {self._recovered_up_to()} was the last: {error!r}"
        ) from error

    # -- commands

    @abstractmethod
    def _persist(self, effect: Effect[Any, S]) -> Any:
        """Store what the effect has."""

    def _receive(self, _context: ActorContext[C], command: C) -> Any:
        effect = self._on_command(self.state, command)
        if type(effect) is not Effect:
            raise TypeError(f"a command handler must return an Effect, not {effect!r}; Effect.none() does nothing")
        kind = effect.kind
        if kind is Kind.PERSIST or kind is Kind.DELETE:
            return self._persist(effect)
        if kind is Kind.STASH:
            self._stash()
        result = self._finish(effect)
        return UNHANDLED_BEHAVIOR if kind is Kind.UNHANDLED and result is SAME else result

    def _stash(self) -> None:
        settings = self._persistence.settings
        try:
            self._cell.stash(settings.stash_capacity)
        except StashOverflowError as error:
            if settings.stash_overflow_fails:
                raise
            self._cell.system.dead_letter(self._cell._item, self._cell.ref, str(error))

    def _finish(self, effect: Effect[Any, S]) -> Any:
        if effect.after is not None:
            for call in effect.after:
                call(self.state)
        if effect.unstashes:
            self._cell.unstash_all()
        return Behaviors.stopped() if effect.stops else SAME

    # -- signals

    def _receive_signal(self, _context: ActorContext[C], signal: Signal) -> Any:
        result = UNHANDLED if self._on_signal is None else self._on_signal(self.state, signal)
        return UNHANDLED_BEHAVIOR if result is UNHANDLED and isinstance(signal, Terminated) else SAME

    def _signal(self, signal: Signal) -> None:
        if self._on_signal is not None:
            self._on_signal(self.state, signal)

    def _tell(self, signal: Signal) -> None:
        """In the actor's turn, where it is still there."""
        self._cell._put(SignalItem(signal))

    # -- waiting

    def _hold(self, work: Any) -> None:
        self._cell.hold(work)
        if self._mailbox_capacity is None:
            self._cell.capacity = self._persistence.settings.stash_capacity

    def _free(self) -> None:
        self._cell.capacity = self._mailbox_capacity

    def _wait(self, work: Coroutine[Any, Any, Any], then: Callable[[BaseException | None], Any]) -> None:
        """Hold the cell until `work` is done, then call `then` in its turn."""
        task = asyncio.ensure_future(work)
        self._cell.system.keep(task)
        self._hold(task)

        def finish(error: BaseException | None) -> Any:
            self._free()
            return then(error)

        def done(finished: asyncio.Future[Any]) -> None:
            error = asyncio.CancelledError() if finished.cancelled() else finished.exception()
            self._cell.release(task, lambda: finish(error))

        task.add_done_callback(done)
