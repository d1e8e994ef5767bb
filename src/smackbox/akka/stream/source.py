"""Where streams begin: `Source[T, M]` gives elements of type T, and materializes an M when it runs."""

# mypy: disable-error-code="no-any-return"
# How a step is added has no type that says what comes out; each operator says it.

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.stream import async_ops, buffers, fan_in, substreams, timed, transform
from smackbox.akka.stream.actors import AckingSource, ActorRefSource
from smackbox.akka.stream.blueprint import (
    Head,
    IterableHead,
    Keep,
    OpStep,
    PartHead,
    PartStep,
    Scope,
    StageHead,
    Step,
    ValueStep,
    attach_loop,
    attach_source,
)
from smackbox.akka.stream.buffers import OverflowStrategy
from smackbox.akka.stream.fused import Op
from smackbox.akka.stream.graph import GraphBuilder, RunnableGraph, Runner, materializer
from smackbox.akka.stream.operators import Operators
from smackbox.akka.stream.promise import Promise
from smackbox.akka.stream.publishers import OurSubscriber, SubscriberSource
from smackbox.akka.stream.queues import MaybeSource, QueueSource, SinkQueue, SourceQueue
from smackbox.akka.stream.reactive import Publisher, Subscriber
from smackbox.akka.stream.recovery import FlowMonitor, Monitor, WatchTermination
from smackbox.akka.stream.shape import FlowShape, SinkShape, SourceShape
from smackbox.akka.stream.sink import Sink
from smackbox.akka.stream.sources import Empty, Failed, Never, Single, Unfold, UnfoldResource
from smackbox.akka.stream.stage import Stage
from smackbox.akka.stream.substreams import Substream
from smackbox.akka.stream.timed import TickHandle, Ticks

if TYPE_CHECKING:
    from smackbox.akka.stream.materializer import Out, Part
    from smackbox.akka.stream.sub_source import SubSource

T = TypeVar("T")
U = TypeVar("U")
S = TypeVar("S")
V = TypeVar("V")
M = TypeVar("M")
N = TypeVar("N")
T_co = TypeVar("T_co", covariant=True)
M_co = TypeVar("M_co", covariant=True)

OFFERS = 1_024


class Source(Operators[T], SourceShape[T, M], Generic[T, M]):
    """A blueprint that gives elements. It runs when it is given a sink and a system, any number of times."""

    def __init__(self, head: Head, steps: tuple[Step, ...] = ()) -> None:
        self._head = head
        self._steps = steps

    # -- making one

    @staticmethod
    def from_iterable(elements: Iterable[U]) -> Source[U, None]:
        """Of anything that can be iterated, again in each run (a generator runs once)."""
        return Source(IterableHead(lambda: elements))

    @staticmethod
    def from_iterator(make: Callable[[], Iterable[U]]) -> Source[U, None]:
        """Of what `make` gives in each run."""
        return Source(IterableHead(make))

    @staticmethod
    def from_async_iterator(make: Callable[[], AsyncIterable[U]]) -> Source[U, None]:
        """Of an async iterable, made in each run; it is closed at the end."""
        return Source.of_stage(lambda _: (async_ops.AsyncIteratorSource(make), None))

    @staticmethod
    def range(first: int, last: int, step: int = 1) -> Source[int, None]:
        """`first` to `last`, which is included."""
        return Source(IterableHead(lambda: range(first, last + (1 if step > 0 else -1), step)))

    @staticmethod
    def single(element: U) -> Source[U, None]:
        """One element."""
        return Source.of_stage(lambda _: (Single(element), None))

    @staticmethod
    def empty() -> Source[Any, None]:
        """No element."""
        return Source.of_stage(lambda _: (Empty(), None))

    @staticmethod
    def never() -> Source[Any, None]:
        """Gives nothing, and does not end."""
        return Source.of_stage(lambda _: (Never(), None))

    @staticmethod
    def failed(error: BaseException) -> Source[Any, None]:
        """No element, and this failure."""
        return Source.of_stage(lambda _: (Failed(error), None))

    @staticmethod
    def repeat(element: U) -> Source[U, None]:
        """The same element without end."""

        def for_ever() -> Iterator[U]:
            while True:
                yield element

        return Source(IterableHead(for_ever))

    @staticmethod
    def cycle(make: Callable[[], Iterable[U]]) -> Source[U, None]:
        """Again and again what `make` gives. An empty one fails with `ValueError`."""

        def again() -> Iterator[U]:
            while True:
                empty = True
                for element in make():
                    empty = False
                    yield element
                if empty:
                    raise ValueError("cycle of nothing")

        return Source(IterableHead(again))

    @staticmethod
    def tick(first_s: float, every_s: float, element: U) -> Source[U, TickHandle]:
        """`element` each `every_s`; a tick that nobody wants is lost. The handle cancels it."""
        _positive(every_s, "every_s")

        def make(_: Part) -> tuple[Stage, TickHandle]:
            stage = Ticks(first_s, every_s, element)
            return stage, TickHandle(stage)

        return Source.of_stage(make)

    @staticmethod
    def unfold(state: S, function: Callable[[S], tuple[S, U] | None]) -> Source[U, None]:
        """`function(state)` gives the next state and an element, or None at the end."""
        return Source.of_stage(lambda _: (Unfold(state, function), None))

    @staticmethod
    def unfold_async(state: S, function: Callable[[S], Awaitable[tuple[S, U] | None]]) -> Source[U, None]:
        """Elements from a state: `function` gives the next state and an element, or None at the end."""
        return Source.of_stage(lambda _: (async_ops.UnfoldAsync(state, function), None))

    @staticmethod
    def unfold_resource(
        create: Callable[[], S], read: Callable[[S], U | None], close: Callable[[S], Any]
    ) -> Source[U, None]:
        """Opened in each run, read until None, closed in any case."""
        return Source.of_stage(lambda _: (UnfoldResource(create, read, close), None))

    @staticmethod
    def future(make: Awaitable[U] | Callable[[], Awaitable[U]]) -> Source[U, None]:
        """The one element that comes later. A coroutine runs once; a function that makes one, in each run."""
        function = make if callable(make) else lambda: make
        return Source.of_stage(lambda _: (async_ops.FutureSource(function), None))

    @staticmethod
    def maybe() -> Source[Any, asyncio.Future[Any]]:
        """The one element that the future is set to; None ends it empty."""

        def make(part: Part) -> tuple[Stage, asyncio.Future[Any]]:
            promise: Promise[Any] = Promise(part.system)
            return MaybeSource(promise), promise.future

        return Source.of_stage(make)

    @staticmethod
    def lazy_source(make: Callable[[], Source[U, N]]) -> Source[U, asyncio.Future[N]]:
        """Made with the first demand."""

        def stage(part: Part) -> tuple[Stage, asyncio.Future[N]]:
            promise: Promise[N] = Promise(part.system)
            return substreams.LazySource(make, promise), promise.future

        return Source.of_stage(stage)

    @staticmethod
    def lazy_single(make: Callable[[], U]) -> Source[U, asyncio.Future[None]]:
        """One element, made when it is asked for."""
        return Source.lazy_source(lambda: Source.single(make()))

    @staticmethod
    def queue(
        size: int, strategy: OverflowStrategy = OverflowStrategy.BACK_PRESSURE, *, offers: int = OFFERS
    ) -> Source[Any, SourceQueue[Any]]:
        """What is offered by hand; `size` elements wait. Raises `ValueError`."""
        if size < 0 or offers < 1:
            raise ValueError("a queue needs size >= 0 and offers >= 1")

        def make(part: Part) -> tuple[Stage, SourceQueue[Any]]:
            stage = QueueSource(size, strategy, offers, Promise(part.system))
            return stage, SourceQueue(stage)

        return Source.of_stage(make)

    @staticmethod
    def actor_ref(
        size: int,
        strategy: OverflowStrategy = OverflowStrategy.DROP_NEW,
        *,
        complete: Callable[[Any], bool] = lambda _: False,
        fail: Callable[[Any], BaseException | None] = lambda _: None,
    ) -> Source[Any, ActorRef[Any]]:
        """What is sent to the reference. There is no back-pressure: `size` elements wait, then the strategy decides."""
        if strategy in {OverflowStrategy.BACK_PRESSURE, OverflowStrategy.EMIT_EARLY} or size < 0:
            raise ValueError("a reference cannot press back: use another strategy, or actor_ref_with_back_pressure")

        def make(part: Part) -> tuple[Stage, ActorRef[Any]]:
            stage = ActorRefSource(part.system, size, strategy, complete, fail)
            return stage, stage.ref

        return Source.of_stage(make)

    @staticmethod
    def actor_ref_with_back_pressure(
        ack: Any,
        *,
        complete: Callable[[Any], bool] = lambda _: False,
        fail: Callable[[Any], BaseException | None] = lambda _: None,
    ) -> Source[Any, ActorRef[Any]]:
        """What is sent to the reference; each is acknowledged to its sender when it has gone on."""

        def make(part: Part) -> tuple[Stage, ActorRef[Any]]:
            stage = AckingSource(part.system, ack, complete, fail)
            return stage, stage.ref

        return Source.of_stage(make)

    @staticmethod
    def as_subscriber() -> Source[Any, Subscriber[Any]]:
        """Materializes a subscriber for a publisher of others."""

        def make(part: Part) -> tuple[Stage, Subscriber[Any]]:
            stage = SubscriberSource(part.attributes.input_buffer)
            return stage, OurSubscriber(stage)

        return Source.of_stage(make)

    @staticmethod
    def from_publisher(publisher: Publisher[U]) -> Source[U, None]:
        """The elements of a publisher of others; it is subscribed to in each run."""

        def subscribed(subscriber: Subscriber[Any]) -> None:
            publisher.subscribe(subscriber)

        return Source.as_subscriber().map_materialized_value(subscribed)

    @staticmethod
    def zip_n(sources: Iterable[Source[U, Any]]) -> Source[list[U], None]:
        """Lists of one element of each."""
        return Source.combine(sources, lambda count: fan_in.ZipWith(count, lambda *elements: list(elements)))

    @staticmethod
    def combine(sources: Iterable[Source[Any, Any]], stage: Callable[[int], Stage]) -> Source[Any, None]:
        """Several sources into a stage with as many inlets: `Source.combine([a, b], Merge)`."""
        every = tuple(sources)

        def attach(part: Part) -> tuple[Out, None]:
            made = part.add(stage(len(every)))
            for port, source in enumerate(every):
                part.connect(source.attach(part)[0], made, port)
            return (made, 0), None

        return Source(PartHead(attach))

    @staticmethod
    def from_graph(build: Callable[[GraphBuilder], Out]) -> Source[Any, None]:
        """What `build` gives the outlet of; it is called in each run."""
        return Source(PartHead(lambda part: (build(GraphBuilder(part)), None)))

    @staticmethod
    def of_stage(make: Callable[[Part], tuple[Stage, N]]) -> Source[Any, N]:
        """A stage of one outlet, and what it materializes, made in each run."""
        return Source(StageHead(make))

    @staticmethod
    def of_substream(substream: Substream) -> Source[Any, None]:
        """What a stage gives to one of its substreams."""
        return Source(substream)

    # -- joining

    def attach(self, part: Part) -> tuple[Out, M]:
        """Add this source's stages to a part that is being built."""
        return attach_source(part, self._head, self._steps)

    def attach_to(self, sink: SinkShape[T, N], part: Part) -> tuple[M, N]:
        """Add this source's stages and `sink` behind them, as one stage where that can be."""
        if sink.fold_spec is not None:
            fused, right = attach_loop(part, self._head, self._steps, sink.fold_spec)
            if fused:
                return None, right  # type: ignore[return-value]
        out, left = self.attach(part)
        return left, sink.attach(part, out)

    def via(self, flow: FlowShape[T, U, Any]) -> Source[U, M]:
        """Goes on with that flow; the materialized value stays."""
        return self.via_mat(flow, Keep.left)

    def via_mat(self, flow: FlowShape[T, U, N], combine: Callable[[M, N], V]) -> Source[U, V]:
        """Through `flow`, and what the two materialize combined."""
        if combine is Keep.left:
            fused = flow.plain_steps()
            if fused is not None:
                return Source(self._head, self._steps + fused)
        return self._and(PartStep(flow.attach, combine))

    def to(self, sink: SinkShape[T, Any]) -> RunnableGraph[M]:
        """A graph to run; the materialized value is the source's."""
        return self.to_mat(sink, Keep.left)

    def to_mat(self, sink: SinkShape[T, N], combine: Callable[[M, N], V]) -> RunnableGraph[V]:
        """Into `sink`, and what the two materialize combined."""

        return RunnableGraph(lambda part: combine(*self.attach_to(sink, part)))

    def map_materialized_value(self, function: Callable[[M], N]) -> Source[T, N]:
        """The same source, whose materialized value is what `function` makes of it."""
        return self._and(ValueStep(function))

    def watch_termination(self, combine: Callable[[M, asyncio.Future[None]], V]) -> Source[T, V]:
        """With a future that is notified of the end."""

        def attach(part: Part, out: Out) -> tuple[Out, Any]:
            promise: Promise[None] = Promise(part.system)
            stage = part.add(WatchTermination(promise))
            part.connect(out, stage)
            return (stage, 0), promise.future

        return self._and(PartStep(attach, combine))

    def monitor(self, combine: Callable[[M, FlowMonitor], V]) -> Source[T, V]:
        """With a monitor that shows what passed."""

        def attach(part: Part, out: Out) -> tuple[Out, Any]:
            monitor = FlowMonitor()
            stage = part.add(Monitor(monitor))
            part.connect(out, stage)
            return (stage, 0), monitor

        return self._and(PartStep(attach, combine))

    # -- running

    def run_with(self, sink: SinkShape[T, N], where: Runner) -> N:
        """Run into `sink`, on an actor system, in an actor, or by a materializer; what the sink materializes."""
        return self.to_mat(sink, Keep.right).run(where)

    async def run_fold(self, zero: U, function: Callable[[U, T], U], where: Runner) -> U:
        """Run it into a fold, and wait for the result."""
        return await self.run_with(Sink.fold(zero, function), where)

    async def run_reduce(self, function: Callable[[T, T], T], where: Runner) -> T:
        """Run it into a reduction, and wait for the result. Raises `NoSuchElementError` without an element."""
        return await self.run_with(Sink.reduce(function), where)

    async def run_foreach(self, function: Callable[[T], Any], where: Runner) -> None:
        """Call `function` with each element, and wait for the end."""
        await self.run_with(Sink.foreach(function), where)

    async def run_list(self, where: Runner) -> list[T]:
        """All elements."""
        return await self.run_with(Sink.seq(), where)

    def run_async_iterator(self, where: Runner, buffer: int = 16) -> SinkQueue[T]:
        """`async with source.run_async_iterator(system) as elements: async for element in elements`."""
        return self.run_with(Sink.queue(buffer), where)

    def pre_materialize(self, where: Runner) -> tuple[M, Source[T, None]]:
        """Run it now; what it materializes, and a source of its elements that is run once."""
        value, publisher = self.to_mat(Sink.as_publisher(), Keep.both).run(where)
        return value, Source.from_publisher(publisher)

    def _and(self, step: Step) -> Any:
        return Source(self._head, (*self._steps, step))

    def _scoped(self, scope: Scope) -> Any:
        return Source(scope.source(self.attach))

    # -- operators that change the type

    def map(self, function: Callable[[T], U]) -> Source[U, M]:
        """What `function` makes of each. It must not be None: see `collect`."""
        return self._and(OpStep(Op.MAP, function))

    def collect(self, function: Callable[[T], U | None]) -> Source[U, M]:
        """What `function` makes of each, without None."""
        return self._and(OpStep(Op.COLLECT, function))

    def map_concat(self, function: Callable[[T], Iterable[U]]) -> Source[U, M]:
        """The elements of what `function` makes of each."""
        return self._stage(lambda: transform.MapConcat(function))

    def stateful_map(
        self,
        create: Callable[[], S],
        function: Callable[[S, T], tuple[S, U | None]],
        at_end: Callable[[S], U | None] = lambda _: None,
    ) -> Source[U, M]:
        """`function(state, element)` gives the next state and an element (None: none). `at_end` may give a last one."""
        return self._stage(lambda: transform.StatefulMap(create, function, at_end))

    def stateful_map_concat(self, create: Callable[[], Callable[[T], Iterable[U]]]) -> Source[U, M]:
        """All elements that the function gives for each; `create` makes one, with its own state, for each run."""
        return self.stateful_map(create, lambda function, element: (function, function(element))).map_concat(iter)

    def map_with_resource(
        self, create: Callable[[], S], function: Callable[[S, T], U], close: Callable[[S], U | None] = lambda _: None
    ) -> Source[U, M]:
        """`function(resource, element)`. The resource is made with the run and closed, once, however it ends.

        What `close` returns is a last element where the run ends in order.
        """
        return self.stateful_map(create, lambda resource, element: (resource, function(resource, element)), close)

    def fold_while(self, zero: U, goes_on: Callable[[U], bool], function: Callable[[U, T], U]) -> Source[U, M]:
        """The result of a fold that ends, and cancels what is before it, as soon as `goes_on(result)` is false."""
        results = self.scan(zero, function).take_while(goes_on, inclusive=True)
        return results.fold(zero, lambda _, result: result)

    def map_async(self, parallelism: int, function: Callable[[T], Awaitable[U]]) -> Source[U, M]:
        """Up to `parallelism` calls at once, results in order. Raises `ValueError`."""
        _positive(parallelism, "parallelism")
        return self._stage(lambda: async_ops.MapAsync(parallelism, function))

    def map_async_unordered(self, parallelism: int, function: Callable[[T], Awaitable[U]]) -> Source[U, M]:
        """Up to `parallelism` calls at once, results as they come."""
        _positive(parallelism, "parallelism")
        return self._stage(lambda: async_ops.MapAsyncUnordered(parallelism, function))

    def map_async_partitioned(
        self, parallelism: int, partition: Callable[[T], Any], function: Callable[[T], Awaitable[U]]
    ) -> Source[U, M]:
        """As `map_async`, with one call for a partition at once."""
        _positive(parallelism, "parallelism")
        return self._stage(lambda: async_ops.MapAsyncPartitioned(parallelism, partition, function))

    def ask(self, parallelism: int, ref: ActorRef[Any], timeout_s: float) -> Source[Any, M]:
        """The replies of an actor to each element, in order; it replies to the sender. Fails when the actor is gone."""
        return self.watch(ref).map_async(parallelism, lambda element: ref.request(element, timeout_s))

    def scan(self, zero: U, function: Callable[[U, T], U]) -> Source[U, M]:
        """`zero`, and what is gathered after each element."""
        return self._stage(lambda: transform.Scan(zero, function))

    def scan_async(self, zero: U, function: Callable[[U, T], Awaitable[U]]) -> Source[U, M]:
        """`zero`, then what `function` makes of the last result and each element; one call at a time."""
        return self._stage(lambda: async_ops.ScanAsync(zero, function))

    def fold(self, zero: U, function: Callable[[U, T], U]) -> Source[U, M]:
        """What is gathered, at the end."""
        return self._stage(lambda: transform.Fold(zero, function))

    def fold_async(self, zero: U, function: Callable[[U, T], Awaitable[U]]) -> Source[U, M]:
        """What `function` made of all elements, at the end; one call at a time."""
        return self._stage(lambda: async_ops.FoldAsync(zero, function))

    def grouped(self, size: int) -> Source[list[T], M]:
        """Lists of `size` elements; the last may be shorter. Raises `ValueError`."""
        _positive(size, "size")
        return self._stage(lambda: transform.Grouped(size, lambda _: 1))

    def grouped_weighted(self, limit: float, weight: Callable[[T], float]) -> Source[list[T], M]:
        """Lists that weigh `limit` or more."""
        _positive(limit, "limit")
        return self._stage(lambda: transform.Grouped(limit, weight))

    def grouped_within(self, size: int, within_s: float) -> Source[list[T], M]:
        """Lists of `size` elements, or what came within the time."""
        return self.grouped_weighted_within(size, within_s, lambda _: 1)

    def grouped_weighted_within(
        self, limit: float, within_s: float, weight: Callable[[T], float]
    ) -> Source[list[T], M]:
        """Lists that weigh `limit` at most (one element may weigh more), or what came within the time."""
        _positive(limit, "limit")
        _positive(within_s, "within_s")
        return self._stage(lambda: timed.GroupedWithin(limit, within_s, weight))

    def sliding(self, size: int, step: int = 1) -> Source[list[T], M]:
        """Windows of `size` elements, each `step` after the one before."""
        _positive(size, "size")
        _positive(step, "step")
        return self._stage(lambda: transform.Sliding(size, step))

    def zip_with_index(self) -> Source[tuple[T, int], M]:
        """With its number, from 0."""
        return self._stage(transform.ZipWithIndex)

    def batch(self, limit: int, seed: Callable[[T], U], aggregate: Callable[[U, T], U]) -> Source[U, M]:
        """While downstream is slow, gather up to `limit` elements."""
        _positive(limit, "limit")
        return self._stage(lambda: buffers.Batch(limit, lambda _: 1, seed, aggregate))

    def batch_weighted(
        self, limit: float, weight: Callable[[T], float], seed: Callable[[T], U], aggregate: Callable[[U, T], U]
    ) -> Source[U, M]:
        """While downstream is slow, gather elements that weigh `limit` at most."""
        _positive(limit, "limit")
        return self._stage(lambda: buffers.Batch(limit, weight, seed, aggregate))

    def conflate_with_seed(self, seed: Callable[[T], U], aggregate: Callable[[U, T], U]) -> Source[U, M]:
        """While downstream is slow, one element of several."""
        return self._stage(lambda: buffers.Batch(None, lambda _: 0, seed, aggregate))

    def expand(self, extend: Callable[[T], Iterator[U]]) -> Source[U, M]:
        """While upstream is slow, the elements of what `extend` makes of the last."""
        return self._stage(lambda: buffers.Expand(extend))

    def flat_map_concat(self, function: Callable[[T], Source[U, Any]]) -> Source[U, M]:
        """The elements of the sources, one after another."""
        return self._stage(lambda: substreams.FlatMapConcat(function))

    def flat_map_merge(self, breadth: int, function: Callable[[T], Source[U, Any]]) -> Source[U, M]:
        """The elements of up to `breadth` sources at once."""
        _positive(breadth, "breadth")
        return self._stage(lambda: substreams.FlatMapMerge(breadth, function))

    def prefix_and_tail(self, count: int) -> Source[tuple[list[T], Source[T, None]], M]:
        """One element: the first `count`, and a source of the rest, which is run once."""
        return self._stage(lambda: substreams.PrefixAndTail(count, Source.of_substream, Source.empty()))

    def group_by(self, max_substreams: int, key: Callable[[T], Any], *, reopen_closed: bool = False) -> SubSource[T, M]:
        """A substream for each key; one more than `max_substreams` open ones fails the stream.

        What comes for one that its consumer closed is dropped (`reopen_closed`: begins another).
        """
        _positive(max_substreams, "max_substreams")

        def make() -> Stage:
            return substreams.GroupBy(max_substreams, key, reopen_closed, Source.of_substream)

        return _sub(self._stage(make))

    def split_when(self, predicate: Callable[[T], bool], *, drain: bool = False) -> SubSource[T, M]:
        """A new substream begins with each element for which `predicate` is true.

        A substream that is cancelled cancels the stream (`drain`: its elements are dropped).
        """
        return _sub(self._stage(lambda: substreams.Split(predicate, False, Source.of_substream, drain)))

    def split_after(self, predicate: Callable[[T], bool], *, drain: bool = False) -> SubSource[T, M]:
        """A substream ends with each element for which `predicate` is true."""
        return _sub(self._stage(lambda: substreams.Split(predicate, True, Source.of_substream, drain)))

    def zip(self, other: Source[U, Any]) -> Source[tuple[T, U], M]:
        """Pairs, until one has no more."""
        return self._fan_in(lambda: fan_in.ZipWith(2, lambda left, right: (left, right)), (other,))

    def zip_with(self, other: Source[S, Any], combine: Callable[[T, S], U]) -> Source[U, M]:
        """What `combine` makes of an element of each."""
        return self._fan_in(lambda: fan_in.ZipWith(2, combine), (other,))

    def zip_all(self, other: Source[U, Any], own_fill: T, other_fill: U) -> Source[tuple[T, U], M]:
        """Pairs, to the end of the longer."""
        return self._fan_in(lambda: fan_in.ZipAll(own_fill, other_fill), (other,))

    def zip_latest(self, other: Source[U, Any], *, eager: bool = True) -> Source[tuple[T, U], M]:
        """The newest of both, whenever one has a new element."""
        return self._fan_in(lambda: fan_in.ZipLatest(lambda left, right: (left, right), eager), (other,))

    def zip_latest_with(
        self, other: Source[S, Any], combine: Callable[[T, S], U], *, eager: bool = True
    ) -> Source[U, M]:
        """What `combine` makes of the latest of each, whenever one comes."""
        return self._fan_in(lambda: fan_in.ZipLatest(combine, eager), (other,))

    def merge_latest(self, *others: Source[T, Any], eager: bool = False) -> Source[list[T], M]:
        """The newest of all as a list, whenever one has a new element."""
        return self._fan_in(lambda: fan_in.MergeLatest(len(others) + 1, eager), others)


def _positive(value: float, name: str) -> None:
    if value <= 0:
        raise ValueError(f"{name} must be positive, not {value}")


def _sub(source: Source[Any, Any]) -> Any:
    from smackbox.akka.stream.sub_source import SubSource as AnySubSource

    return AnySubSource(source)


__all__ = ["Source", "materializer"]
