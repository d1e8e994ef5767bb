"""References to actors. A reference may be kept, sent and compared; it outlives its actor.

`tell` never raises, never blocks, and works from any thread. An undeliverable message goes to dead letters.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from smackbox.akka.actor.dispatcher import Dispatcher
from smackbox.akka.actor.errors import AskTimeoutError
from smackbox.akka.actor.path import ActorPath, Address

M_contra = TypeVar("M_contra", contravariant=True)
R = TypeVar("R")


class RefSystem(Protocol):
    """An actor system, as its references see it."""

    address: Address
    dispatcher: Dispatcher

    def next_uid(self) -> int:
        """A number that has not been used before."""
        ...

    @property
    def dead_letter(self) -> Callable[[Any, ActorRef[Any], str], None]:
        """`dead_letter(item, recipient, reason)`: `item`, as it lies in a mailbox, reaches nobody."""
        ...


class ActorRef(Generic[M_contra]):
    """A reference to an actor that accepts messages of type M."""

    __slots__ = ()

    @property
    @abstractmethod
    def path(self) -> ActorPath: ...

    @property
    @abstractmethod
    def system(self) -> RefSystem: ...

    @abstractmethod
    def tell(self, message: M_contra, sender: ActorRef[Any] | None = None) -> None:
        """Send, at most once. Messages of one sender to one recipient keep their order."""

    async def offer(self, message: M_contra, sender: ActorRef[Any] | None = None) -> None:
        """Send, and wait first while the recipient's bounded mailbox is full."""
        self.tell(message, sender)

    async def ask(self, make: Callable[[ActorRef[R]], M_contra], timeout_s: float) -> R:
        """Send the message that `make` makes of a reference for the reply, and wait for the reply.

        Raises `AskTimeoutError` when none comes in time or the recipient has terminated, and the exception of the
        recipient's handler when that fails.
        """
        promise: PromiseRef[R] = PromiseRef(self.system, self.path, timeout_s)
        self.tell(make(promise), promise)
        return await promise.future

    async def request(self, message: M_contra, timeout_s: float) -> Any:
        """As `ask`, for a recipient that replies to the sender of a message (`context.sender`)."""
        promise: PromiseRef[Any] = PromiseRef(self.system, self.path, timeout_s)
        self.tell(message, promise)
        return await promise.future

    def forward(self, message: M_contra, context: Any) -> None:
        """Send on a message with the sender that it came from."""
        self.tell(message, context.sender)

    def _watched_by(self, watcher: ActorRef[Any]) -> None:
        """Notify `watcher` when this actor terminates; at once if it already has."""
        watcher._hear_death(self, None)

    def _unwatched_by(self, watcher: ActorRef[Any]) -> None: ...

    def _hear_death(self, ref: ActorRef[Any], cause: BaseException | None) -> None:
        """This actor watched `ref`, which has terminated."""

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, ActorRef) and self.path == other.path)

    def __hash__(self) -> int:
        return hash(self.path)

    def __repr__(self) -> str:
        return f"ActorRef({self.path})"


class Envelope:
    """A message with its sender."""

    __slots__ = ("message", "sender")

    def __init__(self, message: Any, sender: ActorRef[Any]) -> None:
        self.message = message
        self.sender = sender


class PromiseRef(ActorRef[R]):
    """Takes one reply. `future` gets it, or `AskTimeoutError`, or the exception of the recipient."""

    __slots__ = ("_number", "_system", "_target", "_timer", "future")

    def __init__(self, system: RefSystem, target: ActorPath | None, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        self.future: asyncio.Future[R] = loop.create_future()
        self._number = 0
        self._system = system
        self._target = target
        self._timer = loop.call_later(timeout_s, self._expire, timeout_s)
        self.future.add_done_callback(self._done)

    @property
    def path(self) -> ActorPath:
        if not self._number:  # a late reply must not reach another promise
            self._number = self._system.next_uid()
        return ActorPath(self._system.address, ("temp", f"${self._number:x}"))

    @property
    def system(self) -> RefSystem:
        return self._system

    def tell(self, message: R, sender: ActorRef[Any] | None = None) -> None:
        self._system.dispatcher.on_loop(self._complete, message, sender)

    def fail(self, error: BaseException) -> None:
        """The recipient failed or has terminated: the asker gets `error`."""
        self._system.dispatcher.on_loop(self._fail, error)

    def _complete(self, message: R, sender: ActorRef[Any] | None) -> None:
        if self.future.done():
            item = message if sender is None else Envelope(message, sender)
            self._system.dead_letter(item, self, "the reply came too late")
        else:
            self.future.set_result(message)

    def _fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)

    def _expire(self, timeout_s: float) -> None:
        if not self.future.done():
            self.future.set_exception(AskTimeoutError(f"{self._target} did not reply within {timeout_s} s"))

    def _done(self, future: asyncio.Future[R]) -> None:
        self._timer.cancel()

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other
