"""The containerizers of an agent, according to its settings."""

from __future__ import annotations

import logging
from pathlib import Path

from smackbox.base.errors import StartError
from smackbox.mesos.agent.server.cgroups import Cgroups, CgroupsUnavailable
from smackbox.mesos.agent.server.composed_containerizer import ComposedContainerizer
from smackbox.mesos.agent.server.docker_containerizer import DockerContainerizer
from smackbox.mesos.agent.server.docker_engine import DockerEngine
from smackbox.mesos.agent.server.fetcher import Fetcher
from smackbox.mesos.agent.server.isolation import IsolatingContainerizer
from smackbox.mesos.agent.settings import MesosAgentSettings

log = logging.getLogger(__name__)


def make_containers(settings: MesosAgentSettings, work_dir: Path, *, is_same_boot: bool) -> ComposedContainerizer:
    """The containerizers: processes, with cgroups if available, and Docker containers. Raises `StartError`."""
    fetcher = Fetcher(
        (settings.fetcher_cache_dir or work_dir) / "fetch",
        cache_limit=settings.fetcher_cache_size,
        stall_timeout_s=settings.milliseconds("fetcher_stall_timeout") / 1_000,
    )
    watch_s = settings.milliseconds("container_disk_watch_interval") / 1_000
    processes = IsolatingContainerizer(
        fetcher,
        cgroups=_cgroups(settings),
        disk_watch_s=watch_s if settings.enforce_container_disk_quota else None,
        is_same_boot=is_same_boot,
    )
    engine = DockerEngine(settings.docker_socket)
    remove_delay_s = settings.milliseconds("docker_remove_delay") / 1_000
    return ComposedContainerizer(processes, DockerContainerizer(engine, fetcher, remove_delay_s=remove_delay_s))


def _cgroups(settings: MesosAgentSettings) -> Cgroups | None:
    """Raises `StartError` if cgroups are requested explicitly and are not available."""
    if settings.isolation and "cgroups" not in settings.isolation:
        log.info("isolation: plain processes, as --isolation=%s says", settings.isolation)
        return None
    try:
        cgroups = Cgroups.open(settings.cgroups_root, enable_cfs=settings.cgroups_enable_cfs)
    except CgroupsUnavailable as error:
        if settings.isolation:
            raise StartError(f"--isolation={settings.isolation} is not available: {error}") from error
        log.info("isolation: plain processes without limits on cpu and memory: %s", error)
        return None
    log.info("isolation: cgroups version %d for cpu and memory", cgroups.version)
    return cgroups
