"""Converts settings into options of the master's state machine: durations, addresses, secrets, access lists."""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import Any

import msgspec

from smackbox.base.errors import SettingError
from smackbox.mesos.http.access import Access
from smackbox.mesos.http.access_lists import AccessLists
from smackbox.mesos.master.handlers.context import AGENTS, FRAMEWORKS, READERS, WRITERS
from smackbox.mesos.master.settings import MasterSettings
from smackbox.mesos.master.state.master import MasterOptions
from smackbox.mesos.master.state.sorter import Quantities
from smackbox.mesos.resources.resources import ResourceError
from smackbox.mesos.resources.text import parse_resources
from smackbox.net.listener import is_loopback

ANY_ADDRESS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, not bound


class _Credential(msgspec.Struct):
    principal: str
    secret: str


class _Credentials(msgspec.Struct):
    credentials: list[_Credential]


def make_options(settings: MasterSettings, port: int, host_name: str) -> MasterOptions:
    """The options; `port` is the bound port."""
    ip = settings.advertise_ip or ("127.0.0.1" if settings.host in ANY_ADDRESS | {"localhost"} else settings.host)
    default_name = ip if is_loopback(settings.host) or settings.host not in ANY_ADDRESS else host_name
    reregister_ms = settings.milliseconds("agent_reregister_timeout")
    ping_ms = settings.milliseconds("agent_ping_timeout")
    allocation_ms = settings.milliseconds("allocation_interval")
    heartbeat_ms = settings.milliseconds("scheduler_heartbeat_interval")
    assert reregister_ms is not None and ping_ms is not None and allocation_ms is not None and heartbeat_ms is not None
    return MasterOptions(
        hostname=settings.hostname or default_name,
        ip=ip,
        port=settings.advertise_port or port,
        cluster=settings.cluster,
        heartbeat_interval_ms=heartbeat_ms,
        allocation_interval_ms=allocation_ms,
        offer_timeout_ms=settings.milliseconds("offer_timeout"),
        agent_ping_timeout_ms=ping_ms,
        max_agent_ping_timeouts=settings.max_agent_ping_timeouts,
        agent_reregister_timeout_ms=reregister_ms,
        max_completed_frameworks=settings.max_completed_frameworks,
        max_completed_tasks_per_framework=settings.max_completed_tasks_per_framework,
        max_unreachable_tasks_per_framework=settings.max_unreachable_tasks_per_framework,
        min_allocatable=_minima(settings.min_allocatable_resources),
        filter_gpu_resources=settings.filter_gpu_resources,
        flags=_flags(settings, port),
    )


def make_access(settings: MasterSettings) -> Access:
    """The access rules. Raises `SettingError`."""
    asked = {
        FRAMEWORKS: settings.authenticate_frameworks,
        AGENTS: settings.authenticate_agents,
        READERS: settings.authenticate_http_readonly,
        WRITERS: settings.authenticate_http_readwrite,
    }
    secrets: dict[str, str] = {}
    if settings.credentials is not None:
        try:
            read = msgspec.json.decode(_read(settings.credentials, "credentials"), type=_Credentials)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise SettingError(f"mesos: {settings.credentials}: {error}") from error
        secrets = {credential.principal: credential.secret for credential in read.credentials}
    lists = AccessLists() if settings.acls is None else AccessLists.read(_read(settings.acls, "acls"))
    return Access(secrets, frozenset(realm for realm, on in asked.items() if on), lists, hmac.compare_digest)


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingError(f"mesos: {name}: {path} cannot be read: {error.strerror}") from error


def _minima(text: str) -> tuple[Quantities, ...]:
    """The alternatives of `cpus:0.01|mem:32`, one of which must be met. Raises `SettingError`."""
    try:
        return tuple(parse_resources(part).quantities() for part in text.split("|") if part.strip())
    except ResourceError as error:
        raise SettingError(f"mesos: min_allocatable_resources: {error}") from error


def _flags(settings: MasterSettings, port: int) -> dict[str, str]:
    """The flags as in `/flags`: all that are set, with Mesos' names; secrets stay in their file."""
    shown: dict[str, str] = {"work_dir": str(settings.dir or ""), "ip": settings.host, "port": str(port)}
    values: dict[str, Any] = msgspec.structs.asdict(settings)
    for name, value in values.items():
        if value is None or name in {"dir", "host", "port"}:
            continue
        shown[name] = str(value).lower() if isinstance(value, bool) else str(value)
    if settings.zk is not None and "@" in settings.zk:
        scheme, _, rest = settings.zk.partition("://")
        shown["zk"] = f"{scheme}://{rest.rpartition('@')[2]}"
    return shown


def parse_weights(text: str | None) -> dict[str, float]:
    """Parse `role=weight,role=weight`. Raises `SettingError`."""
    weights: dict[str, float] = {}
    for part in filter(None, (text or "").split(",")):
        role, equals, number = part.partition("=")
        try:
            weights[role.strip()] = float(number)
        except ValueError as error:
            raise SettingError(f"mesos: weights: {part!r} is not role=number") from error
        if not equals or weights[role.strip()] <= 0:
            raise SettingError(f"mesos: weights: {part!r} is not role=number with a positive number")
    return weights
