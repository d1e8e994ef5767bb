"""The root group: all desired apps and groups, as one immutable value that is replaced at each change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from smackbox.marathon.wire import path_id
from smackbox.marathon.wire.app import App, render
from smackbox.marathon.wire.errors import Refusal, invalid

Json = dict[str, Any]


class Group(msgspec.Struct, frozen=True):
    """What a group has besides its members."""

    dependencies: list[str] = []
    enforce_role: bool = False
    version: str = ""


class Root(msgspec.Struct, frozen=True):
    """All apps and groups, in one version."""

    apps: dict[str, App] = {}
    groups: dict[str, Group] = {}
    version: str = "1970-01-01T00:00:00.000Z"

    def with_apps(self, changes: Mapping[str, App | None], version: str) -> Root:
        """The root with these apps added or replaced, or removed if None."""
        apps = dict(self.apps)
        groups = dict(self.groups)
        for app_id, app in changes.items():
            if app is None:
                apps.pop(app_id, None)
            else:
                apps[app_id] = app
                for group in path_id.ancestors(app_id):
                    groups.setdefault(group, Group(version=version))
        return Root(apps, groups, version)

    def members(self, group: str) -> list[App]:
        """The apps in a group and the groups in it."""
        return [app for app in self.apps.values() if path_id.is_below(app.id, group)]

    def has_group(self, group: str) -> bool:
        """Whether there is such a group."""
        return group == path_id.ROOT or group in self.groups

    def children(self, group: str) -> list[str]:
        """The groups directly in a group."""
        return sorted(child for child in self.groups if child != path_id.ROOT and path_id.parent(child) == group)

    def check(self) -> None:
        """Raises `Refusal` if two members share an id or a service port, or there is a dependency cycle.

        As in Marathon, a dependency need not exist: it is waited for only if it does.
        """
        problems = [
            (f"/apps({app_id})", f"App '{app_id}' conflicts with the group of the same id")
            for app_id in self.apps
            if app_id in self.groups
        ]
        owners: dict[int, str] = {}
        problems += [
            ("/portDefinitions", f"Requested service port {port} is used by {owners[port]}")
            for app in self.apps.values()
            for port in app.service_ports
            if port and owners.setdefault(port, app.id) != app.id
        ]
        if problems:
            raise invalid(problems)
        try:
            self.layers(self.apps)
        except Refusal:
            raise invalid([("/dependencies", "Dependency graph has cyclic dependencies.")]) from None

    def layers(self, app_ids: Iterable[str]) -> list[list[str]]:
        """These apps in the order of their dependencies; the apps of one layer do not depend on one another.

        Raises `Refusal` if there is a cycle.
        """
        wanted = set(app_ids)
        needs = {app_id: self._needs(app_id) & wanted for app_id in wanted}
        layers: list[list[str]] = []
        while needs:
            free = sorted(app_id for app_id, needed in needs.items() if not needed)
            if not free:
                raise Refusal(422, "Dependency graph has cyclic dependencies.")
            layers.append(free)
            for app_id in free:
                del needs[app_id]
            for needed in needs.values():
                needed.difference_update(free)
        return layers

    def _needs(self, app_id: str) -> set[str]:
        """The apps that this one depends on, by its own dependencies and its groups'."""
        named = list(self.apps[app_id].dependencies)
        for group in path_id.ancestors(app_id):
            if group in self.groups:
                named += self.groups[group].dependencies
        return {other for name in named for other in self.apps if path_id.is_below(other, name) and other != app_id}

    def render(self, group: str, app_json: Any = render) -> Json:
        """A group as in GET. `app_json` renders an app."""
        own = self.groups.get(group, Group(version=self.version))
        apps = [app_json(app) for app_id, app in sorted(self.apps.items()) if path_id.parent(app_id) == group]
        shown: Json = {
            "id": group,
            "apps": apps,
            "groups": [self.render(child, app_json) for child in self.children(group)],
            "pods": [],
            "dependencies": list(own.dependencies),
            "version": self.version if group == path_id.ROOT else own.version or self.version,
        }
        return {**shown, "enforceRole": True} if own.enforce_role else shown
