"""Between the events that a behavior knows and those that are stored: how a schema changes over the years."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

E = TypeVar("E")
S = TypeVar("S")


class EventAdapter(Generic[E]):
    """`to_journal` makes the stored form; `from_journal` makes none, one or several events of what is stored, so
    that old events may be dropped, translated or split.
    """

    def manifest(self, event: E) -> str:
        """Stored beside the event, and given to `from_journal`: a version, for example."""
        return ""

    def to_journal(self, event: E) -> Any:
        """The stored form of an event."""
        return event

    def from_journal(self, stored: Any, manifest: str) -> Sequence[E]:
        """The events that a stored form stands for; none drops it."""
        return (stored,)


class SnapshotAdapter(Generic[S]):
    """The same for snapshots, and for durable state."""

    def to_journal(self, state: S) -> Any:
        """The stored form of a state."""
        return state

    def from_journal(self, stored: Any) -> S:
        """The state that a stored form stands for."""
        return stored  # type: ignore[no-any-return]
