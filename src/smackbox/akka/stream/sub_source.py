"""Substreams of a source, as `group_by` and `split_when` make them: each operator applies to every substream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from smackbox.akka.stream.graph import RunnableGraph
from smackbox.akka.stream.inner_streams import OuterStage
from smackbox.akka.stream.shape import FlowShape, SinkShape
from smackbox.akka.stream.sink import Sink
from smackbox.akka.stream.source import Source, _positive

T = TypeVar("T")
U = TypeVar("U")
M = TypeVar("M")

Each = Callable[[Source[Any, None]], Source[T, Any]]
"""What becomes of each substream."""

UNBOUNDED = 1 << 31


def unchanged(source: Source[Any, None]) -> Source[Any, Any]:
    """A substream as it comes."""
    return source


class SubSource(Generic[T, M]):
    """Substreams of a source. `merge_substreams` or `concat_substreams` make one stream of them again."""

    def __init__(self, outer: Source[Source[Any, None], M], each: Each[T] = unchanged) -> None:
        self._outer = outer
        self._each = each

    def via(self, flow: FlowShape[T, U, Any]) -> SubSource[U, M]:
        """Each substream through `flow`."""
        return SubSource(self._outer, lambda source: self._each(source).via(flow))

    def map(self, function: Callable[[T], U]) -> SubSource[U, M]:
        """Maps within each substream."""
        return SubSource(self._outer, lambda source: self._each(source).map(function))

    def filter(self, predicate: Callable[[T], Any]) -> SubSource[T, M]:
        """Filters within each substream."""
        return SubSource(self._outer, lambda source: self._each(source).filter(predicate))

    def map_async(self, parallelism: int, function: Callable[[T], Awaitable[U]]) -> SubSource[U, M]:
        """Maps within each substream, up to `parallelism` calls at once in each."""
        return SubSource(self._outer, lambda source: self._each(source).map_async(parallelism, function))

    def take(self, count: int) -> SubSource[T, M]:
        """The first `count` elements of each substream."""
        return SubSource(self._outer, lambda source: self._each(source).take(count))

    def fold(self, zero: U, function: Callable[[U, T], U]) -> SubSource[U, M]:
        """What was gathered of each substream, at its end."""
        return SubSource(self._outer, lambda source: self._each(source).fold(zero, function))

    def reduce(self, function: Callable[[T, T], T]) -> SubSource[T, M]:
        """The same without a zero."""
        return SubSource(self._outer, lambda source: self._each(source).reduce(function))

    def merge_substreams(self, breadth: int = UNBOUNDED) -> Source[T, M]:
        """Elements of up to `breadth` substreams at once. With fewer than there are, `group_by` waits."""
        _positive(breadth, "breadth")
        return self._outer.flat_map_merge(breadth, self._each)

    def concat_substreams(self) -> Source[T, M]:
        """One after another."""
        return self.merge_substreams(1)

    def to(self, sink: SinkShape[T, Any]) -> RunnableGraph[M]:
        """Each substream into a `sink` of its own."""
        return self._outer.to(run_each(self._each, sink))


def run_each(each: Each[Any], sink: SinkShape[Any, Any]) -> Sink[Any, None]:
    """A sink of substreams, which runs each of them into a `sink` of its own."""
    return Sink.of_stage(lambda _: (_RunEach(each, sink), None))


class _RunEach(OuterStage):
    """Runs each source that comes, in its own island."""

    outs = 0

    def __init__(self, each: Each[Any], sink: SinkShape[Any, Any]) -> None:
        self._each = each
        self._sink = sink

    def pre_start(self) -> None:
        self.inlet.pull()

    def on_push(self) -> None:
        part = self.new_part()
        source: Source[Any, Any] = self.inlet.grab()
        self._each(source).to(self._sink).attach(part)
        part.start()
        self.inlet.try_pull()
