"""The authorizer's decisions, as those of Kafka's `StandardAuthorizerData` (docs: Authorization and ACLs)."""

from __future__ import annotations

import pytest

from smackbox.kafka.state.acls import Acl, AclFilter, Acls, Operation, PatternType, Permission, ResourceType

ALICE, HOST = "User:alice", "10.0.0.1"
TOPIC, GROUP = ResourceType.TOPIC, ResourceType.GROUP
LITERAL, PREFIXED = PatternType.LITERAL, PatternType.PREFIXED
ALLOW, DENY = Permission.ALLOW, Permission.DENY


def acl(
    name: str = "orders",
    operation: Operation = Operation.READ,
    permission: Permission = ALLOW,
    *,
    pattern: PatternType = LITERAL,
    principal: str = ALICE,
    host: str = "*",
    kind: ResourceType = TOPIC,
) -> Acl:
    return Acl(kind, name, pattern, principal, host, operation, permission)


def of(*bindings: Acl, everyone: bool = False, super_users: frozenset[str] = frozenset()) -> Acls:
    acls = Acls(bindings[1:], super_users, everyone_without=everyone)
    for binding in bindings[:1]:
        acls.add(binding)
    return acls


def allows(acls: Acls, operation: Operation = Operation.READ, name: str = "orders") -> bool:
    return acls.allows(ALICE, HOST, operation, TOPIC, name)


@pytest.mark.parametrize(
    ("binding", "allowed"),
    [
        (acl(), True),
        (acl("other"), False),
        (acl("*"), True),
        (acl("ord", pattern=PREFIXED), True),
        (acl("orders", pattern=PREFIXED), True),
        (acl("ordersx", pattern=PREFIXED), False),
        (acl("*", pattern=PREFIXED), False),
        (acl(principal="User:*"), True),
        (acl(principal="User:bob"), False),
        (acl(host=HOST), True),
        (acl(host="10.0.0.2"), False),
        (acl(kind=GROUP), False),
        (acl(operation=Operation.WRITE), False),
        (acl(operation=Operation.ALL), True),
        (acl(permission=DENY), False),
    ],
)
def test_one_binding(binding: Acl, allowed: bool) -> None:
    assert allows(of(binding)) is allowed


@pytest.mark.parametrize("granted", list(Operation)[2:])
def test_what_an_operation_implies(granted: Operation) -> None:
    """READ, WRITE, DELETE and ALTER imply DESCRIBE; ALTER_CONFIGS implies DESCRIBE_CONFIGS (KIP-11, KIP-133)."""
    implied = {
        Operation.READ: {Operation.DESCRIBE},
        Operation.WRITE: {Operation.DESCRIBE},
        Operation.DELETE: {Operation.DESCRIBE},
        Operation.ALTER: {Operation.DESCRIBE},
        Operation.ALTER_CONFIGS: {Operation.DESCRIBE_CONFIGS},
    }.get(granted, set())
    acls = of(acl(operation=granted))
    assert {wanted for wanted in list(Operation)[2:] if allows(acls, wanted)} == {granted} | implied


def test_a_denial_wins_and_does_not_imply() -> None:
    denied = of(acl(operation=Operation.ALL), acl(operation=Operation.READ, permission=DENY))
    assert not allows(denied)
    assert allows(denied, Operation.DESCRIBE), "a denial of READ is none of DESCRIBE"
    assert not allows(of(acl(), acl("or", Operation.ALL, DENY, pattern=PREFIXED)))
    assert allows(of(acl(), acl(permission=DENY, principal="User:bob")))
    assert allows(of(acl(), acl(permission=DENY, host="10.0.0.2")))


def test_resources_without_bindings() -> None:
    """`allow.everyone.if.no.acl.found`."""
    assert not allows(of())
    assert allows(of(everyone=True))
    assert allows(of(acl("other"), everyone=True))
    assert not allows(of(acl(principal="User:bob"), everyone=True)), "there is one"


def test_super_users() -> None:
    acls = of(acl(permission=DENY), super_users=frozenset({ALICE}))
    assert allows(acls)
    assert acls.allows_on_any(ALICE, HOST, Operation.WRITE, GROUP)
    assert not acls.allows("User:bob", HOST, Operation.READ, TOPIC, "orders")


@pytest.mark.parametrize(
    ("bindings", "allowed"),
    [
        ([acl()], True),
        ([acl(operation=Operation.ALL)], True),
        ([acl(operation=Operation.WRITE)], False),
        ([acl(kind=GROUP)], False),
        ([acl(principal="User:bob")], False),
        ([acl(host="10.0.0.2")], False),
        ([acl(), acl("*", permission=DENY)], False),
        ([acl(), acl("*", Operation.ALL, DENY)], False),
        ([acl(), acl("*", permission=DENY, principal="User:bob")], True),
        ([acl(), acl("*", Operation.WRITE, DENY)], True),
        ([acl(), acl(permission=DENY)], False),
        ([acl(), acl("other", permission=DENY)], True),
        ([acl(), acl("ord", permission=DENY, pattern=PREFIXED)], False),
        ([acl("ord", pattern=PREFIXED), acl("ord", permission=DENY)], True),
        ([acl("ord", pattern=PREFIXED), acl("o", permission=DENY, pattern=PREFIXED)], False),
        ([acl("o", pattern=PREFIXED), acl("ord", permission=DENY, pattern=PREFIXED)], True),
        ([acl("*"), acl("*", permission=DENY, pattern=PREFIXED)], True),
        ([acl("*"), acl("o", permission=DENY, pattern=PREFIXED)], True),
        ([acl("a"), acl("b"), acl("a", permission=DENY)], True),
    ],
)
def test_on_any_resource(bindings: list[Acl], allowed: bool) -> None:
    """KIP-679: a producer is idempotent where there is a topic that it may write to."""
    assert of(*bindings).allows_on_any(ALICE, HOST, Operation.READ, TOPIC) is allowed


def test_on_any_resource_without_bindings() -> None:
    assert of(everyone=True).allows_on_any(ALICE, HOST, Operation.READ, TOPIC)
    assert not of(acl(principal="User:bob"), everyone=True).allows_on_any(ALICE, HOST, Operation.READ, TOPIC)
    assert not of().allows_on_any(ALICE, HOST, Operation.READ, TOPIC)


# --- filters (KIP-140, KIP-290)

EVERYTHING = AclFilter(ResourceType.ANY, None, PatternType.ANY, None, None, Operation.ANY, Permission.ANY)


def matches(binding: Acl, **fields: object) -> bool:
    said = {name: getattr(EVERYTHING, name) for name in EVERYTHING.__struct_fields__}
    return AclFilter(**(said | fields)).matches(binding)


@pytest.mark.parametrize(
    ("field", "same", "other"),
    [
        ("resource_type", TOPIC, GROUP),
        ("resource_name", "orders", "order"),
        ("pattern_type", LITERAL, PREFIXED),
        ("principal", ALICE, "User:*"),
        ("host", "*", HOST),
        ("operation", Operation.READ, Operation.ALL),
        ("permission", ALLOW, DENY),
    ],
)
def test_each_field_of_a_filter(field: str, same: object, other: object) -> None:
    assert matches(acl())
    assert matches(acl(), **{field: same})
    assert not matches(acl(), **{field: other})


def test_match_finds_every_binding_that_concerns_a_name() -> None:
    asked = {"pattern_type": PatternType.MATCH, "resource_name": "orders"}
    assert matches(acl(), **asked)
    assert matches(acl("*"), **asked)
    assert matches(acl("ord", pattern=PREFIXED), **asked)
    assert not matches(acl("ordersx", pattern=PREFIXED), **asked)
    assert not matches(acl("order"), **asked)
    assert not matches(acl("ord", pattern=PREFIXED), pattern_type=LITERAL, resource_name="ord")


def test_bindings_are_a_set() -> None:
    acls = of(acl(), acl(), acl("other"))
    assert len(acls) == len(list(acls)) == 2
    acls.remove([acl(), acl("never there"), acl(kind=GROUP)])
    assert acls.matching(EVERYTHING) == [acl("other")]


def test_the_numbers_of_the_protocol() -> None:
    """`AclOperation`, `ResourceType`, `PatternType`, `AclPermissionType`; 0 is UNKNOWN."""
    assert [each.name for each in Operation] == [
        "ANY",
        "ALL",
        "READ",
        "WRITE",
        "CREATE",
        "DELETE",
        "ALTER",
        "DESCRIBE",
        "CLUSTER_ACTION",
        "DESCRIBE_CONFIGS",
        "ALTER_CONFIGS",
        "IDEMPOTENT_WRITE",
        "CREATE_TOKENS",
        "DESCRIBE_TOKENS",
        "TWO_PHASE_COMMIT",
    ]
    assert [each.name for each in ResourceType] == [
        "ANY", "TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL_ID", "DELEGATION_TOKEN", "USER",
    ]  # fmt: skip
    assert [each.name for each in PatternType] == ["ANY", "MATCH", "LITERAL", "PREFIXED"]
    assert [each.name for each in Permission] == ["ANY", "DENY", "ALLOW"]
    for kind in (Operation, ResourceType, PatternType, Permission):
        assert [each.value for each in kind] == list(range(1, len(kind) + 1))
