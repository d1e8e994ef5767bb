"""What a registry knows: subjects, their versions, ids, levels and modes, as the records of its topic tell.

`apply` is the only way in: records read from the topic, our own among them. Everything else looks things up.
"""

from __future__ import annotations

import logging
from collections import OrderedDict

import msgspec

from smackbox.registry.state.languages import parse
from smackbox.registry.state.schema import NESTING_LIMIT, InvalidSchema, Schema
from smackbox.registry.wire.errors import (
    Refusal,
    invalid_schema,
    invalid_version,
    schema_not_found,
    subject_not_found,
    version_not_found,
)
from smackbox.registry.wire.records import Json, Reference, SchemaValue, read_key, read_schema

PARSED_LIMIT = 1_000
"""Parsed schemas that are kept."""

MAX_VERSION = 2**31 - 1
log = logging.getLogger(__name__)


class Subjects:
    """The state of one registry. `level` holds where nothing else is configured."""

    def __init__(self, level: str) -> None:
        self.default_level = level
        self.configs: dict[str | None, Json] = {}
        self.modes: dict[str | None, str] = {}
        self._versions: dict[str, dict[int, SchemaValue]] = {}
        self._by_id: dict[int, dict[tuple[str, int], SchemaValue]] = {}
        self._id_by_content: dict[bytes, int] = {}
        self._largest_id = 0
        self._parsed: OrderedDict[bytes, Schema] = OrderedDict()

    # -- records

    def apply(self, key: bytes | None, value: bytes | None) -> None:
        """Take one record of the topic; one that cannot be read is logged and left out."""
        if key is None:
            return
        try:
            found = read_key(key)
            if found.keytype == "SCHEMA":
                if found.subject is not None and found.version is not None:
                    self._set_version(found.subject, found.version, None if value is None else read_schema(value))
            elif found.keytype == "DELETE_SUBJECT":
                if value is not None and found.subject is not None:
                    self._soft_delete(found.subject, msgspec.json.decode(value).get("version", MAX_VERSION))
            elif found.keytype == "CLEAR_SUBJECT":
                if value is not None and found.subject is not None:
                    for version in list(self._versions.get(found.subject, {})):
                        self._set_version(found.subject, version, None)
            elif found.keytype == "CONFIG":
                self._set_config(found.subject, value)
            elif found.keytype == "MODE":
                if value is None:
                    self.modes.pop(found.subject, None)
                else:
                    self.modes[found.subject] = msgspec.json.decode(value)["mode"]
        except (msgspec.DecodeError, AttributeError, KeyError, TypeError, RecursionError) as error:
            log.warning("registry: a record of the schemas' topic cannot be read: %s: %r", error, key[:200])

    def _set_version(self, subject: str, version: int, value: SchemaValue | None) -> None:
        versions = self._versions.setdefault(subject, {})
        before = versions.pop(version, None)
        if before is not None:
            self._by_id[before.id].pop((subject, version), None)
        if value is None:
            if not versions:
                del self._versions[subject]
            if before is not None and not self._by_id[before.id]:
                del self._by_id[before.id]
                self._id_by_content.pop(identity(before), None)
            return
        versions[version] = value
        self._by_id.setdefault(value.id, {})[subject, version] = value
        self._id_by_content.setdefault(identity(value), value.id)
        self._largest_id = max(self._largest_id, value.id)

    def _soft_delete(self, subject: str, last: int) -> None:
        for version, value in list(self._versions.get(subject, {}).items()):
            if version <= last and not value.deleted:
                self._set_version(subject, version, msgspec.structs.replace(value, deleted=True))

    def _set_config(self, subject: str | None, value: bytes | None) -> None:
        if value is None:
            self.configs.pop(subject, None)
            return
        config = {name: one for name, one in msgspec.json.decode(value).items() if one is not None}
        config.pop("subject", None)
        self.configs[subject] = config

    # -- looking up

    def subjects(self, *, deleted: bool = False, deleted_only: bool = False) -> list[str]:
        """Names in order; with `deleted` also those that are soft deleted."""
        return sorted(
            name
            for name, versions in self._versions.items()
            if (all(value.deleted for value in versions.values()) if deleted_only else deleted or _any_live(versions))
        )

    def versions(self, subject: str, *, deleted: bool = False) -> list[SchemaValue]:
        """In order of their numbers; empty for a subject that is not known."""
        found = self._versions.get(subject, {})
        return [found[number] for number in sorted(found) if deleted or not found[number].deleted]

    def live_versions(self, subject: str, *, deleted: bool = False) -> list[SchemaValue]:
        """The same. Raises 40401 without any."""
        found = self.versions(subject, deleted=deleted)
        if not found:
            raise subject_not_found(subject)
        return found

    def version(self, subject: str, text: str, *, deleted: bool = False) -> SchemaValue:
        """One by its number, `latest` or -1. Raises 40401, 40402, 42202."""
        wanted = version_number(text)
        found = self.live_versions(subject, deleted=deleted)
        if wanted is None:
            return found[-1]
        for value in found:
            if value.version == wanted:
                return value
        raise version_not_found(wanted)

    def by_id(self, schema_id: int, subject: str | None = None) -> SchemaValue:
        """Any version with this id, one of `subject` where there is one. Raises 40403."""
        places = self._by_id.get(schema_id)
        if not places:
            raise schema_not_found(schema_id)
        return next((value for (name, _), value in places.items() if name == subject), next(iter(places.values())))

    def places(self, schema_id: int, *, deleted: bool = False) -> list[SchemaValue]:
        """Every version with this id. Raises 40403."""
        if schema_id not in self._by_id:
            raise schema_not_found(schema_id)
        values = self._by_id[schema_id].values()
        return sorted((one for one in values if deleted or not one.deleted), key=lambda one: (one.subject, one.version))

    def id_for(self, value: SchemaValue) -> int | None:
        """The id of a schema that is known in any subject."""
        return self._id_by_content.get(identity(value))

    def has_id(self, schema_id: int) -> bool:
        """Whether any version has this id."""
        return schema_id in self._by_id

    @property
    def next_id(self) -> int:
        """The id of the next schema that is not known."""
        return self._largest_id + 1

    @property
    def largest_id(self) -> int:
        """The largest id so far; 0 before the first."""
        return self._largest_id

    def same(self, subject: str, value: SchemaValue, *, deleted: bool = False) -> SchemaValue | None:
        """The newest version of the subject that has the same schema; another registry may have laid its text out."""
        wanted = identity(value)
        versions = self.versions(subject, deleted=deleted)
        for one in reversed(versions):
            if identity(one) == wanted:
                return one
        return next((one for one in reversed(versions) if self._is_same(one, value)), None)

    def _is_same(self, one: SchemaValue, other: SchemaValue) -> bool:
        if {**one.content, "schema": ""} != {**other.content, "schema": ""}:
            return False
        try:
            return self.parsed(one).canonical == other.schema
        except Refusal:
            return False

    def referenced_by(self, subject: str, version: int) -> list[SchemaValue]:
        """The versions that import this one and are not deleted."""
        return [
            value
            for versions in self._versions.values()
            for value in versions.values()
            if not value.deleted and any(one.subject == subject and one.version == version for one in value.references)
        ]

    def config(self, subject: str | None) -> Json:
        """What holds for a subject: its own configuration before the global one and the default."""
        return {"compatibilityLevel": self.default_level, **self.configs.get(None, {}), **self.configs.get(subject, {})}

    def mode(self, subject: str | None) -> str:
        """The mode that holds for a subject."""
        return self.modes.get(subject) or self.modes.get(None) or "READWRITE"

    # -- schemas

    def parsed(self, value: SchemaValue) -> Schema:
        """The schema of a text; the last ones are kept. Raises `Refusal` 42201."""
        key = identity(value)
        found = self._parsed.get(key)
        if found is None:
            try:
                found = parse(value.schema_type, value.schema, self._resolve(value.references, 0, {}))
            except InvalidSchema as error:
                raise invalid_schema(str(error)) from error
            self._parsed[key] = found
            if len(self._parsed) > PARSED_LIMIT:
                self._parsed.popitem(last=False)
        else:
            self._parsed.move_to_end(key)
        return found

    def _resolve(self, references: tuple[Reference, ...], depth: int, found: dict[str, str]) -> list[tuple[str, str]]:
        if depth > NESTING_LIMIT:
            raise InvalidSchema(f"references are nested deeper than {NESTING_LIMIT}")
        for reference in references:
            if reference.name in found:
                continue
            try:
                value = self.version(reference.subject, str(reference.version), deleted=True)
            except Refusal as error:
                raise InvalidSchema(
                    f"no schema reference found for subject {reference.subject!r} and version {reference.version}"
                ) from error
            self._resolve(value.references, depth + 1, found)
            found[reference.name] = value.schema
        return list(found.items())


def identity(value: SchemaValue) -> bytes:
    """What two versions share when they are one schema."""
    return msgspec.json.encode({**value.content, "schemaType": value.schema_type})


def version_number(text: str) -> int | None:
    """A number from 1; None for the latest. Raises 42202."""
    if text in {"latest", "-1"}:
        return None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:11]) <= MAX_VERSION:
        raise invalid_version(text)
    return int(text)


def _any_live(versions: dict[int, SchemaValue]) -> bool:
    return any(not value.deleted for value in versions.values())
