"""Whole graphs: `RunnableGraph`, and a builder for those that are no straight line.

def build(b: GraphBuilder) -> None:
    fan = b.add(Broadcast(2))
    b.connect(b.source(Source.range(1, 10)), fan)
    b.sink(b.flow((fan, 0), left), Sink.foreach(print))
    b.sink(b.flow((fan, 1), right), Sink.ignore())

RunnableGraph.from_graph(build).run(system)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from smackbox.akka.stream.materializer import Materializer, Out, Part
from smackbox.akka.stream.shape import FlowShape, SinkShape, SourceShape
from smackbox.akka.stream.stage import Stage

if TYPE_CHECKING:
    from smackbox.akka.actor.context import ActorContext
    from smackbox.akka.actor.system import ActorSystem

S = TypeVar("S", bound=Stage)
M = TypeVar("M")
N = TypeVar("N")

Runner: TypeAlias = "ActorSystem | ActorContext[Any] | Materializer"


class RunnableGraph(Generic[M]):
    """A stream from end to end."""

    def __init__(self, attach: Callable[[Part], M]) -> None:
        self.attach = attach

    @staticmethod
    def from_graph(build: Callable[[GraphBuilder], N]) -> RunnableGraph[N]:
        """What `build` connects; it is called in each run, and materializes what it returns."""
        return RunnableGraph(lambda part: build(GraphBuilder(part)))

    def map_materialized_value(self, function: Callable[[M], N]) -> RunnableGraph[N]:
        """The same graph, whose materialized value is what `function` makes of it."""
        return RunnableGraph(lambda part: function(self.attach(part)))

    def run(self, where: ActorSystem | ActorContext[Any] | Materializer) -> M:
        """Start it on an actor system, or in an actor, with which it ends. What it materializes."""
        return materializer(where).run(self.attach)


class GraphBuilder:
    """Connects stages, and whole sources, flows and sinks. Outlets are `(stage, port)`."""

    def __init__(self, part: Part) -> None:
        self._part = part

    def add(self, stage: S) -> S:
        """Add a stage."""
        return self._part.add(stage)

    def connect(self, out: Out, stage: Stage, port: int = 0) -> None:
        """Connect an outlet with a stage's inlet."""
        self._part.connect(out, stage, port)

    def source(self, source: SourceShape[Any, Any]) -> Out:
        """Add a source. Returns its outlet."""
        return source.attach(self._part)[0]

    def source_mat(self, source: SourceShape[Any, N]) -> tuple[Out, N]:
        """The same, with its materialized value."""
        return source.attach(self._part)

    def flow(self, out: Out, flow: FlowShape[Any, Any, Any]) -> Out:
        """Add a flow behind `out`. Returns its outlet."""
        return flow.attach(self._part, out)[0]

    def sink(self, out: Out, sink: SinkShape[Any, N]) -> N:
        """Add a sink behind `out`. Returns its materialized value."""
        return sink.attach(self._part, out)


def materializer(where: ActorSystem | ActorContext[Any] | Materializer) -> Materializer:
    """The materializer of a system or an actor's context; one that is given is used as it is."""
    return where if isinstance(where, Materializer) else Materializer(where)
