"""The resources of permissions. A resource is named as in system_auth: `data/ks/t`, `roles/r`, `functions/ks`.

A permission on a resource applies to all resources below it: a table is below the tables of its keyspace, these below
the keyspace, and that below `data`.
"""

from __future__ import annotations

from typing import Final

# in the order of Cassandra's enum, by which LIST sorts
PERMISSIONS: Final = (
    "CREATE", "ALTER", "DROP", "SELECT", "MODIFY", "AUTHORIZE", "DESCRIBE", "EXECUTE", "UNMASK", "SELECT_MASKED",
)  # fmt: skip
_TABLE: Final = frozenset({"ALTER", "DROP", "SELECT", "MODIFY", "AUTHORIZE", "UNMASK", "SELECT_MASKED"})
_ROLE: Final = frozenset({"ALTER", "DROP", "AUTHORIZE", "DESCRIBE"})
_FUNCTION: Final = frozenset({"ALTER", "DROP", "AUTHORIZE", "EXECUTE"})
_MBEAN: Final = frozenset({"SELECT", "MODIFY", "DESCRIBE", "EXECUTE", "AUTHORIZE"})
_CREATE: Final = frozenset({"CREATE"})
_KINDS: Final = {
    "data": "DataResource",
    "roles": "RoleResource",
    "functions": "FunctionResource",
    "mbeans": "JMXResource",
    "mbean": "JMXResource",
}

ALL_KEYSPACES: Final = "data"
ALL_ROLES: Final = "roles"


def keyspace_resource(keyspace: str) -> str:
    """The resource of a keyspace."""
    return f"data/{keyspace}"


def all_tables_resource(keyspace: str) -> str:
    """The resource of all tables of a keyspace."""
    return f"data/{keyspace}/*"


def table_resource(keyspace: str, table: str) -> str:
    """The resource of a table."""
    return f"data/{keyspace}/{table}"


def role_resource(role: str) -> str:
    """The resource of a role."""
    return f"roles/{role}"


def functions_resource(keyspace: str) -> str:
    """The resource of all functions of a keyspace."""
    return f"functions/{keyspace}"


def chain(resource: str) -> tuple[str, ...]:
    """The resource and all resources above it, nearest first."""
    root, *parts = _parts(resource)
    if not parts:
        return (root,)
    if root == "data" and len(parts) == 2:
        keyspace, table = parts
        above = (keyspace_resource(keyspace), root)
        return (resource, *above) if table == "*" else (resource, all_tables_resource(keyspace), *above)
    if root == "functions" and len(parts) == 2:
        return resource, functions_resource(parts[0]), root
    if root == "mbean":
        return resource, "mbeans"
    return resource, root


def applicable(resource: str) -> frozenset[str]:
    """The permissions that apply to the resource."""
    root, *parts = _parts(resource)
    if root == "data":
        return _TABLE if len(parts) == 2 and parts[1] != "*" else _TABLE | _CREATE
    if root == "roles":
        return _ROLE if parts else _ROLE | _CREATE
    if root == "functions":
        return _FUNCTION if len(parts) == 2 else _FUNCTION | _CREATE
    return _MBEAN


def kind(resource: str) -> str:
    """Cassandra's name for this kind of resource."""
    return _KINDS[_parts(resource)[0]]


def shown(resource: str) -> str:
    """The resource as in messages and LIST: `<table ks.t>`."""
    root, *parts = _parts(resource)
    if root == "data":
        if len(parts) == 2:
            return f"<all tables in {parts[0]}>" if parts[1] == "*" else f"<table {parts[0]}.{parts[1]}>"
        return f"<keyspace {parts[0]}>" if parts else "<all keyspaces>"
    if root == "roles":
        return f"<role {parts[0]}>" if parts else "<all roles>"
    if root == "functions":
        if len(parts) == 2:
            name, _, arguments = parts[1].partition("[")
            return f"<function {parts[0]}.{name}({', '.join(filter(None, arguments.rstrip(']').split('^')))})>"
        return f"<all functions in {parts[0]}>" if parts else "<all functions>"
    return f"<mbean {parts[0]}>" if parts else "<all mbeans>"


def _parts(resource: str) -> list[str]:
    """The names of roles and mbeans may themselves contain slashes."""
    return resource.split("/", 1 if resource.startswith(("roles/", "mbean/")) else 2)
