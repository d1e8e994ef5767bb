"""Operators of sources and flows that leave the elements' type as it is; others are in `source.py` and `flow.py`."""

# mypy: disable-error-code="no-any-return"
# How a step is added has no type that says what comes out; each operator says it.

from __future__ import annotations

import logging
import random
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.actor.supervision import Decider
from smackbox.akka.stream import (
    actors,
    buffers,
    fan_in,
    fan_out,
    recovery,
    substreams,
    timed,
    transform,
)
from smackbox.akka.stream.blueprint import (
    FoldSpec,
    Head,
    Keep,
    OpStep,
    PartStep,
    Scope,
    StageHead,
    StageStep,
    Step,
    Tail,
)
from smackbox.akka.stream.buffers import OverflowStrategy
from smackbox.akka.stream.fused import Op
from smackbox.akka.stream.promise import Promise
from smackbox.akka.stream.shape import SinkShape, SourceShape
from smackbox.akka.stream.sources import Single
from smackbox.akka.stream.stage import Stage
from smackbox.akka.stream.timed import ThrottleMode

if TYPE_CHECKING:
    from smackbox.akka.stream.materializer import Out, Part

T = TypeVar("T")

DELAY_BUFFER = 16


class Operators(Generic[T]):
    """What `Source` and `Flow` have in common. A function that raises fails the stream, unless the decider resumes."""

    @abstractmethod
    def _and(self, step: Step) -> Any:
        """This, and one more step."""

    def _stage(self, make: Callable[[], Stage]) -> Any:
        return self._and(StageStep(make))

    def _fan_in(
        self,
        make: Callable[[], Stage],
        others: Iterable[Head],
        own: int = 0,
        combine: Callable[[Any, Any], Any] = Keep.left,
    ) -> Any:
        sources = tuple(others)

        def attach(part: Part, out: Out) -> tuple[Out, Any]:
            stage = part.add(make())
            part.connect(out, stage, own)
            ports = (port for port in range(len(sources) + 1) if port != own)
            value = None
            for port, source in zip(ports, sources, strict=True):
                other, value = source.attach(part)
                part.connect(other, stage, port)
            return (stage, 0), value

        return self._and(PartStep(attach, combine))

    def _side(self, make: Callable[[], Stage], sink: Tail, combine: Callable[[Any, Any], Any]) -> Any:
        """A stage whose outlet 1 goes to `sink`."""

        def attach(part: Part, out: Out) -> tuple[Out, Any]:
            stage = part.add(make())
            part.connect(out, stage)
            return (stage, 0), sink.attach(part, (stage, 1))

        return self._and(PartStep(attach, combine))

    def _before(self, other: Head) -> Any:
        return self._fan_in(lambda: fan_in.Concat(2), (other,), own=1)

    # -- by what an element is

    def filter(self, predicate: Callable[[T], Any]) -> Self:
        """Those for which `predicate` is true."""
        return self._and(OpStep(Op.FILTER, predicate))

    def filter_not(self, predicate: Callable[[T], Any]) -> Self:
        """Elements for which the predicate does not hold."""
        return self._and(OpStep(Op.FILTER, lambda element: not predicate(element)))

    def take(self, count: int) -> Self:
        """The first `count` elements; then the stream completes."""
        return self._stage(lambda: transform.Take(count))

    def take_while(self, predicate: Callable[[T], bool], *, inclusive: bool = False) -> Self:
        """Up to the first for which `predicate` is false (`inclusive`: with that one)."""
        return self._stage(lambda: transform.TakeWhile(predicate, inclusive))

    def drop(self, count: int) -> Self:
        """All but the first `count` elements."""
        return self._stage(lambda: transform.Drop(count))

    def drop_while(self, predicate: Callable[[T], bool]) -> Self:
        """Elements from the first for which the predicate does not hold."""
        return self._stage(lambda: transform.DropWhile(predicate))

    def drop_repeated(self, same: Callable[[T, T], bool] = lambda one, other: one == other) -> Self:
        """Without those that are the same as the one before."""
        return self._stage(lambda: transform.DropRepeated(same))

    def limit(self, count: int) -> Self:
        """Fails with `StreamLimitReachedError` when there are more."""
        return self._stage(lambda: transform.Limit(count, lambda _: 1))

    def limit_weighted(self, limit: float, weight: Callable[[T], float]) -> Self:
        """Fails with `StreamLimitReachedError` when the elements weigh more than `limit` together."""
        return self._stage(lambda: transform.Limit(limit, weight))

    def intersperse(self, separator: T, *, start: T | None = None, end: T | None = None) -> Self:
        """`separator` between two elements, `start` before the first, `end` after the last."""
        return self._stage(lambda: transform.Intersperse(start, separator, end))

    def reduce(self, function: Callable[[T, T], T]) -> Self:
        """One element at the end. An empty stream fails with `NoSuchElementError`."""
        return self._stage(lambda: transform.Reduce(function))

    def log(
        self, title: str, extract: Callable[[T], Any] = lambda element: element, logger: logging.Logger | None = None
    ) -> Self:
        """Log elements and the end at DEBUG, a failure at ERROR."""
        target = logger or logging.getLogger("smackbox.akka.stream")
        return self._stage(lambda: transform.Log(title, extract, target))

    # -- by the clock

    def throttle(
        self,
        elements: float,
        per_s: float,
        *,
        burst: float | None = None,
        cost: Callable[[T], float] = lambda _: 1,
        mode: ThrottleMode = ThrottleMode.SHAPING,
    ) -> Self:
        """At most `elements` (or `cost`s of so much) in `per_s`, with `burst` saved up by pauses (None: by one unit, or
        the first element). ENFORCING fails with `RateExceededError`. Raises `ValueError` for invalid figures.
        """
        if elements <= 0 or per_s <= 0 or (burst is not None and burst < 0):
            raise ValueError("throttle needs elements > 0, per_s > 0 and burst >= 0")
        if mode is ThrottleMode.ENFORCING and burst == 0:
            raise ValueError("throttle in mode ENFORCING needs a burst of 1 or more: without it each element fails")
        size = 1.0 if burst is None else burst
        return self._stage(lambda: timed.Throttle(elements, per_s, size, cost, mode))

    def delay(
        self,
        delay_s: float | Callable[[T], float],
        strategy: OverflowStrategy = OverflowStrategy.BACK_PRESSURE,
        buffer: int = DELAY_BUFFER,
    ) -> Self:
        """Each element so much later, in order; `buffer` elements wait at most."""
        after = delay_s if callable(delay_s) else lambda _: delay_s
        return self._stage(lambda: timed.Delay(after, buffer, strategy))

    def initial_delay(self, delay_s: float) -> Self:
        """Asks for the first element `delay_s` after the start."""
        return self._stage(lambda: timed.InitialDelay(delay_s))

    def take_within(self, within_s: float) -> Self:
        """Completes `within_s` after the start."""
        return self._stage(lambda: timed.TakeWithin(within_s))

    def drop_within(self, within_s: float) -> Self:
        """Drops what comes within `within_s` of the start."""
        return self._stage(lambda: timed.DropWithin(within_s))

    def initial_timeout(self, timeout_s: float) -> Self:
        """`StreamTimeoutError` unless an element comes in time."""
        return self._stage(lambda: timed.InitialTimeout(timeout_s))

    def completion_timeout(self, timeout_s: float) -> Self:
        """`StreamTimeoutError` unless the stream ends in time."""
        return self._stage(lambda: timed.CompletionTimeout(timeout_s))

    def idle_timeout(self, timeout_s: float) -> Self:
        """`StreamTimeoutError` when so much passes between two elements."""
        return self._stage(lambda: timed.IdleTimeout(timeout_s))

    def backpressure_timeout(self, timeout_s: float) -> Self:
        """`StreamTimeoutError` when downstream is so slow."""
        return self._stage(lambda: timed.BackpressureTimeout(timeout_s))

    def keep_alive(self, idle_s: float, inject: Callable[[], T]) -> Self:
        """An element of `inject` whenever none came for `idle_s` and one is wanted."""
        return self._stage(lambda: timed.KeepAlive(idle_s, inject))

    # -- rates

    def buffer(self, size: int, strategy: OverflowStrategy = OverflowStrategy.BACK_PRESSURE) -> Self:
        """Raises `ValueError` for an invalid size."""
        if size < 1:
            raise ValueError(f"a buffer holds at least one element, not {size}")
        if strategy is OverflowStrategy.EMIT_EARLY:
            raise ValueError("EMIT_EARLY is a strategy of delay alone")
        return self._stage(lambda: buffers.Buffer(size, strategy))

    def conflate(self, aggregate: Callable[[T, T], T]) -> Self:
        """While downstream is slow, one element of several."""
        return self._stage(lambda: buffers.Batch(None, lambda _: 0, lambda element: element, aggregate))

    def extrapolate(self, extend: Callable[[T], Iterator[T]], initial: T | None = None) -> Self:
        """While upstream is slow, what `extend` makes of the last element; each element itself comes first."""

        def with_element(element: T) -> Iterator[T]:
            yield element
            yield from extend(element)

        begun = self if initial is None else self._before(_single(initial))
        return begun._stage(lambda: buffers.Expand(with_element))

    def detach(self) -> Self:
        """Ask for one element ahead of demand."""
        return self._stage(buffers.Detach)

    # -- several streams as one

    def merge(self, *others: SourceShape[T, Any], eager: bool = False) -> Self:
        """Elements of all as they come. `eager`: ends with the first that does."""
        return self._fan_in(lambda: fan_in.Merge(len(others) + 1, eager), others)

    def merge_preferred(self, other: SourceShape[T, Any], *, prefer_other: bool = False) -> Self:
        """The preferred one first, whenever it has an element."""
        return self._fan_in(lambda: fan_in.MergePreferred(2), (other,), own=1 if prefer_other else 0)

    def merge_prioritized(
        self, other: SourceShape[T, Any], own_priority: int, other_priority: int, *, eager: bool = False
    ) -> Self:
        """Where both have an element, one by chance in these proportions. Raises `ValueError`."""
        if own_priority < 1 or other_priority < 1:
            raise ValueError("priorities are 1 or more")
        priorities = [own_priority, other_priority]
        return self._fan_in(lambda: fan_in.MergePrioritized(priorities, random.random, eager), (other,))

    def merge_sorted(self, other: SourceShape[T, Any], key: Callable[[T], Any] = lambda element: element) -> Self:
        """Both are sorted by `key`, and so is the result."""
        return self._fan_in(lambda: fan_in.MergeSorted(key), (other,))

    def merge_sequence(self, *others: SourceShape[T, Any], sequence: Callable[[T], int]) -> Self:
        """By numbers from 0 that are spread over all."""
        return self._fan_in(lambda: fan_in.MergeSequence(len(others) + 1, sequence), others)

    def concat(self, *others: SourceShape[T, Any]) -> Self:
        """One after another."""
        return self._fan_in(lambda: fan_in.Concat(len(others) + 1), others)

    def concat_lazy(self, other: SourceShape[T, Any]) -> Self:
        """As concat; `other` does not run before its turn."""
        return self._fan_in(lambda: fan_in.Concat(2), (_lazy(other),))

    def prepend(self, other: SourceShape[T, Any]) -> Self:
        """`other` first."""
        return self._before(other)

    def or_else(self, other: SourceShape[T, Any]) -> Self:
        """`other`, where this stream ends without an element."""
        return self._fan_in(fan_in.OrElse, (other,))

    def interleave(self, other: SourceShape[T, Any], segment: int = 1, *, eager: bool = False) -> Self:
        """`segment` elements of each in turn. Raises `ValueError`."""
        if segment < 1:
            raise ValueError("a segment has at least one element")
        return self._fan_in(lambda: fan_in.Interleave(2, segment, eager), (other,))

    # -- to others besides

    def also_to(self, sink: SinkShape[T, Any]) -> Self:
        """`sink` gets each element, too, and slows the stream when it is slow; its end ends the stream."""
        return self._side(fan_out.AlsoTo, sink, Keep.left)

    def also_to_mat(self, sink: SinkShape[T, Any], combine: Callable[[Any, Any], Any]) -> Any:
        """As `also_to`; `combine` makes the materialized value of both."""
        return self._side(fan_out.AlsoTo, sink, combine)

    def wire_tap(self, tap: SinkShape[T, Any] | Callable[[T], Any]) -> Self:
        """`tap` sees elements, and never slows the stream: a sink that is slow misses some."""
        sink = tap if isinstance(tap, SinkShape) else FoldSpec(lambda: None, lambda _, element: _nothing(tap(element)))
        return self._side(fan_out.WireTap, sink, Keep.left)

    def divert_to(self, sink: SinkShape[T, Any], when: Callable[[T], bool]) -> Self:
        """Elements for which `when` is true go to `sink`, and not on."""
        return self._side(lambda: fan_out.DivertTo(when), sink, Keep.left)

    # -- failures

    def recover(self, function: Callable[[BaseException], T | None]) -> Self:
        """A failure becomes a last element; where `function` gives None it stays one."""
        return self._stage(lambda: recovery.Recover(function))

    def recover_with_retries(
        self, attempts: int, function: Callable[[BaseException], SourceShape[T, Any] | None]
    ) -> Self:
        """After a failure go on with another source, at most `attempts` times (-1: no limit)."""
        return self._stage(lambda: recovery.RecoverWith(attempts, function))

    def recover_with(self, function: Callable[[BaseException], SourceShape[T, Any] | None]) -> Self:
        """On a failure goes on with the source that `function` gives, however often."""
        return self.recover_with_retries(-1, function)

    def map_error(self, function: Callable[[BaseException], BaseException | None]) -> Self:
        """Another failure instead; None leaves it."""
        return self._stage(lambda: recovery.MapError(function))

    def on_error_complete(self, when: type[BaseException] | Callable[[BaseException], bool] = Exception) -> Self:
        """A failure of that kind ends the stream as if it were complete."""
        test = (lambda error: isinstance(error, when)) if isinstance(when, type) else when
        return self._stage(lambda: recovery.OnErrorComplete(test))

    # -- and the rest

    def watch(self, ref: ActorRef[Any]) -> Self:
        """Fail with `WatchedActorTerminatedError` when that actor is gone."""
        return self._stage(lambda: actors.Watch(ref))

    @abstractmethod
    def _scoped(self, scope: Scope) -> Any: ...

    def with_attributes(
        self, *, decider: Decider | None = None, input_buffer: int | None = None, name: str | None = None
    ) -> Self:
        """For all operators before: what failures of functions lead to, and the size of its boundaries' buffers.

        Raises `ValueError`.
        """
        return self._scoped(Scope(decider, input_buffer, name))

    def named(self, name: str) -> Self:
        """A name for logs and errors."""
        return self.with_attributes(name=name)

    def async_(self) -> Self:
        """All operators before run in an actor of their own, with a buffer between."""
        return self._scoped(Scope(island=True))


def _single(element: Any) -> Head:
    return StageHead(lambda _: (Single(element), None))


def _lazy(source: SourceShape[Any, Any]) -> Head:
    def make(part: Part) -> tuple[Stage, None]:
        return substreams.LazySource(lambda: source, Promise(part.system)), None

    return StageHead(make)


def _nothing(_: Any) -> None:
    """What a fold that gathers nothing goes on with."""


__all__ = ["Operators", "substreams"]
