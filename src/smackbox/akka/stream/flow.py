"""The middle of streams: `Flow[I, T, M]` takes elements of type I, gives those of type T, and materializes an M."""

# mypy: disable-error-code="no-any-return"
# How a step is added has no type that says what comes out; each operator says it.

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.stream import async_ops, buffers, fan_in, substreams, timed, transform
from smackbox.akka.stream.blueprint import (
    Keep,
    OpStep,
    PartStep,
    Scope,
    StageStep,
    Step,
    ValueStep,
    attach_steps,
)
from smackbox.akka.stream.coupled import Coupled
from smackbox.akka.stream.fused import Op
from smackbox.akka.stream.graph import GraphBuilder
from smackbox.akka.stream.operators import Operators
from smackbox.akka.stream.promise import Promise
from smackbox.akka.stream.recovery import FlowMonitor, Monitor, WatchTermination
from smackbox.akka.stream.shape import FlowShape, SinkShape
from smackbox.akka.stream.sink import Sink
from smackbox.akka.stream.source import Source, _positive
from smackbox.akka.stream.stage import Stage

if TYPE_CHECKING:
    from smackbox.akka.stream.materializer import Out, Part
    from smackbox.akka.stream.sub_flow import SubFlow

I = TypeVar("I")  # noqa: E741 - the input's type
J = TypeVar("J")
T = TypeVar("T")
U = TypeVar("U")
S = TypeVar("S")
V = TypeVar("V")
M = TypeVar("M")
N = TypeVar("N")


class Flow(Operators[T], FlowShape[I, T, M], Generic[I, T, M]):
    """A blueprint with one inlet and one outlet."""

    def __init__(self, steps: tuple[Step, ...] = ()) -> None:
        self._steps = steps

    # -- making one

    @staticmethod
    def of(kind: type[J] | None = None) -> Flow[J, J, None]:  # noqa: ARG004 - for type checkers
        """What goes in comes out: `Flow.of(int).map(…)`. The type is for type checkers."""
        return Flow()

    @staticmethod
    def from_function(function: Callable[[J], U]) -> Flow[J, U, None]:
        """A flow that maps."""
        return Flow((OpStep(Op.MAP, function),))

    @staticmethod
    def from_sink_and_source(
        sink: SinkShape[J, Any], source: Source[U, Any], *, coupled: bool = False
    ) -> Flow[J, U, None]:
        """What goes in ends in `sink`, what comes out begins in `source`. `coupled`: they end together."""

        def attach(part: Part, out: Out) -> tuple[Out, Any]:
            beginning, _ = source.attach(part)
            if not coupled:
                sink.attach(part, out)
                return beginning, None
            stage = part.add(Coupled())
            part.connect(out, stage, 0)
            part.connect(beginning, stage, 1)
            sink.attach(part, (stage, 0))
            return (stage, 1), None

        return Flow((PartStep(attach),))

    @staticmethod
    def from_graph(build: Callable[[GraphBuilder, Out], Out]) -> Flow[Any, Any, None]:
        """`build(builder, out)` goes on from `out` and gives the last outlet; it is called in each run."""
        return Flow((PartStep(lambda part, out: (build(GraphBuilder(part), out), None)),))

    @staticmethod
    def of_stage(make: Callable[[Part], tuple[Stage, N]]) -> Flow[Any, Any, N]:
        """A stage of one inlet and one outlet, and what it materializes, made in each run."""

        def attach(part: Part, out: Out) -> tuple[Out, Any]:
            stage, value = make(part)
            part.add(stage)
            part.connect(out, stage)
            return (stage, 0), value

        return Flow((PartStep(attach, Keep.right),))

    @staticmethod
    def lazy_flow(make: Callable[[], Flow[J, U, Any]]) -> Flow[J, U, None]:
        """Made with the first element."""

        def tail(pair: tuple[list[Any], Source[Any, None]]) -> Source[Any, Any]:
            first, rest = pair
            return Source.from_iterable(first).concat(rest).via(make()) if first else Source.empty()

        flow: Flow[Any, Any, None] = Flow()
        return flow.prefix_and_tail(1).flat_map_concat(tail)

    # -- joining

    def attach(self, part: Part, out: Out) -> tuple[Out, M]:
        """Go on from `out` in a part that is being built."""
        return attach_steps(part, out, None, self._steps)

    def plain_steps(self) -> tuple[Step, ...] | None:
        """Its steps, where they materialize nothing: they may be fused with their neighbours."""
        return self._steps if all(isinstance(step, OpStep | StageStep) for step in self._steps) else None

    def via(self, flow: FlowShape[T, U, Any]) -> Flow[I, U, M]:
        """Goes on with that flow; the materialized value stays."""
        return self.via_mat(flow, Keep.left)

    def via_mat(self, flow: FlowShape[T, U, N], combine: Callable[[M, N], V]) -> Flow[I, U, V]:
        """Goes on with that flow; `combine` makes the materialized value of both."""
        if combine is Keep.left:
            fused = flow.plain_steps()
            if fused is not None:
                return Flow(self._steps + fused)
        return self._and(PartStep(flow.attach, combine))

    def to(self, sink: SinkShape[T, Any]) -> Sink[I, M]:
        """A sink of this flow and that sink; the materialized value stays."""
        return self.to_mat(sink, Keep.left)

    def to_mat(self, sink: SinkShape[T, N], combine: Callable[[M, N], V]) -> Sink[I, V]:
        """The same; `combine` makes the materialized value of both."""

        def attach(part: Part, out: Out) -> V:
            last, left = self.attach(part, out)
            return combine(left, sink.attach(part, last))

        return Sink(attach)

    def map_materialized_value(self, function: Callable[[M], N]) -> Flow[I, T, N]:
        """The same flow, whose materialized value is what `function` makes of it."""
        return self._and(ValueStep(function))

    def watch_termination(self, combine: Callable[[M, asyncio.Future[None]], V]) -> Flow[I, T, V]:
        """With a future that is notified of the end."""

        def attach(part: Part, out: Out) -> tuple[Out, Any]:
            promise: Promise[None] = Promise(part.system)
            stage = part.add(WatchTermination(promise))
            part.connect(out, stage)
            return (stage, 0), promise.future

        return self._and(PartStep(attach, combine))

    def monitor(self, combine: Callable[[M, FlowMonitor], V]) -> Flow[I, T, V]:
        """With a monitor that shows what passed."""

        def attach(part: Part, out: Out) -> tuple[Out, Any]:
            monitor = FlowMonitor()
            stage = part.add(Monitor(monitor))
            part.connect(out, stage)
            return (stage, 0), monitor

        return self._and(PartStep(attach, combine))

    def _and(self, step: Step) -> Any:
        return Flow((*self._steps, step))

    def _scoped(self, scope: Scope) -> Any:
        return Flow((scope.steps(self._steps),))

    # -- operators that change the type

    def map(self, function: Callable[[T], U]) -> Flow[I, U, M]:
        """What `function` makes of each. It must not be None: see `collect`."""
        return self._and(OpStep(Op.MAP, function))

    def collect(self, function: Callable[[T], U | None]) -> Flow[I, U, M]:
        """What `function` makes of each, without None."""
        return self._and(OpStep(Op.COLLECT, function))

    def map_concat(self, function: Callable[[T], Iterable[U]]) -> Flow[I, U, M]:
        """The elements of what `function` makes of each."""
        return self._stage(lambda: transform.MapConcat(function))

    def stateful_map(
        self,
        create: Callable[[], S],
        function: Callable[[S, T], tuple[S, U | None]],
        at_end: Callable[[S], U | None] = lambda _: None,
    ) -> Flow[I, U, M]:
        """`function(state, element)` gives the next state and an element (None: none). `at_end` may give a last one."""
        return self._stage(lambda: transform.StatefulMap(create, function, at_end))

    def stateful_map_concat(self, create: Callable[[], Callable[[T], Iterable[U]]]) -> Flow[I, U, M]:
        """All elements that the function gives for each; `create` makes one, with its own state, for each run."""
        return self.stateful_map(create, lambda function, element: (function, function(element))).map_concat(iter)

    def map_with_resource(
        self, create: Callable[[], S], function: Callable[[S, T], U], close: Callable[[S], U | None] = lambda _: None
    ) -> Flow[I, U, M]:
        """`function(resource, element)`. The resource is made with the run and closed, once, however it ends.

        What `close` returns is a last element where the run ends in order.
        """
        return self.stateful_map(create, lambda resource, element: (resource, function(resource, element)), close)

    def fold_while(self, zero: U, goes_on: Callable[[U], bool], function: Callable[[U, T], U]) -> Flow[I, U, M]:
        """The result of a fold that ends, and cancels what is before it, as soon as `goes_on(result)` is false."""
        results = self.scan(zero, function).take_while(goes_on, inclusive=True)
        return results.fold(zero, lambda _, result: result)

    def map_async(self, parallelism: int, function: Callable[[T], Awaitable[U]]) -> Flow[I, U, M]:
        """Up to `parallelism` calls at once, results in order. Raises `ValueError`."""
        _positive(parallelism, "parallelism")
        return self._stage(lambda: async_ops.MapAsync(parallelism, function))

    def map_async_unordered(self, parallelism: int, function: Callable[[T], Awaitable[U]]) -> Flow[I, U, M]:
        """Up to `parallelism` calls at once, results as they come."""
        _positive(parallelism, "parallelism")
        return self._stage(lambda: async_ops.MapAsyncUnordered(parallelism, function))

    def map_async_partitioned(
        self, parallelism: int, partition: Callable[[T], Any], function: Callable[[T], Awaitable[U]]
    ) -> Flow[I, U, M]:
        """As `map_async`, with one call for a partition at once."""
        _positive(parallelism, "parallelism")
        return self._stage(lambda: async_ops.MapAsyncPartitioned(parallelism, partition, function))

    def ask(self, parallelism: int, ref: ActorRef[Any], timeout_s: float) -> Flow[I, Any, M]:
        """The replies of an actor to each element, in order; it replies to the sender. Fails when the actor is gone."""
        return self.watch(ref).map_async(parallelism, lambda element: ref.request(element, timeout_s))

    def scan(self, zero: U, function: Callable[[U, T], U]) -> Flow[I, U, M]:
        """`zero`, and what is gathered after each element."""
        return self._stage(lambda: transform.Scan(zero, function))

    def scan_async(self, zero: U, function: Callable[[U, T], Awaitable[U]]) -> Flow[I, U, M]:
        """`zero`, then what `function` makes of the last result and each element; one call at a time."""
        return self._stage(lambda: async_ops.ScanAsync(zero, function))

    def fold(self, zero: U, function: Callable[[U, T], U]) -> Flow[I, U, M]:
        """What is gathered, at the end."""
        return self._stage(lambda: transform.Fold(zero, function))

    def fold_async(self, zero: U, function: Callable[[U, T], Awaitable[U]]) -> Flow[I, U, M]:
        """What `function` made of all elements, at the end; one call at a time."""
        return self._stage(lambda: async_ops.FoldAsync(zero, function))

    def grouped(self, size: int) -> Flow[I, list[T], M]:
        """Lists of `size` elements; the last may be shorter. Raises `ValueError`."""
        _positive(size, "size")
        return self._stage(lambda: transform.Grouped(size, lambda _: 1))

    def grouped_weighted(self, limit: float, weight: Callable[[T], float]) -> Flow[I, list[T], M]:
        """Lists that weigh `limit` or more."""
        _positive(limit, "limit")
        return self._stage(lambda: transform.Grouped(limit, weight))

    def grouped_within(self, size: int, within_s: float) -> Flow[I, list[T], M]:
        """Lists of `size` elements, or what came within the time."""
        return self.grouped_weighted_within(size, within_s, lambda _: 1)

    def grouped_weighted_within(
        self, limit: float, within_s: float, weight: Callable[[T], float]
    ) -> Flow[I, list[T], M]:
        """Lists that weigh `limit` at most (one element may weigh more), or what came within the time."""
        _positive(limit, "limit")
        _positive(within_s, "within_s")
        return self._stage(lambda: timed.GroupedWithin(limit, within_s, weight))

    def sliding(self, size: int, step: int = 1) -> Flow[I, list[T], M]:
        """Windows of `size` elements, each `step` after the one before."""
        _positive(size, "size")
        _positive(step, "step")
        return self._stage(lambda: transform.Sliding(size, step))

    def zip_with_index(self) -> Flow[I, tuple[T, int], M]:
        """With its number, from 0."""
        return self._stage(transform.ZipWithIndex)

    def batch(self, limit: int, seed: Callable[[T], U], aggregate: Callable[[U, T], U]) -> Flow[I, U, M]:
        """While downstream is slow, gather up to `limit` elements."""
        _positive(limit, "limit")
        return self._stage(lambda: buffers.Batch(limit, lambda _: 1, seed, aggregate))

    def batch_weighted(
        self, limit: float, weight: Callable[[T], float], seed: Callable[[T], U], aggregate: Callable[[U, T], U]
    ) -> Flow[I, U, M]:
        """While downstream is slow, gather elements that weigh `limit` at most."""
        _positive(limit, "limit")
        return self._stage(lambda: buffers.Batch(limit, weight, seed, aggregate))

    def conflate_with_seed(self, seed: Callable[[T], U], aggregate: Callable[[U, T], U]) -> Flow[I, U, M]:
        """While downstream is slow, one element of several."""
        return self._stage(lambda: buffers.Batch(None, lambda _: 0, seed, aggregate))

    def expand(self, extend: Callable[[T], Iterator[U]]) -> Flow[I, U, M]:
        """While upstream is slow, the elements of what `extend` makes of the last."""
        return self._stage(lambda: buffers.Expand(extend))

    def flat_map_concat(self, function: Callable[[T], Source[U, Any]]) -> Flow[I, U, M]:
        """The elements of the sources, one after another."""
        return self._stage(lambda: substreams.FlatMapConcat(function))

    def flat_map_merge(self, breadth: int, function: Callable[[T], Source[U, Any]]) -> Flow[I, U, M]:
        """The elements of up to `breadth` sources at once."""
        _positive(breadth, "breadth")
        return self._stage(lambda: substreams.FlatMapMerge(breadth, function))

    def prefix_and_tail(self, count: int) -> Flow[I, tuple[list[T], Source[T, None]], M]:
        """One element: the first `count`, and a source of the rest, which is run once."""
        return self._stage(lambda: substreams.PrefixAndTail(count, Source.of_substream, Source.empty()))

    def group_by(
        self, max_substreams: int, key: Callable[[T], Any], *, reopen_closed: bool = False
    ) -> SubFlow[I, T, M]:
        """A substream for each key; one more than `max_substreams` open ones fails the stream.

        What comes for one that its consumer closed is dropped (`reopen_closed`: begins another).
        """
        _positive(max_substreams, "max_substreams")

        def make() -> Stage:
            return substreams.GroupBy(max_substreams, key, reopen_closed, Source.of_substream)

        return _sub(self._stage(make))

    def split_when(self, predicate: Callable[[T], bool], *, drain: bool = False) -> SubFlow[I, T, M]:
        """A new substream begins with each element for which `predicate` is true.

        A substream that is cancelled cancels the stream (`drain`: its elements are dropped).
        """
        return _sub(self._stage(lambda: substreams.Split(predicate, False, Source.of_substream, drain)))

    def split_after(self, predicate: Callable[[T], bool], *, drain: bool = False) -> SubFlow[I, T, M]:
        """A substream ends with each element for which `predicate` is true."""
        return _sub(self._stage(lambda: substreams.Split(predicate, True, Source.of_substream, drain)))

    def zip(self, other: Source[U, Any]) -> Flow[I, tuple[T, U], M]:
        """Pairs, until one has no more."""
        return self._fan_in(lambda: fan_in.ZipWith(2, lambda left, right: (left, right)), (other,))

    def zip_with(self, other: Source[S, Any], combine: Callable[[T, S], U]) -> Flow[I, U, M]:
        """What `combine` makes of an element of each."""
        return self._fan_in(lambda: fan_in.ZipWith(2, combine), (other,))

    def zip_all(self, other: Source[U, Any], own_fill: T, other_fill: U) -> Flow[I, tuple[T, U], M]:
        """Pairs, to the end of the longer."""
        return self._fan_in(lambda: fan_in.ZipAll(own_fill, other_fill), (other,))

    def zip_latest(self, other: Source[U, Any], *, eager: bool = True) -> Flow[I, tuple[T, U], M]:
        """The newest of both, whenever one has a new element."""
        return self._fan_in(lambda: fan_in.ZipLatest(lambda left, right: (left, right), eager), (other,))

    def zip_latest_with(
        self, other: Source[S, Any], combine: Callable[[T, S], U], *, eager: bool = True
    ) -> Flow[I, U, M]:
        """What `combine` makes of the latest of each, whenever one comes."""
        return self._fan_in(lambda: fan_in.ZipLatest(combine, eager), (other,))

    def merge_latest(self, *others: Source[T, Any], eager: bool = False) -> Flow[I, list[T], M]:
        """The newest of all as a list, whenever one has a new element."""
        return self._fan_in(lambda: fan_in.MergeLatest(len(others) + 1, eager), others)


def _sub(flow: Flow[Any, Any, Any]) -> Any:
    from smackbox.akka.stream.sub_flow import SubFlow as AnySubFlow

    return AnySubFlow(flow)
