"""Names of what an application declares."""

from __future__ import annotations

import re
from typing import Any

from smackbox.base.errors import SettingError

NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
TOPIC_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")


def check_name(kind: str, name: str) -> None:
    """Raises `SettingError` for a name that is invalid for tables, files or metrics."""
    if not NAME.fullmatch(name):
        raise SettingError(f"{kind} {name!r}: use a-z, 0-9 and _, beginning with a letter, at most 48 characters")


def check_topic_name(name: str) -> None:
    """Raises `SettingError` for a name that Kafka does not accept."""
    if not TOPIC_NAME.fullmatch(name) or name in {".", ".."}:
        raise SettingError(f"topic {name!r}: use 1 to 249 of the characters a-z A-Z 0-9 . _ -")


def check_unique(kind: str, name: str, declared: list[Any]) -> None:
    """Raises `SettingError` for a second declaration of a name."""
    if any(item.name == name for item in declared):
        raise SettingError(f"{kind} {name} is declared twice")
