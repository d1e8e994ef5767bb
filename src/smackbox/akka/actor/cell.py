"""A running actor: its mailbox, lifecycle, children and death watch.

Only the event loop's thread uses a cell; other threads may call only `box.append` and `queue`. Cells communicate by
`command`: a command runs in its target cell's turn, before the cell's next message, like Pekko's system messages.
A message, a command and a lifecycle hook never overlap in one cell.

    NEW -> RUNNING <-> FAILED -> RESTARTING -> RUNNING
                       any but STOPPED -> STOPPING (until its children have stopped) -> STOPPED
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from types import CoroutineType
from typing import Any, TypeVar, cast

from smackbox.akka.actor import eager_task
from smackbox.akka.actor.behaviors import FunctionalActor
from smackbox.akka.actor.cell_state import (
    BUSY,
    NEW,
    SPECIAL,
    STARTING,
    STOPPED,
    STOPPING,
    AdaptedItem,
    SignalItem,
)
from smackbox.akka.actor.errors import ActorKilledError, InvalidNameError
from smackbox.akka.actor.lifecycle import Lifecycle
from smackbox.akka.actor.local_ref import LocalRef
from smackbox.akka.actor.messages import ActorIdentity, Identify, Kill
from smackbox.akka.actor.path import ActorPath, check_name
from smackbox.akka.actor.props import Props, props_of
from smackbox.akka.actor.ref import ActorRef, Envelope
from smackbox.akka.actor.system import ActorSystem
from smackbox.akka.actor.timers import TimerItem

M = TypeVar("M")
N = TypeVar("N")


class Cell(Lifecycle[M]):
    """One actor."""

    __slots__ = ()

    def run(self, quantum: int) -> int:
        """Run the commands, then handle up to `quantum` messages. Returns their number."""
        left = quantum
        if self.state == NEW and self._halt == STARTING:
            self._create()
        if self._commands is not None:
            self._run_commands()
        while left and not self._halt and self.box:
            item = self.box.popleft()
            left -= 1
            self._item = item
            try:
                result = self._handle_special(item) if type(item) in SPECIAL else self.receive(item)
                if result is not None:
                    self._after(result)
            except Exception as error:
                self._fail(error)
            if type(item) is Envelope and not self._halt & BUSY:
                self.sender = self.system.dead_letters
            if self._timeout is not None:
                self._restart_receive_timeout()
            if self._rooms is not None:
                self._make_room()
            if self._commands is not None:
                self._run_commands()
        self.queued = self.state == STOPPED
        if self._commands is not None or (self.box and not self._halt):
            self.queue()
        return quantum - left

    def _handle_special(self, item: Any) -> Any:
        if type(item) is Envelope:
            self.sender = item.sender
            message = item.message
            if type(message) not in SPECIAL:
                return self.receive(message)
            item = message
        kind = type(item)
        if kind is TimerItem:
            return self.receive(item.message) if self.timers.accepts(item) else None
        if kind is SignalItem:
            return self._handle_signal(item.signal)
        if kind is AdaptedItem:
            return self.receive(item.adapt(item.message))
        if kind is Identify:
            self.sender.tell(ActorIdentity(item.message_id, self._ref), self._ref)
        elif kind is Kill:
            raise ActorKilledError(f"{self.path} was told Kill")
        else:
            self._stop()
        return None

    def _after(self, result: Any) -> None:
        """Process a handler's result other than None: an awaitable, the next behavior, or `UNHANDLED`."""
        if type(result) is CoroutineType:
            self._await(eager_task.start(result, asyncio.get_running_loop()), self._finish_handler)
        elif isinstance(result, asyncio.Future):
            self._await(result, self._finish_handler)
        else:
            self._take(result)

    def spawn(self, what: Any, name: str | None = None) -> LocalRef[Any]:
        if name is None:
            name = f"${next(_anonymous):x}"
        else:
            try:
                check_name(name)
            except ValueError as error:
                raise InvalidNameError(str(error)) from error
        return self.spawn_named(props_of(what), name)

    def spawn_named(self, props: Props[N], name: str) -> LocalRef[N]:
        """Start a child whose name is not checked."""
        if self.state in {STOPPING, STOPPED}:
            raise InvalidNameError(f"{self.path} is stopping and starts no child {name}")
        if self._children is None:
            self._children = {}
        if name in self._children:
            raise InvalidNameError(f"{self.path} has a child {name} already")
        child = Cell(self.system, self, name, props, self.system.next_uid())
        self._children[name] = child
        child.start()
        return child.ref

    def stop(self, ref: ActorRef[Any] | None = None) -> None:
        if ref is None or ref == self._ref:
            self.command(self._stop)
            return
        if not isinstance(ref, LocalRef) or ref.cell.parent_cell is not self:
            raise ValueError(
                f"{self.path} may stop itself and its children, and {ref.path} is neither: tell it PoisonPill"
            )
        ref.cell.command(ref.cell._stop)

    def become(self, handler: Callable[[Any], Any], *, discard_old: bool = True) -> None:
        if type(self.instance) is FunctionalActor:
            raise TypeError("a functional behavior becomes another one by returning it")
        if self._handlers is None:
            self._handlers = []
        if not discard_old or not self._handlers:
            self._handlers.append(self.receive)
        self.receive = self._handler_of(handler)

    def unbecome(self) -> None:
        if self._handlers:
            self.receive = self._handlers.pop()

    def message_adapter(self, adapt: Callable[[N], M]) -> ActorRef[N]:
        return AdapterRef(self, adapt)


class AdapterRef(ActorRef[N]):
    """Accepts messages of another protocol for an actor."""

    __slots__ = ("_adapt", "_cell")

    def __init__(self, cell: Cell[Any], adapt: Callable[[N], Any]) -> None:
        self._cell = cell
        self._adapt = adapt

    @property
    def path(self) -> ActorPath:
        return self._cell.path / f"$adapter-{id(self):x}"

    @property
    def system(self) -> ActorSystem:
        return self._cell.system

    def tell(self, message: N, sender: ActorRef[Any] | None = None) -> None:
        self._cell.ref.tell(cast("Any", AdaptedItem(self._adapt, message)), sender)

    def _watched_by(self, watcher: ActorRef[Any]) -> None:
        self._cell.ref._watched_by(watcher)

    def _unwatched_by(self, watcher: ActorRef[Any]) -> None:
        self._cell.ref._unwatched_by(watcher)


_anonymous = itertools.count(1)
