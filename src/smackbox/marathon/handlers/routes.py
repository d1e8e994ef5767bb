"""Routes requests to handlers. Ids of apps and groups contain slashes, so suffixes are matched first."""

from __future__ import annotations

import re

from smackbox.marathon.handlers import apps, deployments, events, groups, queue, server_info, tasks
from smackbox.marathon.handlers.api import Api, Call, Handler
from smackbox.marathon.wire.errors import Refusal
from smackbox.net.http import HttpRequest, HttpResponse, HttpStream

_ROUTES: list[tuple[str, dict[str, Handler]]] = [
    (r"/ping|/v2/ping", {"GET": server_info.get_ping}),
    (r"/v2/info", {"GET": server_info.get_info}),
    (r"/v2/leader", {"GET": server_info.get_leader, "DELETE": server_info.delete_leader}),
    (r"/v2/plugins", {"GET": server_info.get_plugins}),
    (r"/v2/events", {"GET": events.get_events}),
    (
        r"/v2/apps",
        {"GET": apps.get_apps, "POST": apps.post_app, "PUT": apps.put_apps, "PATCH": apps.patch_apps},
    ),
    (r"/v2/apps/(?P<id>.+?)/versions/(?P<version>[^/]+)", {"GET": apps.get_version}),
    (r"/v2/apps/(?P<id>.+?)/versions", {"GET": apps.get_versions}),
    (r"/v2/apps/(?P<id>.+?)/restart", {"POST": apps.restart_app}),
    (r"/v2/apps/(?P<id>.+?)/tasks/(?P<task>[^/]+)", {"DELETE": tasks.delete_app_task}),
    (r"/v2/apps/(?P<id>.+?)/tasks", {"GET": tasks.get_app_tasks, "DELETE": tasks.delete_app_tasks}),
    (
        r"/v2/apps/(?P<id>.+)",
        {"GET": apps.get_app, "PUT": apps.put_app, "PATCH": apps.patch_app, "DELETE": apps.delete_app},
    ),
    (r"/v2/groups(?:/(?P<id>.*?))?/versions/(?P<version>[^/]+)", {"GET": groups.get_group_version}),
    (r"/v2/groups(?:/(?P<id>.*?))?/versions", {"GET": groups.get_group_versions}),
    (
        r"/v2/groups(?:/(?P<id>.*))?",
        {"GET": groups.get_group, "POST": groups.post_group, "PUT": groups.put_group, "PATCH": groups.put_group,
         "DELETE": groups.delete_group},
    ),
    (r"/v2/deployments", {"GET": deployments.get_deployments}),
    (r"/v2/deployments/(?P<deployment>[^/]+)", {"DELETE": deployments.delete_deployment}),
    (r"/v2/queue", {"GET": queue.get_queue}),
    (r"/v2/queue/(?P<id>.+)/delay", {"DELETE": queue.delete_delay}),
    (r"/v2/tasks", {"GET": tasks.get_tasks}),
    (r"/v2/tasks/delete", {"POST": tasks.post_tasks_delete}),
]  # fmt: skip
_COMPILED = [(re.compile(pattern), methods) for pattern, methods in _ROUTES]
NOT_SERVED = {
    "/v2/pods": "pods are not served here: run several apps, or a group of them",
    "/v2/eventSubscriptions": "event callbacks were removed in Marathon 1.5: listen to GET /v2/events",
    "/v2/artifacts": "the artifact store was removed in Marathon 1.5: use fetch",
}


def handle(api: Api, request: HttpRequest) -> HttpResponse | HttpStream:
    """The answer. Only here is a `Refusal` converted to its status and JSON."""
    try:
        handler, parts = _route(request)
        return handler(Call(api, request, parts))
    except Refusal as refusal:
        return HttpResponse.json(refusal.body, refusal.status)


def _route(request: HttpRequest) -> tuple[Handler, dict[str, str]]:
    path = request.path.rstrip("/") or "/"
    for pattern, methods in _COMPILED:
        if found := pattern.fullmatch(path):
            method = "GET" if request.method == "HEAD" else request.method
            if method not in methods:
                raise Refusal(405, f"{request.method} is not for {path}: {', '.join(methods)}")
            return methods[method], {name: value or "" for name, value in found.groupdict().items()}
    for prefix, why in NOT_SERVED.items():
        if path.startswith(prefix):
            raise Refusal(501, why)
    raise Refusal(404, f"There is nothing at {path}")
