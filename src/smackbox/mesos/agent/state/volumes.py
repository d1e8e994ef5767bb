"""Dynamic reservations and persistent volumes of an agent: `<work_dir>/volumes/roles/<role>/<persistence id>`.

A volume's folder exists until the master removes the volume, across tasks and restarts. As in Mesos, slashes in a role
are replaced by spaces. On a disk of type PATH the folder is below its root; a MOUNT disk is the folder.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from smackbox.base.errors import StorageError
from smackbox.mesos.agent.state.checkpoints import Checkpoints
from smackbox.mesos.agent.state.container import Volume

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import Resource


class AgentVolumes:
    """The reservations and volumes made at run time."""

    def __init__(self, checkpoints: Checkpoints, work_dir: Path) -> None:
        self.resources: list[Resource] = []
        self._checkpoints = checkpoints
        self._work_dir = work_dir

    def recover(self) -> None:
        """Load what an earlier process stored; missing folders are created."""
        self.resources = self._checkpoints.read("resources") or []
        for path in self._paths(self.resources).values():
            path.mkdir(parents=True, exist_ok=True)

    def replace(self, resources: list[Resource]) -> None:
        """Replace all volumes: folders are created and removed. Raises `StorageError`."""
        before, after = self._paths(self.resources), self._paths(resources)
        try:
            for key in after.keys() - before.keys():
                after[key].mkdir(parents=True, exist_ok=True)
            self._checkpoints.write("resources", resources)
            self.resources = resources
            for key in before.keys() - after.keys():
                _remove(before[key])
        except OSError as error:
            raise StorageError(f"cannot create or remove a volume: {error}") from error

    def of(self, resources: list[Resource]) -> tuple[Volume, ...]:
        """The persistent volumes among the resources of a task."""
        volumes = []
        for resource in resources:
            disk = resource.get("disk", {})
            if "persistence" in disk and "volume" in disk:
                volume = disk["volume"]
                volumes.append(Volume(volume["container_path"], self.path(resource), volume.get("mode") == "RO"))
        return tuple(volumes)

    def unknown(self, resources: list[Resource]) -> list[str]:
        """Persistent volumes among `resources` that the agent does not have."""
        known = self._paths(self.resources)
        return [key[1] for key in (_key(resource) for resource in resources) if key is not None and key not in known]

    def path(self, resource: Resource) -> Path:
        """The folder of a persistent volume."""
        source = resource["disk"].get("source", {})
        root = self._work_dir
        if source.get("type") == "MOUNT":
            return Path(source["mount"]["root"])
        if source.get("type") == "PATH":
            root = self._work_dir / source["path"]["root"]
        role, persistence_id = _key(resource) or ("", "")
        return root / "volumes" / "roles" / role.replace("/", " ") / persistence_id

    def _paths(self, resources: list[Resource]) -> dict[tuple[str, str], Path]:
        return {key: self.path(resource) for resource in resources if (key := _key(resource)) is not None}


def _key(resource: Resource) -> tuple[str, str] | None:
    """Role and id of a persistent volume."""
    persistence = resource.get("disk", {}).get("persistence")
    if persistence is None:
        return None
    reservations = resource.get("reservations", [])
    role = reservations[-1].get("role", "*") if reservations else resource.get("role", "*")
    return role, str(persistence["id"])


def _remove(path: Path) -> None:
    """Remove a volume; a MOUNT disk keeps its folder and loses the content."""
    if path.is_mount():
        for entry in path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)
