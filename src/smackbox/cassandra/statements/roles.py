"""CREATE, ALTER, DROP and LIST of roles and users, GRANT and REVOKE of roles and permissions, LIST PERMISSIONS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.execution.results import ColumnSpec, Result, Rows, Void, rows_of
from smackbox.cassandra.execution.security import Security
from smackbox.cassandra.state import passwords, resources
from smackbox.cassandra.state.catalog import Catalog
from smackbox.cassandra.state.roles import Role
from smackbox.cassandra.wire.cql import role_statements as ast
from smackbox.cassandra.wire.errors import Invalid, SyntaxFault, Unauthorized
from smackbox.cassandra.wire.types import BOOLEAN, TEXT, CqlType, MapType

_NOT_ANONYMOUS = "You have to be logged in and not anonymous to perform this request"
_OPTIONS = MapType(TEXT, TEXT, multi_cell=False)


def run_role_statement(statement: ast.RoleStatement, session_keyspace: str | None, context: Context) -> Result:
    """Execute a statement on roles or permissions. Raises `Unauthorized`, `Invalid` and `SyntaxFault`."""
    security = context.state.security
    user = context.user
    if user is None:
        _check_of_nobody(statement, context)
        raise Unauthorized(_NOT_ANONYMOUS)
    if isinstance(statement, ast.PermissionStatement):
        if not security.authorizes:
            verb = type(statement).__name__.removesuffix("Permissions").upper()
            shown = "LIST PERMISSIONS" if verb == "LIST" else verb
            raise Invalid(f"{shown} operation is not supported by AllowAllAuthorizer")
        if statement.resource is not None and statement.resource.startswith("data//"):
            if session_keyspace is None:
                raise Invalid(
                    "No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename"
                )
            corrected = resources.table_resource(session_keyspace, statement.resource.removeprefix("data//"))
            statement = replace(statement, resource=corrected)
    return _HANDLERS[type(statement)](statement, security, user, context)


def _check_of_nobody(statement: ast.RoleStatement, context: Context) -> None:
    """Checks that Cassandra makes before it checks the user. Passwords are for PasswordAuthenticator only."""
    if not isinstance(statement, ast.CreateRole | ast.AlterRole):
        return
    options = statement.options
    if isinstance(statement, ast.CreateRole) and options.superuser:
        raise Unauthorized("Only superusers can create a role with superuser status")
    if isinstance(statement, ast.AlterRole) and options.superuser is not None:
        raise Unauthorized("Only superusers are allowed to alter superuser status")
    for name in ("PASSWORD", "HASHED_PASSWORD"):
        if name in options.given():
            raise Invalid(f"org.apache.cassandra.auth.CassandraRoleManager doesn't support {name}")
    _check_options(options, context)


# ---- roles ----------------------------------------------------------------------------------------------------------


def _create(statement: ast.CreateRole, security: Security, user: str, context: Context) -> Result:
    roles = security.roles
    options = statement.options
    _ensure_privilege(security, user, "CREATE", resources.ALL_ROLES)
    if options.superuser and not roles.is_superuser(user):
        raise Unauthorized("Only superusers can create a role with superuser status")
    _check_options(options, context)
    if not statement.name:
        raise Invalid("Role name can't be an empty string")
    if roles.get(statement.name) is not None:
        if statement.if_not_exists:
            return Void()
        raise Invalid(f"{statement.name} already exists")
    hashed = options.hashed_password
    if options.password is not None:
        hashed = security.hashed(options.password)
    roles.put(Role(statement.name, bool(options.superuser), bool(options.login), hashed))
    if security.authorizes:
        resource = resources.role_resource(statement.name)
        roles.grant(user, resource, resources.applicable(resource))
    return Void()


def _alter(statement: ast.AlterRole, security: Security, user: str, context: Context) -> Result:
    roles = security.roles
    options = statement.options
    is_superuser = roles.is_superuser(user)
    if options.superuser is not None:
        if statement.name in roles.granted(user):
            raise Unauthorized("You aren't allowed to alter your own superuser status or that of a role granted to you")
        if not is_superuser:
            raise Unauthorized("Only superusers are allowed to alter superuser status")
    if not is_superuser:
        if user == statement.name:
            for option in options.given():
                if option not in {"PASSWORD", "HASHED_PASSWORD"}:
                    raise Unauthorized(f"You aren't allowed to alter {option}")
        else:
            _ensure_privilege(security, user, "ALTER", resources.role_resource(statement.name))
    _check_options(options, context)
    if not options.given() and not options.access and options.datacenters is None:
        raise Invalid("ALTER [ROLE|USER] can't be empty")
    role = roles.get(statement.name)
    if role is None:
        if statement.if_exists:
            return Void()
        raise Invalid(f"Role {statement.name} doesn't exist")
    if options.superuser is not None:
        role = replace(role, superuser=options.superuser)
    if options.login is not None:
        role = replace(role, login=options.login)
    if options.password is not None:
        role = replace(role, salted_hash=security.hashed(options.password))
    if options.hashed_password is not None:
        role = replace(role, salted_hash=options.hashed_password)
    roles.put(role)
    return Void()


def _drop(statement: ast.DropRole, security: Security, user: str, context: Context) -> Result:
    del context
    roles = security.roles
    resource = resources.role_resource(statement.name)
    _ensure_privilege(security, user, "DROP", resource)
    if roles.is_superuser(statement.name) and not roles.is_superuser(user):
        raise Unauthorized("Only superusers can drop a role with superuser status")
    if roles.get(statement.name) is None and not statement.if_exists:
        raise Invalid(f"{statement.name} doesn't exist")
    if user == statement.name:
        raise Invalid("Cannot DROP primary role for current login")
    if roles.get(statement.name) is not None:
        roles.drop(statement.name)
        roles.forget_role_resource(resource)
    return Void()


def _grant_role(statement: ast.GrantRole, security: Security, user: str, context: Context) -> Result:
    del context
    roles = security.roles
    role, grantee = statement.role, statement.grantee
    _ensure_privilege(security, user, "AUTHORIZE", resources.role_resource(role))
    _check_both_exist(security, role, grantee)
    if role in roles.granted(grantee):
        raise Invalid(f"{grantee} is a member of {role}")
    if grantee in roles.granted(role):
        raise Invalid(f"{role} is a member of {grantee}")
    roles.add_member(role, grantee)
    return Void()


def _revoke_role(statement: ast.RevokeRole, security: Security, user: str, context: Context) -> Result:
    del context
    role, grantee = statement.role, statement.grantee
    _ensure_privilege(security, user, "AUTHORIZE", resources.role_resource(role))
    _check_both_exist(security, role, grantee)
    if role not in security.roles.granted(grantee, recursive=False):
        raise Invalid(f"{grantee} is not a member of {role}")
    security.roles.remove_member(role, grantee)
    return Void()


def _check_both_exist(security: Security, *names: str) -> None:
    for name in names:
        if security.roles.get(name) is None:
            raise Invalid(f"{name} doesn't exist")


def _check_options(options: ast.RoleOptions, context: Context) -> None:
    if options.custom is not None:
        raise Invalid("org.apache.cassandra.auth.CassandraRoleManager doesn't support OPTIONS")
    hashed = options.hashed_password
    if hashed is not None and not passwords.can_check(hashed):
        raise Invalid("Invalid hashed password value. Please use jBcrypt.")
    own = context.state.system_rows.node.data_center
    unknown = [name for name in options.datacenters or () if name != own]
    if unknown:
        raise Invalid(f"Invalid value(s) for DATACENTERS '[{', '.join(unknown)}]',All values must be valid datacenters")


def _ensure_privilege(security: Security, user: str, permission: str, resource: str) -> None:
    if not security.has(user, permission, resource):
        raise Unauthorized(f"User {user} does not have sufficient privileges to perform the requested operation")


def _list_roles(statement: ast.ListRoles, security: Security, user: str, context: Context) -> Result:
    del context
    roles = security.roles
    grantee = statement.grantee
    if grantee is not None and roles.get(grantee) is None:
        raise Invalid(f"<role {grantee}> doesn't exist")
    if security.has(user, "DESCRIBE", resources.ALL_ROLES):
        names = set(roles.names()) if grantee is None else roles.granted(grantee, recursive=statement.recursive)
    elif grantee is None:
        names = roles.granted(user, recursive=statement.recursive)
    elif grantee in roles.granted(user):
        names = roles.granted(grantee, recursive=statement.recursive)
    else:
        raise Unauthorized(f"You are not authorized to view roles granted to {grantee} ")
    listed = [role for name in sorted(names) if (role := roles.get(name)) is not None]
    if statement.users:
        users = [(role.name, roles.is_superuser(role.name), "ALL") for role in listed if role.login]
        return _rows("users", {"name": TEXT, "super": BOOLEAN, "datacenters": TEXT}, users)
    kinds = {"role": TEXT, "super": BOOLEAN, "login": BOOLEAN, "options": _OPTIONS, "datacenters": TEXT}
    return _rows("roles", kinds, [(role.name, role.superuser, role.login, [], "ALL") for role in listed])


# ---- permissions ----------------------------------------------------------------------------------------------------


def _grant(statement: ast.GrantPermissions, security: Security, user: str, context: Context) -> Result:
    permissions = _checked(statement, security, user)
    held = security.roles.held(statement.grantee, statement.resource)
    _warn(context, statement.grantee, "already granted", permissions & held, statement.resource)
    security.roles.grant(statement.grantee, statement.resource, permissions)
    return Void()


def _revoke(statement: ast.RevokePermissions, security: Security, user: str, context: Context) -> Result:
    permissions = _checked(statement, security, user)
    held = security.roles.held(statement.grantee, statement.resource)
    _warn(context, statement.grantee, "not granted", permissions - held, statement.resource)
    security.roles.revoke(statement.grantee, statement.resource, permissions)
    return Void()


def _checked(statement: ast.GrantPermissions | ast.RevokePermissions, security: Security, user: str) -> frozenset[str]:
    """The requested permissions that apply to the resource."""
    resource = statement.resource
    permissions = resources.applicable(resource)
    if statement.permissions:
        permissions &= frozenset(statement.permissions)
    if not permissions:
        raise SyntaxFault(f"Resource type {resources.kind(resource)} does not support any of the requested permissions")
    for permission in ("AUTHORIZE", *(name for name in resources.PERMISSIONS if name in permissions)):
        security.ensure(user, permission, resource)
    if security.roles.get(statement.grantee) is None:
        raise Invalid(f"Role {statement.grantee} doesn't exist")
    if not _exists(resource, security.catalog, security):
        raise Invalid(f"Resource {resources.shown(resource)} doesn't exist")
    return permissions


def _warn(context: Context, role: str, state: str, permissions: frozenset[str], resource: str) -> None:
    if permissions:
        names = ", ".join(name for name in resources.PERMISSIONS if name in permissions)
        context.warnings.append(f"Role '{role}' was {state} {names} on {resources.shown(resource)}")


def _exists(resource: str, catalog: Catalog, security: Security) -> bool:
    root, _, rest = resource.partition("/")
    if not rest:
        return True
    if root == "roles":
        return security.roles.get(rest) is not None
    if root == "mbean":
        return False
    keyspace, _, name = rest.partition("/")
    owner = catalog.keyspaces.get(keyspace)
    if owner is None:
        return False
    return name in {"", "*"} or (root == "data" and name in owner.tables)


def _list_permissions(statement: ast.ListPermissions, security: Security, user: str, context: Context) -> Result:
    del context
    roles = security.roles
    resource, grantee = statement.resource, statement.grantee
    if resource is not None and not _exists(resource, security.catalog, security):
        raise Invalid(f"{resources.shown(resource)} doesn't exist")
    if grantee is not None and roles.get(grantee) is None:
        raise Invalid(f"<role {grantee}> doesn't exist")
    if not roles.is_superuser(user) and grantee not in roles.granted(user):
        raise Unauthorized(f"You are not authorized to view {grantee or 'everyone'}'s permissions")
    wanted_roles = roles.granted(grantee) if grantee is not None else None
    wanted_resources = None
    if resource is not None:
        wanted_resources = set(resources.chain(resource)) if statement.recursive else {resource}
    held = [
        (role, role, resources.shown(on), permission)
        for role, on, permissions in roles.all_held()
        if (wanted_roles is None or role in wanted_roles) and (wanted_resources is None or on in wanted_resources)
        for permission in permissions
        if not statement.permissions or permission in statement.permissions
    ]
    if not held:
        return Void()
    return _rows("permissions", {"role": TEXT, "username": TEXT, "resource": TEXT, "permission": TEXT}, held)


def _rows(table: str, kinds: dict[str, CqlType], rows: list[tuple[Any, ...]]) -> Rows:
    columns = [ColumnSpec("system_auth", table, name, kind) for name, kind in kinds.items()]
    return rows_of(
        columns, [[kind.encode(value) for kind, value in zip(kinds.values(), row, strict=True)] for row in rows]
    )


_HANDLERS: dict[type, Callable[[Any, Security, str, Context], Result]] = {
    ast.CreateRole: _create,
    ast.AlterRole: _alter,
    ast.DropRole: _drop,
    ast.GrantRole: _grant_role,
    ast.RevokeRole: _revoke_role,
    ast.ListRoles: _list_roles,
    ast.GrantPermissions: _grant,
    ast.RevokePermissions: _revoke,
    ast.ListPermissions: _list_permissions,
}
