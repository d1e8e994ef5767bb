"""Where streams end: `Sink[I, M]` takes elements of type I, and materializes an M when it runs."""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.actor.supervision import Decider
from smackbox.akka.stream.actors import AckedSink, ActorRefSink
from smackbox.akka.stream.async_ops import ForeachAsync
from smackbox.akka.stream.blueprint import FoldSpec, OpStep, Scope, StageHead, StageStep, Step
from smackbox.akka.stream.fan_out import SinkFan
from smackbox.akka.stream.fused import Op
from smackbox.akka.stream.graph import GraphBuilder, RunnableGraph, Runner
from smackbox.akka.stream.promise import Promise
from smackbox.akka.stream.publishers import OurPublisher, OurSubscriber, PublisherSink, SubscriberSource
from smackbox.akka.stream.queues import QueueSink, SinkQueue
from smackbox.akka.stream.reactive import Publisher, Subscriber
from smackbox.akka.stream.shape import SinkShape, SourceShape
from smackbox.akka.stream.sinks import Cancelled, Head, Last, NeverSink, OnComplete
from smackbox.akka.stream.stage import Stage
from smackbox.akka.stream.substreams import LazySink
from smackbox.akka.stream.transform import Reduce, TakeLast

if TYPE_CHECKING:
    from smackbox.akka.stream.materializer import Out, Part

I = TypeVar("I", contravariant=True)  # noqa: E741, PLC0105 - the input's type
J = TypeVar("J")
M = TypeVar("M")
N = TypeVar("N")
U = TypeVar("U")


class Sink(SinkShape[I, M], Generic[I, M]):
    """A blueprint that takes elements."""

    def __init__(self, attach: Callable[[Part, Out], M], fold_spec: FoldSpec | None = None) -> None:
        self._attach = attach
        self.fold_spec = fold_spec

    def attach(self, part: Part, out: Out) -> M:
        """Take what comes out of `out` in a part that is being built."""
        return self._attach(part, out)

    # -- making one

    @staticmethod
    def fold(zero: U, function: Callable[[U, J], U]) -> Sink[J, asyncio.Future[U]]:
        """What is gathered, at the end."""
        return _folding(FoldSpec(lambda: zero, function))

    @staticmethod
    def foreach(function: Callable[[J], Any]) -> Sink[J, asyncio.Future[None]]:
        """Calls `function` for each; the future is notified of the end."""

        def step(_: None, element: J) -> None:
            function(element)

        return _folding(FoldSpec(lambda: None, step))

    @staticmethod
    def foreach_async(parallelism: int, function: Callable[[J], Awaitable[Any]]) -> Sink[J, asyncio.Future[None]]:
        """Up to `parallelism` calls at once; the future is done when all are. Raises `ValueError`."""
        if parallelism < 1:
            raise ValueError("parallelism must be 1 or more")
        return _promised(lambda promise: ForeachAsync(parallelism, function, promise))

    @staticmethod
    def ignore() -> Sink[Any, asyncio.Future[None]]:
        """Takes everything; the future is notified of the end."""
        return _folding(FoldSpec(lambda: None, lambda _nothing, _element: None))

    @staticmethod
    def seq() -> Sink[Any, asyncio.Future[list[Any]]]:
        """All elements as a list. For streams that fit in memory: put `limit` before it."""

        def step(elements: list[Any], element: Any) -> list[Any]:
            elements.append(element)
            return elements

        return _folding(FoldSpec(list, step))

    @staticmethod
    def collection(kind: Callable[[list[Any]], N]) -> Sink[Any, asyncio.Future[N]]:
        """All elements, as what `kind` makes of their list."""

        def step(elements: list[Any], element: Any) -> list[Any]:
            elements.append(element)
            return elements

        return _folding(FoldSpec(list, step, kind))

    @staticmethod
    def count() -> Sink[Any, asyncio.Future[int]]:
        """How many elements came."""
        return _folding(FoldSpec(lambda: 0, lambda count, _: count + 1))

    @staticmethod
    def reduce(function: Callable[[J, J], J]) -> Sink[J, asyncio.Future[J]]:
        """An empty stream fails with `NoSuchElementError`."""
        return _behind(StageStep(lambda: Reduce(function)), Sink.head())

    @staticmethod
    def head() -> Sink[Any, asyncio.Future[Any]]:
        """The first; then it cancels. An empty stream fails with `NoSuchElementError`."""
        return _promised(lambda promise: Head(promise, False))

    @staticmethod
    def head_option() -> Sink[Any, asyncio.Future[Any]]:
        """The first, or None."""
        return _promised(lambda promise: Head(promise, True))

    @staticmethod
    def last() -> Sink[Any, asyncio.Future[Any]]:
        """The last element; fails with `NoSuchElementError` without one."""
        return _promised(lambda promise: Last(promise, False))

    @staticmethod
    def last_option() -> Sink[Any, asyncio.Future[Any]]:
        """The last element, None without one."""
        return _promised(lambda promise: Last(promise, True))

    @staticmethod
    def take_last(count: int) -> Sink[Any, asyncio.Future[list[Any]]]:
        """The last `count` elements."""
        return _behind(StageStep(lambda: TakeLast(count)), Sink.head())

    @staticmethod
    def cancelled() -> Sink[Any, None]:
        """Cancels at once."""
        return Sink.of_stage(lambda _: (Cancelled(), None))

    @staticmethod
    def never() -> Sink[Any, asyncio.Future[None]]:
        """Takes nothing; the future is notified of the end."""
        return _promised(NeverSink)

    @staticmethod
    def on_complete(call: Callable[[BaseException | None], Any]) -> Sink[Any, None]:
        """Drops elements; `call` gets None, or the failure, at the end."""
        return Sink.of_stage(lambda _: (OnComplete(call), None))

    @staticmethod
    def queue(buffer: int = 16) -> Sink[Any, SinkQueue[Any]]:
        """Elements by hand, or by `async for`. Raises `ValueError`."""
        if buffer < 1:
            raise ValueError("a queue holds at least one element")

        def make(part: Part) -> tuple[Stage, SinkQueue[Any]]:
            loop: asyncio.AbstractEventLoop = cast("Any", part.system.dispatcher).loop
            stage = QueueSink(buffer, loop)
            return stage, SinkQueue(stage)

        return Sink.of_stage(make)

    @staticmethod
    def actor_ref(
        ref: ActorRef[Any], complete: Any, fail: Callable[[BaseException], Any] = lambda error: error
    ) -> Sink[Any, None]:
        """Tells each element, without back-pressure; at the end `complete`, or what `fail` makes of the failure."""
        return Sink.of_stage(lambda _: (ActorRefSink(ref, complete, fail), None))

    @staticmethod
    def actor_ref_with_back_pressure(
        ref: ActorRef[Any],
        *,
        init: Any,
        complete: Any,
        ack: Any = None,
        fail: Callable[[BaseException], Any] = lambda error: error,
    ) -> Sink[Any, None]:
        """Tells `init`, and each element after the actor replied `ack` (None: anything) to the one before."""
        return Sink.of_stage(lambda _: (AckedSink(ref, init, ack, complete, fail), None))

    @staticmethod
    def as_publisher(*, fanout: bool = False) -> Sink[Any, Publisher[Any]]:
        """Materializes a publisher for one subscriber, or (`fanout`) for several that take the pace of the slowest."""

        def make(part: Part) -> tuple[Stage, Publisher[Any]]:
            stage = PublisherSink(fanout, part.attributes.input_buffer)
            return stage, OurPublisher(stage)

        return Sink.of_stage(make)

    @staticmethod
    def from_subscriber(subscriber: Subscriber[J]) -> Sink[J, None]:
        """Gives elements to a subscriber of others."""

        def make(part: Part) -> tuple[Stage, None]:
            stage = PublisherSink(False, part.attributes.input_buffer)
            part.add(stage)
            OurPublisher(stage).subscribe(subscriber)
            return stage, None

        def attach(part: Part, out: Out) -> None:
            part.connect(out, make(part)[0])

        return Sink(attach)

    @staticmethod
    def lazy_sink(make: Callable[[], Sink[J, N]]) -> Sink[J, asyncio.Future[N]]:
        """Made with the first element."""
        return _promised(lambda promise: LazySink(make, promise))

    @staticmethod
    def combine(*sinks: Sink[J, Any]) -> Sink[J, list[Any]]:
        """Each element to all of them; materializes the list of what they do."""

        def attach(part: Part, out: Out) -> list[Any]:
            stage = part.add(SinkFan(len(sinks)))
            part.connect(out, stage)
            return [sink.attach(part, (stage, port)) for port, sink in enumerate(sinks)]

        return Sink(attach)

    @staticmethod
    def from_graph(build: Callable[[GraphBuilder, Out], N]) -> Sink[Any, N]:
        """`build(builder, out)` takes what comes out of `out`; it is called in each run."""
        return Sink(lambda part, out: build(GraphBuilder(part), out))

    @staticmethod
    def of_stage(make: Callable[[Part], tuple[Stage, N]]) -> Sink[Any, N]:
        """A stage of one inlet, and what it materializes, made in each run."""

        def attach(part: Part, out: Out) -> N:
            stage, value = make(part)
            part.add(stage)
            part.connect(out, stage)
            return value

        return Sink(attach)

    # -- changing one

    def map_materialized_value(self, function: Callable[[M], N]) -> Sink[I, N]:
        """The same sink, whose materialized value is what `function` makes of it."""
        return Sink(lambda part, out: function(self.attach(part, out)))

    def contramap(self, function: Callable[[J], I]) -> Sink[J, M]:
        """Takes what `function` makes an element of."""
        return _behind(OpStep(Op.MAP, function), self)

    def with_attributes(
        self, *, decider: Decider | None = None, input_buffer: int | None = None, name: str | None = None
    ) -> Sink[I, M]:
        """Raises `ValueError`."""
        return Sink(Scope(decider, input_buffer, name).sink(self.attach))

    def named(self, name: str) -> Sink[I, M]:
        """A name for logs and errors."""
        return self.with_attributes(name=name)

    def async_(self) -> Sink[I, M]:
        """In an actor of its own, with a buffer before it."""
        return Sink(Scope(island=True).sink(self.attach))

    def run_with(self, source: SourceShape[Any, N], where: Runner) -> N:
        """Run from `source`; what that materializes."""
        return RunnableGraph(lambda part: source.attach_to(self, part)[0]).run(where)

    def pre_materialize(self, where: Runner) -> tuple[M, Sink[I, None]]:
        """Run it now; what it materializes, and a sink that is used once."""

        def begin(part: Part) -> tuple[Stage, Subscriber[Any]]:
            stage = SubscriberSource(part.attributes.input_buffer)
            return stage, OurSubscriber(stage)

        def attach(part: Part) -> tuple[Subscriber[Any], M]:
            out, subscriber = StageHead(begin).attach(part)
            return subscriber, self.attach(part, out)

        subscriber, value = RunnableGraph(attach).run(where)
        return value, Sink.from_subscriber(subscriber)


def _folding(spec: FoldSpec) -> Sink[Any, asyncio.Future[Any]]:
    return Sink(spec.attach, spec)


def _promised(make: Callable[[Promise[Any]], Stage]) -> Sink[Any, asyncio.Future[Any]]:
    def stage(part: Part) -> tuple[Stage, asyncio.Future[Any]]:
        promise: Promise[Any] = Promise(part.system)
        return make(promise), promise.future

    return Sink.of_stage(stage)


def _behind(step: Step, sink: Sink[Any, N]) -> Sink[Any, N]:
    return Sink(lambda part, out: sink.attach(part, step.attach(part, out, None)[0]))


__all__ = ["Iterable", "Sink"]
