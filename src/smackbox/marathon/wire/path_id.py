"""Ids of apps and groups: paths of names of lower-case letters, digits, dots and dashes."""

from __future__ import annotations

import re

ROOT = "/"
_NAME = re.compile(r"^(([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])\.)*([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])|(\.|\.\.)$")


def absolute(path: str, base: str = ROOT) -> str:
    """`path` from the root, relative to the group `base` if it is not absolute; `.` and `..` are resolved."""
    parts: list[str] = []
    for name in (path if path.startswith("/") else f"{base}/{path}").split("/"):
        if name == "..":
            parts = parts[:-1]
        elif name not in {"", "."}:
            parts.append(name)
    return "/" + "/".join(parts)


def parent(path: str) -> str:
    """The group of an id."""
    return path.rpartition("/")[0] or ROOT


def ancestors(path: str) -> list[str]:
    """The groups above, nearest first, the root last."""
    ids = []
    while path != ROOT:
        path = parent(path)
        ids.append(path)
    return ids


def is_below(path: str, group: str) -> bool:
    """Whether `path` is that group or is below it."""
    return group in {ROOT, path} or path.startswith(group + "/")


def is_valid(path: str) -> bool:
    """Whether every part is a name that Marathon accepts."""
    return all(_NAME.fullmatch(name) for name in path.split("/") if name)


def safe(path: str) -> str:
    """The form at the start of task and instance ids: `/a/b` is `a_b`."""
    return path.strip("/").replace("/", "_")


def hostname(path: str) -> str:
    """The form of a task's name: `/a/b` is `b.a`."""
    return ".".join(reversed(path.strip("/").split("/")))
