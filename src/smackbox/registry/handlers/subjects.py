"""/subjects: listed, registered, looked up, deleted."""

from __future__ import annotations

import msgspec

from smackbox.registry.handlers.api import Call, Outcome, SchemaBody, answer, raw
from smackbox.registry.handlers.checks import check_writable, problems, read_body
from smackbox.registry.state.subjects import MAX_VERSION, Subjects, version_number
from smackbox.registry.wire.errors import (
    id_does_not_match,
    incompatible,
    invalid_version,
    not_permitted,
    reference_exists,
    schema_not_found,
    subject_not_found,
    subject_not_soft_deleted,
    subject_soft_deleted,
    version_not_found,
    version_not_soft_deleted,
    version_soft_deleted,
)
from smackbox.registry.wire.records import (
    Json,
    Record,
    SchemaValue,
    config_record,
    deleted_subject,
    erased_schema,
    mode_record,
    schema_record,
)


def list_subjects(call: Call) -> Outcome:
    """`subjectPrefix`, `deleted`, `deletedOnly`."""
    prefix = (call.request.parameter("subjectPrefix") or "").removeprefix(":.:").removeprefix(":*:")
    names = call.subjects.subjects(deleted=call.flag("deleted"), deleted_only=call.flag("deletedOnly"))
    return answer(call.page([name for name in names if name.startswith(prefix)]))


def list_versions(call: Call) -> Outcome:
    """Numbers of a subject's versions."""
    subject = call.subject
    deleted, only = call.flag("deleted"), call.flag("deletedOnly")
    versions = call.subjects.live_versions(subject, deleted=deleted or only)
    return answer(call.page([value.version for value in versions if value.deleted or not only]))


def get_version(call: Call) -> Outcome:
    """One version with its schema."""
    return answer(shown(call, call.subjects.version(call.subject, call.parts["version"], deleted=call.flag("deleted"))))


def get_version_text(call: Call) -> Outcome:
    """The schema of a version alone."""
    value = call.subjects.version(call.subject, call.parts["version"], deleted=call.flag("deleted"))
    return raw(formatted(call, value))


def get_referenced_by(call: Call) -> Outcome:
    """Ids of the schemas that import this version."""
    value = call.subjects.version(call.subject, call.parts["version"], deleted=True)
    found = call.subjects.referenced_by(value.subject, value.version)
    return answer(call.page(sorted({one.id for one in found})))


def get_with_metadata(call: Call) -> Outcome:
    """The newest version whose metadata has each `key` with its `value`."""
    query = call.request.query
    wanted = dict(zip(query.get("key", []), query.get("value", []), strict=False))
    for value in reversed(call.subjects.live_versions(call.subject, deleted=call.flag("deleted"))):
        properties = (value.metadata or {}).get("properties") or {}
        if wanted.items() <= properties.items():
            return answer(shown(call, value))
    raise schema_not_found()


def look_up(call: Call) -> Outcome:
    """Whether a subject has a schema, and as which version. Raises 40401, 40403."""
    subject, deleted = call.subject, call.flag("deleted")
    if not call.subjects.versions(subject, deleted=deleted):
        raise subject_not_found(subject)
    found = call.subjects.same(subject, read_body(call, subject, call.body(SchemaBody)), deleted=deleted)
    if found is None:
        raise schema_not_found()
    return answer(shown(call, found))


def register(call: Call) -> Outcome:
    """Register a schema; one that the subject has already keeps its id. Raises 409, 42201, 42205, 42207."""
    subject, subjects = call.subject, call.subjects
    check_writable(subjects, subject)
    body = call.body(SchemaBody)
    value = read_body(call, subject, body)
    importing = subjects.mode(subject) == "IMPORT"
    if body.id and body.id > 0 and not importing:
        raise not_permitted(f"Subject {subject} is not in import mode")
    present = subjects.same(subject, value)
    if present is not None and body.id in {None, 0, -1, present.id}:
        return answer({"id": present.id})
    if present is not None and body.id is not None:
        raise id_does_not_match(body.id, present.id)
    versions = subjects.versions(subject, deleted=True)
    if importing:
        placed = _imported(subjects, value, versions)
    else:
        live = [one for one in versions if not one.deleted]
        if found := problems(subjects, value, live):
            raise incompatible(subject, found)
        version = max((one.version for one in versions), default=0) + 1
        placed = msgspec.structs.replace(value, id=subjects.id_for(value) or subjects.next_id, version=version)
    return answer({"id": placed.id}, records=[schema_record(placed)])


def _imported(subjects: Subjects, value: SchemaValue, versions: list[SchemaValue]) -> SchemaValue:
    """A schema with the id and version that another registry gave it."""
    if value.id <= 0:
        raise not_permitted(f"Subject {value.subject} is in import mode: a schema comes with its id")
    version = value.version or max((one.version for one in versions), default=0) + 1
    if not 1 <= version <= MAX_VERSION:
        raise invalid_version(str(version))
    known = subjects.id_for(value)
    if known is not None and known != value.id:
        raise id_does_not_match(value.id, known)
    if known is None and value.id <= subjects.largest_id and subjects.has_id(value.id):
        raise not_permitted(f"Overwrite new schema with id {value.id} is not permitted.")
    return msgspec.structs.replace(value, version=version)


def delete_subject(call: Call) -> Outcome:
    """Soft delete all versions; with `permanent` erase those that are soft deleted. Raises 40401, 40404, 40405."""
    subject, subjects = call.subject, call.subjects
    versions, live = subjects.versions(subject, deleted=True), subjects.versions(subject)
    if not versions:
        raise subject_not_found(subject)
    check_writable(subjects, subject)
    permanent = call.flag("permanent")
    if permanent and live:
        raise subject_not_soft_deleted(subject)
    if not permanent and not live:
        raise subject_soft_deleted(subject)
    _check_references(subjects, versions)
    records: list[Record] = []
    if subject in subjects.modes:
        records.append(mode_record(subject, None))
    if subject in subjects.configs:
        records.append(config_record(subject, None))
    if permanent:
        records += [erased_schema(subject, one.version) for one in versions]
        return answer([one.version for one in versions], records=records)
    records.append(deleted_subject(subject, live[-1].version))
    return answer([one.version for one in live], records=records)


def delete_version(call: Call) -> Outcome:
    """Soft delete one version, or erase it. Raises 40401, 40402, 40406, 40407."""
    subject, subjects, text = call.subject, call.subjects, call.parts["version"]
    permanent, wanted = call.flag("permanent"), version_number(text)
    everything = subjects.live_versions(subject, deleted=True)
    if wanted is None:
        chosen = subjects.version(subject, text, deleted=permanent)
    else:
        chosen_or_none = next((one for one in everything if one.version == wanted), None)
        if chosen_or_none is None:
            raise version_not_found(wanted)
        chosen = chosen_or_none
    check_writable(subjects, subject)
    if permanent and not chosen.deleted:
        raise version_not_soft_deleted(subject, chosen.version)
    if not permanent and chosen.deleted:
        raise version_soft_deleted(subject, chosen.version)
    _check_references(subjects, [chosen])
    record = (
        erased_schema(subject, chosen.version)
        if permanent
        else schema_record(msgspec.structs.replace(chosen, deleted=True))
    )
    return answer(chosen.version, records=[record])


def _check_references(subjects: Subjects, versions: list[SchemaValue]) -> None:
    for one in versions:
        if subjects.referenced_by(one.subject, one.version):
            raise reference_exists(f"{{subject={one.subject},version={one.version}}}")


def shown(call: Call, value: SchemaValue) -> Json:
    """A version as the API shows it."""
    head: Json = {"subject": value.subject, "version": value.version, "id": value.id}
    content = {**value.content, "schema": formatted(call, value)}
    return {**head, **content, "deleted": True} if value.deleted else {**head, **content}


def formatted(call: Call, value: SchemaValue) -> str:
    """The text in the form that `format` asks for, else as it was stored."""
    form = call.request.parameter("format")
    return call.subjects.parsed(value).formatted(form) if form else value.schema
