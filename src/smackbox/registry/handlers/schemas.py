"""/schemas: by id, of all subjects, and which languages there are."""

from __future__ import annotations

from smackbox.registry.handlers.api import Call, Outcome, answer, raw
from smackbox.registry.handlers.subjects import formatted, shown
from smackbox.registry.wire.levels import SCHEMA_TYPES
from smackbox.registry.wire.records import Json


def get_types(_call: Call) -> Outcome:
    """The schema languages."""
    return answer(sorted(SCHEMA_TYPES))


def list_schemas(call: Call) -> Outcome:
    """Every version of every subject: `subjectPrefix`, `deleted`, `latestOnly`."""
    prefix = (call.request.parameter("subjectPrefix") or "").removeprefix(":.:").removeprefix(":*:")
    deleted, latest = call.flag("deleted"), call.flag("latestOnly")
    found = []
    for subject in call.subjects.subjects(deleted=deleted):
        if subject.startswith(prefix):
            versions = call.subjects.versions(subject, deleted=deleted)
            found += versions[-1:] if latest else versions
    return answer([shown(call, value) for value in call.page(found)])


def get_schema(call: Call) -> Outcome:
    """A schema by its id, also of versions that are soft deleted: records of it may be in topics."""
    value = call.subjects.by_id(call.schema_id, call.request.parameter("subject"))
    content: Json = {**value.content, "schema": formatted(call, value)}
    if call.flag("fetchMaxId"):
        content["maxId"] = call.subjects.largest_id
    return answer(content)


def get_schema_text(call: Call) -> Outcome:
    """The text alone."""
    return raw(formatted(call, call.subjects.by_id(call.schema_id, call.request.parameter("subject"))))


def get_subjects(call: Call) -> Outcome:
    """The subjects that have it."""
    places = call.subjects.places(call.schema_id, deleted=call.flag("deleted"))
    return answer(call.page(sorted({value.subject for value in places})))


def get_versions(call: Call) -> Outcome:
    """The subjects that have it, and as which version."""
    places = call.subjects.places(call.schema_id, deleted=call.flag("deleted"))
    subject = call.request.parameter("subject")
    found = [value for value in places if subject is None or value.subject == subject]
    return answer(call.page([{"subject": value.subject, "version": value.version} for value in found]))
