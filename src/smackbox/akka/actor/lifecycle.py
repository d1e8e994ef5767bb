"""The lifecycle of a cell: start, failure, restart, stop, and the hooks of its instance."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import CoroutineType
from typing import Any, TypeVar

from smackbox.akka.actor import eager_task
from smackbox.akka.actor.actor import UNHANDLED
from smackbox.akka.actor.behaviors import FunctionalActor
from smackbox.akka.actor.cell_state import (
    BUSY,
    LEAVING,
    RESTARTING,
    RUNNING,
    STARTING,
    STOPPED,
    STOPPING,
    SUSPENDED,
    AdaptedItem,
    CellState,
    SignalItem,
)
from smackbox.akka.actor.death_watch import DeathWatch
from smackbox.akka.actor.errors import ActorInitializationError
from smackbox.akka.actor.local_ref import DeadBox
from smackbox.akka.actor.messages import PoisonPill, PreRestart
from smackbox.akka.actor.ref import Envelope, PromiseRef
from smackbox.akka.actor.supervision import Directive, OneForOne, RestartCount
from smackbox.akka.actor.timers import TimerItem

M = TypeVar("M")


class Lifecycle(DeathWatch[M]):
    """The lifecycle methods of a cell."""

    __slots__ = ()

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

    def hold(self, work: asyncio.Future[Any]) -> None:
        """Handle no message until `release(work, …)`, as while an `async` handler waits. A stop that takes too long
        calls `work.cancel`, which must release as well.
        """
        self._halt |= BUSY
        self._task = work

    def release(self, work: asyncio.Future[Any], then: Callable[[], Any]) -> None:
        """Call `then` in this cell's turn, as the rest of the handler that began `work`, and go on."""
        self.command(self._released, work, then)

    def _released(self, work: asyncio.Future[Any], then: Callable[[], Any]) -> None:
        if self._task is not work:
            return  # of an instance before a restart
        self._halt &= ~BUSY
        self._task = None
        if self.state == RUNNING:
            try:
                result = then()
                if result is not None:
                    self._take(result)
            except Exception as error:
                self._fail(error)
        if not self._halt & BUSY:
            self.sender = self.system.dead_letters
            if self._stop_asked:
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

    def _take(self, result: Any) -> None:
        functional = type(self.instance) is FunctionalActor
        handled = self.instance.after(result) if functional else result is not UNHANDLED
        if not handled:
            self._unhandled()

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

    def start(self) -> None:
        """Create the instance in the first turn."""
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

    def _fail(self, cause: BaseException) -> None:
        """The handler or a hook raised `cause`: the asker gets it, and the supervisor decides."""
        item = self._item
        if type(item) is Envelope and isinstance(item.sender, PromiseRef):
            item.sender.fail(cause)
        if self.state in {STOPPING, STOPPED}:
            self.system.report_failure(self.path, cause, Directive.STOP)
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
            self.system.report_failure(self.path, cause, Directive.STOP)
            self._cause = cause
            self._stop()
            return
        strategy, place = found
        if strategy.directive is Directive.RESTART and self._may_restart(strategy):
            self.system.report_failure(self.path, cause, Directive.RESTART)
            self._suspend()
            self._restart_functional(strategy, place, cause)
        elif strategy.directive is Directive.RESUME:
            self.system.report_failure(self.path, cause, Directive.RESUME)
        else:
            self.system.report_failure(self.path, cause, Directive.STOP)
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

    def _child_failed(self, child: CellState[Any], cause: BaseException) -> None:
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
        self.system.report_failure(child.path, cause, directive)
        if directive is Directive.ESCALATE:
            self._escalate(child, cause)
            return
        for sibling in list(self._cells()) if strategy.all_children else [child]:
            sibling.command(sibling._treat, directive, cause, strategy.back_off if sibling is child else None)

    def _escalate(self, child: CellState[Any], cause: BaseException) -> None:
        if self.state in {STOPPING, STOPPED}:
            child.command(child._stop)
        else:
            self._item = None
            self._hand_over(cause)

    def _treat(self, directive: Directive, cause: BaseException, back_off: Any) -> None:
        """Apply the parent's directive."""
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
        """Call a hook during a stop: its failure is reported, and does not interrupt the stop."""

        def done(error: BaseException | None, _result: Any) -> None:
            if error is not None:
                self.system.report_hook(self.path, name, error)

        self._hook(call, done)

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
            self.system.report_hook(self.path, "post_stop", error)
            self._cause = self._cause or error
        self.state = STOPPED
        self.queued = True
        left, self.box = [*(self.box or ()), *(self._stash or ())], DeadBox(self._ref)
        self._stash = None
        for item in left:
            if type(item) not in {SignalItem, TimerItem, PoisonPill}:
                self.box.append(item.message if type(item) is AdaptedItem else item)
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

    def _child_gone(self, child: CellState[Any]) -> None:
        if self._children is not None and self._children.get(child.name) is child:
            del self._children[child.name]
        waiting = self.system.waiting.pop(self.uid, None)
        for then, wait in waiting or ():
            self._when_childless(then, wait=wait)


def _outcome(future: asyncio.Future[Any]) -> tuple[BaseException | None, Any]:
    if future.cancelled():
        return asyncio.CancelledError("the handler was cancelled"), None
    error = future.exception()
    return (error, None) if error is not None else (None, future.result())


def _cancel(task: asyncio.Future[Any]) -> None:
    task.cancel()


_PRE_RESTART = PreRestart()
