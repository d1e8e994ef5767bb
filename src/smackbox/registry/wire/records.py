"""The records of the topic `_schemas`: JSON keys and values, as Confluent's registry writes them.

    {"keytype":"SCHEMA","subject":S,"version":V,"magic":1}   {"subject":S,"version":V,"id":I,"schema":T,"deleted":false}
    {"keytype":"DELETE_SUBJECT","subject":S,"magic":0}       {"subject":S,"version":V}  versions to V are soft deleted
    {"keytype":"CLEAR_SUBJECT","subject":S,"magic":0}        {"subject":S}
    {"keytype":"CONFIG","subject":S or null,"magic":0}       {"subject":S,"compatibilityLevel":L}
    {"keytype":"MODE","subject":S or null,"magic":0}         {"subject":S,"mode":M}
    {"keytype":"NOOP","magic":0}                             nothing: shows a reader where the end is

A null value deletes what its key names. The topic is compacted by the bytes of its keys, so the order of a key's
fields is a part of the format. A schema of Avro has no `schemaType`; one without references has no `references`.
Fields that are not known here are kept as they are.
"""

from __future__ import annotations

from typing import Any

import msgspec

Json = dict[str, Any]


class Reference(msgspec.Struct, frozen=True):
    """A schema that another one imports: `name` is how the importing text calls it."""

    name: str
    subject: str
    version: int

    def as_json(self) -> Json:
        """As the API and the topic have it."""
        return {"name": self.name, "subject": self.subject, "version": self.version}


class SchemaValue(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a subject."""

    subject: str
    version: int
    id: int
    schema: str
    schema_type: str = msgspec.field(name="schemaType", default="AVRO")
    references: tuple[Reference, ...] = ()
    metadata: Json | None = None
    rule_set: Json | None = msgspec.field(name="ruleSet", default=None)
    deleted: bool = False

    @property
    def content(self) -> Json:
        """What makes the schema itself, without its place in a subject."""
        shown: Json = {"schema": self.schema}
        if self.schema_type != "AVRO":
            shown["schemaType"] = self.schema_type
        if self.references:
            shown["references"] = [reference.as_json() for reference in self.references]
        if self.metadata is not None:
            shown["metadata"] = self.metadata
        if self.rule_set is not None:
            shown["ruleSet"] = self.rule_set
        return shown

    def as_value(self) -> bytes:
        """As the value of a record."""
        head = {"subject": self.subject, "version": self.version, "id": self.id}
        return msgspec.json.encode({**head, **self.content, "deleted": self.deleted})


class Key(msgspec.Struct, frozen=True):
    """The key of a record of any type."""

    keytype: str
    subject: str | None = None
    version: int | None = None


Record = tuple[bytes, bytes | None]
"""Key and value."""

_decode_key = msgspec.json.Decoder(Key).decode
_decode_schema = msgspec.json.Decoder(SchemaValue).decode
NOOP: Record = (b'{"keytype":"NOOP","magic":0}', None)


def read_key(data: bytes) -> Key:
    """Raises `msgspec.DecodeError` for bytes that are no key."""
    return _decode_key(data)


def read_schema(data: bytes) -> SchemaValue:
    """Raises `msgspec.DecodeError` for bytes that are no schema."""
    return _decode_schema(data)


def schema_record(value: SchemaValue) -> Record:
    """A version as it is now."""
    return _schema_key(value.subject, value.version), value.as_value()


def erased_schema(subject: str, version: int) -> Record:
    """A version deleted permanently."""
    return _schema_key(subject, version), None


def deleted_subject(subject: str, version: int) -> Record:
    """All versions to `version` soft deleted."""
    return _key("DELETE_SUBJECT", subject), msgspec.json.encode({"subject": subject, "version": version})


def config_record(subject: str | None, config: Json | None) -> Record:
    """Configuration of a subject, or the global one; None deletes it."""
    return _setting("CONFIG", subject, config)


def mode_record(subject: str | None, mode: str | None) -> Record:
    """The mode of a subject, or the global one; None deletes it."""
    return _setting("MODE", subject, None if mode is None else {"mode": mode})


def _setting(keytype: str, subject: str | None, value: Json | None) -> Record:
    if value is None:
        return _key(keytype, subject), None
    named = {"subject": subject, **value} if subject is not None else value
    return _key(keytype, subject), msgspec.json.encode(named)


def _key(keytype: str, subject: str | None) -> bytes:
    return msgspec.json.encode({"keytype": keytype, "subject": subject, "magic": 0})


def _schema_key(subject: str, version: int) -> bytes:
    return msgspec.json.encode({"keytype": "SCHEMA", "subject": subject, "version": version, "magic": 1})
