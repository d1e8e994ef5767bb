"""Functional behaviors: how an actor handles its next message, as a value. A handler returns the next behavior.

    def counter(count: int) -> Behavior[Command]:
        def on_message(context: ActorContext[Command], message: Command) -> Behavior[Command]:
            match message:
                case Increment(): return counter(count + 1)
                case Get(reply_to): reply_to.tell(count); return Behaviors.same()
        return Behaviors.receive(on_message)

Handlers may be `async`. An exception stops the actor, unless `Behaviors.supervise` says otherwise.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from smackbox.akka.actor.actor import UNHANDLED
from smackbox.akka.actor.context import ActorContext
from smackbox.akka.actor.messages import PostStop, PreRestart, Signal
from smackbox.akka.actor.recipe import Recipe
from smackbox.akka.actor.record import record
from smackbox.akka.actor.supervision import OneForOne, SupervisorStrategy, stopping_decider
from smackbox.akka.actor.timers import Timers

M = TypeVar("M")


class Behavior(Recipe[M], Generic[M]):
    """How an actor handles its next message. Made by `Behaviors`."""

    __slots__ = ()


Next = Behavior[M] | Awaitable[Behavior[M]]
OnMessage = Callable[[ActorContext[M], M], Next[M]]
OnSignal = Callable[[ActorContext[M], Signal], Next[M]]
Interceptor = Callable[[ActorContext[M], M, OnMessage[M]], Next[M]]


@record
class _Mark(Behavior[Any]):
    name: str


@record
class Receive(Behavior[M]):
    on_message: OnMessage[M]
    signal: OnSignal[M] | None = None

    def on_signal(self, on_signal: OnSignal[M]) -> Receive[M]:
        """This behavior, which receives signals, too: `Terminated`, `ChildFailed`, `PreRestart`, `PostStop`."""
        return Receive(self.on_message, on_signal)


class Deferred(Behavior[M]):
    """Created by `make` when the actor starts and at each restart."""

    __slots__ = ()

    def make(self, context: ActorContext[M]) -> Behavior[M]:
        raise NotImplementedError


@record
class _Setup(Deferred[M]):
    function: Callable[[ActorContext[M]], Behavior[M]]

    def make(self, context: ActorContext[M]) -> Behavior[M]:
        return self.function(context)


@record
class _Stopped(Behavior[M]):
    post_stop: Callable[[], None] | None = None


@record
class _Supervise(Behavior[M]):
    wrapped: Behavior[M]
    strategy: SupervisorStrategy
    causes: tuple[type[BaseException], ...]


@record
class _Intercept(Behavior[M]):
    interceptor: Interceptor[M]
    wrapped: Behavior[M]


SAME, UNHANDLED_BEHAVIOR, EMPTY, IGNORE = _Mark("same"), _Mark("unhandled"), _Mark("empty"), _Mark("ignore")


@record
class SuperviseBuilder(Generic[M]):
    wrapped: Behavior[M]

    def on_failure(self, strategy: SupervisorStrategy, *causes: type[BaseException]) -> Behavior[M]:
        """Apply the strategy to exceptions of these types (default: every `Exception`). Wrap again for other types."""
        return _Supervise(self.wrapped, strategy, causes or (Exception,))


class Stash(Generic[M]):
    """Messages stashed by a functional behavior, at most `capacity`."""

    def __init__(self, context: ActorContext[M], capacity: int) -> None:
        self._context = context
        self.capacity = capacity

    def stash(self) -> None:
        """Stash the current message. Raises `StashOverflowError`."""
        self._context.stash(self.capacity)

    def unstash_all(self, behavior: Behavior[M]) -> Behavior[M]:
        """Handle the stashed messages next, with `behavior`."""
        self._context.unstash_all()
        return behavior


class Behaviors:
    """Creates behaviors."""

    @staticmethod
    def setup(make: Callable[[ActorContext[M]], Behavior[M]]) -> Behavior[M]:
        """A behavior that `make` creates when the actor starts and at each restart."""
        return _Setup(make)

    @staticmethod
    def receive(on_message: OnMessage[M], on_signal: OnSignal[M] | None = None) -> Receive[M]:
        return Receive(on_message, on_signal)

    @staticmethod
    def receive_message(on_message: Callable[[M], Next[M]]) -> Receive[M]:
        return Receive(lambda _context, message: on_message(message))

    @staticmethod
    def receive_signal(on_signal: OnSignal[M]) -> Receive[M]:
        """Handles no message."""
        return Receive(lambda _context, _message: UNHANDLED_BEHAVIOR, on_signal)

    @staticmethod
    def same() -> Behavior[Any]:
        return SAME

    @staticmethod
    def unhandled() -> Behavior[Any]:
        """As `same`; the message is published as unhandled, and an unhandled `Terminated` is a death pact."""
        return UNHANDLED_BEHAVIOR

    @staticmethod
    def stopped(post_stop: Callable[[], None] | None = None) -> Behavior[Any]:
        """The actor stops; `post_stop` is called once its children have."""
        return _Stopped(post_stop)

    @staticmethod
    def empty() -> Behavior[Any]:
        """Every message is unhandled."""
        return EMPTY

    @staticmethod
    def ignore() -> Behavior[Any]:
        """Every message is dropped silently."""
        return IGNORE

    @staticmethod
    def with_timers(make: Callable[[Timers], Behavior[M]]) -> Behavior[M]:
        return _Setup(lambda context: make(context.timers))

    @staticmethod
    def with_stash(capacity: int, make: Callable[[Stash[M]], Behavior[M]]) -> Behavior[M]:
        return _Setup(lambda context: make(Stash(context, capacity)))

    @staticmethod
    def supervise(wrapped: Behavior[M]) -> SuperviseBuilder[M]:
        return SuperviseBuilder(wrapped)

    @staticmethod
    def intercept(interceptor: Interceptor[M], wrapped: Behavior[M]) -> Behavior[M]:
        """`interceptor(context, message, target)` sees each message first; `target(context, message)` handles it."""
        return _Intercept(interceptor, wrapped)

    @staticmethod
    def monitor(seen: Callable[[M], None], wrapped: Behavior[M]) -> Behavior[M]:
        """`seen` gets each message before it is handled."""

        def interceptor(context: ActorContext[M], message: M, target: OnMessage[M]) -> Next[M]:
            seen(message)
            return target(context, message)

        return _Intercept(interceptor, wrapped)


class FunctionalActor(Generic[M]):
    """Plays a behavior as the instance of an actor. Supervisors and interceptors stay while the behavior changes."""

    supervisor_strategy = OneForOne(stopping_decider)

    def __init__(self, behavior: Behavior[M], context: ActorContext[M]) -> None:
        self.context = context
        self._supervisors: list[tuple[_Supervise[M], Any]] = []
        self._interceptors: list[Interceptor[M]] = []
        self._initial = behavior
        self._current: Behavior[M] = EMPTY
        self._post_stop: Callable[[], None] | None = None
        self.stopping = False

    # -- what a cell asks of an instance

    def receive(self, message: M) -> Any:
        current = self._current
        if not isinstance(current, Receive):
            return None if current is IGNORE else UNHANDLED
        if self._interceptors:
            return self._intercepted(message, len(self._interceptors))
        result = current.on_message(self.context, message)
        return None if result is SAME else result

    def on_signal(self, signal: Signal) -> Any:
        current = self._current
        if not isinstance(current, Receive) or current.signal is None:
            return UNHANDLED
        return current.signal(self.context, signal)

    def pre_start(self) -> None:
        self._become(self._initial)

    def post_restart(self, cause: BaseException) -> None:
        self._become(self._initial)

    def pre_restart(self, cause: BaseException, message: Any) -> Any:
        self.context.stop_children()
        return self.on_signal(PreRestart())

    def post_stop(self) -> Any:
        if self._post_stop is not None:
            self._post_stop()
        return self.on_signal(PostStop())

    def after(self, result: Any) -> bool:
        """Take over the behavior that a handler returned. False for `unhandled`."""
        if result is UNHANDLED_BEHAVIOR or result is UNHANDLED:
            return False
        if result is not SAME and result is not None:
            if not isinstance(result, Behavior):
                raise TypeError(f"a handler must return a Behavior, not {result!r}; Behaviors.same() changes nothing")
            self._become(result)
        return True

    def strategy_for(self, cause: BaseException) -> tuple[SupervisorStrategy, int] | None:
        """The innermost supervisor for `cause`, and its index."""
        for place in range(len(self._supervisors) - 1, -1, -1):
            supervise, _ = self._supervisors[place]
            if isinstance(cause, supervise.causes):
                return supervise.strategy, place
        return None

    def restart_from(self, place: int) -> None:
        """Restart with what the supervisor at `place` supervises."""
        supervise, interceptors = self._supervisors[place]
        del self._supervisors[place:]
        del self._interceptors[interceptors:]
        self._become(supervise)

    # -- becoming

    def _become(self, behavior: Behavior[M]) -> None:
        while True:
            if isinstance(behavior, Deferred):
                behavior = behavior.make(self.context)
            elif isinstance(behavior, _Supervise):
                self._supervisors.append((behavior, len(self._interceptors)))
                behavior = behavior.wrapped
            elif isinstance(behavior, _Intercept):
                self._interceptors.append(behavior.interceptor)
                behavior = behavior.wrapped
            elif isinstance(behavior, _Stopped):
                self._post_stop = behavior.post_stop
                self.stopping = True
                self.context.stop()
                return
            elif behavior is SAME or behavior is UNHANDLED_BEHAVIOR:
                return
            else:
                self._current = behavior
                return

    def _intercepted(self, message: M, depth: int) -> Any:
        if depth == 0:
            current = self._current
            if isinstance(current, Receive):
                return current.on_message(self.context, message)
            return SAME if current is IGNORE else UNHANDLED_BEHAVIOR
        interceptor = self._interceptors[len(self._interceptors) - depth]
        return interceptor(self.context, message, lambda _context, inner: self._intercepted(inner, depth - 1))
