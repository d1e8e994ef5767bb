"""Converts settings into options of the agent's state machine: its resources, attributes, and flags in Mesos' form."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from smackbox.base.errors import SettingError
from smackbox.mesos.agent.server import host
from smackbox.mesos.agent.settings import MesosAgentSettings
from smackbox.mesos.agent.state.options import AgentOptions
from smackbox.mesos.resources.resources import ResourceError
from smackbox.mesos.resources.text import parse_attributes, parse_resources

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import Attribute, Resource


HIDDEN_VARIABLES = ("LIBPROCESS_", "MESOS_", "SMACK_")
"""Prefixes of agent environment variables that executors do not inherit."""


def make_options(
    settings: MesosAgentSettings, work_dir: Path, port: int, executor_token: Callable[[str, str], str] | None
) -> AgentOptions:
    """The options; `port` is the bound port. Raises `SettingError`."""
    ip = settings.advertise_ip or host.outward_ip(settings.host)
    environment = settings.environment()
    if environment is None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(HIDDEN_VARIABLES)}
    return AgentOptions(
        hostname=settings.hostname or host.hostname(ip),
        ip=ip,
        port=port,
        work_dir=work_dir,
        resources=agent_resources(settings, work_dir),
        attributes=agent_attributes(settings),
        scheme="http" if settings.ssl_cert_file is None else "https",
        environment=environment,
        switch_user=settings.switch_user and os.geteuid() == 0,
        executor_registration_timeout_ms=settings.milliseconds("executor_registration_timeout"),
        executor_reregistration_timeout_ms=settings.milliseconds("executor_reregistration_timeout"),
        executor_shutdown_grace_period_ms=settings.milliseconds("executor_shutdown_grace_period"),
        recovery_timeout_ms=settings.milliseconds("recovery_timeout"),
        executor_token=executor_token,
    )


def agent_resources(settings: MesosAgentSettings, work_dir: Path) -> list[Resource]:
    """`Resource` messages: those in the settings, and the machine's for the rest. Raises `SettingError`."""
    try:
        named = parse_resources(settings.resources, default_role=settings.default_role).to_messages()
        names = {resource["name"] for resource in named}
        missing = [f"{name}:{_amount(value)}" for name, value in host.detect(work_dir).items() if name not in names]
        rest = parse_resources(";".join(missing), default_role=settings.default_role).to_messages()
    except ResourceError as error:
        raise SettingError(f"mesos_agent: {error}") from error
    return [*named, *rest]


def agent_attributes(settings: MesosAgentSettings) -> list[Attribute]:
    """The attributes as `Attribute` messages. Raises `SettingError`."""
    try:
        return parse_attributes(settings.attributes)
    except ResourceError as error:
        raise SettingError(f"mesos_agent: {error}") from error


def _amount(value: float | list[tuple[int, int]]) -> str:
    if isinstance(value, list):
        return "[" + ",".join(f"{begin}-{end}" for begin, end in value) + "]"
    return str(value)


def flags(settings: MesosAgentSettings) -> dict[str, str]:
    """The flags as in Mesos: texts, by Mesos' names; for files with secrets only their path."""
    shown: dict[str, str] = {}
    for name in settings.__struct_fields__:
        value = getattr(settings, name)
        if value is None or value == "":
            continue
        shown["work_dir" if name == "dir" else name] = str(value).lower() if isinstance(value, bool) else str(value)
    return shown
