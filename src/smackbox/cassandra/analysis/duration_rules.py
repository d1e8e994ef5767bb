"""Where durations, which have no order, may not be: alone or inside of another type."""

from __future__ import annotations

from smackbox.cassandra.wire.types import DURATION, CollectionType, CqlType, TupleType, UserType


def holds_duration(kind: CqlType) -> bool:
    """Vectors are not looked into, as in Cassandra."""
    if isinstance(kind, CollectionType | TupleType):
        return any(holds_duration(part) for part in kind.parts)
    return kind == DURATION


def holder_of_durations(kind: CqlType, alone: str) -> str | None:
    """The error for a type that contains durations, `alone` for one that is a duration; None for others."""
    if not holds_duration(kind):
        return None
    if kind == DURATION:
        return alone
    holder = "UDTs" if isinstance(kind, UserType) else "tuples" if isinstance(kind, TupleType) else "collections"
    return f"{holder} containing durations"
