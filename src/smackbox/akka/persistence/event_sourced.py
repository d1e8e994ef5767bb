"""A behavior whose state is the sum of its events: commands make events, events make the state.

    def account(id: str) -> Behavior[Command]:
        return EventSourcedBehavior(PersistenceId.of("Account", id), Account(0), on_command, on_event)

    def on_command(state: Account, command: Command) -> Effect[Event, Account]: ...
    def on_event(state: Account, event: Event) -> Account: ...

Events are stored before anything else happens; commands wait meanwhile. When the actor starts it reads its latest
snapshot and the events after it (`RecoveryCompleted`). A failed write or recovery is a `JournalFailureError`: the actor
stops, or restarts with back-off (`on_persist_failure`). States must not be changed in place where snapshots are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from smackbox.akka.actor.behaviors import Behavior, Behaviors, Deferred
from smackbox.akka.actor.messages import Signal
from smackbox.akka.actor.supervision import Directive, SupervisorStrategy
from smackbox.akka.persistence.adapters import EventAdapter, SnapshotAdapter
from smackbox.akka.persistence.errors import JournalFailureError
from smackbox.akka.persistence.event_sourced_life import EventSourcedLife
from smackbox.akka.persistence.event_sourcing import EventSourcing
from smackbox.akka.persistence.persistence_id import id_of
from smackbox.akka.persistence.replay_filter import ReplayFilterMode
from smackbox.akka.persistence.retention import Retention
from smackbox.akka.persistence.snapshot_store import NONE, Criteria

if TYPE_CHECKING:
    from smackbox.akka.actor.context import ActorContext

C = TypeVar("C")
E = TypeVar("E")
S = TypeVar("S")


@dataclass(frozen=True)
class EventSourcedBehavior(EventSourcing[C, E, S], Deferred[C], Generic[C, E, S]):
    """Of commands C, events E and states S. Each `with_…` gives a changed copy."""

    def with_tagger(self, tagger: Callable[[E], Iterable[str]]) -> EventSourcedBehavior[C, E, S]:
        """Tags of each event, for queries and projections."""
        return replace(self, tagger=tagger)

    def receive_signal(self, handler: Callable[[S, Signal], Any]) -> EventSourcedBehavior[C, E, S]:
        """`handler(state, signal)` gets the signals of `signals.py`, and those that every actor gets. For
        `Terminated` it returns `UNHANDLED` where it does not handle it.
        """
        return replace(self, signal_handler=handler)

    def snapshot_when(self, predicate: Callable[[S, E, int], bool]) -> EventSourcedBehavior[C, E, S]:
        """Take a snapshot after events for which `predicate(state, event, sequence_nr)` holds. Nothing is deleted."""
        return replace(self, snapshot_predicate=predicate)

    def with_retention(self, every: int, keep: int, *, delete_events: bool = False) -> EventSourcedBehavior[C, E, S]:
        """Take a snapshot each `every` events, and keep the last `keep`. Raises `ValueError`."""
        return replace(self, retention=Retention(every, keep, delete_events))

    def with_event_adapter(self, adapter: EventAdapter[E]) -> EventSourcedBehavior[C, E, S]:
        """Store another form of events."""
        return replace(self, event_adapter=adapter)

    def with_snapshot_adapter(self, adapter: SnapshotAdapter[S]) -> EventSourcedBehavior[C, E, S]:
        """Store another form of snapshots."""
        return replace(self, snapshot_adapter=adapter)

    def with_snapshot_selection(self, criteria: Criteria | None) -> EventSourcedBehavior[C, E, S]:
        """Recover from the latest snapshot that matches; None: from events alone."""
        return replace(self, snapshot_criteria=NONE if criteria is None else criteria)

    def with_optional_snapshots(self) -> EventSourcedBehavior[C, E, S]:
        """Recover from events alone where no snapshot can be read. Not where events are deleted."""
        return replace(self, snapshot_is_optional=True)

    def with_replay_filter(self, mode: ReplayFilterMode) -> EventSourcedBehavior[C, E, S]:
        """What happens to events of two writers; by default the older ones are dropped."""
        return replace(self, replay_filter=mode)

    def on_persist_failure(self, strategy: SupervisorStrategy) -> EventSourcedBehavior[C, E, S]:
        """What happens after a `JournalFailureError`. Raises `ValueError` unless it restarts with back-off or stops:
        the state after a failed write is unknown, so resuming is no choice.
        """
        return replace(self, failure_strategy=check_failure_strategy(strategy))

    def make(self, context: ActorContext[C]) -> Behavior[C]:
        id_of(self.persistence_id)
        begin: Behavior[C] = Behaviors.setup(lambda own: EventSourcedLife(self, own).begin())
        if self.failure_strategy is None:
            return begin
        return Behaviors.supervise(begin).on_failure(self.failure_strategy, JournalFailureError)


def check_failure_strategy(strategy: SupervisorStrategy) -> SupervisorStrategy:
    """Raises `ValueError` for one that neither stops nor restarts with back-off."""
    restarts = strategy.directive is Directive.RESTART and strategy.back_off is not None
    if not restarts and strategy.directive is not Directive.STOP:
        raise ValueError("after a failed write an actor stops, or restarts with back-off")
    return strategy
