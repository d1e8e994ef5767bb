"""An actor's access to the actor system: children, death watch, timers, stash, futures.

Only the actor itself may call its methods, on the event loop; other code may use references only.
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
    """The context of one actor, for its whole life; each restart replaces the actor's instance."""

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
        """Stop a child, or this actor, after its current message."""

    @abstractmethod
    def stop_children(self) -> None: ...

    # -- death watch

    @abstractmethod
    def watch(self, ref: ActorRef[N]) -> ActorRef[N]:
        """Receive `Terminated` exactly once when that actor has terminated, even if it already has."""

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
        """Go back to the previous handler; if there is none, to `receive`."""

    # -- stash

    @abstractmethod
    def stash(self, capacity: int = STASH_CAPACITY) -> None:
        """Stash the current message, at most `capacity` in total. Raises `StashOverflowError`."""

    @abstractmethod
    def unstash_all(self) -> None:
        """Handle the stashed messages next, before those in the mailbox."""

    # -- time

    @property
    @abstractmethod
    def timers(self) -> Timers: ...

    @abstractmethod
    def set_receive_timeout(self, delay_s: float, message: M) -> None:
        """Receive `message` whenever no other message arrived for `delay_s`."""

    @abstractmethod
    def cancel_receive_timeout(self) -> None: ...

    def schedule_once(self, delay_s: float, ref: ActorRef[N], message: N) -> Cancellable:
        """Send `message` to `ref` after `delay_s`, even if this actor has terminated by then."""
        return self.system.dispatcher.call_later(delay_s, ref.tell, message)

    # -- futures

    def pipe_to_self(self, work: Awaitable[T], map_result: Callable[[T | None, BaseException | None], M]) -> None:
        """Run `work` beside this actor; `map_result` turns its result or failure into a message to this actor."""
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
        """A reference for another protocol, whose messages are adapted in this actor's turn."""

    async def run_blocking(self, work: Callable[..., T], *arguments: Any, pool: str = "blocking") -> T:
        """Run `work` on the thread pool of that name, and wait for it."""
        return await asyncio.get_running_loop().run_in_executor(self.system.pool(pool), work, *arguments)

    async def run_in_process(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run CPU-bound `work` on another core, and wait for it. It and `arguments` must be picklable."""
        return await asyncio.get_running_loop().run_in_executor(self.system.processes(), work, *arguments)


def check_stash(waiting: int, capacity: int) -> None:
    """Raises `StashOverflowError` if there is no room for one more."""
    if waiting >= capacity:
        raise StashOverflowError(
            f"{waiting} messages are stashed, and the stash holds {capacity}: unstash, or drop some"
        )


class _PathAdapter(logging.LoggerAdapter[logging.Logger]):
    def process(self, msg: Any, kwargs: Any) -> Any:
        assert self.extra is not None
        return f"[{self.extra['path']}] {msg}", kwargs


_log = logging.getLogger("smackbox.akka")
