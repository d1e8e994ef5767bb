"""One actor at work: its mailbox, its life, its children, and who watches whom.

A cell is touched by the event loop's thread alone; only `box.append` and `queue` are called from others. Cells tell one
another by `command`: what was asked is done in the turn of the cell that it is about, before its next message, as
Pekko's system messages are. A message, a command and a hook of its life never overlap in one cell.

    NEW -> RUNNING <-> FAILED -> RESTARTING -> RUNNING
                       any but STOPPED -> STOPPING (until its children have stopped) -> STOPPED
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from smackbox.akka.actor import eager_task
from smackbox.akka.actor.actor import UNHANDLED
from smackbox.akka.actor.behaviors import FunctionalActor
from smackbox.akka.actor.context import STASH_CAPACITY, ActorContext, check_stash
from smackbox.akka.actor.mailbox import Envelope
from smackbox.akka.actor.messages import (
    ActorIdentity,
    ActorInitializationError,
    ActorKilledError,
    ChildFailed,
    DeathPactError,
    Identify,
    InvalidNameError,
    Kill,
    PoisonPill,
    PreRestart,
    Signal,
    Terminated,
    UnhandledMessage,
)
from smackbox.akka.actor.path import ActorPath, check_name
from smackbox.akka.actor.props import Props, props_of
from smackbox.akka.actor.ref import ActorRef, DeadBox, LocalRef, PromiseRef
from smackbox.akka.actor.supervision import Directive, OneForOne, RestartCount
from smackbox.akka.actor.timers import TimerItem, Timers

if TYPE_CHECKING:
    from smackbox.akka.actor.dispatcher import Cancellable
    from smackbox.akka.actor.system import ActorSystem

M = TypeVar("M")
N = TypeVar("N")

NEW, RUNNING, RESTARTING, STOPPING, STOPPED = range(5)

# Why a cell handles no messages just now; bits of `_halt`.
STARTING, SUSPENDED, BUSY, LEAVING = 1, 2, 4, 8

_WATCHED = object()
_DEAD = object()


class _SignalItem:
    """In the mailbox: a signal that keeps its place behind earlier messages."""

    __slots__ = ("signal",)

    def __init__(self, signal: Signal) -> None:
        self.signal = signal


class _AdaptedItem:
    """In the mailbox: a message of another protocol, adapted in this actor's turn."""

    __slots__ = ("adapt", "message")

    def __init__(self, adapt: Callable[[Any], Any], message: Any) -> None:
        self.adapt = adapt
        self.message = message


_SPECIAL = frozenset({Envelope, TimerItem, _SignalItem, _AdaptedItem, PoisonPill, Kill, Identify})


class Cell(ActorContext[M]):
    """`props` make the instance, again at each restart."""

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

    def __init__(self, system: ActorSystem, parent: Cell[Any] | None, name: str, props: Props[M], uid: int) -> None:
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
        self._children: dict[str, Cell[Any]] | None = None
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

    # -- being queued and run

    def open_box(self) -> Any:
        """The mailbox, made for the first message: idle actors have none."""
        self.box = self.props.mailbox.make()
        return self.box

    def queue(self) -> None:
        """Get a turn. May be called from any thread."""
        self.queued = True
        self.system.dispatcher.enqueue(self)

    def command(self, call: Callable[..., None], *arguments: Any) -> None:
        """Have `call` done in this cell's next turn."""
        if self._commands is None:
            self._commands = [(call, arguments)]
        else:
            self._commands.append((call, arguments))
        self.queue()

    def run(self, quantum: int) -> int:
        """Do what was commanded, then handle up to `quantum` messages. Returns how many."""
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
                result = self._handle_special(item) if type(item) in _SPECIAL else self.receive(item)
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

    def _run_commands(self) -> None:
        while self._commands is not None:
            commands, self._commands = self._commands, None
            for call, arguments in commands:
                call(*arguments)

    def _handle_special(self, item: Any) -> Any:
        if type(item) is Envelope:
            self.sender = item.sender
            message = item.message
            if type(message) not in _SPECIAL:
                return self.receive(message)
            item = message
        kind = type(item)
        if kind is TimerItem:
            return self.receive(item.message) if self.timers.accepts(item) else None
        if kind is _SignalItem:
            return self._handle_signal(item.signal)
        if kind is _AdaptedItem:
            return self.receive(item.adapt(item.message))
        if kind is Identify:
            self.sender.tell(ActorIdentity(item.message_id, self._ref), self._ref)
        elif kind is Kill:
            raise ActorKilledError(f"{self.path} was told Kill")
        else:
            self._stop()
        return None

    def _after(self, result: Any) -> None:
        """What a handler returned and is not None: something to wait for, the next behavior, or `UNHANDLED`."""
        if type(result) is CoroutineType:
            self._await(eager_task.start(result, asyncio.get_running_loop()), self._finish_handler)
        elif isinstance(result, asyncio.Future):
            self._await(result, self._finish_handler)
        else:
            self._take(result)

    def _take(self, result: Any) -> None:
        functional = type(self.instance) is FunctionalActor
        handled = self.instance.after(result) if functional else result is not UNHANDLED
        if not handled:
            self._unhandled()

    def _unhandled(self) -> None:
        item = self._item
        if type(item) is _SignalItem:
            if isinstance(item.signal, Terminated):
                raise DeathPactError(item.signal.ref)
            return
        message = item.message if type(item) in {Envelope, TimerItem, _AdaptedItem} else item
        sender = item.sender if type(item) is Envelope else None
        self.system.events.publish(UnhandledMessage(message, sender, self._ref))

    # -- waiting for a handler or a hook

    def _await(self, future: asyncio.Future[Any], then: Callable[[BaseException | None, Any], None]) -> None:
        """Call `then(error, result)` once `future` is done; the cell is busy until then."""
        if future.done():
            then(*_outcome(future))
            return
        self._halt |= BUSY
        self._task = future
        future.add_done_callback(lambda done: self.command(self._resume_after, done, then))

    def _resume_after(self, done: asyncio.Future[Any], then: Callable[[BaseException | None, Any], None]) -> None:
        self._halt &= ~BUSY
        self._task = None
        then(*_outcome(done))
        if not self._halt & BUSY:
            self.sender = self.system.dead_letters
        if self._stop_asked and not self._halt & BUSY:
            self._stop()

    def _finish_handler(self, error: BaseException | None, result: Any) -> None:
        if error is None:
            try:
                if result is not None:
                    self._take(result)
            except Exception as failure:
                error = failure
        if error is not None and self.state == RUNNING:
            self._fail(error)

    def _hook(self, call: Callable[[], Any], then: Callable[[BaseException | None, Any], None]) -> None:
        """Call a hook of the instance's life, wait for it where it is async, and go on with `then`."""
        try:
            result = call()
        except Exception as error:
            then(error, None)
            return
        if type(result) is CoroutineType:
            self._await(eager_task.start(result, asyncio.get_running_loop()), then)
        else:
            then(None, result)

    # -- beginning

    def start(self) -> None:
        """Have the instance made in the first turn."""
        self.queue()

    def _create(self) -> None:
        self.state = RESTARTING
        try:
            self._make_instance()
        except Exception as error:
            self._started(error, None)
            return
        self._hook(self.instance.pre_start, self._started)

    def _make_instance(self) -> None:
        self.instance = self.props.instance(self)
        self._handlers = None
        self.receive = self._handler_of(self.instance.receive)

    def _handler_of(self, receive: Callable[[Any], Any]) -> Callable[[Any], Any]:
        name = self.props.dispatcher
        if name is None:
            return receive
        pool = self.system.pool(name)
        return lambda message: asyncio.get_running_loop().run_in_executor(pool, receive, message)

    def _started(self, error: BaseException | None, _result: Any) -> None:
        if error is not None:
            failure = ActorInitializationError(f"{self.path} could not start: {error!r}")
            failure.__cause__ = error
            self._fail(failure)
            return
        if self.state == RESTARTING:
            self.state = RUNNING
            if self._restarts is not None:
                self._restarts.begun(self.system.dispatcher.now_s())
        self._halt &= ~(STARTING | SUSPENDED)

    # -- failing

    def _fail(self, cause: BaseException) -> None:
        """The handler or a hook raised `cause`: the asker hears of it, and the supervisor decides."""
        item = self._item
        if type(item) is Envelope and isinstance(item.sender, PromiseRef):
            item.sender.fail(cause)
        if self.state in {STOPPING, STOPPED}:
            self.system.report_failure(self, cause, Directive.STOP)
            return
        if type(self.instance) is FunctionalActor and not isinstance(cause, ActorInitializationError):
            self._fail_by_own_strategy(cause)
            return
        self._hand_over(cause)

    def _hand_over(self, cause: BaseException) -> None:
        self._suspend()
        self._cause = cause
        parent = self.parent_cell
        if parent is None:
            self.system.root_failed(cause)
        else:
            parent.command(parent._child_failed, self, cause)

    def _fail_by_own_strategy(self, cause: BaseException) -> None:
        found = self.instance.strategy_for(cause)
        if found is None:
            self.system.report_failure(self, cause, Directive.STOP)
            self._cause = cause
            self._stop()
            return
        strategy, place = found
        if strategy.directive is Directive.RESTART and self._may_restart(strategy):
            self.system.report_failure(self, cause, Directive.RESTART)
            self._suspend()
            self._restart_functional(strategy, place, cause)
        elif strategy.directive is Directive.RESUME:
            self.system.report_failure(self, cause, Directive.RESUME)
        else:
            self.system.report_failure(self, cause, Directive.STOP)
            self._cause = cause
            self._stop()

    def _may_restart(self, strategy: Any) -> bool:
        if self._restarts is None:
            self._restarts = RestartCount()
        now_s = self.system.dispatcher.now_s()
        return self._restarts.allows(strategy.max_restarts, strategy.within_s, strategy.back_off, now_s)

    def _restart_functional(self, strategy: Any, place: int, cause: BaseException) -> None:
        self.state = RESTARTING
        self._drop_plans()
        if strategy.stop_children:
            self.stop_children()
        self._log_hook("PreRestart", lambda: self.instance.on_signal(_PRE_RESTART))

        def begin() -> None:
            if self.state != RESTARTING:
                return
            self._cause = None
            self.unstash_all()
            self._hook(lambda: self.instance.restart_from(place), self._started)

        self._after_back_off(strategy.back_off, lambda: self._when_childless(begin, wait=strategy.stop_children))

    def _after_back_off(self, back_off: Any, then: Callable[[], None]) -> None:
        if back_off is None:
            then()
            return
        restarts = self._restarts.restarts - 1 if self._restarts is not None else 0
        delay_s = back_off.delay_s(restarts, self.system.chance())
        self.system.dispatcher.call_later(delay_s, self.command, then)

    def _child_failed(self, child: Cell[Any], cause: BaseException) -> None:
        if child.state in {STOPPING, STOPPED} or child._cause is not cause:
            return
        strategy: OneForOne = self.instance.supervisor_strategy
        try:
            directive = strategy.decider(cause)
        except Exception as error:
            error.__context__ = cause
            cause, directive = error, Directive.ESCALATE
        if directive is Directive.RESTART and not child._may_restart(strategy):
            directive = Directive.STOP
        self.system.report_failure(child, cause, directive)
        if directive is Directive.ESCALATE:
            self._escalate(child, cause)
            return
        for one in list(self._cells()) if strategy.all_children else [child]:
            one.command(one._treat, directive, cause, strategy.back_off if one is child else None)

    def _escalate(self, child: Cell[Any], cause: BaseException) -> None:
        if self.state in {STOPPING, STOPPED}:
            child.command(child._stop)
        else:
            self._item = None
            self._hand_over(cause)

    def _treat(self, directive: Directive, cause: BaseException, back_off: Any) -> None:
        """What the parent decided."""
        if directive is Directive.RESUME:
            self._resume()
        elif directive is Directive.RESTART:
            self._restart(cause, back_off)
        else:
            self._stop()

    def _suspend(self) -> None:
        self._halt |= SUSPENDED
        for child in self._cells():
            child.command(child._suspend)

    def _resume(self) -> None:
        self._cause = None
        self._halt &= ~SUSPENDED
        for child in self._cells():
            child.command(child._resume)

    # -- restarting

    def _restart(self, cause: BaseException, back_off: Any = None) -> None:
        if self.state in {STOPPING, STOPPED, RESTARTING}:
            return
        if self._halt & BUSY:
            assert self._task is not None
            self._task.cancel()
        self._suspend()
        self.state = RESTARTING
        self._drop_plans()
        failed_with = self._message_of(self._item) if self._cause is cause else None
        if self.instance is not None:
            instance = self.instance
            self._log_hook("pre_restart", lambda: instance.pre_restart(cause, failed_with))
        self._after_back_off(back_off, lambda: self._when_childless(lambda: self._begin_anew(cause), wait=False))

    def _begin_anew(self, cause: BaseException) -> None:
        if self.state != RESTARTING:
            return
        survivors = list(self._cells())
        self._item = None
        self.unstash_all()
        try:
            self._make_instance()
        except Exception as error:
            self._started(error, None)
            return

        def started(error: BaseException | None, result: Any) -> None:
            self._started(error, result)
            if error is None:
                self._cause = None
                for child in survivors:
                    child.command(child._restart, cause)

        self._hook(lambda: self.instance.post_restart(cause), started)

    def _when_childless(self, then: Callable[[], None], *, wait: bool) -> None:
        """Call `then` once the children that are being stopped are gone (`wait`: all of them)."""
        if any(wait or child.state == STOPPING or child._stop_asked for child in self._cells()):
            self._waiting_for_children().append((then, wait))
        else:
            then()

    def _waiting_for_children(self) -> list[tuple[Callable[[], None], bool]]:
        return self.system.waiting.setdefault(self.uid, [])

    def _drop_plans(self) -> None:
        """Timers and the receive timeout end with an instance."""
        if self._timers is not None:
            self._timers.cancel_all()
        self.cancel_receive_timeout()

    def _log_hook(self, name: str, call: Callable[[], Any]) -> None:
        """A hook on the way out: its failure is told, and does not stop what is under way."""

        def done(error: BaseException | None, _result: Any) -> None:
            if error is not None:
                self.system.report_hook(self, name, error)

        self._hook(call, done)

    # -- stopping

    def _stop(self) -> None:
        if self.state in {STOPPING, STOPPED}:
            return
        if self._halt & BUSY:
            if not self._stop_asked:
                self._stop_asked = True
                assert self._task is not None
                self.system.dispatcher.call_later(self.system.settings.handler_stop_timeout_s, _cancel, self._task)
            return
        self.state = STOPPING
        self._stop_asked = False
        self._halt |= LEAVING
        self._drop_plans()
        self.system.waiting.pop(self.uid, None)
        self.stop_children()
        self._when_childless(self._finish, wait=True)

    def _finish(self) -> None:
        if self.instance is None or isinstance(self._cause, ActorInitializationError):
            self._gone(None, None)
        else:
            self._hook(self.instance.post_stop, self._gone)

    def _gone(self, error: BaseException | None, _result: Any) -> None:
        if error is not None:
            self.system.report_hook(self, "post_stop", error)
            self._cause = self._cause or error
        self.state = STOPPED
        self.queued = True
        left, self.box = [*(self.box or ()), *(self._stash or ())], DeadBox(self._ref)
        self._stash = None
        for item in left:
            if type(item) not in {_SignalItem, TimerItem, PoisonPill}:
                self.box.append(item.message if type(item) is _AdaptedItem else item)
        if self._rooms is not None:
            self._make_room()
        for watched in list(self._watching or ()):
            watched._unwatched_by(self._ref)
        self._watching = None
        self.instance = None
        watchers, self._watchers = self._watchers or (), None
        parent = self.parent_cell
        if parent is None:
            self.system.root_stopped()
        else:
            parent.command(parent._child_gone, self)
        for watcher in watchers:
            watcher._hear_death(self._ref, self._cause)

    def _child_gone(self, child: Cell[Any]) -> None:
        if self._children is not None and self._children.get(child.name) is child:
            del self._children[child.name]
        waiting = self.system.waiting.pop(self.uid, None)
        for then, wait in waiting or ():
            self._when_childless(then, wait=wait)

    # -- death watch

    def _handle_signal(self, signal: Signal) -> Any:
        if isinstance(signal, Terminated):
            watching = self._watching or {}
            if watching.get(signal.ref) is not _DEAD:
                return None
            del watching[signal.ref]
        result = self.instance.on_signal(signal)
        if result is UNHANDLED:
            self._unhandled()
            return None
        return result if type(self.instance) is FunctionalActor or type(result) is CoroutineType else None

    def _hear_death(self, ref: ActorRef[Any], cause: BaseException | None) -> None:
        """A watched actor is gone."""
        watching = self._watching
        found = watching.get(ref) if watching is not None else None
        if watching is None or found is None or found is _DEAD or self.state == STOPPED:
            return
        if found is not _WATCHED:
            del watching[ref]
            self._put(found)
            return
        watching[ref] = _DEAD
        is_child = isinstance(ref, LocalRef) and ref.cell.parent_cell is self
        self._put(_SignalItem(ChildFailed(ref, cause) if cause is not None and is_child else Terminated(ref)))

    def _put(self, item: Any) -> None:
        """Into the mailbox, whatever its capacity."""
        (self.box if self.box is not None else self.open_box()).append(item)
        if not self.queued:
            self.queue()

    def add_watcher(self, watcher: ActorRef[Any]) -> None:
        if self.state == STOPPED:
            watcher._hear_death(self._ref, self._cause)
            return
        if self._watchers is None:
            self._watchers = set()
        self._watchers.add(watcher)

    def remove_watcher(self, watcher: ActorRef[Any]) -> None:
        if self._watchers is not None:
            self._watchers.discard(watcher)

    # -- the actor's side

    @property
    def ref(self) -> LocalRef[M]:
        return self._ref

    @property
    def path(self) -> ActorPath:
        names: list[str] = []
        cell: Cell[Any] | None = self
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

    def child(self, name: str) -> Cell[Any] | None:
        return (self._children or {}).get(name)

    def _cells(self) -> Any:
        return tuple(self._children.values()) if self._children else ()

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

    def stop_children(self) -> None:
        for child in self._cells():
            child.command(child._stop)
            child._stop_asked = child._stop_asked or child.state not in {STOPPING, STOPPED}

    def watch(self, ref: ActorRef[N]) -> ActorRef[N]:
        self._watch(ref, _WATCHED)
        return ref

    def watch_with(self, ref: ActorRef[Any], message: M) -> None:
        self._watch(ref, message)

    def _watch(self, ref: ActorRef[Any], found: Any) -> None:
        if ref == self._ref:
            return
        if self._watching is None:
            self._watching = {}
        known = self._watching.get(ref)
        self._watching[ref] = found
        if known is None or known is _DEAD:
            ref._watched_by(self._ref)

    def unwatch(self, ref: ActorRef[Any]) -> None:
        if self._watching is not None and self._watching.pop(ref, None) is not None:
            ref._unwatched_by(self._ref)

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

    def message_adapter(self, adapt: Callable[[N], M]) -> ActorRef[N]:
        return AdapterRef(self, adapt)

    # -- room in a bounded mailbox

    def room(self) -> asyncio.Future[None]:
        """Done once a message has left the mailbox."""
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

    @staticmethod
    def _message_of(item: Any) -> Any:
        return item.message if type(item) in {Envelope, TimerItem, _AdaptedItem} else item


class AdapterRef(ActorRef[N]):
    """Takes another protocol for an actor."""

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
        self._cell.ref.tell(cast("Any", _AdaptedItem(self._adapt, message)), sender)

    def _watched_by(self, watcher: ActorRef[Any]) -> None:
        self._cell.ref._watched_by(watcher)

    def _unwatched_by(self, watcher: ActorRef[Any]) -> None:
        self._cell.ref._unwatched_by(watcher)


def _outcome(future: asyncio.Future[Any]) -> tuple[BaseException | None, Any]:
    if future.cancelled():
        return asyncio.CancelledError("the handler was cancelled"), None
    error = future.exception()
    return (error, None) if error is not None else (None, future.result())


def _cancel(task: asyncio.Future[Any]) -> None:
    task.cancel()


def _unready(_message: Any) -> None:
    raise AssertionError("an actor that has not started handles no message")


_anonymous = itertools.count(1)
_PRE_RESTART = PreRestart()
