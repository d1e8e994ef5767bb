"""The state of a cell, used by all of its parts: mailbox, commands, children, timers, stash."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from smackbox.akka.actor.context import STASH_CAPACITY, ActorContext, check_stash
from smackbox.akka.actor.dispatcher import Cancellable
from smackbox.akka.actor.local_ref import LocalRef
from smackbox.akka.actor.messages import (
    DeathPactError,
    Identify,
    Kill,
    PoisonPill,
    Signal,
    Terminated,
    UnhandledMessage,
)
from smackbox.akka.actor.path import ActorPath
from smackbox.akka.actor.props import Props
from smackbox.akka.actor.ref import ActorRef, Envelope
from smackbox.akka.actor.supervision import Directive, RestartCount
from smackbox.akka.actor.system import ActorSystem
from smackbox.akka.actor.timers import TimerItem, Timers

M = TypeVar("M")

NEW, RUNNING, RESTARTING, STOPPING, STOPPED = range(5)

# The reasons why a cell handles no messages at present; bits of `_halt`.
STARTING, SUSPENDED, BUSY, LEAVING = 1, 2, 4, 8


class SignalItem:
    """In the mailbox: a signal that keeps its place behind earlier messages."""

    __slots__ = ("signal",)

    def __init__(self, signal: Signal) -> None:
        self.signal = signal


class AdaptedItem:
    """In the mailbox: a message of another protocol, adapted in this actor's turn."""

    __slots__ = ("adapt", "message")

    def __init__(self, adapt: Callable[[Any], Any], message: Any) -> None:
        self.adapt = adapt
        self.message = message


SPECIAL = frozenset({Envelope, TimerItem, SignalItem, AdaptedItem, PoisonPill, Kill, Identify})


class CellState(ActorContext[M]):
    """The state of one actor. `props` make the instance, again at each restart."""

    __slots__ = (
        "_cause",
        "_children",
        "_commands",
        "_halt",
        "_handlers",
        "_item",
        "_receive_timeout",
        "_ref",
        "_restarts",
        "_rooms",
        "_stash",
        "_stop_asked",
        "_task",
        "_timeout",
        "_timers",
        "_watchers",
        "_watching",
        "box",
        "capacity",
        "instance",
        "name",
        "parent_cell",
        "props",
        "queued",
        "receive",
        "sender",
        "state",
        "system",
        "uid",
    )  # fmt: skip

    def __init__(
        self, system: ActorSystem, parent: CellState[Any] | None, name: str, props: Props[M], uid: int
    ) -> None:
        self.system = system
        self.parent_cell = parent
        self.name = name
        self.uid = uid
        self.props = props
        self.capacity = props.mailbox.capacity
        self.box: Any = None
        self.queued = False
        self.state = NEW
        self.instance: Any = None
        self.receive: Callable[[Any], Any] = _unready
        self.sender: ActorRef[Any] = system.dead_letters
        self._ref: LocalRef[M] = LocalRef(self)
        self._halt = STARTING
        self._item: Any = None
        self._commands: list[tuple[Callable[..., None], tuple[Any, ...]]] | None = None
        self._children: dict[str, CellState[Any]] | None = None
        self._watchers: set[ActorRef[Any]] | None = None
        self._watching: dict[ActorRef[Any], Any] | None = None
        self._handlers: list[Callable[[Any], Any]] | None = None
        self._stash: list[Any] | None = None
        self._timers: Timers | None = None
        self._receive_timeout: tuple[float, Any] | None = None
        self._timeout: Cancellable | None = None
        self._task: asyncio.Future[Any] | None = None
        self._rooms: list[asyncio.Future[None]] | None = None
        self._restarts: RestartCount | None = None
        self._cause: BaseException | None = None
        self._stop_asked = False

    # -- defined by the parts of a cell that are built on this one

    @abstractmethod
    def run(self, quantum: int) -> int:
        """Run a turn of up to `quantum` messages. Returns their number."""

    @abstractmethod
    def _stop(self) -> None:
        """Stop after the message that is being handled."""

    @abstractmethod
    def _child_failed(self, child: CellState[Any], cause: BaseException) -> None: ...

    @abstractmethod
    def _child_gone(self, child: CellState[Any]) -> None: ...

    @abstractmethod
    def _treat(self, directive: Directive, cause: BaseException, back_off: Any) -> None: ...

    @abstractmethod
    def _may_restart(self, strategy: Any) -> bool: ...

    @abstractmethod
    def _suspend(self) -> None: ...

    @abstractmethod
    def _resume(self) -> None: ...

    @abstractmethod
    def _restart(self, cause: BaseException, back_off: Any = None) -> None: ...

    @abstractmethod
    def _hear_death(self, ref: ActorRef[Any], cause: BaseException | None) -> None: ...

    @abstractmethod
    def add_watcher(self, watcher: ActorRef[Any]) -> None: ...

    @abstractmethod
    def remove_watcher(self, watcher: ActorRef[Any]) -> None: ...

    # -- mailbox and commands

    def open_box(self) -> Any:
        """The mailbox, created for the first message: idle actors have none."""
        self.box = self.props.mailbox.make()
        return self.box

    def queue(self) -> None:
        """Ask for a turn. May be called from any thread."""
        self.queued = True
        self.system.dispatcher.enqueue(self)

    def command(self, call: Callable[..., None], *arguments: Any) -> None:
        """Run `call` in this cell's next turn."""
        if self._commands is None:
            self._commands = [(call, arguments)]
        else:
            self._commands.append((call, arguments))
        self.queue()

    def _run_commands(self) -> None:
        while self._commands is not None:
            commands, self._commands = self._commands, None
            for call, arguments in commands:
                call(*arguments)

    def _put(self, item: Any) -> None:
        """Put an item into the mailbox, whatever its capacity."""
        (self.box if self.box is not None else self.open_box()).append(item)
        if not self.queued:
            self.queue()

    @property
    def ref(self) -> LocalRef[M]:
        return self._ref

    @property
    def path(self) -> ActorPath:
        names: list[str] = []
        cell: CellState[Any] | None = self
        while cell is not None and cell.parent_cell is not None:
            names.append(cell.name)
            cell = cell.parent_cell
        return ActorPath(self.system.address, tuple(reversed(names)), self.uid)

    @property
    def parent(self) -> ActorRef[Any]:
        return self.parent_cell.ref if self.parent_cell is not None else self.system.dead_letters

    @property
    def children(self) -> Mapping[str, ActorRef[Any]]:
        return {name: child.ref for name, child in (self._children or {}).items()}

    def child(self, name: str) -> CellState[Any] | None:
        return (self._children or {}).get(name)

    def _cells(self) -> tuple[CellState[Any], ...]:
        return tuple(self._children.values()) if self._children else ()

    def room(self) -> asyncio.Future[None]:
        """A future that is done once a message has left the mailbox."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._rooms is None:
            self._rooms = []
        self._rooms.append(future)
        return future

    def _make_room(self) -> None:
        rooms, self._rooms = self._rooms or [], None
        for future in rooms:
            if not future.done():
                future.set_result(None)

    def _unhandled(self) -> None:
        item = self._item
        if type(item) is SignalItem:
            if isinstance(item.signal, Terminated):
                raise DeathPactError(item.signal.ref)
            return
        message = item.message if type(item) in {Envelope, TimerItem, AdaptedItem} else item
        sender = item.sender if type(item) is Envelope else None
        self.system.events.publish(UnhandledMessage(message, sender, self._ref))

    @staticmethod
    def _message_of(item: Any) -> Any:
        return item.message if type(item) in {Envelope, TimerItem, AdaptedItem} else item

    def stop_children(self) -> None:
        for child in self._cells():
            child.command(child._stop)
            child._stop_asked = child._stop_asked or child.state not in {STOPPING, STOPPED}

    @property
    def timers(self) -> Timers:
        if self._timers is None:
            self._timers = Timers(self.system.dispatcher, self._put)
        return self._timers

    def set_receive_timeout(self, delay_s: float, message: M) -> None:
        self.cancel_receive_timeout()
        self._receive_timeout = (delay_s, message)
        self._restart_receive_timeout()

    def cancel_receive_timeout(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
        self._timeout = self._receive_timeout = None

    def _restart_receive_timeout(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None
        if self._receive_timeout is not None:
            delay_s, message = self._receive_timeout
            self._timeout = self.system.dispatcher.call_later(delay_s, self._put, message)

    def stash(self, capacity: int = STASH_CAPACITY) -> None:
        if self._stash is None:
            self._stash = []
        check_stash(len(self._stash), capacity)
        self._stash.append(self._item)

    def unstash_all(self) -> None:
        if self._stash:
            stashed, self._stash = self._stash, None
            box = self.box if self.box is not None else self.open_box()
            for item in reversed(stashed):
                box.appendleft(item)


def _unready(_message: Any) -> None:
    raise AssertionError("an actor that has not started handles no message")
