"""References to actors of this process, and references without an actor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from smackbox.akka.actor.path import ActorPath
from smackbox.akka.actor.ref import ActorRef, Envelope, RefSystem

M_contra = TypeVar("M_contra", contravariant=True)
N = TypeVar("N")

TERMINATED = "the recipient has terminated"
FULL = "the recipient's mailbox is full"


class LocalActor(Protocol):
    """An actor of this process, as references and the parts of the system see it."""

    box: Any
    capacity: int | None
    queued: bool
    state: int
    uid: int

    @property
    def system(self) -> RefSystem: ...

    @property
    def path(self) -> ActorPath: ...

    @property
    def ref(self) -> LocalRef[Any]: ...

    @property
    def parent_cell(self) -> Any: ...

    @property
    def children(self) -> Mapping[str, ActorRef[Any]]: ...

    def _cells(self) -> tuple[LocalActor, ...]: ...

    def child(self, name: str) -> LocalActor | None: ...

    def open_box(self) -> Any: ...

    def queue(self) -> None: ...

    def room(self) -> asyncio.Future[None]: ...

    def command(self, call: Callable[..., None], *arguments: Any) -> None: ...

    def spawn(self, what: Any, name: str | None = None) -> LocalRef[Any]: ...

    def watch(self, ref: ActorRef[N]) -> ActorRef[N]: ...

    def watch_with(self, ref: ActorRef[Any], message: Any) -> None: ...

    def add_watcher(self, watcher: ActorRef[Any]) -> None: ...

    def remove_watcher(self, watcher: ActorRef[Any]) -> None: ...

    def _hear_death(self, ref: ActorRef[Any], cause: BaseException | None) -> None: ...

    def _stop(self) -> None: ...


class LocalRef(ActorRef[M_contra]):
    """An actor in this process."""

    __slots__ = ("_cell",)

    def __init__(self, cell: LocalActor) -> None:
        self._cell = cell

    @property
    def path(self) -> ActorPath:
        return self._cell.path

    @property
    def system(self) -> RefSystem:
        return self._cell.system

    @property
    def cell(self) -> LocalActor:
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


class DeadLetterRef(ActorRef[Any]):
    """A reference without an actor: stands for a missing recipient or sender."""

    __slots__ = ("_path", "_system")

    def __init__(self, system: RefSystem, path: ActorPath | None = None) -> None:
        self._system = system
        self._path = path or ActorPath(system.address, ("deadLetters",))

    @property
    def path(self) -> ActorPath:
        return self._path

    @property
    def system(self) -> RefSystem:
        return self._system

    def tell(self, message: Any, sender: ActorRef[Any] | None = None) -> None:
        item = message if sender is None else Envelope(message, sender)
        self._system.dead_letter(item, self, "there is no such actor")


class DeadBox:
    """The mailbox of a terminated actor: each message becomes a dead letter at once."""

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
