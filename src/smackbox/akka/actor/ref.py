"""How an actor is reached. A reference may be kept, sent and compared; it outlives its actor, and then leads nowhere.

`tell` never raises, never blocks, and works from any thread. What reaches nobody goes to dead letters.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from smackbox.akka.actor.mailbox import Envelope
from smackbox.akka.actor.messages import AskTimeoutError, DeadLetter
from smackbox.akka.actor.path import ActorPath

if TYPE_CHECKING:
    from smackbox.akka.actor.cell import Cell
    from smackbox.akka.actor.system import ActorSystem

M_contra = TypeVar("M_contra", contravariant=True)
R = TypeVar("R")

TERMINATED = "the recipient has terminated"
FULL = "the recipient's mailbox is full"


class ActorRef(Generic[M_contra]):
    """A reference to an actor that takes messages of type M."""

    __slots__ = ()

    @property
    @abstractmethod
    def path(self) -> ActorPath: ...

    @property
    @abstractmethod
    def system(self) -> ActorSystem: ...

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
        """`watcher` is to hear when this actor is gone. A reference that leads nowhere says so at once."""
        watcher._hear_death(self, None)

    def _unwatched_by(self, watcher: ActorRef[Any]) -> None: ...

    def _hear_death(self, ref: ActorRef[Any], cause: BaseException | None) -> None:
        """This actor watched `ref`, which is gone."""

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, ActorRef) and self.path == other.path)

    def __hash__(self) -> int:
        return hash(self.path)

    def __repr__(self) -> str:
        return f"ActorRef({self.path})"


class LocalRef(ActorRef[M_contra]):
    """An actor in this process."""

    __slots__ = ("_cell",)

    def __init__(self, cell: Cell[Any]) -> None:
        self._cell = cell

    @property
    def path(self) -> ActorPath:
        return self._cell.path

    @property
    def system(self) -> ActorSystem:
        return self._cell.system

    @property
    def cell(self) -> Cell[Any]:
        """For the parts of the actor system, not for users."""
        return self._cell

    def tell(self, message: M_contra, sender: ActorRef[Any] | None = None) -> None:
        cell = self._cell
        item: Any = message if sender is None else Envelope(message, sender)
        box = cell.box
        if box is None:
            box = cell.open_box()
        if cell.capacity is not None and len(box) >= cell.capacity:
            cell.system.dead_letter(item, self, FULL)
            return
        box.append(item)
        if not cell.queued:
            cell.queue()

    async def offer(self, message: M_contra, sender: ActorRef[Any] | None = None) -> None:
        cell = self._cell
        while cell.capacity is not None and cell.box is not None and len(cell.box) >= cell.capacity:
            await cell.room()
        self.tell(message, sender)

    def _watched_by(self, watcher: ActorRef[Any]) -> None:
        self._cell.add_watcher(watcher)

    def _unwatched_by(self, watcher: ActorRef[Any]) -> None:
        self._cell.remove_watcher(watcher)

    def _hear_death(self, ref: ActorRef[Any], cause: BaseException | None) -> None:
        self._cell.command(self._cell._hear_death, ref, cause)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, LocalRef):
            return self._cell is other._cell
        return ActorRef.__eq__(self, other)

    def __hash__(self) -> int:
        return hash(self.path)


class PromiseRef(ActorRef[R]):
    """Takes one reply. `future` gets it, or `AskTimeoutError`, or the exception of the recipient."""

    __slots__ = ("_number", "_system", "_target", "_timer", "future")

    def __init__(self, system: ActorSystem, target: ActorPath | None, timeout_s: float) -> None:
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
    def system(self) -> ActorSystem:
        return self._system

    def tell(self, message: R, sender: ActorRef[Any] | None = None) -> None:
        self._system.dispatcher.on_loop(self._complete, message, sender)

    def fail(self, error: BaseException) -> None:
        """The recipient failed, or is gone: the asker gets `error`."""
        self._system.dispatcher.on_loop(self._fail, error)

    def _complete(self, message: R, sender: ActorRef[Any] | None) -> None:
        if self.future.done():
            self._system.events.publish(DeadLetter(message, sender, str(self.path), "the reply came too late"))
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


class DeadLetterRef(ActorRef[Any]):
    """Leads nowhere: the recipient of what has none, and the sender of what has none."""

    __slots__ = ("_path", "_system")

    def __init__(self, system: ActorSystem, path: ActorPath | None = None) -> None:
        self._system = system
        self._path = path or ActorPath(system.address, ("deadLetters",))

    @property
    def path(self) -> ActorPath:
        return self._path

    @property
    def system(self) -> ActorSystem:
        return self._system

    def tell(self, message: Any, sender: ActorRef[Any] | None = None) -> None:
        item = message if sender is None else Envelope(message, sender)
        self._system.dead_letter(item, self, "there is no such actor")


class DeadBox:
    """The mailbox of an actor that has terminated: what comes is a dead letter at once."""

    __slots__ = ("_ref",)

    def __init__(self, ref: ActorRef[Any]) -> None:
        self._ref = ref

    def append(self, item: Any) -> None:
        self._ref.system.dead_letter(item, self._ref, TERMINATED)

    appendleft = append

    def popleft(self) -> Any:
        raise IndexError("nothing waits for an actor that has terminated")

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Any:
        return iter(())
