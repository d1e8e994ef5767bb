"""Roles: names such as `ads`, or nested ones such as `ads/eu`. `*` is the default role."""

from __future__ import annotations

from smackbox.base.errors import RequestError

ANY = "*"
_FORBIDDEN = frozenset(" \t\n\v\f\r\b\x7f\\")


class RoleError(RequestError):
    """Not the name of a role."""


def validate(role: str) -> None:
    """Raises `RoleError` for a name that Mesos rejects (docs/roles.md)."""
    if role == ANY:
        return
    if not role:
        raise RoleError("an empty role name is not valid")
    for part in role.split("/"):
        if not part:
            raise RoleError(f"role {role!r} begins or ends with a slash, or has two in a row")
        if part in {".", "..", ANY}:
            raise RoleError(f"role {role!r}: {part!r} cannot be a part of it")
        if part.startswith("-"):
            raise RoleError(f"role {role!r}: no part of it can begin with a dash")
        if _FORBIDDEN.intersection(part):
            raise RoleError(f"role {role!r} has a space or a backslash in it")


def ancestors(role: str) -> list[str]:
    """The roles above it, nearest first."""
    above = []
    while "/" in role:
        role = role.rpartition("/")[0]
        above.append(role)
    return above


def is_below(role: str, other: str) -> bool:
    return role.startswith(other + "/")


def top(role: str) -> str:
    return role.partition("/")[0]
