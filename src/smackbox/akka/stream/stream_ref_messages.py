"""What the two sides of a stream reference tell each other. On the wire: `remote/stream_refs.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from smackbox.akka.actor.record import record
from smackbox.akka.actor.ref import ActorRef

if TYPE_CHECKING:
    from smackbox.akka.stream.sink import Sink
    from smackbox.akka.stream.source import Source

T = TypeVar("T")


class SourceRef(Generic[T]):
    """May be sent; `source` runs once, anywhere."""

    __slots__ = ("ref",)

    def __init__(self, ref: ActorRef[Any]) -> None:
        self.ref = ref

    def source(self) -> Source[T, None]:
        """What the other side gives, once: a reference is used up."""
        from smackbox.akka.stream.source import Source as AnySource
        from smackbox.akka.stream.stream_refs import Consumer

        return AnySource.of_stage(lambda part: (Consumer(part, self.ref), None))


class SinkRef(Generic[T]):
    """May be sent; `sink` runs once, anywhere."""

    __slots__ = ("ref",)

    def __init__(self, ref: ActorRef[Any]) -> None:
        self.ref = ref

    def sink(self) -> Sink[T, None]:
        """What is sent to the other side, once: a reference is used up."""
        from smackbox.akka.stream.sink import Sink as AnySink
        from smackbox.akka.stream.stream_refs import Producer

        return AnySink.of_stage(lambda part: (Producer(part, self.ref), None))


@record
class OnSubscribeHandshake:
    """The side that got the reference names itself."""

    target_ref: ActorRef[Any]


@record
class CumulativeDemand:
    """Elements up to this number (from 0, not included) are wanted."""

    sequence: int


@record
class SequencedOnNext:
    """An element, with its number from 0."""

    sequence: int
    payload: Any


@record
class RemoteStreamCompleted:
    """There were so many elements."""

    sequence: int


@record
class RemoteStreamFailure:
    """The stream of the other side has failed."""

    cause: str


@record
class StreamRefAck:
    """The end has been seen."""
