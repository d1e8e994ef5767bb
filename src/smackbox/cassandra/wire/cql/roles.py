"""The grammar of roles, users and permissions."""

from __future__ import annotations

from typing import Any

from smackbox.cassandra.wire.cql import role_statements as roles
from smackbox.cassandra.wire.cql.expressions import ExpressionParser
from smackbox.cassandra.wire.errors import SyntaxFault

PERMISSIONS = (
    "CREATE", "ALTER", "DROP", "SELECT", "MODIFY", "AUTHORIZE", "DESCRIBE", "EXECUTE", "UNMASK", "SELECT_MASKED",
)  # fmt: skip
_PERMISSION_WORDS = frozenset(name.lower() for name in PERMISSIONS)


class RoleParser(ExpressionParser):
    """Statements that start with CREATE, ALTER and DROP ROLE or USER, GRANT, REVOKE and LIST."""

    def _role_definition(self, verb: str) -> roles.RoleStatement | None:
        """The rest of a CREATE, ALTER or DROP statement on a role or a user; otherwise None, and nothing is
        consumed.
        """
        is_user = self.accept_word("user")
        if not is_user and not self.accept_word("role"):
            return None
        if verb == "create":
            if_not_exists = self.accept_words("if", "not", "exists")
            return roles.CreateRole(self._role_name(), self._role_or_user_options(is_user, True), if_not_exists)
        if_exists = self.accept_words("if", "exists")
        name = self._role_name()
        if verb == "drop":
            return roles.DropRole(name, if_exists)
        return roles.AlterRole(name, self._role_or_user_options(is_user, None), if_exists)

    def _grant(self) -> roles.RoleStatement:
        if self._is_about_permissions():
            permissions = self._permissions()
            self.expect_word("on")
            resource = self._resource()
            self.expect_word("to")
            return roles.GrantPermissions(permissions, resource, self._role_name())
        role = self._role_name()
        self.expect_word("to")
        return roles.GrantRole(role, self._role_name())

    def _revoke(self) -> roles.RoleStatement:
        if self._is_about_permissions():
            permissions = self._permissions()
            self.expect_word("on")
            resource = self._resource()
            self.expect_word("from")
            return roles.RevokePermissions(permissions, resource, self._role_name())
        role = self._role_name()
        self.expect_word("from")
        return roles.RevokeRole(role, self._role_name())

    def _list(self) -> roles.RoleStatement:
        if self.accept_word("users"):
            return roles.ListRoles(users=True)
        if self.accept_word("roles"):
            grantee = self._role_name() if self.accept_word("of") else None
            return roles.ListRoles(grantee, not self.accept_word("norecursive"))
        if self.token.text != "all" and self.token.text not in _PERMISSION_WORDS:
            raise self.no_alternative()
        permissions = self._permissions()
        resource = self._resource() if self.accept_word("on") else None
        grantee = self._role_name() if self.accept_word("of") else None
        return roles.ListPermissions(permissions, resource, grantee, not self.accept_word("norecursive"))

    # ---- roles ------------------------------------------------------------------------------------------------------

    def _role_name(self) -> str:
        if self.token.kind == "string":
            return self.advance().text
        return self.identifier()

    def _role_or_user_options(self, is_user: bool, login: bool | None) -> roles.RoleOptions:
        if is_user:
            return self._user_options(login)
        return self._role_options() if self.accept_word("with") else roles.RoleOptions()

    def _user_options(self, login: bool | None) -> roles.RoleOptions:
        """`[WITH [HASHED] PASSWORD 'x'] [SUPERUSER | NOSUPERUSER]`; a new user may log in."""
        options: dict[str, Any] = {}
        if self.accept_word("with"):
            name = "hashed_password" if self.accept_word("hashed") else "password"
            self.expect_word("password")
            options[name] = self._string()
        superuser: bool | None = None
        if self.accept_word("superuser"):
            superuser = True
        elif self.accept_word("nosuperuser") or login:
            superuser = False
        return roles.RoleOptions(**options, superuser=superuser, login=login)

    def _role_options(self) -> roles.RoleOptions:
        options: dict[str, Any] = {}
        while True:
            name, value = self._role_option()
            if name in options:
                shown = name.upper().replace("_", " ")
                raise SyntaxFault(f"Multiple definition for property '{shown}'")
            options[name] = value
            if not self.accept_word("and"):
                break
        if "password" in options and "hashed_password" in options:
            raise SyntaxFault("Options 'password' and 'hashed password' are mutually exclusive")
        return roles.RoleOptions(**options)

    def _role_option(self) -> tuple[str, Any]:
        if self.accept_word("password"):
            self.expect("=")
            return "password", self._string()
        if self.accept_words("hashed", "password"):
            self.expect("=")
            return "hashed_password", self._string()
        if self.accept_word("superuser"):
            self.expect("=")
            return "superuser", self._boolean()
        if self.accept_word("login"):
            self.expect("=")
            return "login", self._boolean()
        if self.accept_word("options"):
            self.expect("=")
            return "custom", self._text_map()
        if self.accept_words("access", "to", "all", "datacenters") or self.accept_words(
            "access", "from", "all", "cidrs"
        ):
            return "access", True
        if self.accept_words("access", "to", "datacenters"):
            return "datacenters", self._text_set()
        raise self.no_alternative()

    def _string(self) -> str:
        if self.token.kind != "string":
            raise self.mismatched("STRING_LITERAL")
        return self.advance().text

    def _boolean(self) -> bool:
        if self.accept_word("true"):
            return True
        if self.accept_word("false"):
            return False
        raise self.mismatched("BOOLEAN")

    def _text_map(self) -> dict[str, str]:
        values: dict[str, str] = {}
        self.expect("{")
        while not self.accept("}"):
            key = self._string()
            self.expect(":")
            if self.token.kind not in {"string", "integer", "float", "name"}:
                raise self.no_alternative()
            values[key] = self.advance().text
            if not self.accept(","):
                self.expect("}")
                break
        return values

    def _text_set(self) -> tuple[str, ...]:
        self.expect("{")
        values = self.separated(self._string)
        self.expect("}")
        return values

    # ---- permissions ------------------------------------------------------------------------------------------------

    def _is_about_permissions(self) -> bool:
        token = self.token
        if token.kind != "name" or (token.text != "all" and token.text not in _PERMISSION_WORDS):
            return False
        return self.peek().text in {"on", ",", "permission", "permissions"}

    def _permissions(self) -> tuple[str, ...]:
        if self.accept_word("all"):
            self.accept_word("permissions")
            return ()
        return self.separated(self._permission)

    def _permission(self) -> str:
        if self.token.kind != "name" or self.token.text not in _PERMISSION_WORDS:
            raise self.no_alternative()
        name = self.advance().text.upper()
        if not self.accept_word("permission"):
            self.accept_word("permissions")
        return name

    def _resource(self) -> str:
        if self.accept_words("all", "keyspaces"):
            return "data"
        if self.accept_words("all", "tables", "in", "keyspace"):
            return f"data/{self.identifier()}/*"
        if self.accept_words("all", "roles"):
            return "roles"
        if self.accept_words("all", "functions", "in", "keyspace"):
            return f"functions/{self.identifier()}"
        if self.accept_words("all", "functions"):
            return "functions"
        if self.accept_words("all", "mbeans"):
            return "mbeans"
        if self.accept_word("role"):
            return f"roles/{self._role_name()}"
        if self.accept_word("mbean") or self.accept_word("mbeans"):
            return f"mbean/{self._string()}"
        if self.accept_word("function"):
            return self._function()
        if self.accept_word("keyspace"):
            return f"data/{self.identifier()}"
        if not self.accept_word("table"):
            self.accept_word("columnfamily")
        keyspace, table = self.qualified_name()
        return f"data/{keyspace or ''}/{table}"

    def _function(self) -> str:
        keyspace, name = self.qualified_name()
        self.expect("(")
        arguments: tuple[str, ...] = ()
        if self.token.text != ")":
            arguments = self.separated(lambda: self.type_name().name)
        self.expect(")")
        return f"functions/{keyspace or ''}/{name}[{'^'.join(arguments)}]"
