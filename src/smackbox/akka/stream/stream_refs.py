"""Streams over the network: a `SourceRef` or `SinkRef` is sent in a message, and used once by the system that gets it.

    here  ref: SourceRef = source.run_with(StreamRefs.source_ref(), system)      there  ref.source().run_with(…)
    here  ref: SinkRef = StreamRefs.sink_ref().to(sink).run(system)              there  source.run_with(ref.sink(), …)

The protocol is Pekko's (`StreamRefMessages.proto`, serializer 30): the side that got the reference names itself
(OnSubscribeHandshake), the consumer's side tells cumulative demand, again each second; the producer's side numbers
elements. A gap fails the stream: nothing is sent twice. Both sides watch each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.stream.actors import StageRef
from smackbox.akka.stream.errors import NO_MORE_ELEMENTS, NonFailureCancellation, StreamError, StreamTimeoutError
from smackbox.akka.stream.sink import Sink
from smackbox.akka.stream.source import Source
from smackbox.akka.stream.stage import Stage
from smackbox.akka.stream.stream_ref_messages import (
    CumulativeDemand,
    OnSubscribeHandshake,
    RemoteStreamCompleted,
    RemoteStreamFailure,
    SequencedOnNext,
    SinkRef,
    SourceRef,
    StreamRefAck,
)

if TYPE_CHECKING:
    from smackbox.akka.stream.materializer import Part

SUBSCRIPTION_TIMEOUT_S = 30.0
DEMAND_AGAIN_S = 1.0
FAREWELL_S = 5.0
"""What a side waits for the other to have seen the end: its death comes on another connection, and could be faster."""
REF_BUFFER = 32


class StreamRefError(StreamError):
    """The other side of a stream reference failed, is gone, or broke the protocol."""


class StreamRefs:
    """Makes references to streams, which can be sent to other systems."""

    @staticmethod
    def source_ref() -> Sink[Any, SourceRef[Any]]:
        """A sink whose materialized value is a reference to what it gets."""

        def make(part: Part) -> tuple[Stage, SourceRef[Any]]:
            stage = Producer(part, None)
            return stage, SourceRef(stage.ref)

        return Sink.of_stage(make)

    @staticmethod
    def sink_ref() -> Source[Any, SinkRef[Any]]:
        """A source whose materialized value is a reference to what it gives."""

        def make(part: Part) -> tuple[Stage, SinkRef[Any]]:
            stage = Consumer(part, None)
            return stage, SinkRef(stage.ref)

        return Source.of_stage(make)


class _End(Stage):
    """What both sides do: find each other, watch each other, and give up after a time."""

    def __init__(self, part: Part, partner: ActorRef[Any] | None) -> None:
        self.ref = StageRef(part.system, self._told)
        self.ref.on_death(lambda dead: self._note(self._partner_died, dead))
        self._first = partner
        self.partner: ActorRef[Any] | None = None
        self._said_end = False

    def pre_start(self) -> None:
        if self._first is None:
            self.schedule_once("subscription", SUBSCRIPTION_TIMEOUT_S)
        else:
            self._found(self._first)
            self._first.tell(OnSubscribeHandshake(self.ref), self.ref)

    def _told(self, message: Any, sender: ActorRef[Any] | None) -> None:
        self._note(self._receive, message, sender)

    def _note(self, call: Any, *arguments: Any) -> None:
        self.interpreter.calls.append((self, call, arguments))
        self.interpreter.wake()

    def _found(self, partner: ActorRef[Any]) -> None:
        self.cancel_timer("subscription")
        self.partner = partner
        self.ref.watch(partner)

    def _receive(self, message: Any, sender: ActorRef[Any] | None) -> None:
        if isinstance(message, CumulativeDemand) and self.partner is None and sender is not None:
            # a JVM's consumer begins with its demand, and waits for the handshake
            self._found(sender)
            sender.tell(OnSubscribeHandshake(self.ref), self.ref)
            self.receive(message)
            self.begun()
        elif isinstance(message, OnSubscribeHandshake):
            if self.partner is None:
                self._found(message.target_ref)
                self.begun()
            elif message.target_ref != self.partner and self._first is None:
                message.target_ref.tell(RemoteStreamFailure("this stream reference is used already"), self.ref)
        elif isinstance(message, StreamRefAck):
            if self._said_end:
                self.complete_stage()
        elif self.partner is not None and (sender is None or sender == self.partner):
            self.receive(message)

    def begun(self) -> None:
        """The partner is there."""

    def receive(self, message: Any) -> None:
        raise NotImplementedError

    def farewell(self, end: Any) -> None:
        """Tell the partner of the end, and stay until it has seen it."""
        self.tell(end)
        self.keep_going = True
        self.schedule_once("farewell", FAREWELL_S)

    def on_timer(self, key: Hashable) -> None:
        if key == "farewell":
            self.complete_stage()
            return
        raise StreamTimeoutError(f"nobody used this stream reference within {SUBSCRIPTION_TIMEOUT_S} s")

    def _partner_died(self, dead: ActorRef[Any]) -> None:
        if self._said_end:
            self.complete_stage()
            return
        raise StreamRefError(f"the other side of this stream, {dead.path}, is gone")

    def post_stop(self) -> None:
        partner = self.partner
        if partner is not None:
            partner._unwatched_by(self.ref)
            if not self._said_end:
                self.tell(RemoteStreamFailure("the other side of this stream was stopped"))
        self.ref.stop()

    def _acknowledge(self) -> None:
        self.tell(StreamRefAck())
        self._said_end = True

    def tell(self, message: Any) -> None:
        assert self.partner is not None
        if isinstance(message, RemoteStreamFailure | RemoteStreamCompleted):
            self._said_end = True
        self.partner.tell(message, self.ref)


class Producer(_End):
    """Takes elements from its inlet, and sends them as they are wanted."""

    outs = 0
    keep_going = True

    def __init__(self, part: Part, partner: ActorRef[Any] | None) -> None:
        super().__init__(part, partner)
        self._number = 0
        self._demand = 0
        self._end: Any = None

    def on_push(self) -> None:
        self.tell(SequencedOnNext(self._number, self.inlet.grab()))
        self._number += 1
        self._ask()

    def on_upstream_finish(self) -> None:
        self._ends(RemoteStreamCompleted(self._number))

    def on_upstream_failure(self, error: BaseException) -> None:
        self._ends(RemoteStreamFailure(f"{type(error).__name__}: {error}"))

    def begun(self) -> None:
        self._move_end()

    def receive(self, message: Any) -> None:
        """A message of the consumer's side."""
        if isinstance(message, CumulativeDemand):
            self._demand = max(self._demand, message.sequence)
            self._ask()
        elif isinstance(message, RemoteStreamFailure):
            self._acknowledge()
            self.fail_stage(StreamRefError(f"the consumer's side failed: {message.cause}"))
        elif isinstance(message, RemoteStreamCompleted):
            self._acknowledge()
            self.cancel_stage(NO_MORE_ELEMENTS)

    def _ask(self) -> None:
        if self._number < self._demand and not self.inlet.in_closed:
            self.inlet.try_pull()

    def _ends(self, end: Any) -> None:
        self._end = end
        self._move_end()

    def _move_end(self) -> None:
        if self._end is not None and self.partner is not None and not self._said_end:
            self.farewell(self._end)


class Consumer(_End):
    """Gives what arrives to its outlet."""

    ins = 0

    def __init__(self, part: Part, partner: ActorRef[Any] | None) -> None:
        super().__init__(part, partner)
        self._buffer: deque[Any] = deque()
        self._expected = 0
        self._asked = 0
        self._completed = False

    def pre_start(self) -> None:
        super().pre_start()
        if self.partner is not None:
            self.begun()

    def begun(self) -> None:
        self.schedule_every("demand", DEMAND_AGAIN_S, DEMAND_AGAIN_S)
        self._ask()

    def on_timer(self, key: Hashable) -> None:
        if key == "demand":
            self.tell(CumulativeDemand(self._asked))
        else:
            super().on_timer(key)

    def on_pull(self) -> None:
        if self._buffer:
            self.outlet.push(self._buffer.popleft())
            self._ask()
        self._check_end()

    def on_downstream_finish(self, cause: BaseException) -> None:
        if self.partner is not None and not self._said_end:
            if isinstance(cause, NonFailureCancellation):
                self.farewell(RemoteStreamCompleted(self._expected))
            else:
                self.farewell(RemoteStreamFailure(f"{type(cause).__name__}: {cause}"))
            self.cancel_timer("demand")

    def receive(self, message: Any) -> None:
        """A message of the producer's side."""
        if self.outlet.out_closed:
            return
        if isinstance(message, SequencedOnNext):
            if message.sequence != self._expected:
                raise StreamRefError(f"element {self._expected} was lost: element {message.sequence} came")
            self._expected += 1
            if self.outlet.is_wanted and not self._buffer:
                self.outlet.push(message.payload)
                self._ask()
            else:
                self._buffer.append(message.payload)
        elif isinstance(message, RemoteStreamCompleted):
            if message.sequence != self._expected:
                raise StreamRefError(f"the stream had {message.sequence} elements, and {self._expected} came")
            self._acknowledge()
            self._completed = True
            self.cancel_timer("demand")
            self._check_end()
        elif isinstance(message, RemoteStreamFailure):
            self._acknowledge()
            self.fail_stage(StreamRefError(f"the producer's side failed: {message.cause}"))

    def _partner_died(self, dead: ActorRef[Any]) -> None:
        if not self._completed:
            super()._partner_died(dead)

    def _check_end(self) -> None:
        if self._completed and not self._buffer:
            self.complete_stage()

    def _ask(self) -> None:
        """Demand goes out when half of the buffer is free."""
        if self.partner is None or self._completed:
            return
        free = REF_BUFFER - len(self._buffer) - (self._asked - self._expected)
        if free * 2 >= REF_BUFFER:
            self._asked += free
            self.tell(CumulativeDemand(self._asked))


__all__ = ["SinkRef", "SourceRef", "StreamRefError", "StreamRefs"]
