"""Which handler a request goes to."""

from __future__ import annotations

import re
from urllib.parse import unquote

from smackbox.net.http import HttpRequest, HttpResponse
from smackbox.registry.handlers import compatibility, config, schemas, subjects
from smackbox.registry.handlers.api import CONTENT_TYPE, Call, Handler, Outcome, answer
from smackbox.registry.state.subjects import Subjects
from smackbox.registry.wire.errors import Refusal

_SUBJECT = r"/subjects/(?P<subject>[^/]+)"
_VERSION = _SUBJECT + r"/versions/(?P<version>[^/]+)"
_ID = r"/schemas/ids/(?P<id>[^/]+)"


def _get_root(_call: Call) -> Outcome:
    return answer({})


def _get_contexts(_call: Call) -> Outcome:
    return answer(["."])


ROUTES: list[tuple[str, dict[str, Handler]]] = [
    (r"/?", {"GET": _get_root}),
    (r"/contexts", {"GET": _get_contexts}),
    (r"/subjects", {"GET": subjects.list_subjects}),
    (_SUBJECT, {"POST": subjects.look_up, "DELETE": subjects.delete_subject}),
    (_SUBJECT + r"/versions", {"GET": subjects.list_versions, "POST": subjects.register}),
    (_SUBJECT + r"/metadata", {"GET": subjects.get_with_metadata}),
    (_VERSION, {"GET": subjects.get_version, "DELETE": subjects.delete_version}),
    (_VERSION + r"/schema", {"GET": subjects.get_version_text}),
    (_VERSION + r"/referencedby", {"GET": subjects.get_referenced_by}),
    (r"/schemas", {"GET": schemas.list_schemas}),
    (r"/schemas/types", {"GET": schemas.get_types}),
    (_ID, {"GET": schemas.get_schema}),
    (_ID + r"/schema", {"GET": schemas.get_schema_text}),
    (_ID + r"/subjects", {"GET": schemas.get_subjects}),
    (_ID + r"/versions", {"GET": schemas.get_versions}),
    (r"/config", {"GET": config.get_config, "PUT": config.put_config, "DELETE": config.delete_config}),
    (
        r"/config/(?P<subject>[^/]+)",
        {"GET": config.get_config, "PUT": config.put_config, "DELETE": config.delete_config},
    ),
    (r"/mode", {"GET": config.get_mode, "PUT": config.put_mode}),
    (r"/mode/(?P<subject>[^/]+)", {"GET": config.get_mode, "PUT": config.put_mode, "DELETE": config.delete_mode}),
    (r"/compatibility" + _VERSION, {"POST": compatibility.check_version}),
    (r"/compatibility" + _SUBJECT + r"/versions", {"POST": compatibility.check_versions}),
]
_COMPILED = [(re.compile(pattern), methods) for pattern, methods in ROUTES]
_WRITERS = {
    subjects.register, subjects.delete_subject, subjects.delete_version,
    config.put_config, config.delete_config, config.put_mode, config.delete_mode,
}  # fmt: skip


def writes(request: HttpRequest) -> bool:
    """Whether the request may change what is known; such ones run one at a time."""
    try:
        return _route(request)[0] in _WRITERS
    except Refusal:
        return False


def handle(state: Subjects, request: HttpRequest) -> Outcome:
    """The answer and what to write. A `Refusal` becomes its status and JSON here, and nowhere else."""
    try:
        handler, parts = _route(request)
        return handler(Call(state, request, parts))
    except Refusal as refusal:
        return Outcome(refused(refusal))


def refused(refusal: Refusal) -> HttpResponse:
    """The answer to a request that is refused."""
    response = HttpResponse.json({"error_code": refusal.code, "message": refusal.message}, refusal.status)
    response.content_type = CONTENT_TYPE
    return response


def _route(request: HttpRequest) -> tuple[Handler, dict[str, str]]:
    path = request.target.partition("?")[0]
    path = path.rstrip("/") if path != "/" else path
    for pattern, methods in _COMPILED:
        if found := pattern.fullmatch(path):
            method = "GET" if request.method == "HEAD" else request.method
            if method not in methods:
                raise Refusal(405, f"HTTP 405 Method Not Allowed: {path} takes {', '.join(methods)}")
            return methods[method], {name: unquote(value) for name, value in found.groupdict().items()}
    raise Refusal(404, "HTTP 404 Not Found")
