"""Users, SCRAM credentials and access control lists."""

from __future__ import annotations

import hmac
from typing import Any

import msgspec

from smackbox.base.errors import SettingError
from smackbox.kafka.settings import KafkaSettings
from smackbox.kafka.state.acls import CLUSTER_NAME, Acl, AclFilter, Acls, Operation, ResourceType
from smackbox.kafka.state.catalog import Catalog
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.scram import ScramCredential
from smackbox.kafka.wire import error_codes as errors

ANONYMOUS = "User:ANONYMOUS"
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
CREDENTIALS_LIMIT = 100_000


class Security:
    """Kept in the catalog's journal; without `authorizer` everything is allowed."""

    def __init__(self, catalog: Catalog, settings: KafkaSettings) -> None:
        self._catalog = catalog
        self._plain_users = settings.sasl_plain_users
        self.mechanisms = [name.strip() for name in settings.sasl_enabled_mechanisms.split(",") if name.strip()]
        for name in self.mechanisms:
            if name not in MECHANISMS:
                raise SettingError(f"kafka: sasl_enabled_mechanisms may hold {', '.join(MECHANISMS)}, not {name!r}")
        self._super_users = frozenset(user.strip() for user in settings.super_users.split(";") if user.strip())
        self._everyone_without = settings.allow_everyone_if_no_acl_found
        self.acls: Acls | None = None
        self._with_acls = settings.authorizer
        self.credentials: dict[tuple[str, str], ScramCredential] = {}

    def open(self) -> None:
        """Load the stored state."""
        memory: dict[str, Any] = self._catalog.memory
        for user, mechanism, credential in memory.get("scram", []):
            self.credentials[user, mechanism] = msgspec.convert(credential, ScramCredential)
        if self._with_acls:
            acls = msgspec.convert(memory.get("acl", []), list[Acl])
            self.acls = Acls(acls, self._super_users, everyone_without=self._everyone_without)

    # --- authentication

    def plain_password_is(self, user: str, password: str) -> bool:
        """Whether that is the user's password, compared in constant time."""
        known = self._plain_users.get(user)
        return known is not None and hmac.compare_digest(known.encode(), password.encode())

    def change_credentials(self, changes: dict[tuple[str, str], ScramCredential | None]) -> None:
        """Set credentials, or delete those that are None."""
        for key, credential in changes.items():
            if credential is None:
                del self.credentials[key]
            else:
                self.credentials[key] = credential
        self._catalog.remember(
            "scram", [(*key, msgspec.to_builtins(credential)) for key, credential in self.credentials.items()]
        )

    # --- authorization

    def allows(
        self, principal: str, host: str, operation: Operation, kind: ResourceType, name: str = CLUSTER_NAME
    ) -> bool:
        """Whether the principal may perform the operation; without an authorizer everything is allowed."""
        return self.acls is None or self.acls.allows(principal, host, operation, kind, name)

    def add_acls(self, acls: list[Acl]) -> None:
        """Add bindings. Raises `KafkaError` (SECURITY_DISABLED) if no authorizer is configured."""
        known = self.authorizer()
        for acl in acls:
            known.add(acl)
        self._remember(known)

    def remove_acls(self, wanted: list[AclFilter]) -> list[list[Acl]]:
        """Remove the bindings that each filter matches, and return them. Raises `KafkaError` if no authorizer is
        configured.
        """
        known = self.authorizer()
        removed = [known.matching(name) for name in wanted]
        for acls in removed:
            known.remove(acls)
        self._remember(known)
        return removed

    def authorizer(self) -> Acls:
        """The bindings. Raises `KafkaError` (SECURITY_DISABLED) if no authorizer is configured."""
        if self.acls is None:
            raise KafkaError(errors.SECURITY_DISABLED, "No Authorizer is configured.")
        return self.acls

    def _remember(self, acls: Acls) -> None:
        self._catalog.remember("acl", [msgspec.to_builtins(acl) for acl in acls])
