"""What an actor may ask of its place in the system: children, death watch, timers, stash, futures.

Its methods are for the actor itself, on the event loop; from elsewhere only references may be used.
"""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

from smackbox.akka.actor.dispatcher import Cancellable
from smackbox.akka.actor.errors import StashOverflowError
from smackbox.akka.actor.local_ref import LocalRef
from smackbox.akka.actor.path import ActorPath
from smackbox.akka.actor.recipe import Spawnable
from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.actor.system import ActorSystem
from smackbox.akka.actor.timers import Timers

M = TypeVar("M")
N = TypeVar("N")
T = TypeVar("T")

STASH_CAPACITY = 1_000


class ActorContext(Generic[M]):
    """Of one actor, for as long as it lives; its instances come and go with restarts."""

    __slots__ = ()

    system: ActorSystem
    sender: ActorRef[Any]
    """Of the message that is being handled; dead letters where it has none."""

    @property
    @abstractmethod
    def ref(self) -> LocalRef[M]:
        """This actor."""

    @property
    @abstractmethod
    def path(self) -> ActorPath: ...

    @property
    @abstractmethod
    def parent(self) -> ActorRef[Any]: ...

    @property
    @abstractmethod
    def children(self) -> Mapping[str, ActorRef[Any]]: ...

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose lines carry the actor's path."""
        return _PathAdapter(_log, {"path": self.path})

    # -- children

    @abstractmethod
    def spawn(self, what: Spawnable[N], name: str | None = None) -> LocalRef[N]:
        """Start a child. Raises `InvalidNameError` for a name that is taken or invalid."""

    def actor_of(self, what: Spawnable[N], name: str | None = None) -> LocalRef[N]:
        """As `spawn`."""
        return self.spawn(what, name)

    @abstractmethod
    def stop(self, ref: ActorRef[Any] | None = None) -> None:
        """Stop a child, or this actor, after the message that it is handling."""

    @abstractmethod
    def stop_children(self) -> None: ...

    # -- death watch

    @abstractmethod
    def watch(self, ref: ActorRef[N]) -> ActorRef[N]:
        """Hear `Terminated` when that actor is gone: exactly once, also where it is gone already."""

    @abstractmethod
    def watch_with(self, ref: ActorRef[Any], message: M) -> None:
        """As `watch`, but get `message` instead of the signal."""

    @abstractmethod
    def unwatch(self, ref: ActorRef[Any]) -> None:
        """Stop watching it, even if a `Terminated` waits in the mailbox."""

    # -- behavior

    @abstractmethod
    def become(self, handler: Callable[[M], Any], *, discard_old: bool = True) -> None:
        """Handle messages with `handler`; without `discard_old` until `unbecome`."""

    @abstractmethod
    def unbecome(self) -> None:
        """Go back to the handler before; with none left to `receive`."""

    # -- stash

    @abstractmethod
    def stash(self, capacity: int = STASH_CAPACITY) -> None:
        """Put the message that is being handled aside, with at most `capacity` in all. Raises `StashOverflowError`."""

    @abstractmethod
    def unstash_all(self) -> None:
        """Handle what is put aside next, before what waits in the mailbox."""

    # -- time

    @property
    @abstractmethod
    def timers(self) -> Timers: ...

    @abstractmethod
    def set_receive_timeout(self, delay_s: float, message: M) -> None:
        """Get `message` whenever no other one came for `delay_s`."""

    @abstractmethod
    def cancel_receive_timeout(self) -> None: ...

    def schedule_once(self, delay_s: float, ref: ActorRef[N], message: N) -> Cancellable:
        """Send `message` to `ref` after `delay_s`, also when this actor is gone by then."""
        return self.system.dispatcher.call_later(delay_s, ref.tell, message)

    # -- futures

    def pipe_to_self(self, work: Awaitable[T], map_result: Callable[[T | None, BaseException | None], M]) -> None:
        """Do `work` beside this actor; what `map_result` makes of its result or its failure comes as a message."""
        future = asyncio.ensure_future(work)
        ref = self.ref

        def done(finished: asyncio.Future[T]) -> None:
            if finished.cancelled():
                ref.tell(map_result(None, asyncio.CancelledError()))
                return
            error = finished.exception()
            ref.tell(map_result(None, error) if error is not None else map_result(finished.result(), None))

        self.system.keep(future)
        future.add_done_callback(done)

    @abstractmethod
    def message_adapter(self, adapt: Callable[[N], M]) -> ActorRef[N]:
        """A reference for the protocol of another actor: what it takes is adapted in this actor's turn."""

    async def run_blocking(self, work: Callable[..., T], *arguments: Any, pool: str = "blocking") -> T:
        """Run `work` on the pool of threads of that name, and wait for it."""
        return await asyncio.get_running_loop().run_in_executor(self.system.pool(pool), work, *arguments)

    async def run_in_process(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run `work`, which computes, on another core; it and `arguments` must be picklable. Waits for it."""
        return await asyncio.get_running_loop().run_in_executor(self.system.processes(), work, *arguments)


def check_stash(waiting: int, capacity: int) -> None:
    """Raises `StashOverflowError` where one more has no room."""
    if waiting >= capacity:
        raise StashOverflowError(
            f"{waiting} messages are stashed, and the stash holds {capacity}: unstash, or drop some"
        )


class _PathAdapter(logging.LoggerAdapter[logging.Logger]):
    def process(self, msg: Any, kwargs: Any) -> Any:
        assert self.extra is not None
        return f"[{self.extra['path']}] {msg}", kwargs


_log = logging.getLogger("smackbox.akka")
