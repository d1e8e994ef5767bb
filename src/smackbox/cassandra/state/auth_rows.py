"""The tables of system_auth, computed from the roles whenever they are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from smackbox.cassandra.state.node import Endpoint
from smackbox.cassandra.state.roles import Roles
from smackbox.cassandra.state.system_rows import SystemRows

Values = dict[str, Any]


def show_roles(system_rows: SystemRows, roles: Roles) -> None:
    """Make the tables of system_auth readable."""

    def role_rows(_: Endpoint) -> Iterator[Values]:
        for role in roles.all():
            yield {
                "role": role.name,
                "can_login": role.login,
                "is_superuser": role.superuser,
                "member_of": sorted(role.member_of) or None,
                "salted_hash": role.salted_hash,
            }

    def member_rows(_: Endpoint) -> Iterator[Values]:
        members = sorted((name, role.name) for role in roles.all() for name in role.member_of)
        return ({"role": role, "member": member} for role, member in members)

    def permission_rows(_: Endpoint) -> Iterator[Values]:
        for role, resource, permissions in roles.all_held():
            yield {"role": role, "resource": resource, "permissions": sorted(permissions)}

    def index_rows(_: Endpoint) -> Iterator[Values]:
        held = sorted((resource, role) for role, resource, _permissions in roles.all_held())
        return ({"resource": resource, "role": role} for resource, role in held)

    system_rows.add("system_auth", "roles", role_rows)
    system_rows.add("system_auth", "role_members", member_rows)
    system_rows.add("system_auth", "role_permissions", permission_rows)
    system_rows.add("system_auth", "resource_role_permissons_index", index_rows)
