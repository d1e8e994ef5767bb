"""What a schema must pass: it parses, its subject's mode lets it in, and it is compatible with earlier versions."""

from __future__ import annotations

import msgspec

from smackbox.registry.handlers.api import Call, SchemaBody
from smackbox.registry.state.subjects import Subjects
from smackbox.registry.wire.errors import not_permitted
from smackbox.registry.wire.records import SchemaValue


def read_body(call: Call, subject: str, body: SchemaBody) -> SchemaValue:
    """The schema of a request in its canonical text; id and version are those asked for, or 0. Raises 42201."""
    value = SchemaValue(
        subject=subject,
        version=body.version or 0,
        id=body.id or 0,
        schema=body.schema,
        schema_type=body.schema_type or "AVRO",
        references=tuple(body.references or ()),
        metadata=body.metadata,
        rule_set=body.rule_set,
    )
    schema = call.subjects.parsed(value)
    normalize = call.flag("normalize") or call.subjects.config(subject).get("normalize") is True
    return msgspec.structs.replace(value, schema=schema.normalized if normalize else schema.canonical)


def check_writable(subjects: Subjects, subject: str) -> None:
    """Raises 42205 in the modes that take no change."""
    if subjects.mode(None) == "READONLY_OVERRIDE" or subjects.mode(subject) in {"READONLY", "READONLY_OVERRIDE"}:
        raise not_permitted(f"Subject {subject} is in read-only mode")


def problems(subjects: Subjects, value: SchemaValue, versions: list[SchemaValue]) -> list[str]:
    """Why a schema is not compatible with `versions` (in order) by its subject's level; empty when it is."""
    level = subjects.config(value.subject)["compatibilityLevel"]
    if level == "NONE":
        return []
    chosen = versions if level.endswith("_TRANSITIVE") else versions[-1:]
    direction = level.removesuffix("_TRANSITIVE")
    for old in reversed(chosen):
        found = _differences(subjects, value, old, direction)
        if found:
            return [
                *found,
                f"{{oldSchemaVersion: {old.version}}}",
                f"{{oldSchema: '{old.schema}'}}",
                f"{{compatibility: '{level}'}}",
            ]
    return []


def _differences(subjects: Subjects, new: SchemaValue, old: SchemaValue, direction: str) -> list[str]:
    if new.schema_type != old.schema_type:
        change = f"{old.schema_type} before, {new.schema_type} in the new schema"
        return [f"{{errorType:'SCHEMA_TYPE_CHANGED', description:'Incompatible schema type: {change}'}}"]
    schema, earlier = subjects.parsed(new), subjects.parsed(old)
    found = []
    if direction in {"BACKWARD", "FULL"}:
        found += [_worded(reason, "new", "old") for reason in schema.unreadable(earlier)]
    if direction in {"FORWARD", "FULL"}:
        found += [_worded(reason, "old", "new") for reason in earlier.unreadable(schema)]
    return found


def _worded(reason: str, reader: str, writer: str) -> str:
    return reason.replace("%s", reader, 1).replace("%s", writer, 1)
