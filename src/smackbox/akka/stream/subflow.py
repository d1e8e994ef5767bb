"""Streams of substreams, as `group_by` and `split_when` make them: what is said holds for each substream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from smackbox.akka.stream.flow import Flow
from smackbox.akka.stream.graph import RunnableGraph
from smackbox.akka.stream.sink import Sink
from smackbox.akka.stream.source import Source, _positive
from smackbox.akka.stream.stage import Stage

if TYPE_CHECKING:
    from smackbox.akka.stream.materializer import Part

I = TypeVar("I")  # noqa: E741 - the input's type
T = TypeVar("T")
U = TypeVar("U")
M = TypeVar("M")

UNBOUNDED = 1 << 31


class SubSource(Generic[T, M]):
    """Substreams of a source. `merge_substreams` or `concat_substreams` make one stream of them again."""

    def __init__(self, outer: Source[Source[Any, None], M], inner: Flow[Any, T, Any] | None = None) -> None:
        self._outer = outer
        self._inner: Flow[Any, T, Any] = Flow() if inner is None else inner

    def via(self, flow: Flow[T, U, Any]) -> SubSource[U, M]:
        """Each substream through `flow`."""
        return SubSource(self._outer, self._inner.via(flow))

    def map(self, function: Callable[[T], U]) -> SubSource[U, M]:
        """Maps within each substream."""
        return SubSource(self._outer, self._inner.map(function))

    def filter(self, predicate: Callable[[T], Any]) -> SubSource[T, M]:
        """Filters within each substream."""
        return SubSource(self._outer, self._inner.filter(predicate))

    def map_async(self, parallelism: int, function: Callable[[T], Awaitable[U]]) -> SubSource[U, M]:
        """Maps within each substream, up to `parallelism` calls at once in each."""
        return SubSource(self._outer, self._inner.map_async(parallelism, function))

    def take(self, count: int) -> SubSource[T, M]:
        """The first `count` elements of each substream."""
        return SubSource(self._outer, self._inner.take(count))

    def fold(self, zero: U, function: Callable[[U, T], U]) -> SubSource[U, M]:
        """What was gathered of each substream, at its end."""
        return SubSource(self._outer, self._inner.fold(zero, function))

    def reduce(self, function: Callable[[T, T], T]) -> SubSource[T, M]:
        """The same without a zero."""
        return SubSource(self._outer, self._inner.reduce(function))

    def merge_substreams(self, breadth: int = UNBOUNDED) -> Source[T, M]:
        """Elements of up to `breadth` substreams at once. With fewer than there are, `group_by` waits."""
        _positive(breadth, "breadth")
        return self._outer.flat_map_merge(breadth, lambda source: source.via(self._inner))

    def concat_substreams(self) -> Source[T, M]:
        """One after another."""
        return self.merge_substreams(1)

    def to(self, sink: Sink[T, Any]) -> RunnableGraph[M]:
        """Each substream into a `sink` of its own."""
        return self._outer.to(_each(self._inner, sink))


class SubFlow(Generic[I, T, M]):
    """Substreams of a flow."""

    def __init__(self, outer: Flow[I, Source[Any, None], M], inner: Flow[Any, T, Any] | None = None) -> None:
        self._outer = outer
        self._inner: Flow[Any, T, Any] = Flow() if inner is None else inner

    def via(self, flow: Flow[T, U, Any]) -> SubFlow[I, U, M]:
        """Each substream through `flow`."""
        return SubFlow(self._outer, self._inner.via(flow))

    def map(self, function: Callable[[T], U]) -> SubFlow[I, U, M]:
        """Maps within each substream."""
        return SubFlow(self._outer, self._inner.map(function))

    def filter(self, predicate: Callable[[T], Any]) -> SubFlow[I, T, M]:
        """Filters within each substream."""
        return SubFlow(self._outer, self._inner.filter(predicate))

    def map_async(self, parallelism: int, function: Callable[[T], Awaitable[U]]) -> SubFlow[I, U, M]:
        """Maps within each substream, up to `parallelism` calls at once in each."""
        return SubFlow(self._outer, self._inner.map_async(parallelism, function))

    def take(self, count: int) -> SubFlow[I, T, M]:
        """The first `count` elements of each substream."""
        return SubFlow(self._outer, self._inner.take(count))

    def fold(self, zero: U, function: Callable[[U, T], U]) -> SubFlow[I, U, M]:
        """What was gathered of each substream, at its end."""
        return SubFlow(self._outer, self._inner.fold(zero, function))

    def reduce(self, function: Callable[[T, T], T]) -> SubFlow[I, T, M]:
        """The same without a zero."""
        return SubFlow(self._outer, self._inner.reduce(function))

    def merge_substreams(self, breadth: int = UNBOUNDED) -> Flow[I, T, M]:
        """Elements of up to `breadth` substreams at once."""
        _positive(breadth, "breadth")
        return self._outer.flat_map_merge(breadth, lambda source: source.via(self._inner))

    def concat_substreams(self) -> Flow[I, T, M]:
        """One after another."""
        return self.merge_substreams(1)

    def to(self, sink: Sink[T, Any]) -> Sink[I, M]:
        """Each substream into a `sink` of its own."""
        return self._outer.to(_each(self._inner, sink))


def _each(inner: Flow[Any, Any, Any], sink: Sink[Any, Any]) -> Sink[Any, None]:
    return Sink.of_stage(lambda _: (_RunEach(inner, sink), None))


class _RunEach(Stage):
    """Runs each source that comes, in its own island."""

    outs = 0

    def __init__(self, inner: Flow[Any, Any, Any], sink: Sink[Any, Any]) -> None:
        self._inner = inner
        self._sink = sink

    def pre_start(self) -> None:
        self.inlet.pull()

    def on_push(self) -> None:
        part: Part = self.interpreter.materializer(self.attributes)
        source: Source[Any, Any] = self.inlet.grab()
        source.via(self._inner).to(self._sink).attach(part)
        part.start()
        self.inlet.try_pull()
