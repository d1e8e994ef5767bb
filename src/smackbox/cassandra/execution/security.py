"""Authentication and authorization: the settings `authenticator` and `authorizer` over the roles."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence

from smackbox.cassandra.execution.access import Access
from smackbox.cassandra.execution.results import SchemaChange
from smackbox.cassandra.state import passwords, resources
from smackbox.cassandra.state.catalog import Catalog
from smackbox.cassandra.state.roles import DEFAULT_SUPERUSER, Role, Roles
from smackbox.cassandra.state.schema import Table
from smackbox.cassandra.wire.errors import BadCredentials, Unauthorized

ALLOW_ALL_AUTHENTICATOR = "AllowAllAuthenticator"
PASSWORD_AUTHENTICATOR = "PasswordAuthenticator"  # noqa: S105 - the name of a class
ALLOW_ALL_AUTHORIZER = "AllowAllAuthorizer"
CASSANDRA_AUTHORIZER = "CassandraAuthorizer"
PACKAGE = "org.apache.cassandra.auth."
CHECKED_PASSWORDS_LIMIT = 1024

LOCAL_SYSTEM = frozenset({"system", "system_schema", "system_views", "system_virtual_schema"})
REPLICATED_SYSTEM = frozenset({"system_auth", "system_distributed", "system_traces"})
_SCHEMA_PERMISSIONS = frozenset({"CREATE", "ALTER", "DROP"})
# what every user may read, as drivers and tools need it
_READABLE_KEYSPACES = frozenset({"system_schema", "system_virtual_schema", "system_traces"})
_READABLE_TABLES = frozenset({"local", "peers", "peers_v2", "size_estimates", "table_estimates"})


class Security:
    """The authenticator, the authorizer and the roles of one server."""

    def __init__(
        self, roles: Roles, catalog: Catalog, random_bytes: Callable[[int], bytes], authenticator: str, authorizer: str,
        *, masking: bool = False,
    ) -> None:  # fmt: skip
        self.roles = roles
        self.catalog = catalog
        self.random_bytes = random_bytes
        self.authenticator = authenticator
        self.authorizer = authorizer
        self.masking = masking
        self.authenticates = authenticator == PASSWORD_AUTHENTICATOR
        self.authorizes = authorizer == CASSANDRA_AUTHORIZER
        self._key = random_bytes(32)
        self._checked: dict[bytes, None] = {}
        if self.authenticates and not roles.names():
            hashed = self.hashed(DEFAULT_SUPERUSER)
            roles.put(Role(DEFAULT_SUPERUSER, superuser=True, login=True, salted_hash=hashed))

    # ---- login -----------------------------------------------------------------------------------------------------

    def hashed(self, password: str) -> str:
        """A password's bcrypt hash: takes tens of milliseconds."""
        return passwords.hash_password(password, self.random_bytes(passwords.SALT_BYTES))

    def unchecked(self, token: bytes) -> tuple[str, str] | None:
        """The password and hash that must be compared before `log_in`; None when no comparison is needed."""
        try:
            name, password = credentials(token)
        except BadCredentials:
            return None
        role = self.roles.get(name)
        if role is None or role.salted_hash is None or self._digest(password, role.salted_hash) in self._checked:
            return None
        return password, role.salted_hash

    def remember(self, password: str, hashed: str) -> None:
        """Record that this password matches the hash, until the process ends or the password changes."""
        if len(self._checked) >= CHECKED_PASSWORDS_LIMIT:
            del self._checked[next(iter(self._checked))]
        self._checked[self._digest(password, hashed)] = None

    def log_in(self, token: bytes) -> str:
        """The role's name. The password must have been compared before. Raises `BadCredentials`."""
        name, password = credentials(token)
        role = self.roles.get(name)
        if role is None or role.salted_hash is None or self._digest(password, role.salted_hash) not in self._checked:
            raise BadCredentials(f"Provided username {name} and/or password are incorrect")
        if not any(
            granted_role.login
            for granted_role in map(self.roles.get, self.roles.granted(name))
            if granted_role is not None
        ):
            raise BadCredentials(f"{name} is not permitted to log in")
        return name

    def _digest(self, password: str, hashed: str) -> bytes:
        # the key belongs to this process, so the stored values reveal nothing about the password
        return hmac.new(self._key, f"{hashed}\0{password}".encode(), hashlib.sha256).digest()

    # ---- permissions ------------------------------------------------------------------------------------------------

    def has(self, user: str, permission: str, resource: str) -> bool:
        """Whether the user has the permission on the resource or anything above it."""
        if not self.authorizes:
            return True
        roles = self.roles
        if roles.is_superuser(user):
            return permission in resources.applicable(resource)
        granted = roles.granted(user)
        return any(permission in roles.held(role, above) for above in resources.chain(resource) for role in granted)

    def has_on_table(self, user: str, permission: str, table: Table) -> bool:
        """Whether the user has that permission on the table, its keyspace or all keyspaces."""
        return self.has(user, permission, resources.table_resource(table.keyspace, table.name))

    def ensure_unmasked(self, user: str, table: Table, masked: Sequence[str]) -> None:
        """`masked` are the masked columns in a WHERE clause. Raises `Unauthorized` if the user may not query them."""
        if not masked or not self.masking:
            return
        if not any(self.has_on_table(user, permission, table) for permission in ("UNMASK", "SELECT_MASKED")):
            raise Unauthorized(
                f"User {user} has no UNMASK nor SELECT_MASKED permission on table {table.keyspace}.{table.name}, "
                f"cannot query masked columns [{', '.join(masked)}]"
            )

    def ensure(self, user: str, permission: str, resource: str) -> None:
        """Require the permission. Raises `Unauthorized`."""
        if not self.has(user, permission, resource):
            raise Unauthorized(
                f"User {user} has no {permission} permission on {resources.shown(resource)} or any of its parents"
            )

    def ensure_access(self, user: str, access: Access) -> None:
        """Require the access. Raises `Unauthorized`."""
        keyspace, table = access.keyspace, access.table
        if access.of_index:
            indexed = self.catalog.keyspaces[keyspace].index(table) if keyspace in self.catalog.keyspaces else None
            if indexed is None:
                return  # the statement itself reports that it does not exist
            table = indexed[0].name
        resource = _resource(keyspace, table)
        if access.permission in _SCHEMA_PERMISSIONS:
            if keyspace in LOCAL_SYSTEM:
                raise Unauthorized(f"{keyspace} keyspace is not user-modifiable.")
            if keyspace in REPLICATED_SYSTEM and (access.permission != "ALTER" or table):
                raise Unauthorized(f"Cannot {access.permission} {resources.shown(resource)}")
        elif access.permission == "SELECT" and (
            keyspace in _READABLE_KEYSPACES or (keyspace == "system" and table in _READABLE_TABLES)
        ):
            return
        self.ensure(user, access.permission, resource)

    # ---- the schema changes -----------------------------------------------------------------------------------------

    def schema_changed(self, change: SchemaChange, user: str | None) -> None:
        """The creator of a resource gets all permissions on it; dropping a resource drops its grants."""
        if not self.authorizes:
            return
        keyspace = change.keyspace
        if change.change == "CREATED" and user is not None:
            created = {
                "KEYSPACE": [resources.keyspace_resource(keyspace), resources.functions_resource(keyspace)],
                "TABLE": [resources.table_resource(keyspace, change.name)],
            }
            for resource in created.get(change.target, ()):
                self.roles.grant(user, resource, resources.applicable(resource))
        elif change.change == "DROPPED" and change.target == "KEYSPACE":
            self.roles.forget_keyspace(keyspace)
        elif change.change == "DROPPED" and change.target == "TABLE":
            self.roles.forget_table(keyspace, change.name)


def credentials(token: bytes) -> tuple[str, str]:
    """User and password from SASL PLAIN, `[authorization id] NUL user NUL password`. Raises `BadCredentials`."""
    parts = token.split(b"\0")
    if len(parts) > 3:
        raise BadCredentials("Credential format error: username or password is empty or contains NUL(\\0) character")
    password = parts[-1] if len(parts) > 1 else b""
    user = parts[-2] if len(parts) > 2 else b""
    if not password:
        raise BadCredentials("Password must not be null")
    if not user:
        raise BadCredentials("Authentication ID must not be null")
    return user.decode(errors="replace"), password.decode(errors="replace")


def _resource(keyspace: str, table: str) -> str:
    if not keyspace:
        return resources.ALL_KEYSPACES
    if table == "*":
        return resources.all_tables_resource(keyspace)
    return resources.table_resource(keyspace, table) if table else resources.keyspace_resource(keyspace)
