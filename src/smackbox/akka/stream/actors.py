"""Streams and actors: sources that are references, sinks that tell, with and without back-pressure, and ask.

With back-pressure one element is on its way: the sink sends `init`, and each element only after `ack`; the source
sends `ack` to the sender of each message, and takes the next one after that.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from smackbox.akka.actor.messages import Terminated
from smackbox.akka.actor.path import ActorPath
from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.stream.buffers import OverflowStrategy, overflow
from smackbox.akka.stream.errors import BufferOverflowError, WatchedActorTerminatedError
from smackbox.akka.stream.stage import Stage

if TYPE_CHECKING:
    from smackbox.akka.actor.system import ActorSystem

Match = Callable[[Any], Any]


class StageRef(ActorRef[Any]):
    """A stage as the others see it. What comes to it after its end is a dead letter."""

    __slots__ = ("__weakref__", "_deliver", "_dies", "_path", "_system", "future", "is_stopped", "watchers")

    def __init__(self, system: ActorSystem, deliver: Callable[[Any, ActorRef[Any] | None], None]) -> None:
        self._system = system
        self._deliver = deliver
        self._dies: Callable[[ActorRef[Any]], None] = lambda _: None
        self._path = ActorPath(system.address, ("temp", f"$s{system.next_uid():x}"))
        self.is_stopped = False
        loop: asyncio.AbstractEventLoop = cast("Any", system.dispatcher).loop
        self.future: asyncio.Future[None] = loop.create_future()
        """Done when it has stopped: until then remote systems find it by its path."""
        self.watchers: set[ActorRef[Any]] = set()

    @property
    def path(self) -> ActorPath:
        """The path that other actors see."""
        return self._path

    @property
    def system(self) -> ActorSystem:
        """The system that the stage runs in."""
        return self._system

    def tell(self, message: Any, sender: ActorRef[Any] | None = None) -> None:
        if self.is_stopped:
            self._system.dead_letter(message, self, "the stream has ended")
        else:
            self._deliver(message, sender)

    def on_death(self, call: Callable[[ActorRef[Any]], None]) -> None:
        """Be notified of the end of what `watch` was asked for."""
        self._dies = call

    def watch(self, ref: ActorRef[Any]) -> None:
        """The stage is notified of the end of `ref`."""
        ref._watched_by(self)

    def stop(self) -> None:
        """The stage has ended: its watchers are notified."""
        self.is_stopped = True
        if not self.future.done():
            self.future.set_result(None)
        watchers, self.watchers = self.watchers, set()
        for watcher in watchers:
            watcher._hear_death(self, None)

    def _watched_by(self, watcher: ActorRef[Any]) -> None:
        if self.is_stopped:
            watcher._hear_death(self, None)
        else:
            self.watchers.add(watcher)

    def _unwatched_by(self, watcher: ActorRef[Any]) -> None:
        self.watchers.discard(watcher)

    def _hear_death(self, ref: ActorRef[Any], cause: BaseException | None) -> None:
        self._dies(ref)

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


class ActorRefSource(Stage):
    """What is sent to its reference; the buffer has `size` and a strategy other than back-pressure."""

    ins = 0

    def __init__(
        self, system: ActorSystem, size: int, strategy: OverflowStrategy, complete: Match, fail: Match
    ) -> None:
        self._size = size
        self._strategy = strategy
        self._complete = complete
        self._fail = fail
        self._buffer: deque[Any] = deque()
        self._ends = False
        self._early: deque[Any] = deque()
        self._started = False
        self.ref = StageRef(system, self._told)

    def pre_start(self) -> None:
        self._started = True
        while self._early and not self.stopped:
            self._receive(self._early.popleft())

    def _told(self, message: Any, _sender: ActorRef[Any] | None) -> None:
        if not self._started:
            self._early.append(message)
            return
        self.interpreter.calls.append((self, self._receive, (message,)))
        self.interpreter.wake()

    def on_pull(self) -> None:
        if self._buffer:
            self.outlet.push(self._buffer.popleft())
        if self._ends and not self._buffer:
            self.complete_stage()

    def post_stop(self) -> None:
        self.ref.stop()

    def _receive(self, message: Any) -> None:
        error = self._fail(message)
        if error is not None:
            self.fail_stage(error)
        elif self._complete(message):
            self._ends = True
            if not self._buffer:
                self.complete_stage()
        elif self._ends:
            self.interpreter.system.dead_letter(message, self.ref, "the stream is ending")
        elif self.outlet.is_wanted and not self._buffer:
            self.outlet.push(message)
        elif self._size == 0:
            self.interpreter.system.dead_letter(message, self.ref, "nothing asked for an element of the stream")
        else:
            full = len(self._buffer) >= self._size
            if full and self._strategy is OverflowStrategy.FAIL:
                raise BufferOverflowError(f"the buffer holds {self._size} elements and is full")
            overflow(self._buffer, self._size, self._strategy, message)


class AckingSource(Stage):
    """One element at a time: each message is acknowledged when it has gone out."""

    ins = 0

    def __init__(self, system: ActorSystem, ack: Any, complete: Match, fail: Match) -> None:
        self._ack = ack
        self._complete = complete
        self._fail = fail
        self._waiting: tuple[Any, ActorRef[Any] | None] | None = None
        self._ends = False
        self._early: deque[tuple[Any, ActorRef[Any] | None]] = deque()
        self._started = False
        self.ref = StageRef(system, self._told)

    def pre_start(self) -> None:
        self._started = True
        while self._early and not self.stopped:
            self._receive(*self._early.popleft())

    def _told(self, message: Any, sender: ActorRef[Any] | None) -> None:
        if not self._started:
            self._early.append((message, sender))
            return
        self.interpreter.calls.append((self, self._receive, (message, sender)))
        self.interpreter.wake()

    def on_pull(self) -> None:
        if self._waiting is not None:
            self._give()

    def post_stop(self) -> None:
        self.ref.stop()

    def _receive(self, message: Any, sender: ActorRef[Any] | None) -> None:
        error = self._fail(message)
        if error is not None:
            self.fail_stage(error)
        elif self._complete(message):
            self._ends = True
            if self._waiting is None:
                self.complete_stage()
        elif self._waiting is not None:
            raise BufferOverflowError("a message came before the one before it was acknowledged")
        else:
            self._waiting = (message, sender)
            if self.outlet.is_wanted:
                self._give()

    def _give(self) -> None:
        assert self._waiting is not None
        (message, sender), self._waiting = self._waiting, None
        self.outlet.push(message)
        if sender is not None:
            sender.tell(self._ack, self.ref)
        if self._ends:
            self.complete_stage()


class ActorRefSink(Stage):
    """Tells each element, without back-pressure; then `complete`, or what `fail` makes of a failure."""

    outs = 0

    def __init__(self, ref: ActorRef[Any], complete: Any, fail: Callable[[BaseException], Any]) -> None:
        self._ref = ref
        self._complete = complete
        self._fail = fail

    def pre_start(self) -> None:
        _watch(self, self._ref)
        self.inlet.pull()

    def on_push(self) -> None:
        self._ref.tell(self.inlet.grab())
        self.inlet.pull()

    def on_upstream_finish(self) -> None:
        if self._complete is not None:
            self._ref.tell(self._complete)

    def on_upstream_failure(self, error: BaseException) -> None:
        self._ref.tell(self._fail(error))

    def post_stop(self) -> None:
        _unwatch(self)


class AckedSink(Stage):
    """`init`, then each element after an `ack` for what was sent before (`ack` None: any reply)."""

    outs = 0
    keep_going = True

    def __init__(
        self,
        ref: ActorRef[Any],
        init: Any,
        ack: Any,
        complete: Any,
        fail: Callable[[BaseException], Any],
    ) -> None:
        self._ref = ref
        self._init = init
        self._ack = ack
        self._complete = complete
        self._fail = fail
        self._may_send = False
        self._held: Any = None

    def pre_start(self) -> None:
        self._own = _watch(self, self._ref, self._told)
        self._ref.tell(self._init, self._own)
        self.inlet.pull()

    def on_push(self) -> None:
        self._held = self.inlet.grab()
        self._move()

    def on_upstream_finish(self) -> None:
        self._move()

    def on_upstream_failure(self, error: BaseException) -> None:
        self._ref.tell(self._fail(error), self._own)
        self.fail_stage(error)

    def post_stop(self) -> None:
        _unwatch(self)

    def _told(self, message: Any, _sender: ActorRef[Any] | None) -> None:
        self.interpreter.calls.append((self, self._acknowledged, (message,)))
        self.interpreter.wake()

    def _acknowledged(self, message: Any) -> None:
        if self._ack is None or message == self._ack:
            self._may_send = True
            self._move()

    def _move(self) -> None:
        if self._held is not None and self._may_send:
            element, self._held = self._held, None
            self._may_send = False
            self._ref.tell(element, self._own)
            if not self.inlet.in_closed:
                self.inlet.try_pull()
        if self.inlet.in_closed and self._held is None:
            self._ref.tell(self._complete, self._own)
            self.complete_stage()


class Watch(Stage):
    """Fails when an actor is gone."""

    def __init__(self, ref: ActorRef[Any]) -> None:
        self._ref = ref

    def pre_start(self) -> None:
        _watch(self, self._ref, fails=True)

    def on_push(self) -> None:
        self.outlet.push(self.inlet.grab())

    def post_stop(self) -> None:
        _unwatch(self)


def _watch(
    stage: Any,
    ref: ActorRef[Any],
    told: Callable[[Any, ActorRef[Any] | None], None] = lambda _message, _sender: None,
    fails: bool = False,
) -> StageRef:
    """The stage ends when `ref` is gone: by failing, or by cancelling."""
    own = StageRef(stage.interpreter.system, told)

    def died(dead: ActorRef[Any]) -> None:
        error = WatchedActorTerminatedError(f"the actor {dead.path} is gone")
        call = stage.fail_stage if fails else stage.cancel_stage
        stage.interpreter.calls.append((stage, call, (error if fails else _gone(error),)))
        stage.interpreter.wake()

    own.on_death(died)
    own.watch(ref)
    stage.watched = (own, ref)
    return own


def _unwatch(stage: Any) -> None:
    own, ref = stage.watched
    own.stop()
    ref._unwatched_by(own)


def _gone(error: BaseException) -> BaseException:
    from smackbox.akka.stream.errors import NoMoreElementsNeeded

    return NoMoreElementsNeeded(str(error))


__all__ = ["AckedSink", "AckingSource", "ActorRefSink", "ActorRefSource", "StageRef", "Terminated", "Watch"]
