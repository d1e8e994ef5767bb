"""/v2/apps: list, create, change, restart and remove apps, and their versions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smackbox.marathon.handlers import label_selector
from smackbox.marathon.handlers.api import Api, Call, app_id_of, deployed, existing_app, flag
from smackbox.marathon.handlers.app_info import shown_app
from smackbox.marathon.handlers.service_ports import with_service_ports
from smackbox.marathon.state.root import Root
from smackbox.marathon.wire import path_id
from smackbox.marathon.wire.app import App, render
from smackbox.marathon.wire.app_reader import read_app, read_json
from smackbox.marathon.wire.errors import Refusal, malformed, unknown_app
from smackbox.net.http import HttpRequest, HttpResponse

Json = dict[str, Any]

WILDCARD = "*"
ALWAYS_EMBEDDED = frozenset({"tasks", "counts", "deployments", "lastTaskFailure"})
"""What a single app, and the apps of `*`, include by default."""


def get_apps(call: Call) -> HttpResponse:
    """`cmd`, `id` and `label` filter the list; `embed=apps.…` adds details."""
    apps = list(call.marathon.root.apps.values())
    if (command := call.request.parameter("cmd")) is not None:
        apps = [app for app in apps if command.lower() in (app.cmd or "").lower()]
    if (part := call.request.parameter("id")) is not None:
        apps = [app for app in apps if part.lower() in app.id.lower()]
    if (label := call.request.parameter("label")) is not None:
        selected = label_selector.parse(label)
        apps = [app for app in apps if selected(app.labels)]
    return HttpResponse.json({"apps": [shown_app(call.marathon, app, _embed(call.request, "apps.")) for app in apps]})


def get_app(call: Call) -> HttpResponse:
    """One app, or the apps of a group if the path ends in `/*`."""
    app_id = app_id_of(call.parts)
    if app_id.rpartition("/")[2] == WILDCARD:
        group = path_id.parent(app_id)
        members = call.marathon.root.members(group)
        embed = _embed(call.request, "apps.") | ALWAYS_EMBEDDED
        found = [shown_app(call.marathon, app, embed) for app in members]
        return HttpResponse.json({"*": found})
    app = existing_app(call.api, app_id)
    embed = _embed(call.request, "app.") | ALWAYS_EMBEDDED
    return HttpResponse.json({"app": shown_app(call.marathon, app, embed)})


def post_app(call: Call) -> HttpResponse:
    """Add an app; 409 if it exists."""
    marathon = call.marathon
    app = read_app(read_json(call.request.body), default_role=marathon.role)
    if app.id in marathon.root.apps:
        raise Refusal(409, f"An app with id [{app.id}] already exists.")
    deployment = marathon.change(_replacing(app), force=flag(call.request, "force"), group=path_id.parent(app.id))
    created = marathon.root.apps[app.id]
    _posted(call.api, call.request, created)
    shown = shown_app(marathon, created)
    headers = {"Location": f"/v2/apps{app.id}", "Marathon-Deployment-Id": deployment.id}
    return HttpResponse.json(shown, 201, headers)


def put_app(call: Call) -> HttpResponse:
    """Change an app, or create it. `partialUpdate=false` replaces the whole definition; `{"version": …}` rolls back."""
    marathon = call.marathon
    app_id = app_id_of(call.parts)
    before = marathon.root.apps.get(app_id)
    app = _updated(call.api, app_id, read_json(call.request.body), partial=flag(call.request, "partialUpdate", True))
    deployment = marathon.change(_replacing(app), force=flag(call.request, "force"), group=path_id.parent(app_id))
    _posted(call.api, call.request, marathon.root.apps[app_id])
    return deployed(deployment, 200 if before is not None else 201)


def patch_app(call: Call) -> HttpResponse:
    """Change an existing app."""
    existing_app(call.api, app_id_of(call.parts))
    return put_app(call)


def put_apps(call: Call) -> HttpResponse:
    """Create or change several apps in one deployment."""
    marathon = call.marathon
    definitions = read_json(call.request.body)
    if not isinstance(definitions, list):
        raise malformed("", "error.expected.jsarray")
    partial = flag(call.request, "partialUpdate", True)
    apps: list[App] = []
    for at, entry in enumerate(definitions):
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
            raise malformed(f"({at})/id", "error.path.missing")
        apps.append(_updated(call.api, path_id.absolute(entry["id"]), entry, partial=partial))
    deployment = marathon.change(_replacing(*apps), force=flag(call.request, "force"))
    for app in apps:
        _posted(call.api, call.request, marathon.root.apps[app.id])
    return deployed(deployment)


def patch_apps(call: Call) -> HttpResponse:
    """Change several existing apps in one deployment."""
    definitions = read_json(call.request.body)
    for app_def in definitions if isinstance(definitions, list) else []:
        if isinstance(app_def, dict) and isinstance(app_def.get("id"), str):
            existing_app(call.api, path_id.absolute(app_def["id"]))
    return put_apps(call)


def delete_app(call: Call) -> HttpResponse:
    """Remove an app and kill its tasks."""
    app_id = app_id_of(call.parts)
    existing_app(call.api, app_id)
    deployment = call.marathon.change(
        lambda root, version: root.with_apps({app_id: None}, version),
        force=flag(call.request, "force"),
        group=path_id.parent(app_id),
    )
    return deployed(deployment)


def restart_app(call: Call) -> HttpResponse:
    """Replace all tasks of an app with new ones."""
    app_id = app_id_of(call.parts)
    existing_app(call.api, app_id)
    deployment = call.marathon.change(
        lambda root, version: Root(root.apps, root.groups, version),
        force=flag(call.request, "force"),
        restart=[app_id],
        group=path_id.parent(app_id),
    )
    return deployed(deployment)


def get_versions(call: Call) -> HttpResponse:
    """The versions of an app, newest first."""
    app = existing_app(call.api, app_id_of(call.parts))
    return HttpResponse.json({"versions": call.marathon.versions.of_app(app.id)})


def get_version(call: Call) -> HttpResponse:
    """An app as it was in that version."""
    app_id = app_id_of(call.parts)
    app = call.marathon.versions.app(app_id, call.parts["version"])
    if app is None:
        raise unknown_app(app_id, call.parts["version"])
    return HttpResponse.json(render(app))


def _updated(api: Api, app_id: str, given: Any, *, partial: bool) -> App:
    marathon = api.marathon
    if not isinstance(given, dict):
        raise malformed("", "error.expected.jsobject")
    before = marathon.root.apps.get(app_id)
    version = given.get("version")
    if isinstance(version, str) and set(given) <= {"version", "id"}:
        earlier = marathon.versions.app(app_id, version)
        if earlier is None:
            raise unknown_app(app_id, version)
        return earlier
    merged = given
    if before is not None and partial:
        merged = {**render(before), **given}
        if "args" in given and "cmd" not in given:
            merged.pop("cmd", None)
        if "cmd" in given and "args" not in given:
            merged.pop("args", None)
        if "ports" in given:
            merged.pop("portDefinitions", None)
        if "uris" in given:
            merged.pop("fetch", None)
    return read_app(merged, app_id=app_id, default_role=marathon.role, asked=given)


def _replacing(*apps: App) -> Callable[[Root, str], Root]:
    def changed(root: Root, version: str) -> Root:
        return with_service_ports(root.with_apps({app.id: app for app in apps}, version), root)

    return changed


def _posted(api: Api, request: HttpRequest, app: App) -> None:
    client_ip = request.peer.rpartition(":")[0]
    api.marathon.emit("api_post_event", clientIp=client_ip, uri=request.path, appDefinition=render(app))


def _embed(request: HttpRequest, prefix: str) -> set[str]:
    values = request.query.get("embed", []) + request.query.get("embed[]", [])
    names = {name.removeprefix(prefix).removeprefix("app.").removeprefix("apps.") for name in values}
    if flag(request, "embedTasks"):
        names.add("tasks")
    return {"counts" if instance == "count" else instance for instance in names}
