"""Access control lists: who may do what with which resource, as Kafka's StandardAuthorizer decides.

A binding allows or denies one operation (or ALL) to a principal (`User:*` is everyone) from a host (`*` is any host),
on resources with a literal name (`*` is any name) or a name prefix. A denial takes precedence. READ, WRITE, DELETE and
ALTER include DESCRIBE; ALTER_CONFIGS includes DESCRIBE_CONFIGS. A resource without any binding is open to super users
only, unless `allow_everyone_if_no_acl_found` is set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum

import msgspec

ACLS_LIMIT = 100_000
WILDCARD = "*"


class ResourceType(IntEnum):
    """Kinds of resource."""

    ANY = 1
    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5
    DELEGATION_TOKEN = 6
    USER = 7


class PatternType(IntEnum):
    """How a binding's resource name is matched; ANY and MATCH are for filters only."""

    ANY = 1
    MATCH = 2
    LITERAL = 3
    PREFIXED = 4


class Operation(IntEnum):
    """The operations of ACLs."""

    ANY = 1
    ALL = 2
    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    CLUSTER_ACTION = 9
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11
    IDEMPOTENT_WRITE = 12
    CREATE_TOKENS = 13
    DESCRIBE_TOKENS = 14
    TWO_PHASE_COMMIT = 15


class Permission(IntEnum):
    """Whether a binding allows or denies."""

    ANY = 1
    DENY = 2
    ALLOW = 3


CLUSTER_NAME = "kafka-cluster"
_IMPLIED_BY = {
    Operation.DESCRIBE: {Operation.READ, Operation.WRITE, Operation.DELETE, Operation.ALTER},
    Operation.DESCRIBE_CONFIGS: {Operation.ALTER_CONFIGS},
}


class Acl(msgspec.Struct, frozen=True, array_like=True, order=True):
    """One binding."""

    resource_type: int
    resource_name: str
    pattern_type: int
    principal: str
    host: str
    operation: int
    permission: int


class AclFilter(msgspec.Struct, frozen=True):
    """The bindings to select; None and ANY match everything."""

    resource_type: int
    resource_name: str | None
    pattern_type: int
    principal: str | None
    host: str | None
    operation: int
    permission: int

    def matches(self, acl: Acl) -> bool:
        """Whether the filter matches a binding."""
        return (
            self.resource_type in {ResourceType.ANY, acl.resource_type}
            and self._names(acl)
            and self.principal in {None, acl.principal}
            and self.host in {None, acl.host}
            and self.operation in {Operation.ANY, acl.operation}
            and self.permission in {Permission.ANY, acl.permission}
        )

    def _names(self, acl: Acl) -> bool:
        if self.pattern_type == PatternType.MATCH:
            return self.resource_name is None or _covers(acl, self.resource_name)
        return self.pattern_type in {PatternType.ANY, acl.pattern_type} and self.resource_name in {
            None,
            acl.resource_name,
        }


class Acls:
    """All bindings, by resource type."""

    def __init__(self, acls: Iterable[Acl], super_users: frozenset[str], *, everyone_without: bool) -> None:
        self._by_type: dict[int, set[Acl]] = {}
        self._super_users = super_users
        self._everyone_without = everyone_without
        for acl in acls:
            self._by_type.setdefault(acl.resource_type, set()).add(acl)

    def __iter__(self) -> Iterator[Acl]:
        return (acl for kind in sorted(self._by_type) for acl in sorted(self._by_type[kind]))

    def __len__(self) -> int:
        return sum(map(len, self._by_type.values()))

    def add(self, acl: Acl) -> None:
        """Add a binding; adding one that exists has no effect."""
        self._by_type.setdefault(acl.resource_type, set()).add(acl)

    def matching(self, wanted: AclFilter) -> list[Acl]:
        """The bindings that a filter matches."""
        return [acl for acl in self if wanted.matches(acl)]

    def remove(self, acls: Iterable[Acl]) -> None:
        """Remove bindings; missing ones are ignored."""
        for acl in acls:
            self._by_type.get(acl.resource_type, set()).discard(acl)

    def allows(self, principal: str, host: str, operation: Operation, kind: ResourceType, name: str) -> bool:
        """Whether `principal` from `host` may perform the operation."""
        if principal in self._super_users:
            return True
        bindings = [acl for acl in self._by_type.get(kind, ()) if _covers(acl, name)]
        if not bindings:
            return self._everyone_without
        mine = [acl for acl in bindings if acl.principal in {principal, "User:*"} and acl.host in {host, WILDCARD}]
        if any(acl.permission == Permission.DENY and acl.operation in {operation, Operation.ALL} for acl in mine):
            return False
        granting = {operation, Operation.ALL} | _IMPLIED_BY.get(operation, set())
        return any(acl.permission == Permission.ALLOW and acl.operation in granting for acl in mine)

    def allows_on_any(self, principal: str, host: str, operation: Operation, kind: ResourceType) -> bool:
        """Whether there is any resource of that type on which `principal` may perform the operation."""
        if principal in self._super_users:
            return True
        bindings = self._by_type.get(kind, set())
        mine = [acl for acl in bindings if acl.principal in {principal, "User:*"} and acl.host in {host, WILDCARD}]
        operations = {operation, Operation.ALL}
        denied = [acl for acl in mine if acl.permission == Permission.DENY and acl.operation in operations]
        if any(acl.resource_name == WILDCARD and acl.pattern_type == PatternType.LITERAL for acl in denied):
            return False
        allowed = [acl for acl in mine if acl.permission == Permission.ALLOW and acl.operation in operations]
        if not allowed:
            return self._everyone_without and not bindings
        return any(not any(_hides(denial, acl) for denial in denied) for acl in allowed)


def _covers(acl: Acl, name: str) -> bool:
    if acl.pattern_type == PatternType.PREFIXED:
        return name.startswith(acl.resource_name)
    return acl.resource_name in {WILDCARD, name}


def _hides(denial: Acl, allowance: Acl) -> bool:
    """Whether a denial covers everything that an allowing binding covers."""
    if denial.pattern_type == PatternType.PREFIXED:
        return allowance.resource_name.startswith(denial.resource_name) and allowance.resource_name != WILDCARD
    return allowance.pattern_type == PatternType.LITERAL and allowance.resource_name == denial.resource_name
