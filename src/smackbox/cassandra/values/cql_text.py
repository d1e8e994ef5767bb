"""Values as CQL literals."""

from __future__ import annotations

from smackbox.cassandra.values.json_values import to_json_text
from smackbox.cassandra.wire.types import CqlType, ListType, MapType, SetType, TupleType, UserType, VectorType


def as_literal(kind: CqlType, value: bytes) -> str:
    """A value as a CQL literal."""
    if isinstance(kind, UserType):
        fields = zip(kind.field_names, kind.parts, kind.fields(value), strict=False)
        return "{" + ", ".join(f"{name}: {or_null(part, field)}" for name, part, field in fields) + "}"
    if isinstance(kind, TupleType):
        return "(" + ", ".join(map(or_null, kind.parts, kind.fields(value))) + ")"
    if isinstance(kind, MapType):
        return (
            "{"
            + ", ".join(f"{as_literal(kind.key, a)}: {as_literal(kind.value, b)}" for a, b in kind.pairs(value))
            + "}"
        )
    if isinstance(kind, ListType):
        return f"[{', '.join(or_null(kind.element, item) for item in kind.elements_or_null(value))}]"
    if isinstance(kind, SetType | VectorType):
        inside = ", ".join(as_literal(kind.element, item) for item in kind.elements(value))
        return f"{{{inside}}}" if isinstance(kind, SetType) else f"[{inside}]"
    text = to_json_text(kind, value)
    if kind.cql in {"ascii", "text"}:
        return "'" + value.decode().replace("'", "''") + "'"
    if text.startswith('"'):
        bare = text[1:-1]
        return bare if kind.cql in {"uuid", "timeuuid", "blob", "duration"} else f"'{bare}'"
    return text


def or_null(kind: CqlType, value: bytes | None) -> str:
    """A value as a CQL literal, or `null`."""
    return "null" if value is None else as_literal(kind, value)
