"""Roles, their memberships and their permissions: kept in the store's `schema` column family.

`r/NAME` holds a role, `p/LENGTH/ROLE/RESOURCE` the permissions of a role on a resource, both as JSON; LENGTH is the
length of the role's name, which may contain slashes. A change is added to the engine's open batch, so it is in the
write-ahead log before it is answered. `generation` increases with each change, so that caches derived from the roles
can be dropped.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from smackbox.cassandra.state.engine import SCHEMA_FAMILY, Engine
from smackbox.cassandra.state.resources import PERMISSIONS, functions_resource, keyspace_resource, table_resource
from smackbox.store.rocks import RocksStore

DEFAULT_SUPERUSER = "cassandra"


class Role(msgspec.Struct, frozen=True):
    """The stored record of a role."""

    name: str
    superuser: bool = False
    login: bool = False
    salted_hash: str | None = None
    member_of: tuple[str, ...] = ()


class _Held(msgspec.Struct, frozen=True):
    """The permissions of a role on a resource."""

    role: str
    resource: str
    permissions: tuple[str, ...]


class Roles:
    """All roles and permissions."""

    def __init__(self, store: RocksStore, engine: Engine) -> None:
        self._store = store
        self._engine = engine
        self.generation = 0
        self._roles: dict[str, Role] = {}
        self._permissions: dict[str, dict[str, frozenset[str]]] = {}
        for _, body in store.items(b"r/", b"r0", SCHEMA_FAMILY):
            role = msgspec.json.decode(body, type=Role)
            self._roles[role.name] = role
        for _, body in store.items(b"p/", b"p0", SCHEMA_FAMILY):
            held = msgspec.json.decode(body, type=_Held)
            self._permissions.setdefault(held.role, {})[held.resource] = frozenset(held.permissions)

    # ---- look-ups ---------------------------------------------------------------------------------------------------

    def get(self, name: str) -> Role | None:
        """The role of that name, or None."""
        return self._roles.get(name)

    def names(self) -> list[str]:
        """The names of all roles, sorted."""
        return sorted(self._roles)

    def all(self) -> Iterator[Role]:
        """All roles by name."""
        return (self._roles[name] for name in self.names())

    def granted(self, name: str, *, recursive: bool = True) -> set[str]:
        """The role and the roles that it is a member of, directly or, with `recursive`, through others."""
        role = self._roles.get(name)
        if role is None:
            return set()
        names = {name, *role.member_of}
        waiting = list(role.member_of) if recursive else []
        while waiting:
            for above in self._roles[waiting.pop()].member_of:
                if above not in names:
                    names.add(above)
                    waiting.append(above)
        return names

    def is_superuser(self, name: str) -> bool:
        """Whether the role is a superuser, or a member of one."""
        return any(self._roles[granted].superuser for granted in self.granted(name))

    def held(self, role: str, resource: str) -> frozenset[str]:
        """The permissions that were granted to the role itself on the resource itself."""
        return self._permissions.get(role, {}).get(resource, frozenset())

    def all_held(self) -> Iterator[tuple[str, str, list[str]]]:
        """Role, resource and permissions in order."""
        for role in sorted(self._permissions):
            for resource in sorted(self._permissions[role]):
                yield role, resource, _ordered(self._permissions[role][resource])

    # ---- changes ----------------------------------------------------------------------------------------------------

    def put(self, role: Role) -> None:
        """Add a role or replace it."""
        self._roles[role.name] = role
        self._write(b"r/" + role.name.encode(), role)

    def drop(self, name: str) -> None:
        """Remove the role, its memberships and members, and its permissions."""
        del self._roles[name]
        self._write(b"r/" + name.encode(), None)
        for member in [role for role in self._roles.values() if name in role.member_of]:
            self.put(replace(member, member_of=tuple(role for role in member.member_of if role != name)))
        for resource in list(self._permissions.get(name, ())):
            self._put_held(name, resource, frozenset())

    def add_member(self, role: str, member: str) -> None:
        """Grant `role` to `member`."""
        grantee = self._roles[member]
        self.put(replace(grantee, member_of=(*grantee.member_of, role)))

    def remove_member(self, role: str, member: str) -> None:
        """Revoke `role` from `member`."""
        grantee = self._roles[member]
        self.put(replace(grantee, member_of=tuple(name for name in grantee.member_of if name != role)))

    def grant(self, role: str, resource: str, permissions: frozenset[str]) -> None:
        """Grant permissions on a resource to a role."""
        self._put_held(role, resource, self.held(role, resource) | permissions)

    def revoke(self, role: str, resource: str, permissions: frozenset[str]) -> None:
        """Revoke permissions on a resource from a role."""
        self._put_held(role, resource, self.held(role, resource) - permissions)

    def forget_role_resource(self, resource: str) -> None:
        """Revoke all permissions on this resource."""
        for role in [role for role, held in self._permissions.items() if resource in held]:
            self._put_held(role, resource, frozenset())

    def forget_table(self, keyspace: str, table: str) -> None:
        """Revoke all permissions on a dropped table."""
        self.forget_role_resource(table_resource(keyspace, table))

    def forget_keyspace(self, keyspace: str) -> None:
        """Revoke all permissions on the keyspace and everything in it."""
        own = {keyspace_resource(keyspace), functions_resource(keyspace)}
        below = keyspace_resource(keyspace) + "/"
        for role, held in list(self._permissions.items()):
            for resource in [name for name in held if name in own or name.startswith(below)]:
                self._put_held(role, resource, frozenset())

    def _put_held(self, role: str, resource: str, permissions: frozenset[str]) -> None:
        of_role = self._permissions.setdefault(role, {})
        if permissions:
            of_role[resource] = permissions
        else:
            of_role.pop(resource, None)
            if not of_role:
                del self._permissions[role]
        key = f"p/{len(role)}/{role}/{resource}".encode()
        self._write(key, _Held(role, resource, tuple(_ordered(permissions))) if permissions else None)

    def _write(self, key: bytes, record: msgspec.Struct | None) -> None:
        self.generation += 1
        family = self._store.family(SCHEMA_FAMILY)
        if record is None:
            self._engine.batch.delete(key, family)
        else:
            self._engine.batch.put(key, msgspec.json.encode(record), family)
        self._engine.pending += 1


def _ordered(permissions: frozenset[str]) -> list[str]:
    return [name for name in PERMISSIONS if name in permissions]
