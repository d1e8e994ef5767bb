"""The definitions of apps and of the root at each version: the targets of rollbacks."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from smackbox.marathon.state.root import Root
from smackbox.marathon.wire.app import App, VersionInfo

VERSIONS_LIMIT = 50
"""The number of versions kept for each app, and for the root; Marathon's `--zk_max_versions`."""


class Versions:
    """The earlier definitions of apps and groups."""

    def __init__(self) -> None:
        self._apps: dict[str, dict[str, App]] = {}
        self._roots: dict[str, Root] = {}

    def load(self, kind: str, key: str, value: bytes) -> None:
        """Load a record from the store."""
        if kind == "root-version":
            self._roots[key] = msgspec.json.decode(value, type=Root)
        else:
            app = msgspec.json.decode(value, type=App)
            self._apps.setdefault(app.id, {})[app.version] = app

    def add(self, root: Root, touched: Collection[str], records: dict[str, bytes | None]) -> None:
        """Add a new root and its changed apps; drop the oldest ones over the limit."""
        self._roots[root.version] = root
        records[f"root-version:{root.version}"] = msgspec.json.encode(root)
        for version in sorted(self._roots)[:-VERSIONS_LIMIT]:
            del self._roots[version]
            records[f"root-version:{version}"] = None
        for app_id in touched:
            app = root.apps.get(app_id)
            kept = self._apps.setdefault(app_id, {})
            if app is not None:
                kept[app.version] = app
                records[f"version:{app_id}:{app.version}"] = msgspec.json.encode(app)
            gone = sorted(kept) if app is None else sorted(kept)[:-VERSIONS_LIMIT]
            for version in gone:
                del kept[version]
                records[f"version:{app_id}:{version}"] = None

    def of_app(self, app_id: str) -> list[str]:
        """The versions of an app, newest first."""
        return sorted(self._apps.get(app_id, {}), reverse=True)

    def app(self, app_id: str, version: str) -> App | None:
        """An app as it was in that version, or None."""
        return self._apps.get(app_id, {}).get(version)

    def of_root(self) -> list[str]:
        """The versions of all apps and groups together, newest first."""
        return sorted(self._roots, reverse=True)

    def root(self, version: str) -> Root | None:
        """All apps and groups as they were in that version."""
        return self._roots.get(version)


def versioned(original: Root, target: Root, version: str, restart: Collection[str]) -> Root:
    """The target with a version for each app that changed, which distinguishes a scaling from a change of
    configuration.
    """
    apps = {}
    for app_id, app in target.apps.items():
        before = original.apps.get(app_id)
        if before is not None and app_id not in restart:
            as_before = msgspec.structs.replace(app, version=before.version, version_info=before.version_info)
            if as_before == before:
                apps[app_id] = before
                continue
            if msgspec.structs.replace(as_before, instances=before.instances) == before:
                info = VersionInfo(last_scaling_at=version, last_config_change_at=before.config_version)
                apps[app_id] = msgspec.structs.replace(app, version=version, version_info=info)
                continue
        info = VersionInfo(last_scaling_at=version, last_config_change_at=version)
        apps[app_id] = msgspec.structs.replace(app, version=version, version_info=info)
    return Root(apps, target.groups, version)
