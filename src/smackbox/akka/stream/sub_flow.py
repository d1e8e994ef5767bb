"""Substreams of a flow: each operator applies to every substream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from smackbox.akka.stream.flow import Flow
from smackbox.akka.stream.shape import FlowShape, SinkShape
from smackbox.akka.stream.sink import Sink
from smackbox.akka.stream.source import Source, _positive
from smackbox.akka.stream.sub_source import UNBOUNDED, Each, run_each, unchanged

I = TypeVar("I")  # noqa: E741 - the input's type
T = TypeVar("T")
U = TypeVar("U")
M = TypeVar("M")


class SubFlow(Generic[I, T, M]):
    """Substreams of a flow."""

    def __init__(self, outer: Flow[I, Source[Any, None], M], each: Each[T] = unchanged) -> None:
        self._outer = outer
        self._each = each

    def via(self, flow: FlowShape[T, U, Any]) -> SubFlow[I, U, M]:
        """Each substream through `flow`."""
        return SubFlow(self._outer, lambda source: self._each(source).via(flow))

    def map(self, function: Callable[[T], U]) -> SubFlow[I, U, M]:
        """Maps within each substream."""
        return SubFlow(self._outer, lambda source: self._each(source).map(function))

    def filter(self, predicate: Callable[[T], Any]) -> SubFlow[I, T, M]:
        """Filters within each substream."""
        return SubFlow(self._outer, lambda source: self._each(source).filter(predicate))

    def map_async(self, parallelism: int, function: Callable[[T], Awaitable[U]]) -> SubFlow[I, U, M]:
        """Maps within each substream, up to `parallelism` calls at once in each."""
        return SubFlow(self._outer, lambda source: self._each(source).map_async(parallelism, function))

    def take(self, count: int) -> SubFlow[I, T, M]:
        """The first `count` elements of each substream."""
        return SubFlow(self._outer, lambda source: self._each(source).take(count))

    def fold(self, zero: U, function: Callable[[U, T], U]) -> SubFlow[I, U, M]:
        """What was gathered of each substream, at its end."""
        return SubFlow(self._outer, lambda source: self._each(source).fold(zero, function))

    def reduce(self, function: Callable[[T, T], T]) -> SubFlow[I, T, M]:
        """The same without a zero."""
        return SubFlow(self._outer, lambda source: self._each(source).reduce(function))

    def merge_substreams(self, breadth: int = UNBOUNDED) -> Flow[I, T, M]:
        """Elements of up to `breadth` substreams at once."""
        _positive(breadth, "breadth")
        return self._outer.flat_map_merge(breadth, self._each)

    def concat_substreams(self) -> Flow[I, T, M]:
        """One after another."""
        return self.merge_substreams(1)

    def to(self, sink: SinkShape[T, Any]) -> Sink[I, M]:
        """Each substream into a `sink` of its own."""
        return self._outer.to(run_each(self._each, sink))
