"""What goes wrong between an actor and its journal."""

from __future__ import annotations

from smackbox.akka.actor.errors import ActorError
from smackbox.base.errors import RequestError


class PersistenceError(ActorError):
    """Root of the errors of this part of the room."""


class JournalFailureError(PersistenceError):
    """A write or a recovery failed. The actor stops, or restarts where `on_persist_failure` says so: its state is that
    of the journal again.
    """


class EventRejectedError(PersistenceError):
    """An event has no serializer, or its journal refuses it. Nothing was written."""


class RecoveryTimeoutError(PersistenceError, TimeoutError):
    """No event or snapshot came from the store for `recovery_event_timeout_s`."""


class CircuitOpenError(PersistenceError):
    """The journal failed often, and is left alone for a while."""


class ReplayError(PersistenceError):
    """The stored events of one id contradict each other: two writers were at work."""


class MissingTaggedEventError(PersistenceError):
    """A tagged event whose number is known did not become readable within the gap timeout."""


class StaleRevisionError(RequestError):
    """The stored state has another revision than the writer assumed: somebody else wrote it."""


class NoJournalError(PersistenceError):
    """The actor system has no journal, snapshot store or state store."""
