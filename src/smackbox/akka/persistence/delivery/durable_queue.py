"""Keeps the unconfirmed messages of a producer in the journal, so that they outlive its process.

A message is stored before it is sent; one event notes what was confirmed. Events and snapshots are those of Pekko's
`EventSourcedProducerQueue` (`wire.py`), so that a JVM's controller goes on where Python's stopped. Qualifiers, which
tell the consumers of a sharded producer apart, are kept and not used.
"""

from __future__ import annotations

from typing import Any

from smackbox.akka.actor.record import record
from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.actor.supervision import SupervisorStrategy
from smackbox.akka.persistence.effect import Effect
from smackbox.akka.persistence.event_sourced import EventSourcedBehavior
from smackbox.akka.persistence.persistence_id import PersistenceId

SNAPSHOT_EVERY = 1_000
KEEP_SNAPSHOTS = 2
MAX_BACK_OFF_S = 10.0
"""Pekko's `event-sourced-durable-queue`."""


@record
class MessageSent:
    """An event: a message that is going to be sent. `timestamp_ms` is when, in milliseconds since 1970."""

    seq_nr: int
    message: Any
    ack: bool = False
    qualifier: str = ""
    timestamp_ms: int = 0


@record
class MessageConfirmed:
    """An event: all up to there were handled."""

    seq_nr: int
    qualifier: str = ""
    timestamp_ms: int = 0


@record
class CleanedUp:
    """An event of a JVM: it has forgotten old qualifiers."""


@record
class QueueState:
    """`current_seq_nr` is the next number."""

    current_seq_nr: int = 1
    confirmed_seq_nr: int = 0
    unconfirmed: tuple[MessageSent, ...] = ()
    confirmed: tuple[MessageConfirmed, ...] = ()


@record
class LoadState:
    """Answered with the `QueueState`."""

    reply_to: ActorRef[Any]


@record
class StoreSent:
    """Answered with the sequence number once it is stored; a number that does not follow is unhandled."""

    sent: MessageSent
    reply_to: ActorRef[Any]


@record
class StoreConfirmed:
    """Not answered; a number that is confirmed already is ignored."""

    confirmed: MessageConfirmed


Event = MessageSent | MessageConfirmed | CleanedUp


def durable_queue(persistence_id: PersistenceId | str) -> EventSourcedBehavior[Any, Event, QueueState]:
    """Of one producer. Restarts with back-off after a failed write; old events and snapshots are deleted."""
    strategy = SupervisorStrategy.restart_with_back_off(1.0, MAX_BACK_OFF_S, 0.1)
    base = EventSourcedBehavior(persistence_id, QueueState(), _on_command, _on_event)
    return base.with_retention(SNAPSHOT_EVERY, KEEP_SNAPSHOTS, delete_events=True).on_persist_failure(strategy)


def _on_command(state: QueueState, command: Any) -> Effect[Event, QueueState]:
    match command:
        case LoadState(reply_to):
            return Effect.reply(reply_to, state)
        case StoreSent(sent, reply_to):
            if sent.seq_nr == state.current_seq_nr:
                return Effect.persist(sent).then_reply(reply_to, lambda _: sent.seq_nr)
            if sent.seq_nr == state.current_seq_nr - 1:
                return Effect.reply(reply_to, sent.seq_nr)  # asked again
            return Effect.unhandled()
        case StoreConfirmed(confirmed):
            return Effect.persist(confirmed) if confirmed.seq_nr > state.confirmed_seq_nr else Effect.none()
        case _:
            return Effect.unhandled()


def _on_event(state: QueueState, event: Event) -> QueueState:
    if isinstance(event, MessageSent):
        unconfirmed = (*state.unconfirmed, event)
        return QueueState(event.seq_nr + 1, state.confirmed_seq_nr, unconfirmed, state.confirmed)
    if isinstance(event, CleanedUp):
        return state
    left = tuple(sent for sent in state.unconfirmed if sent.seq_nr > event.seq_nr)
    others = tuple(known for known in state.confirmed if known.qualifier != event.qualifier)
    return QueueState(state.current_seq_nr, max(event.seq_nr, state.confirmed_seq_nr), left, (*others, event))
