"""Where durations, which have no order, are not allowed: on their own or inside another type."""

from __future__ import annotations

from smackbox.cassandra.wire.types import DURATION, CollectionType, CqlType, TupleType, UserType


def holds_duration(kind: CqlType) -> bool:
    """Whether a type contains a duration. Vectors are not searched, as in Cassandra."""
    if isinstance(kind, CollectionType | TupleType):
        return any(holds_duration(part) for part in kind.parts)
    return kind == DURATION


def holder_of_durations(kind: CqlType, alone: str) -> str | None:
    """The error text for a type that contains durations, `alone` for a duration itself; None for other types."""
    if not holds_duration(kind):
        return None
    if kind == DURATION:
        return alone
    holder = "UDTs" if isinstance(kind, UserType) else "tuples" if isinstance(kind, TupleType) else "collections"
    return f"{holder} containing durations"
