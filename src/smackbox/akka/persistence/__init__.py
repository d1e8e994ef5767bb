"""Actors whose state outlives them: event-sourced and durable-state behaviors, journals, queries.

    from smackbox.akka import persistence

Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smackbox.akka.persistence.adapters import EventAdapter as EventAdapter
    from smackbox.akka.persistence.adapters import SnapshotAdapter as SnapshotAdapter
    from smackbox.akka.persistence.durable_state import DurableStateBehavior as DurableStateBehavior
    from smackbox.akka.persistence.effect import Effect as Effect
    from smackbox.akka.persistence.event_sourced import EventSourcedBehavior as EventSourcedBehavior
    from smackbox.akka.persistence.extension import Persistence as Persistence
    from smackbox.akka.persistence.extension import PersistenceSettings as PersistenceSettings
    from smackbox.akka.persistence.offset import NO_OFFSET as NO_OFFSET
    from smackbox.akka.persistence.persistence_id import PersistenceId as PersistenceId
    from smackbox.akka.persistence.query import EventEnvelope as EventEnvelope
    from smackbox.akka.persistence.query import ReadJournal as ReadJournal
    from smackbox.akka.persistence.replay_filter import ReplayFilterMode as ReplayFilterMode
    from smackbox.akka.persistence.signals import DeleteEventsCompleted as DeleteEventsCompleted
    from smackbox.akka.persistence.signals import DeleteEventsFailed as DeleteEventsFailed
    from smackbox.akka.persistence.signals import DeleteSnapshotsCompleted as DeleteSnapshotsCompleted
    from smackbox.akka.persistence.signals import DeleteSnapshotsFailed as DeleteSnapshotsFailed
    from smackbox.akka.persistence.signals import RecoveryCompleted as RecoveryCompleted
    from smackbox.akka.persistence.signals import RecoveryFailed as RecoveryFailed
    from smackbox.akka.persistence.signals import SnapshotCompleted as SnapshotCompleted
    from smackbox.akka.persistence.signals import SnapshotFailed as SnapshotFailed

_OWN = "smackbox.akka.persistence."
_LAZY = {
    **dict.fromkeys(("EventAdapter", "SnapshotAdapter"), "adapters"),
    "DurableStateBehavior": "durable_state",
    "Effect": "effect",
    "EventSourcedBehavior": "event_sourced",
    **dict.fromkeys(("Persistence", "PersistenceSettings"), "extension"),
    "NO_OFFSET": "offset",
    "PersistenceId": "persistence_id",
    **dict.fromkeys(("EventEnvelope", "ReadJournal"), "query"),
    "ReplayFilterMode": "replay_filter",
    **dict.fromkeys(
        (
            "DeleteEventsCompleted", "DeleteEventsFailed", "DeleteSnapshotsCompleted", "DeleteSnapshotsFailed",
            "RecoveryCompleted", "RecoveryFailed", "SnapshotCompleted", "SnapshotFailed",
        ),
        "signals",
    ),
}  # fmt: skip

__all__ = list(_LAZY)


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_OWN + module), name)
