"""The syntax tree of statements on roles and permissions.

A resource is named as in system_auth: `data`, `data/ks`, `data/ks/*` (all its tables), `data/ks/t`, `roles`, `roles/r`,
`functions`, `functions/ks`, `mbeans`. A table without its keyspace is `data//t`.
"""

from __future__ import annotations

from msgspec import Struct


class RoleOptions(Struct, frozen=True):
    """The options of a role; None if not given."""

    password: str | None = None
    hashed_password: str | None = None
    superuser: bool | None = None
    login: bool | None = None
    custom: dict[str, str] | None = None
    datacenters: tuple[str, ...] | None = None
    access: bool = False

    def given(self) -> list[str]:
        """The given options, with Cassandra's names."""
        named = {
            "SUPERUSER": self.superuser is not None,
            "PASSWORD": self.password is not None,
            "LOGIN": self.login is not None,
            "OPTIONS": self.custom is not None,
            "HASHED_PASSWORD": self.hashed_password is not None,
        }
        return [name for name, is_given in named.items() if is_given]


class CreateRole(Struct, frozen=True):
    """CREATE ROLE and CREATE USER."""

    name: str
    options: RoleOptions
    if_not_exists: bool = False


class AlterRole(Struct, frozen=True):
    """ALTER ROLE and ALTER USER."""

    name: str
    options: RoleOptions
    if_exists: bool = False


class DropRole(Struct, frozen=True):
    """DROP ROLE and DROP USER."""

    name: str
    if_exists: bool = False


class GrantRole(Struct, frozen=True):
    """GRANT of a role."""

    role: str
    grantee: str


class RevokeRole(Struct, frozen=True):
    """REVOKE of a role."""

    role: str
    grantee: str


class ListRoles(Struct, frozen=True):
    """With `users`, only roles that may log in, with the columns of LIST USERS."""

    grantee: str | None = None
    recursive: bool = True
    users: bool = False


class GrantPermissions(Struct, frozen=True):
    """GRANT of permissions; empty `permissions` mean ALL."""

    permissions: tuple[str, ...]
    resource: str
    grantee: str


class RevokePermissions(Struct, frozen=True):
    """REVOKE of permissions; empty `permissions` mean ALL."""

    permissions: tuple[str, ...]
    resource: str
    grantee: str


class ListPermissions(Struct, frozen=True):
    """LIST of permissions; empty `permissions` mean ALL."""

    permissions: tuple[str, ...]
    resource: str | None = None
    grantee: str | None = None
    recursive: bool = True


PermissionStatement = GrantPermissions | RevokePermissions | ListPermissions
RoleStatement = CreateRole | AlterRole | DropRole | GrantRole | RevokeRole | ListRoles | PermissionStatement
