"""What a persistent actor learns about its storage: signals, beside those that every actor gets."""

from __future__ import annotations

from smackbox.akka.actor.messages import Signal
from smackbox.akka.actor.record import record
from smackbox.akka.persistence.snapshot_store import Criteria, SnapshotMetadata


@record
class RecoveryCompleted(Signal):
    """The state is that of the journal; commands follow."""


@record
class RecoveryFailed(Signal):
    """The state could not be read; the actor fails with `JournalFailureError`."""

    cause: BaseException


@record
class SnapshotCompleted(Signal):
    """A snapshot is stored."""

    metadata: SnapshotMetadata


@record
class SnapshotFailed(Signal):
    """A snapshot could not be written. The actor goes on: its events are in the journal."""

    metadata: SnapshotMetadata
    cause: BaseException


@record
class DeleteEventsCompleted(Signal):
    """Events that a snapshot covers are deleted."""

    to_sequence_nr: int


@record
class DeleteEventsFailed(Signal):
    """They are not; the next snapshot tries again."""

    to_sequence_nr: int
    cause: BaseException


@record
class DeleteSnapshotsCompleted(Signal):
    """Old snapshots are deleted."""

    criteria: Criteria


@record
class DeleteSnapshotsFailed(Signal):
    """They are not; those stay."""

    criteria: Criteria
    cause: BaseException
