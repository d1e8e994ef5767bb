"""What makes an actor event-sourced: its id, its handlers, and how it is stored and read again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from smackbox.akka.actor.messages import Signal
from smackbox.akka.actor.supervision import SupervisorStrategy
from smackbox.akka.persistence.adapters import EventAdapter, SnapshotAdapter
from smackbox.akka.persistence.effect import Effect
from smackbox.akka.persistence.journal import LAST
from smackbox.akka.persistence.persistence_id import PersistenceId
from smackbox.akka.persistence.replay_filter import ReplayFilterMode
from smackbox.akka.persistence.retention import Retention
from smackbox.akka.persistence.snapshot_store import ANY, Criteria

C = TypeVar("C")
E = TypeVar("E")
S = TypeVar("S")


@dataclass(frozen=True)
class EventSourcing(Generic[C, E, S]):
    """Of commands C, events E and states S. `EventSourcedBehavior` says what each field does."""

    persistence_id: PersistenceId | str
    empty_state: S
    command_handler: Callable[[S, C], Effect[E, S]]
    event_handler: Callable[[S, E], S]
    tagger: Callable[[E], Iterable[str]] | None = None
    signal_handler: Callable[[S, Signal], Any] | None = None
    snapshot_predicate: Callable[[S, E, int], bool] | None = None
    retention: Retention | None = None
    event_adapter: EventAdapter[E] | None = None
    snapshot_adapter: SnapshotAdapter[S] | None = None
    snapshot_criteria: Criteria = ANY
    snapshot_is_optional: bool = False
    replay_to: int = LAST
    replay_filter: ReplayFilterMode = ReplayFilterMode.REPAIR
    failure_strategy: SupervisorStrategy | None = None
