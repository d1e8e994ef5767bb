"""What the two sides of a stream reference tell each other. On the wire: `remote/stream_refs.py`."""

from __future__ import annotations

from typing import Any

from smackbox.akka.actor.record import record
from smackbox.akka.actor.ref import ActorRef


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
    sequence: int
    payload: Any


@record
class RemoteStreamCompleted:
    """There were so many elements."""

    sequence: int


@record
class RemoteStreamFailure:
    cause: str


@record
class StreamRefAck:
    """The end has been seen."""
