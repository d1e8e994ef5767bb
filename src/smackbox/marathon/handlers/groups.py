"""/v2/groups: trees of apps with dependencies, changed in one deployment."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from smackbox.marathon.handlers.api import Api, Call, deployed, flag
from smackbox.marathon.handlers.app_info import shown_app
from smackbox.marathon.handlers.service_ports import with_service_ports
from smackbox.marathon.state.deployment import Action, steps
from smackbox.marathon.state.root import Group, Root
from smackbox.marathon.wire import path_id
from smackbox.marathon.wire.app import App, render
from smackbox.marathon.wire.app_reader import read_app, read_json
from smackbox.marathon.wire.errors import Refusal, invalid, malformed, unknown_group
from smackbox.net.http import HttpRequest, HttpResponse

Json = dict[str, Any]

FIELDS = {"id", "apps", "groups", "dependencies", "version", "scaleBy", "enforceRole", "pods"}


def get_group(call: Call) -> HttpResponse:
    """A group with its apps and groups, as selected by `embed`."""
    group = _group_id(call.parts)
    if not call.marathon.root.has_group(group):
        raise unknown_group(group)
    embed = {name.rpartition(".")[2] for name in call.request.query.get("embed", [])}
    return HttpResponse.json(
        call.marathon.root.render(group, lambda app: shown_app(call.marathon, app, embed) if embed else render(app))
    )


def get_group_versions(call: Call) -> HttpResponse:
    """The versions of a group."""
    group = _group_id(call.parts)
    if not call.marathon.root.has_group(group):
        raise unknown_group(group)
    versions = call.marathon.versions
    known = [
        version
        for version in versions.of_root()
        if (root := versions.root(version)) is not None and root.has_group(group)
    ]
    return HttpResponse.json(known)


def get_group_version(call: Call) -> HttpResponse:
    """A group as it was in that version."""
    group = _group_id(call.parts)
    root = call.marathon.versions.root(call.parts["version"])
    if root is None or not root.has_group(group):
        raise Refusal(404, f"Group '{group}' does not exist in version {call.parts['version']}")
    return HttpResponse.json(root.render(group))


def post_group(call: Call) -> HttpResponse:
    """Create a group. 409 if the id exists."""
    given = _read(call.request)
    base = _group_id(call.parts)
    group = path_id.absolute(given["id"], base) if isinstance(given.get("id"), str) else base
    if group != path_id.ROOT and (call.marathon.root.has_group(group) or group in call.marathon.root.apps):
        raise Refusal(409, f"Group {group} is already created. Use PUT to change this group.")
    return _apply(call.api, call.request, group, given, status=201)


def put_group(call: Call) -> HttpResponse:
    """Change a group, or create it; `{"scaleBy": n}`, `{"version": …}`; `dryRun` only returns the steps."""
    given = _read(call.request)
    group = _group_id(call.parts)
    if group == path_id.ROOT and isinstance(given.get("id"), str):
        group = path_id.absolute(given["id"])
    return _apply(call.api, call.request, group, given, status=200)


def delete_group(call: Call) -> HttpResponse:
    """Remove a group with everything in it."""
    group = _group_id(call.parts)
    root = call.marathon.root
    if not root.has_group(group):
        raise unknown_group(group)

    def emptied(root: Root, version: str) -> Root:
        apps = {app_id: app for app_id, app in root.apps.items() if not path_id.is_below(app_id, group)}
        groups = {name: entry for name, entry in root.groups.items() if not path_id.is_below(name, group)}
        return Root(apps, groups, version)

    return deployed(call.marathon.change(emptied, force=flag(call.request, "force"), group=group))


def _group_id(parts: dict[str, str]) -> str:
    return path_id.absolute("/" + parts.get("id", ""))


def _read(request: HttpRequest) -> Json:
    given = read_json(request.body)
    if not isinstance(given, dict):
        raise malformed("", "error.expected.jsobject")
    return given


def _apply(api: Api, request: HttpRequest, group: str, given: Json, *, status: int) -> HttpResponse:
    marathon = api.marathon
    if isinstance(given.get("version"), str) and not {"apps", "groups"} & set(given):
        changed = _rolled_back(api, group, given["version"])
    elif "scaleBy" in given:
        changed = _scaled(api, group, given["scaleBy"])
    else:
        changed = _replaced(api, group, given)
    if flag(request, "dryRun"):
        planned = steps(marathon.root, changed(marathon.root, marathon.next_version()))
        return HttpResponse.json({"steps": [{"actions": [_shown(action) for action in step]} for step in planned]})
    return deployed(marathon.change(changed, force=flag(request, "force"), group=group), status)


def _shown(action: Action) -> Json:
    return action.render()


def _rolled_back(api: Api, group: str, version: str) -> Any:
    earlier = api.marathon.versions.root(version)
    if earlier is None or not earlier.has_group(group):
        raise Refusal(404, f"Group '{group}' does not exist in version {version}")

    def changed(root: Root, at: str) -> Root:
        apps = {app_id: app for app_id, app in root.apps.items() if not path_id.is_below(app_id, group)}
        apps.update({app.id: app for app in earlier.members(group)})
        groups = {name: one for name, one in root.groups.items() if not path_id.is_below(name, group)}
        groups.update({name: one for name, one in earlier.groups.items() if path_id.is_below(name, group)})
        return Root(apps, groups, at)

    return changed


def _scaled(api: Api, group: str, factor: Any) -> Any:
    if not isinstance(factor, int | float) or isinstance(factor, bool) or factor < 0:
        raise invalid([("/scaleBy", "must be a number of 0 or more")])
    if not api.marathon.root.has_group(group):
        raise unknown_group(group)

    def changed(root: Root, at: str) -> Root:
        members = {
            app.id: msgspec.structs.replace(app, instances=math.ceil(app.instances * factor))
            for app in root.members(group)
        }
        return root.with_apps(members, at)

    return changed


def _replaced(api: Api, group: str, given: Json) -> Any:
    """Replace the group's apps and groups with the given ones; a named app keeps its unspecified fields."""
    apps: dict[str, App] = {}
    groups: dict[str, Group] = {}
    _collect(api, group, given, apps, groups)

    def changed(root: Root, at: str) -> Root:
        kept = {app_id: app for app_id, app in root.apps.items() if not path_id.is_below(app_id, group)}
        kept_groups = {name: one for name, one in root.groups.items() if not path_id.is_below(name, group)}
        if "apps" not in given:
            kept.update({app.id: app for app in root.members(group) if path_id.parent(app.id) == group})
        if "groups" not in given:
            kept.update({app.id: app for app in root.members(group) if path_id.parent(app.id) != group})
            kept_groups.update({name: one for name, one in root.groups.items() if path_id.is_below(name, group)})
        for name, one in groups.items():
            kept_groups[name] = msgspec.structs.replace(one, version=at)
        replaced = Root(kept, kept_groups, at).with_apps(apps, at)
        for name in path_id.ancestors(group):
            replaced.groups.setdefault(name, Group(version=at))
        return with_service_ports(replaced, root)

    return changed


def _collect(api: Api, group: str, given: Any, apps: dict[str, App], groups: dict[str, Group]) -> None:
    if not isinstance(given, dict):
        raise malformed("", "error.expected.jsobject")
    if given.get("pods"):
        raise invalid([("/pods", "pods are not supported here")])
    if not path_id.is_valid(group):
        raise invalid([("/id", f"'{group}' is not a valid path")])
    dependencies = given.get("dependencies") or []
    if not isinstance(dependencies, list) or not all(isinstance(dependency, str) for dependency in dependencies):
        raise malformed("/dependencies", "error.expected.jsarray")
    groups[group] = Group(
        dependencies=[path_id.absolute(dependency, path_id.parent(group)) for dependency in dependencies],
        enforce_role=bool(given.get("enforceRole", False)),
    )
    for entry in given.get("apps") or []:
        app = read_app(entry, base=group, default_role=api.marathon.role)
        if path_id.parent(app.id) != group:
            raise invalid([("/apps", f"Identifier {app.id} is not child of {group}")])
        if app.id in apps:
            raise invalid([("/apps", f"Identifier {app.id} occurs twice")])
        apps[app.id] = app
    for entry in given.get("groups") or []:
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
            raise malformed("/groups/id", "error.path.missing")
        child = path_id.absolute(entry["id"], group)
        if path_id.parent(child) != group:
            raise invalid([("/groups", f"Identifier {child} is not child of {group}")])
        _collect(api, child, entry, apps, groups)
