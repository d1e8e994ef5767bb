"""Operators over streams of streams: flat_map_concat, flat_map_merge, group_by, split_when, prefix_and_tail.

A substream runs in the same island, connected to a port that the operator gets while it runs. A substream that nobody
takes times out, so that its operator is not blocked forever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from smackbox.akka.actor.supervision import Directive
from smackbox.akka.stream.connection import Connection
from smackbox.akka.stream.errors import (
    NO_MORE_ELEMENTS,
    NeverMaterializedError,
    StreamTimeoutError,
    TooManySubstreamsOpenError,
)
from smackbox.akka.stream.inner_streams import OuterStage
from smackbox.akka.stream.promise import Promise
from smackbox.akka.stream.stage import OutHandlers, Stage

if TYPE_CHECKING:
    from smackbox.akka.stream.materializer import Out, Part

SUBSCRIPTION_TIMEOUT_S = 5.0
"""Within which a substream must be run, or it is cancelled."""
CLOSED_KEYS_LIMIT = 100_000
"""Keys of closed substreams that `group_by` remembers, so that it drops their elements; then it fails."""


class FlatMap(OuterStage):
    """Elements that become sources."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def make_source(self) -> Any:
        """The source of the element that came; None where the decider drops it, and the next one is asked for."""
        element = self.inlet.grab()
        try:
            return self._function(element)
        except Exception as error:
            self.pass_over(error)
            return None


class FlatMapConcat(FlatMap):
    """One inner source after another."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__(function)
        self._inner: Connection | None = None

    def on_pull(self) -> None:
        if self._inner is None:
            self.inlet.try_pull()
        else:
            self._inner.try_pull()

    def on_push(self) -> None:
        source = self.make_source()
        if source is None:
            return
        self._inner, _ = self.run_source(source, self._inner_push, self._inner_finish)
        if self.outlet.is_wanted:
            self._inner.try_pull()

    def on_upstream_finish(self) -> None:
        if self._inner is None:
            self.complete_stage()

    def _inner_push(self, inner: Connection) -> None:
        self.outlet.push(inner.grab())

    def _inner_finish(self, inner: Connection) -> None:
        self._inner = None
        if self.inlet.in_closed:
            self.complete_stage()
        elif self.outlet.is_wanted:
            self.inlet.try_pull()


class FlatMapMerge(FlatMap):
    """Up to `breadth` inner sources at once."""

    def __init__(self, breadth: int, function: Callable[[Any], Any]) -> None:
        super().__init__(function)
        self._breadth = breadth
        self._open = 0
        self._ready: deque[Connection] = deque()

    def pre_start(self) -> None:
        self.inlet.pull()

    def on_push(self) -> None:
        source = self.make_source()
        if source is None:
            return
        self._open += 1
        inner, _ = self.run_source(source, self._inner_push, self._inner_finish)
        inner.try_pull()
        if self._open < self._breadth:
            self.inlet.try_pull()

    def on_pull(self) -> None:
        if self._ready:
            inner = self._ready.popleft()
            self._give(inner)

    def on_upstream_finish(self) -> None:
        if not self._open:
            self.complete_stage()

    def _inner_push(self, inner: Connection) -> None:
        if self.outlet.is_wanted and not self._ready:
            self._give(inner)
        else:
            self._ready.append(inner)

    def _give(self, inner: Connection) -> None:
        self.outlet.push(inner.grab())
        if inner.in_closed:
            self._closed()
        else:
            inner.pull()

    def _inner_finish(self, inner: Connection) -> None:
        if not inner.has_element:
            self._closed()

    def _closed(self) -> None:
        self._open -= 1
        if not self.inlet.in_closed:
            self.inlet.try_pull()
        elif not self._open:
            self.complete_stage()


class Substream:
    """A stream out of a running stage, to be run once. `subscribed` tells that it is."""

    def __init__(self, stage: Stage, name: str, timeout_s: float = SUBSCRIPTION_TIMEOUT_S) -> None:
        self._stage = stage
        self._name = name
        self._timeout_s = timeout_s
        self._connection: Connection | None = None
        self._ended = False
        self._failure: BaseException | None = None
        self.on_pull: Callable[[], None] = _nothing
        self.on_cancel: Callable[[BaseException], None] = _nothing
        self.is_cancelled = False
        self._taken = False

    @property
    def timer_key(self) -> Hashable:
        """The key of the timer within which it must be run."""
        return self

    def schedule_timeout(self) -> None:
        """The stage's `on_timer` gets this object as the key."""
        if not self._taken:
            self._stage.schedule_once(self, self._timeout_s)

    def expired(self) -> None:
        """It was not run in time: it is cancelled."""
        if not self._taken:
            self._taken = True
            self._failure = StreamTimeoutError(f"{self._name} was not run within {self._timeout_s} s")
            self.is_cancelled = True
            self.on_cancel(self._failure)

    def attach(self, part: Part) -> tuple[Out, None]:
        """The blueprint's side: connect the consumer to the stage."""
        from smackbox.akka.stream.sources import Failed

        if self._taken:
            error = self._failure or RuntimeError(f"{self._name} can be run once, and has been")
            return (part.add(Failed(error)), 0), None
        self._taken = True
        self._stage.cancel_timer(self)
        if self._stage.stopped:
            ended = Failed(self._failure) if self._failure is not None else _empty()
            return (part.add(ended), 0), None
        handlers = OutHandlers(lambda: self.on_pull(), self._cancelled)  # noqa: PLW0108 - it may change
        adopting: Any = _Adopting(self, self._stage)
        return (adopting, self._stage.later_port(handlers)), None

    def adopt(self, connection: Connection) -> None:
        """It is run: what it is given goes to that edge."""
        self._connection = connection
        if self._failure is not None:
            connection.fail(self._failure)
        elif self._ended:
            connection.complete()

    @property
    def is_wanted(self) -> bool:
        """Whether it asks for an element."""
        return self._connection is not None and self._connection.is_wanted

    def push(self, element: Any) -> None:
        """Give it an element that it asked for."""
        assert self._connection is not None
        self._connection.push(element)

    def complete(self) -> None:
        """End it."""
        self._ended = True
        if self._connection is not None:
            self._connection.complete()

    def fail(self, error: BaseException) -> None:
        """Fail it."""
        self._failure = error
        if self._connection is not None:
            self._connection.fail(error)

    def _cancelled(self, cause: BaseException) -> None:
        self.is_cancelled = True
        self.on_cancel(cause)


class _Adopting:
    """Stands for the stage while its new port is connected, and tells the substream of the connection."""

    def __init__(self, substream: Substream, stage: Stage) -> None:
        self._substream = substream
        self._stage = stage
        self.interpreter = stage.interpreter

    def bind_outlet(self, port: int, connection: Connection) -> None:
        connection.producer = self._stage
        self._stage.bind_outlet(port, connection)
        self._substream.adopt(connection)


class GroupBy(Stage):
    """A substream for each key, at most `limit` open ones. Elements of a closed one are dropped, or open it again."""

    def __init__(self, limit: int, key: Callable[[Any], Any], reopen: bool, make: Callable[[Substream], Any]) -> None:
        self._limit = limit
        self._key = key
        self._reopen = reopen
        self._make = make
        self._open: dict[Any, _Group] = {}
        self._closed: set[Any] = set()
        self._new: _Group | None = None
        self._blocked: _Group | None = None

    def on_pull(self) -> None:
        if self._new is not None:
            group, self._new = self._new, None
            self._hand_out(group)
            if self.inlet.in_closed:
                self._end_upstream()
        elif self._blocked is None and not self.inlet.in_closed:
            self.inlet.try_pull()

    def on_push(self) -> None:
        element = self.inlet.grab()
        try:
            key = self._key(element)
            if key is None:
                raise TypeError("the key of group_by must not be None")
        except Exception as error:
            self.decide(error)
            self._go_on()
            return
        group = self._open.get(key)
        if group is None:
            if key in self._closed:
                self._go_on()
                return
            if len(self._open) >= self._limit:
                raise TooManySubstreamsOpenError(
                    f"group_by may have {self._limit} substreams open, and met one key more: {key!r}"
                )
            group = self._open[key] = _Group(self, key)
            group.held = element
            self._blocked = group
            if self.outlet.is_wanted:
                self._hand_out(group)
            elif self.outlet.out_closed:
                del self._open[key]
                self._blocked = None
                self._go_on()
            else:
                self._new = group
        elif group.substream.is_wanted:
            group.substream.push(element)
            self._go_on()
        else:
            group.held = element
            self._blocked = group

    def on_upstream_finish(self) -> None:
        self._end_upstream()

    def on_upstream_failure(self, error: BaseException) -> None:
        for group in self._open.values():
            group.substream.fail(error)
        self.fail_stage(error)

    def on_downstream_finish(self, cause: BaseException) -> None:
        if self._new is not None:
            self._new = self._blocked = None
        if not any(group.is_running for group in self._open.values()):
            self.cancel_stage(cause)
        else:
            self._go_on()

    def on_timer(self, key: Hashable) -> None:
        assert isinstance(key, Substream)
        key.expired()

    def fail_stage(self, error: BaseException) -> None:
        for group in self._open.values():
            group.substream.fail(error)
        super().fail_stage(error)

    def pulled(self, group: _Group) -> None:
        """One of the groups asks for an element."""
        if group.held is not None:
            element, group.held = group.held, None
            group.substream.push(element)
            if self._blocked is group:
                self._blocked = None
            if self.inlet.in_closed:
                group.substream.complete()
                self._open.pop(group.key, None)
                self._check_end()
                return
        self._go_on()

    def closed(self, group: _Group) -> None:
        """Its consumer cancelled, or never came."""
        if self._open.pop(group.key, None) is not None and not self._reopen:
            if len(self._closed) >= CLOSED_KEYS_LIMIT:
                raise TooManySubstreamsOpenError(
                    f"group_by remembers {CLOSED_KEYS_LIMIT} keys of closed substreams: let them be opened again"
                )
            self._closed.add(group.key)
        group.held = None
        if self._blocked is group:
            self._blocked = None
        if self.inlet.in_closed:
            self._check_end()
        elif self.outlet.out_closed and not self._open:
            self.cancel_stage(NO_MORE_ELEMENTS)
        else:
            self._go_on()

    def _hand_out(self, group: _Group) -> None:
        group.is_running = True
        self.outlet.push(self._make(group.substream))
        group.substream.schedule_timeout()

    def _go_on(self) -> None:
        if self._blocked is not None or self.inlet.in_closed:
            return
        if self.outlet.is_wanted or any(group.substream.is_wanted for group in self._open.values()):
            self.inlet.try_pull()

    def _end_upstream(self) -> None:
        for key, group in list(self._open.items()):
            if group.held is None:
                group.substream.complete()
                del self._open[key]
        self._check_end()

    def _check_end(self) -> None:
        if not self._open and self._new is None:
            self.outlet.complete()


class _Group:
    def __init__(self, stage: GroupBy, key: Any) -> None:
        self.key = key
        self.held: Any = None
        self.is_running = False
        self.substream = Substream(stage, f"the substream of {key!r}")
        self.substream.on_pull = lambda: stage.pulled(self)
        self.substream.on_cancel = lambda _: stage.closed(self)


class Split(Stage):
    """A new substream begins at (`after`: after) each element that `predicate` is true for."""

    def __init__(
        self,
        predicate: Callable[[Any], bool],
        after: bool,
        make: Callable[[Substream], Any],
        drain: bool,
    ) -> None:
        self._predicate = predicate
        self._after = after
        self._make = make
        self._drain = drain
        self._current: Substream | None = None
        self._held: Any = None
        self._new: Substream | None = None
        self._skipping = False

    def on_pull(self) -> None:
        if self._new is not None:
            self._hand_out()
        elif self._current is None and not self.inlet.in_closed:
            self.inlet.try_pull()

    def on_push(self) -> None:
        element = self.inlet.grab()
        try:
            cuts = bool(self._predicate(element))
        except Exception as error:
            if self.decide(error) is Directive.RESTART:
                self._end_current()
            self.inlet.try_pull()
            return
        if not self._after and cuts:
            self._end_current()
        if self._skipping and not (cuts and not self._after):
            self._skipping = not cuts
            self.inlet.pull()
            return
        self._skipping = False
        if self._current is None:
            self._held = element
            self._held_cuts = self._after and cuts
            self._begin()
        elif self._current.is_wanted:
            self._give(element, self._after and cuts)
        else:
            self._held = element
            self._held_cuts = self._after and cuts

    _held_cuts = False

    def on_upstream_finish(self) -> None:
        if self._held is None:
            self._end_current()
            self.outlet.complete()

    def on_upstream_failure(self, error: BaseException) -> None:
        self.fail_stage(error)

    def fail_stage(self, error: BaseException) -> None:
        if self._current is not None:
            self._current.fail(error)
        super().fail_stage(error)

    def on_downstream_finish(self, cause: BaseException) -> None:
        if self._current is None or self._new is not None or self._current.is_cancelled:
            self.cancel_stage(cause)

    def on_timer(self, key: Hashable) -> None:
        assert isinstance(key, Substream)
        key.expired()

    def _begin(self) -> None:
        substream = Substream(self, "a substream of split")
        substream.on_pull = partial(self._pulled, substream)
        substream.on_cancel = partial(self._cancelled, substream)
        self._current = self._new = substream
        if self.outlet.out_closed:
            self.cancel_stage(NO_MORE_ELEMENTS)
        elif self.outlet.is_wanted:
            self._hand_out()

    def _hand_out(self) -> None:
        assert self._new is not None
        substream, self._new = self._new, None
        self.outlet.push(self._make(substream))
        substream.schedule_timeout()

    def _pulled(self, substream: Substream) -> None:
        if substream is not self._current:
            return
        if self._held is not None:
            element, self._held = self._held, None
            self._give(element, self._held_cuts)
            if self.inlet.in_closed:
                self._end_current()
                self.outlet.complete()
        else:
            self.inlet.try_pull()

    def _give(self, element: Any, last: bool) -> None:
        assert self._current is not None
        self._current.push(element)
        if last:
            self._end_current()
            if self.outlet.is_wanted:
                self.inlet.try_pull()

    def _end_current(self) -> None:
        if self._current is not None:
            self._current.complete()
            self._current = None

    def _cancelled(self, substream: Substream, cause: BaseException) -> None:
        if substream is not self._current:
            return
        self._current = None
        self._held = None
        if self.outlet.out_closed or not self._drain:
            self.cancel_stage(cause)
            return
        if self.inlet.in_closed:
            self.outlet.complete()
            return
        self._skipping = not self._held_cuts
        self.inlet.try_pull()


class PrefixAndTail(Stage):
    """One element: the list of the first `count` elements, and a source of the rest."""

    def __init__(self, count: int, make: Callable[[Substream], Any], empty: Any) -> None:
        self._left = count
        self._make = make
        self._empty = empty
        self._prefix: list[Any] = []
        self._tail: Substream | None = None

    def on_pull(self) -> None:
        if self._left <= 0:
            self._give()
        elif self.inlet.in_closed:
            self._end()
        else:
            self.inlet.try_pull()

    def on_push(self) -> None:
        element = self.inlet.grab()
        if self._tail is not None:
            self._tail.push(element)
            return
        self._prefix.append(element)
        self._left -= 1
        if self._left <= 0:
            self._give()
        else:
            self.inlet.pull()

    def on_upstream_finish(self) -> None:
        if self._tail is not None:
            self._tail.complete()
        elif self.outlet.is_wanted:
            self._end()

    def on_upstream_failure(self, error: BaseException) -> None:
        if self._tail is not None:
            self._tail.fail(error)
        else:
            self.fail_stage(error)

    def on_downstream_finish(self, cause: BaseException) -> None:
        if self._tail is None:
            self.cancel_stage(cause)

    def on_timer(self, key: Hashable) -> None:
        assert self._tail is not None
        self._tail.expired()

    def _give(self) -> None:
        self._tail = Substream(self, "the tail of prefix_and_tail")
        self._tail.on_pull = lambda: self.inlet.try_pull()  # noqa: PLW0108 - the inlet comes later
        self._tail.on_cancel = self.cancel_stage
        if self.inlet.in_closed:
            self._tail.complete()
        self.outlet.push((self._prefix, self._make(self._tail)))
        self.outlet.complete()
        self._tail.schedule_timeout()

    def _end(self) -> None:
        self.outlet.push((self._prefix, self._empty))
        self.complete_stage()


class LazySource(OuterStage):
    """Makes its source with the first pull."""

    ins = 0

    def __init__(self, make: Callable[[], Any], value: Promise[Any]) -> None:
        self._make = make
        self._value = value
        self._inner: Connection | None = None

    def on_pull(self) -> None:
        if self._inner is None:
            self._inner, value = self.run_source(
                self._make(), lambda inner: self.outlet.push(inner.grab()), lambda _: self.complete_stage()
            )
            self._value.succeed(value)
        self._inner.try_pull()

    def fail_stage(self, error: BaseException) -> None:
        self._value.fail(error)
        super().fail_stage(error)

    def post_stop(self) -> None:
        self._value.fail(NeverMaterializedError("the source was not made: nothing asked for an element"))


class LazySink(OuterStage):
    """Makes its sink with the first element."""

    outs = 0

    def __init__(self, make: Callable[[], Any], value: Promise[Any]) -> None:
        self._make = make
        self._value = value
        self._inner: Connection | None = None
        self._held: Any = None

    def pre_start(self) -> None:
        self.inlet.pull()

    def on_push(self) -> None:
        if self._inner is not None:
            self._inner.push(self.inlet.grab())
            return
        self._held = self.inlet.grab()
        self._inner, value = self.run_sink(self._make(), self._pulled)
        self._value.succeed(value)

    def on_upstream_finish(self) -> None:
        if self._held is None:
            self.complete_stage()

    def fail_stage(self, error: BaseException) -> None:
        self._value.fail(error)
        super().fail_stage(error)

    def post_stop(self) -> None:
        self._value.fail(NeverMaterializedError("the sink was not made: no element came"))

    def _pulled(self) -> None:
        assert self._inner is not None
        if self._held is None:
            self.inlet.try_pull()
            return
        element, self._held = self._held, None
        self._inner.push(element)
        if self.inlet.in_closed:
            self.complete_stage()


def _nothing(*_: Any) -> None:
    """Nobody is notified."""


def _empty() -> Stage:
    from smackbox.akka.stream.sources import Empty

    return cast("Stage", Empty())
