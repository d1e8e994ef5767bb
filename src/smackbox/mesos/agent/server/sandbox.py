"""A container's sandbox: its directory, its `stdout` and `stderr`, and the volumes that are linked into it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

from smackbox.mesos.agent.server.wrapper import LaunchError, find_user
from smackbox.mesos.agent.state.container import ContainerSpec

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import ContainerInfo


LATEST = "latest"
_OUTPUT_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


def prepare(spec: ContainerSpec) -> None:
    """Create the directory, private to its user; link `latest` and the volumes. Raises `LaunchError`."""
    try:
        spec.sandbox.mkdir(parents=True, exist_ok=True)
        if spec.user is not None:
            _own(spec.sandbox, spec.user)
            spec.sandbox.chmod(0o750)
        if "." not in spec.id:
            _link(spec.sandbox.parent / LATEST, spec.sandbox)
        for volume in spec.volumes:
            _check_path(volume.container_path)
            if not volume.source.is_dir():
                raise LaunchError(f"The volume for '{volume.container_path}' is not there")
            if spec.user is not None and not volume.read_only:
                _own(volume.source, spec.user)
            if not spec.is_docker:
                _link(spec.sandbox / volume.container_path, volume.source)
        if not spec.is_docker:
            _link_host_paths(spec)
    except OSError as error:
        raise LaunchError(f"Failed to prepare the sandbox: {error}") from error


def open_output(spec: ContainerSpec) -> tuple[int, int]:
    """File descriptors of `stdout` and `stderr`, opened for appending. Raises `LaunchError`."""
    opened: list[int] = []
    try:
        for name in ("stdout", "stderr"):
            opened.append(os.open(spec.sandbox / name, _OUTPUT_FLAGS, 0o644))
            if spec.user is not None:
                entry = find_user(spec.user)
                os.fchown(opened[-1], entry.pw_uid, entry.pw_gid)
    except OSError as error:
        for fd in opened:
            os.close(fd)
        raise LaunchError(f"Failed to open the sandbox's output: {error}") from error
    return opened[0], opened[1]


def _link_host_paths(spec: ContainerSpec) -> None:
    """Link the volumes of a `ContainerInfo`; without an image there is no other file system to mount them in."""
    container = spec.container if spec.container is not None else cast("ContainerInfo", {})
    if container.get("mesos", {}).get("image") is not None:
        raise LaunchError("An image needs a container of type DOCKER")
    for volume in container.get("volumes", []):
        path = volume["container_path"]
        _check_path(path)
        if "host_path" in volume:
            host_path = spec.sandbox / volume["host_path"]
            if not host_path.exists() and spec.sandbox in host_path.parents:
                host_path.mkdir(parents=True)
            if not host_path.exists():
                raise LaunchError(f"The host path {host_path} of a volume is not there")
            _link(spec.sandbox / path, host_path)
        else:
            source = volume.get("source", {}).get("type", "none")
            raise LaunchError(f"A volume of source {source} is not supported")


def _check_path(path: str) -> None:
    if path.startswith("/") or ".." in Path(path).parts:
        raise LaunchError(f"The container path '{path}' of a volume is not within the sandbox")


def _link(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.with_name(f".{link.name}.fresh"[-255:])
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)


def _own(path: Path, user: str) -> None:
    if os.geteuid() == 0:
        entry = find_user(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)
