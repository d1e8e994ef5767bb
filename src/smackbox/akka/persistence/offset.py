"""Where a query goes on: an event's place in the order of one journal.

A journal in the process counts its tagged events (`Sequence`); Cassandra's orders them by time (`TimeBasedUuid`).
"""

from __future__ import annotations

from uuid import UUID

from smackbox.akka.actor.record import record


@record
class NoOffset:
    """From the beginning."""


@record
class Sequence:
    """After the event with this number."""

    value: int


@record
class TimeBasedUuid:
    """After the event with this version 1 UUID. Its time decides, then its bytes."""

    value: UUID


Offset = NoOffset | Sequence | TimeBasedUuid

NO_OFFSET = NoOffset()


def after(one: Offset, other: Offset) -> bool:
    """Whether `one` is later than `other`. Raises `ValueError` for offsets of different journals."""
    if isinstance(other, NoOffset):
        return not isinstance(one, NoOffset)
    if isinstance(one, NoOffset):
        return False
    if isinstance(one, Sequence) and isinstance(other, Sequence):
        return one.value > other.value
    if isinstance(one, TimeBasedUuid) and isinstance(other, TimeBasedUuid):
        return (one.value.time, one.value.bytes) > (other.value.time, other.value.bytes)
    raise ValueError(f"{one} and {other} are offsets of different journals")
