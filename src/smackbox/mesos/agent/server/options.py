"""From settings to what the agent's machine takes: its resources, its attributes, and its flags as Mesos shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from smackbox.base.errors import SettingError
from smackbox.mesos.agent.server.host import detect
from smackbox.mesos.agent.settings import MesosAgentSettings
from smackbox.mesos.resources.resources import ResourceError
from smackbox.mesos.resources.text import parse_attributes, parse_resources


def agent_resources(settings: MesosAgentSettings, work_dir: Path) -> list[dict[str, Any]]:
    """`Resource` messages: what is named, and what the machine has of the rest. Raises `SettingError`."""
    try:
        named = parse_resources(settings.resources, default_role=settings.default_role).to_messages()
        names = {one["name"] for one in named}
        missing = [f"{name}:{_amount(value)}" for name, value in detect(work_dir).items() if name not in names]
        rest = parse_resources(";".join(missing), default_role=settings.default_role).to_messages()
    except ResourceError as error:
        raise SettingError(f"mesos_agent: {error}") from error
    return [*named, *rest]


def agent_attributes(settings: MesosAgentSettings) -> list[dict[str, Any]]:
    """`Attribute` messages. Raises `SettingError`."""
    try:
        return parse_attributes(settings.attributes)
    except ResourceError as error:
        raise SettingError(f"mesos_agent: {error}") from error


def _amount(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ",".join(f"{begin}-{end}" for begin, end in value) + "]"
    return str(value)


def flags(settings: MesosAgentSettings) -> dict[str, str]:
    """As Mesos shows its flags: texts, by Mesos' names; files with secrets by their path alone."""
    shown: dict[str, str] = {}
    for name in settings.__struct_fields__:
        value = getattr(settings, name)
        if value is None or value == "":
            continue
        shown["work_dir" if name == "dir" else name] = str(value).lower() if isinstance(value, bool) else str(value)
    return shown
