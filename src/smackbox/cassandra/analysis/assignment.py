"""Whether a value of one type can be used where another type is expected."""

from __future__ import annotations

from smackbox.cassandra.wire.types import CqlType


def is_assignable(given: CqlType, kind: CqlType) -> bool:
    """Whether a value of type `given` is a valid value of type `kind` (Cassandra's `isValueCompatibleWith`)."""
    if given == kind or given.unfrozen_name() == kind.unfrozen_name():
        return True
    name = kind.cql
    if name == "blob":
        return True
    if name == "text":
        return given.cql == "ascii"
    if name == "uuid":
        return given.cql == "timeuuid"
    if name == "date":
        return given.cql == "int"
    if name == "time":
        return given.cql == "bigint"
    if name in {"bigint", "timestamp"}:
        return given.cql in {"bigint", "timestamp"}
    if name == "varint":
        return given.cql in {"int", "bigint", "timestamp"}
    return False
