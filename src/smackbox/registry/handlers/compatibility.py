"""/compatibility: whether a schema could be registered."""

from __future__ import annotations

from smackbox.registry.handlers.api import Call, Outcome, SchemaBody, answer
from smackbox.registry.handlers.checks import problems, read_body
from smackbox.registry.state.subjects import version_number
from smackbox.registry.wire.records import Json, SchemaValue


def check_version(call: Call) -> Outcome:
    """Against one version by the subject's level; against the latest of a subject without any everything is fine."""
    subject, text = call.subject, call.parts["version"]
    if version_number(text) is None and not call.subjects.versions(subject):
        call.subjects.parsed(read_body(call, subject, call.body(SchemaBody)))
        return _verdict(call, [])
    return _checked(call, subject, [call.subjects.version(subject, text)])


def check_versions(call: Call) -> Outcome:
    """Against all the versions that the subject's level names."""
    subject = call.subject
    return _checked(call, subject, call.subjects.versions(subject))


def _checked(call: Call, subject: str, versions: list[SchemaValue]) -> Outcome:
    value = read_body(call, subject, call.body(SchemaBody))
    return _verdict(call, problems(call.subjects, value, versions))


def _verdict(call: Call, messages: list[str]) -> Outcome:
    verdict: Json = {"is_compatible": not messages}
    if call.flag("verbose"):
        verdict["messages"] = messages
    return answer(verdict)
