"""A projection: events, a handler, and where it notes how far it has come; a value that `ProjectionBehavior` runs.

    Projection.at_least_once(id, by_tag(journal, "orders"), handle, offsets)   each event, perhaps again after a crash
    Projection.at_most_once(id, by_tag(journal, "orders"), handle, offsets)    each event at most once: some may be lost
    Projection.grouped(id, by_tag(journal, "orders"), handle_many, offsets)    as the first, many events at once
    Projection.exactly_once(id, by_tag(journal, "orders"), target)             results and offset are one write

Idempotent results make the first and third exactly once in effect, for example upserts into Cassandra by the event's
key (`cassandra_upserts.py`).
"""

from __future__ import annotations

import enum
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from smackbox.akka.actor.record import record
from smackbox.akka.actor.supervision import BackOff
from smackbox.akka.persistence.offset import Offset
from smackbox.akka.persistence.query import EventEnvelope, ReadJournal
from smackbox.akka.projection.offset_store import OffsetStore
from smackbox.akka.projection.projection_id import ProjectionId
from smackbox.akka.stream.source import Source

Events = Callable[[Offset], Source[EventEnvelope, Any]]
"""The events after an offset."""

Handler = Callable[[EventEnvelope], Awaitable[None]]
GroupHandler = Callable[[Sequence[EventEnvelope]], Awaitable[None]]


class Guarantee(enum.Enum):
    """How often an event is handled when something fails."""

    AT_LEAST_ONCE = "at least once"
    AT_MOST_ONCE = "at most once"
    GROUPED = "at least once, in groups"
    EXACTLY_ONCE = "exactly once"


class Target(OffsetStore):
    """Stores results and the offset in one step."""

    async def start(self, id_: ProjectionId) -> None:
        """A run begins: end what an earlier one left open, and keep it from writing on."""

    @abstractmethod
    async def commit(self, id_: ProjectionId, envelopes: Sequence[EventEnvelope], offset: Offset) -> None:
        """The results of these events and the offset, all or nothing."""

    async def stop(self) -> None:
        """A run ends."""


@record
class Retry:
    """What happens when a handler fails: it is called again `retries` times, `delay_s` apart; then the event or group
    is left out (`skip`), or the projection fails and restarts from its saved offset. A failed `Target.commit` is not
    called again: the projection restarts, and reads what was committed.
    """

    retries: int = 0
    delay_s: float = 1.0
    skip: bool = False


@record
class ProjectionSettings:
    """pekko-projection's defaults. An offset is saved after so many events or seconds; a group is as large."""

    save_after: int = 100
    save_after_s: float = 0.5
    retry: Retry = Retry()
    back_off: BackOff = BackOff(3.0, 30.0, 0.2)

    def __post_init__(self) -> None:
        if self.save_after < 1 or self.save_after_s < 0:
            raise ValueError("save_after is at least 1 and save_after_s at least 0")


@dataclass(frozen=True)
class Projection:
    """Made by the functions below."""

    id: ProjectionId
    events: Events
    guarantee: Guarantee
    offsets: OffsetStore
    handler: Handler | None = None
    group_handler: GroupHandler | None = None
    target: Target | None = None
    settings: ProjectionSettings = field(default_factory=ProjectionSettings)

    @classmethod
    def at_least_once(cls, id_: ProjectionId, events: Events, handler: Handler, offsets: OffsetStore) -> Projection:
        """The offset is saved after events are handled."""
        return cls(id_, events, Guarantee.AT_LEAST_ONCE, offsets, handler)

    @classmethod
    def at_most_once(cls, id_: ProjectionId, events: Events, handler: Handler, offsets: OffsetStore) -> Projection:
        """The offset is saved before each event is handled."""
        return cls(id_, events, Guarantee.AT_MOST_ONCE, offsets, handler)

    @classmethod
    def grouped(cls, id_: ProjectionId, events: Events, handler: GroupHandler, offsets: OffsetStore) -> Projection:
        """The handler gets up to `save_after` events, at the latest `save_after_s` after the first of them."""
        return cls(id_, events, Guarantee.GROUPED, offsets, group_handler=handler)

    @classmethod
    def exactly_once(cls, id_: ProjectionId, events: Events, target: Target) -> Projection:
        """The target commits results and offset together."""
        return cls(id_, events, Guarantee.EXACTLY_ONCE, target, target=target)

    def with_settings(self, settings: ProjectionSettings) -> Projection:
        """This projection with other settings."""
        return replace(self, settings=settings)


def by_tag(journal: ReadJournal, tag: str) -> Events:
    """The events of a tag, and more as they come."""
    return lambda offset: journal.events_by_tag(tag, offset)
