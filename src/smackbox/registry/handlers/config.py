"""/config and /mode: levels of compatibility and modes, of one subject or for all."""

from __future__ import annotations

from smackbox.registry.handlers.api import Call, Outcome, answer
from smackbox.registry.wire.errors import (
    invalid_level,
    invalid_mode,
    no_subject_level,
    no_subject_mode,
    not_permitted,
)
from smackbox.registry.wire.levels import LEVELS, MODES
from smackbox.registry.wire.records import Json, config_record, mode_record

KNOWN = ("compatibility", "compatibilityLevel", "normalize")


def get_config(call: Call) -> Outcome:
    """What is configured; of a subject without any the global one with `defaultToGlobal`, else 40408."""
    subject = _subject(call)
    if subject is not None and subject not in call.subjects.configs and not call.flag("defaultToGlobal"):
        raise no_subject_level(subject)
    return answer(call.subjects.config(subject))


def put_config(call: Call) -> Outcome:
    """Change the level, or whether to normalize. Raises 42203."""
    subject = _subject(call)
    given = {name: value for name, value in call.body(Json).items() if value is not None}
    for name in given:
        if name not in KNOWN:
            raise not_permitted(f"{name} is not supported: {', '.join(KNOWN)}")
    config = dict(call.subjects.configs.get(subject, {}))
    level = given.get("compatibility", given.get("compatibilityLevel"))
    if level is not None:
        if not isinstance(level, str) or level.upper() not in LEVELS:
            raise invalid_level(level, LEVELS)
        config["compatibilityLevel"] = level.upper()
    if "normalize" in given:
        config["normalize"] = given["normalize"] is True
    return answer(given, records=[config_record(subject, config)])


def delete_config(call: Call) -> Outcome:
    """Forget what is configured; the answer is what held. Raises 40408."""
    subject = _subject(call)
    if subject is not None and subject not in call.subjects.configs:
        raise no_subject_level(subject)
    return answer(call.subjects.config(subject), records=[config_record(subject, None)])


def get_mode(call: Call) -> Outcome:
    """The mode; of a subject without one the global one with `defaultToGlobal`, else 40409."""
    subject = _subject(call)
    if subject is not None and subject not in call.subjects.modes and not call.flag("defaultToGlobal"):
        raise no_subject_mode(subject)
    return answer({"mode": call.subjects.mode(subject)})


def put_mode(call: Call) -> Outcome:
    """Change the mode; IMPORT of what has schemas needs `force`. Raises 42204, 42205."""
    subject, subjects = _subject(call), call.subjects
    mode = call.body(Json).get("mode")
    if not isinstance(mode, str) or mode.upper() not in MODES:
        raise invalid_mode(mode, MODES)
    if mode.upper() == "IMPORT" and not call.flag("force"):
        present = subjects.versions(subject) if subject is not None else subjects.subjects()
        if present:
            raise not_permitted("Cannot import since found existing subjects")
    return answer({"mode": mode.upper()}, records=[mode_record(subject, mode.upper())])


def delete_mode(call: Call) -> Outcome:
    """Forget a subject's mode; the answer is what it was. Raises 40409."""
    subject = _subject(call)
    if subject not in call.subjects.modes:
        raise no_subject_mode(subject or "")
    return answer({"mode": call.subjects.modes[subject]}, records=[mode_record(subject, None)])


def _subject(call: Call) -> str | None:
    return call.subject if "subject" in call.parts else None
