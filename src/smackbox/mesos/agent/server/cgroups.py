"""CPU and memory limits with control groups, version 1 or 2: one folder for each outermost container.

    cpu       a weight: `cpus` times 1,024 shares; a hard limit if the task has its own, or CFS is enabled
    memory    a hard limit of `mem`, or the task's own, at least 32 MB, as in Mesos; raised but never lowered

Version 1 has one hierarchy for each controller, version 2 a single one. A folder is
`<mount>/<cgroups_root>/<container>`.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from smackbox.mesos.agent.state.container import Statistics

if TYPE_CHECKING:
    from smackbox.mesos.agent.state.limited_resource import LimitedResource

MOUNTS = Path("/proc/self/mounts")
SHARES_PER_CPU = 1_024
MIN_SHARES = 2
MIN_MEMORY = 32 * 1024 * 1024
CFS_PERIOD_US = 100_000
MIN_QUOTA_US = 1_000
UNLIMITED = 1 << 60
LEFT_OVER_AGE_S = 600.0
_V1_CONTROLLERS = ("cpu", "cpuacct", "memory")


class CgroupsUnavailable(Exception):  # noqa: N818 - it is a state of the machine
    """Why cgroups are not available, in a few words."""


class Cgroups:
    """The cgroups of one agent. `folders` maps controllers to folders, which are all the same in version 2."""

    def __init__(self, folders: dict[str, Path], *, version: int, enable_cfs: bool) -> None:
        self.folders = folders
        self.version = version
        self._enable_cfs = enable_cfs

    @classmethod
    def open(cls, root: str, *, enable_cfs: bool = False, mounts: Path = MOUNTS) -> Cgroups:
        """Find and prepare the hierarchies. Raises `CgroupsUnavailable`."""
        if os.geteuid() != 0:
            raise CgroupsUnavailable("the agent is not root")
        try:
            rows = [line.split() for line in mounts.read_text().splitlines()]
        except OSError as error:
            raise CgroupsUnavailable("this is not Linux") from error
        folders = {
            controller: Path(row[1])
            for row in rows
            if row[2] == "cgroup"
            for controller in row[3].split(",")
            if controller in _V1_CONTROLLERS
        }
        unified = next((Path(row[1]) for row in rows if row[2] == "cgroup2"), None)
        try:
            if "cpu" in folders and "memory" in folders:
                return cls._open_v1(folders, root, enable_cfs=enable_cfs)
            if unified is not None:
                return cls._open_v2(unified, root, enable_cfs=enable_cfs)
        except OSError as error:
            raise CgroupsUnavailable(f"{error.filename}: {error.strerror}") from error
        raise CgroupsUnavailable("no cgroups for cpu and memory are mounted")

    @classmethod
    def _open_v1(cls, found: dict[str, Path], root: str, *, enable_cfs: bool) -> Cgroups:
        folders = {controller: mount / root for controller, mount in found.items()}
        for folder in folders.values():
            folder.mkdir(exist_ok=True)
        with contextlib.suppress(OSError):
            _write(folders["memory"], "memory.use_hierarchy", 1)
        return cls(folders, version=1, enable_cfs=enable_cfs)

    @classmethod
    def _open_v2(cls, mount: Path, root: str, *, enable_cfs: bool) -> Cgroups:
        controllers = (mount / "cgroup.controllers").read_text().split()
        if not {"cpu", "memory"} <= set(controllers):
            raise CgroupsUnavailable("the cgroups have no controllers for cpu and memory")
        folder = mount / root
        _write(mount, "cgroup.subtree_control", "+cpu +memory")
        folder.mkdir(exist_ok=True)
        _write(folder, "cgroup.subtree_control", "+cpu +memory")
        return cls(dict.fromkeys(_V1_CONTROLLERS, folder), version=2, enable_cfs=enable_cfs)

    # --- one container

    def make(self, container_id: str, resources: Sequence[LimitedResource]) -> list[Path]:
        """Create the cgroup; returns the files by which a process joins it. Raises `OSError`."""
        folders = self._folders(container_id)
        for folder in folders:
            folder.mkdir(exist_ok=True)
        self.update(container_id, resources)
        return [folder / "cgroup.procs" for folder in folders]

    def members_folder(self, container_id: str) -> Path:
        """The folder whose `cgroup.procs` lists the container's processes."""
        return self.folders["memory"] / container_id

    def update(self, container_id: str, resources: Sequence[LimitedResource]) -> None:
        """Update the limits. Raises `OSError`."""
        cpus, memory_mb = amount(resources, "cpus"), limit_of(resources, "mem")
        cpu, memory = self.folders["cpu"] / container_id, self.folders["memory"] / container_id
        shares = max(int(cpus * SHARES_PER_CPU), MIN_SHARES)
        has_cpu_limit = self._enable_cfs or any(
            "limit" in resource for resource in resources if resource["name"] == "cpus"
        )
        cpu_limit = limit_of(resources, "cpus")
        quota = -1 if math.isinf(cpu_limit) else max(int(cpu_limit * CFS_PERIOD_US), MIN_QUOTA_US)
        limit = UNLIMITED if math.isinf(memory_mb) else max(int(memory_mb * 1024 * 1024), MIN_MEMORY)
        if self.version == 1:
            _write(cpu, "cpu.shares", shares)
            if has_cpu_limit:
                _write(cpu, "cpu.cfs_period_us", CFS_PERIOD_US)
                _write(cpu, "cpu.cfs_quota_us", quota)
            _write(memory, "memory.soft_limit_in_bytes", limit)
            if not 0 < limit < _number(memory, "memory.limit_in_bytes") < UNLIMITED:
                _write(memory, "memory.limit_in_bytes", limit)
            return
        _write(cpu, "cpu.weight", min(1 + (shares - MIN_SHARES) * 9_999 // 262_142, 10_000))
        if has_cpu_limit:
            _write(cpu, "cpu.max", f"{'max' if quota < 0 else quota} {CFS_PERIOD_US}")
        current = (memory / "memory.max").read_text().strip()
        if current == "max" or int(current) < limit:
            _write(memory, "memory.max", limit)

    def out_of_memory(self, container_id: str) -> str | None:
        """The message if the kernel has killed a process of the container for its memory use; otherwise None."""
        memory = self.folders["memory"] / container_id
        events = "memory.oom_control" if self.version == 1 else "memory.events"
        if not _values(memory, events).get("oom_kill"):
            return None
        if self.version == 1:
            limit, used = _number(memory, "memory.limit_in_bytes"), _number(memory, "memory.max_usage_in_bytes")
        else:
            limit = _number(memory, "memory.max")
            used = _number(memory, "memory.peak") or limit
        statistics = "\n".join(f"{name} {value}" for name, value in _values(memory, "memory.stat").items())
        return (
            f"Memory limit exceeded: Requested: {_megabytes(limit)} Maximum Used: {_megabytes(used)}\n\n"
            f"MEMORY STATISTICS: \n{statistics}\n"
        )

    def usage(self, container_id: str) -> Statistics:
        """The usage as fields of a `ResourceStatistics`."""
        cpu, memory = self.folders["cpuacct"] / container_id, self.folders["memory"] / container_id
        if self.version == 1:
            ticks = os.sysconf("SC_CLK_TCK")
            spent = _values(cpu, "cpuacct.stat")
            metrics = {
                "cpus_user_time_secs": spent.get("user", 0) / ticks,
                "cpus_system_time_secs": spent.get("system", 0) / ticks,
                "mem_total_bytes": _number(memory, "memory.usage_in_bytes"),
                "mem_limit_bytes": _number(memory, "memory.limit_in_bytes"),
                "mem_rss_bytes": _values(memory, "memory.stat").get("total_rss", 0),
            }
        else:
            spent = _values(cpu, "cpu.stat")
            metrics = {
                "cpus_user_time_secs": spent.get("user_usec", 0) / 1e6,
                "cpus_system_time_secs": spent.get("system_usec", 0) / 1e6,
                "mem_total_bytes": _number(memory, "memory.current"),
                "mem_limit_bytes": _number(memory, "memory.max"),
                "mem_rss_bytes": _values(memory, "memory.stat").get("anon", 0),
            }
        return metrics

    def remove(self, container_id: str) -> bool:
        """Remove the cgroup; False while it is not empty."""
        try:
            for folder in self._folders(container_id):
                with contextlib.suppress(FileNotFoundError):
                    folder.rmdir()
        except OSError:
            return False
        return True

    def sweep(self, needed: set[str], now_s: float) -> None:
        """Remove empty cgroups that a killed agent left long ago: several agents may share the root."""
        for folder in {path.name: path for top in self.folders.values() for path in top.iterdir() if path.is_dir()}:
            members = self.members_folder(folder)
            with contextlib.suppress(OSError):
                if folder not in needed and now_s - members.stat().st_mtime > LEFT_OVER_AGE_S:
                    self.remove(folder)

    def _folders(self, container_id: str) -> list[Path]:
        return list(dict.fromkeys(folder / container_id for folder in self.folders.values()))


def amount(resources: Sequence[LimitedResource], name: str) -> float:
    """The sum of a scalar; for disk, without the persistent volumes."""
    return sum(
        float(resource["scalar"]["value"])
        for resource in resources
        if resource["name"] == name and "scalar" in resource and "persistence" not in resource.get("disk", {})
    )


def limit_of(resources: Sequence[LimitedResource], name: str) -> float:
    """Like `amount`, with the tasks' limits above their requests; infinite if one has no limit."""
    raised = sum(
        float(resource["limit"]) - float(resource["scalar"]["value"])
        for resource in resources
        if resource["name"] == name and "limit" in resource
    )
    return amount(resources, name) + raised


def _write(folder: Path, name: str, value: object) -> None:
    (folder / name).write_text(f"{value}\n")


def _number(folder: Path, name: str) -> int:
    try:
        text = (folder / name).read_text().strip()
    except OSError:
        return 0
    return int(text) if text.isdigit() else 0


def _values(folder: Path, name: str) -> dict[str, int]:
    try:
        rows = (line.split() for line in (folder / name).read_text().splitlines())
        return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
    except OSError:
        return {}


def _megabytes(size: int) -> str:
    return f"{size // (1024 * 1024)}MB"
