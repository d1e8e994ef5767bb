"""From blueprints to running stages: islands, the actors that run them, and the boundaries between.

A blueprint is attached to a `Part`: it adds its stages and connects them. All stages between two asynchronous
boundaries are one island with one interpreter, run by an actor under `/system/streams`. Where an edge crosses islands
it becomes a boundary with a buffer (`boundary.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from smackbox.akka.actor.actor import Actor
from smackbox.akka.actor.props import Props
from smackbox.akka.stream import demand
from smackbox.akka.stream.attributes import DEFAULT, Attributes
from smackbox.akka.stream.boundary import join
from smackbox.akka.stream.connection import Connection
from smackbox.akka.stream.errors import AbruptTerminationError, StageError
from smackbox.akka.stream.interpreter import Interpreter

if TYPE_CHECKING:
    from smackbox.akka.actor.context import ActorContext
    from smackbox.akka.actor.system import ActorSystem
    from smackbox.akka.stream.stage import Stage

S = TypeVar("S", bound="Stage")
T = TypeVar("T")

Out = tuple["Stage", int]
"""The outlet of a stage: the stage, and the number of the port."""

_RUN = object()


class Materializer:
    """Where streams run: an actor system, or an actor, with whose end they end abruptly."""

    def __init__(self, owner: ActorSystem | ActorContext[Any], attributes: Attributes = DEFAULT) -> None:
        from smackbox.akka.actor.context import ActorContext

        self.system: ActorSystem = owner.system if isinstance(owner, ActorContext) else owner
        self.attributes = attributes
        self._spawn: Callable[[Any, str | None], Any] = (
            owner.spawn if isinstance(owner, ActorContext) else self._spawn_in_system
        )

    def run(self, attach: Callable[[Part], T]) -> T:
        """Attach a whole graph, start it, and give what it materializes."""
        part = Part(self, None, self.attributes)
        value = attach(part)
        part.start()
        return value

    def island(self) -> Island:
        """A new island: stages that run in one actor."""
        return Island(self)

    def start(self, island: Island, stages: list[Stage]) -> None:
        """Run an island in an actor of its own."""
        self._spawn(Props.of(IslandActor, island, stages), f"flow-{next(_numbers)}")

    def _spawn_in_system(self, props: Any, name: str | None) -> Any:
        return _supervisor(self.system).spawn(props, name)


class Island:
    """One interpreter and what wakes it."""

    def __init__(self, materializer: Materializer) -> None:
        self.materializer = materializer
        self.tell: Callable[[Any], None] | None = None
        """Of its actor, once that has begun."""
        self._awake = False
        self._loop = cast("Any", materializer.system.dispatcher).loop
        self.interpreter = Interpreter(
            materializer.system.dispatcher,
            self._wake,
            lambda attributes: Part(materializer, self, attributes),
            materializer.system,
        )

    def _wake(self) -> None:
        if not self._awake and self.tell is not None:
            self._awake = True
            self.tell(_RUN)

    def run(self) -> None:
        """Run what is to be done; the rest goes on in the loop's next turn."""
        self._awake = True  # what happens meanwhile needs no message
        more = self.interpreter.run()
        self._awake = False
        if more or self.interpreter.calls:
            self._loop.call_soon(self._wake)  # sockets and timers come first


class IslandActor(Actor[Any]):
    """Lives as long as a stage of its island."""

    def __init__(self, island: Island, stages: list[Stage]) -> None:
        self._island = island
        self._stages = stages

    def pre_start(self) -> None:
        island, stages = self._island, self._stages
        self._stages = []
        island.tell = self.context.ref.tell
        demand.begun(island.interpreter)
        island.interpreter.start(stages)
        self.receive(_RUN)

    def receive(self, message: Any) -> None:
        self._island.run()
        if self._island.interpreter.is_over:
            self.context.stop()

    def post_stop(self) -> None:
        island = self._island
        island.tell = None
        demand.ended(island.interpreter)
        if not island.interpreter.is_over:
            error = AbruptTerminationError(f"the actor {self.context.path} that ran the stream stopped")
            island.interpreter.abort(error)


class Part:
    """What a blueprint is attached to: the island that is being built, and the attributes that hold there."""

    def __init__(self, materializer: Materializer, island: Island | None, attributes: Attributes) -> None:
        self.materializer = materializer
        self.island = island or materializer.island()
        self.attributes = attributes
        self._running = island
        self._added: dict[Island, list[Stage]] = {self.island: []}

    @property
    def system(self) -> ActorSystem:
        """The actor system that the stream runs in."""
        return self.materializer.system

    def add(self, stage: S) -> S:
        """Add a stage with the attributes of this part."""
        stage.attributes = self.attributes
        self.island.interpreter.add(stage)
        self._added[self.island].append(stage)
        return stage

    def connect(self, out: Out, consumer: Stage, port: int = 0) -> Connection:
        """An edge. The connection that is returned is the one at the consumer."""
        producer, out_port = out
        if producer.interpreter is not consumer.interpreter:
            leaving, arriving = join(self.attributes.input_buffer)
            self._add_to(producer.interpreter, leaving)
            self._add_to(consumer.interpreter, arriving)
            _edge(producer, out_port, leaving, 0)
            producer, out_port = arriving, 0
        return _edge(producer, out_port, consumer, port)

    @contextmanager
    def with_attributes(self, attributes: Attributes) -> Iterator[None]:
        """What is added meanwhile has these attributes."""
        before, self.attributes = self.attributes, attributes
        try:
            yield
        finally:
            self.attributes = before

    @contextmanager
    def new_island(self) -> Iterator[None]:
        """What is added meanwhile is in an island of its own."""
        before, self.island = self.island, self.materializer.island()
        self._added[self.island] = []
        try:
            yield
        finally:
            self.island = before

    def start(self) -> None:
        """Start what was added. Raises `StageError` for a port that nothing is connected to."""
        for stages in self._added.values():
            for stage in stages:
                _check(stage)
        for island, stages in self._added.items():
            interpreter = island.interpreter
            if island is self._running:
                if interpreter.aborted is None:
                    interpreter.start(stages)
                    interpreter.wake()
            elif stages:
                self.materializer.start(island, stages)
        self._added = {self.island: []}

    def _add_to(self, interpreter: Interpreter, stage: Stage) -> None:
        stage.attributes = self.attributes
        interpreter.add(stage)
        for island, stages in self._added.items():
            if island.interpreter is interpreter:
                stages.append(stage)
                return
        interpreter.calls.append((stage, stage.pre_start, ()))
        interpreter.wake()


def _edge(producer: Stage, out_port: int, consumer: Stage, in_port: int) -> Connection:
    connection = Connection(producer.interpreter.queue.append, producer, consumer)
    producer.bind_outlet(out_port, connection)
    consumer.bind_inlet(in_port, connection)
    return connection


def _check(stage: Stage) -> None:
    ins, outs = cast("list[Any]", stage.inlets), cast("list[Any]", stage.outlets)
    if len(ins) < stage.ins or len(outs) < stage.outs or None in ins or None in outs:
        raise StageError(f"{stage.name} has {stage.ins} inlets and {stage.outs} outlets, and not all are connected")


def _supervisor(system: ActorSystem) -> Any:
    """The cell of `/system/streams`; made with the first stream of a system."""
    found = system.resolve_local(_streams_path(system))
    if not hasattr(found, "cell"):
        found = system.spawn_system(Props(_Streams), "streams")
    return cast("Any", found).cell


def _streams_path(system: ActorSystem) -> Any:
    from smackbox.akka.actor.path import ActorPath

    return ActorPath(system.address, ("system", "streams"))


class _Streams(Actor[Any]):
    """The parent of all streams of a system. One that fails stops; its streams were notified already."""


_numbers = itertools.count()
