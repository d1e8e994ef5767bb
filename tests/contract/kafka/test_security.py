"""SASL and access control lists, with librdkafka on a broker of their own: ours, or a real one under `make real`."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from smackbox.net.listener import free_port

TIMEOUT_S = 20.0
MECHANISMS = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
USERS = {"admin": "admin-secret", "alice": "alice-secret"}
Grant = Callable[..., None]


class Secured(NamedTuple):
    """A broker with a plain listener, whose anonymous users are super users, and one with SASL."""

    plain: str
    sasl: str


def ours(_: Path, stack: ExitStack) -> Secured:
    from smackbox.kafka.server import KafkaServer
    from smackbox.kafka.settings import KafkaSettings
    from smackbox.net.service import ServiceThread

    server = KafkaServer(
        KafkaSettings(
            listeners="SASL_PLAINTEXT://127.0.0.1:0",
            sasl_plain_users=USERS,
            authorizer=True,
            super_users="User:admin;User:ANONYMOUS",
        )
    )
    stack.enter_context(ServiceThread(server))
    return Secured(*(f"127.0.0.1:{port}" for port in server.running.ports))


def real(directory: Path, stack: ExitStack) -> Secured:
    from bench.engines.real_kafka import RealKafka

    port = free_port("127.0.0.1")
    users = " ".join(f'user_{name}="{password}"' for name, password in USERS.items())
    listeners = f"PLAINTEXT://127.0.0.1:@PORT@,SASL://127.0.0.1:{port},CONTROLLER://127.0.0.1:@CONTROLLER_PORT@"
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    config = {
        "listeners": listeners,
        "advertised.listeners": listeners,
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT",
        "listener.name.sasl.sasl.enabled.mechanisms": MECHANISMS,
        "listener.name.sasl.plain.sasl.jaas.config": (
            f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
        ),
        "listener.name.sasl.scram-sha-256.sasl.jaas.config": scram,
        "listener.name.sasl.scram-sha-512.sasl.jaas.config": scram,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:admin;User:ANONYMOUS",
        "group.initial.rebalance.delay.ms": "0",
    }
    kafka = stack.enter_context(RealKafka(directory, config))
    return Secured(kafka.bootstrap, f"127.0.0.1:{port}")


@pytest.fixture(scope="module")
def secured(on_real_kafka: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with ExitStack() as stack:
        yield (real if on_real_kafka else ours)(tmp_path_factory.mktemp("secured"), stack)


def login(secured: Secured, user: str, password: str | None = None, mechanism: str = "PLAIN") -> dict[str, Any]:
    return {
        "bootstrap.servers": secured.sasl,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": mechanism,
        "sasl.username": user,
        "sasl.password": USERS[user] if password is None else password,
        "log_level": 0,
    }


@pytest.fixture
def admin(secured: Secured) -> AdminClient:
    return AdminClient({"bootstrap.servers": secured.plain})


@pytest.fixture
def topic(admin: AdminClient, unique: Callable[[str], str]) -> str:
    name = unique("guarded")
    admin.create_topics([NewTopic(name, 1)])[name].result(TIMEOUT_S)
    return name


@pytest.fixture
def grant(admin: AdminClient) -> Iterator[Grant]:
    """Adds bindings, for everyone called alice unless said otherwise; they go with the test."""
    granted: list[AclBinding] = []

    def grant(
        kind: ResourceType,
        name: str,
        operation: AclOperation,
        permission: AclPermissionType = AclPermissionType.ALLOW,
        pattern: ResourcePatternType = ResourcePatternType.LITERAL,
        principal: str = "User:alice",
    ) -> None:
        binding = AclBinding(kind, name, pattern, principal, "*", operation, permission)
        admin.create_acls([binding])[binding].result(TIMEOUT_S)
        granted.append(binding)

    yield grant
    for binding in granted:
        filters = [
            AclBindingFilter(
                binding.restype, binding.name, binding.resource_pattern_type, binding.principal, binding.host,
                binding.operation, binding.permission_type,
            )
        ]  # fmt: skip
        admin.delete_acls(filters)[filters[0]].result(TIMEOUT_S)


def produce(settings: dict[str, Any], topic: str, **more: Any) -> KafkaError | None:
    """The error that the record was answered with."""
    answers: list[KafkaError | None] = []
    producer = Producer({**settings, "message.timeout.ms": 10_000, **more})
    producer.produce(topic, b"value", on_delivery=lambda error, _: answers.append(error))
    assert producer.flush(TIMEOUT_S) == 0
    return answers[0]


def topics_of(settings: dict[str, Any]) -> set[str]:
    return set(AdminClient(settings).list_topics(timeout=TIMEOUT_S).topics)


def authentication_error(settings: dict[str, Any]) -> str:
    errors: list[KafkaError] = []
    client = AdminClient({**settings, "error_cb": errors.append})
    with pytest.raises(KafkaException):
        client.list_topics(timeout=1)
    client.poll(0)
    return next(error.str() for error in errors if error.code() == KafkaError._AUTHENTICATION)


def test_plain_lets_in_who_knows_the_password(secured: Secured, topic: str) -> None:
    assert topic in topics_of(login(secured, "admin"))
    wrong = authentication_error(login(secured, "admin", "guess"))
    assert "Authentication failed: Invalid username or password" in wrong
    assert authentication_error(login(secured, "nobody", "guess")).partition("after")[0] == wrong.partition("after")[0]


@pytest.mark.parametrize(
    ("mechanism", "kind"),
    [("SCRAM-SHA-256", ScramMechanism.SCRAM_SHA_256), ("SCRAM-SHA-512", ScramMechanism.SCRAM_SHA_512)],
)
def test_scram_users_come_and_go(
    secured: Secured, admin: AdminClient, mechanism: str, kind: ScramMechanism, unique: Callable[[str], str]
) -> None:
    user = unique("user")
    settings = login(secured, user, "their secret", mechanism)
    upsertion = UserScramCredentialUpsertion(user, ScramCredentialInfo(kind, 8192), b"their secret")
    admin.alter_user_scram_credentials([upsertion])[user].result(TIMEOUT_S)
    assert topics_of(settings) == set()
    described = admin.describe_user_scram_credentials([user])[user].result(TIMEOUT_S)
    assert [(info.mechanism, info.iterations) for info in described.scram_credential_infos] == [(kind, 8192)]
    wrong = authentication_error({**settings, "sasl.password": "guess"})
    assert f"invalid credentials with SASL mechanism {mechanism}" in wrong
    admin.alter_user_scram_credentials([UserScramCredentialDeletion(user, kind)])[user].result(TIMEOUT_S)
    assert "invalid credentials" in authentication_error(settings)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda user: UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_256), KafkaError.RESOURCE_NOT_FOUND),
        (
            lambda user: UserScramCredentialUpsertion(
                user, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4095), b"x"
            ),
            KafkaError.UNACCEPTABLE_CREDENTIAL,
        ),
        (
            lambda user: UserScramCredentialUpsertion(
                user, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 16385), b"x"
            ),
            KafkaError.UNACCEPTABLE_CREDENTIAL,
        ),
    ],
)
def test_credentials_that_are_refused(
    admin: AdminClient, change: Callable[[str], Any], code: int, unique: Callable[[str], str]
) -> None:
    user = unique("user")
    with pytest.raises(KafkaException) as raised:
        admin.alter_user_scram_credentials([change(user)])[user].result(TIMEOUT_S)
    assert raised.value.args[0].code() == code


def test_a_mechanism_that_is_not_there(secured: Secured) -> None:
    host, _, port = secured.sasl.rpartition(":")
    with socket.create_connection((host, int(port)), TIMEOUT_S) as stranger:
        stranger.sendall(bytes.fromhex("00000013 0011 0001 00000007 0001 78") + b"\x00\x06GSSAPI")
        answer = stranger.recv(1024)
    assert answer[8:10] == b"\x00\x21"  # UNSUPPORTED_SASL_MECHANISM, and the mechanisms that there are
    assert sorted(MECHANISMS.split(",")) == sorted(name for name in MECHANISMS.split(",") if name.encode() in answer)


def test_requests_before_authentication_end_the_connection(secured: Secured) -> None:
    host, _, port = secured.sasl.rpartition(":")
    with socket.create_connection((host, int(port)), TIMEOUT_S) as stranger:
        stranger.sendall(bytes.fromhex("0000000f 0003 0001 00000007 0001 78 00000000"))
        assert stranger.recv(1024) == b""


def test_who_has_no_acl_sees_nothing(secured: Secured, topic: str) -> None:
    alice = login(secured, "alice")
    assert topic not in topics_of(alice)
    error = produce(alice, topic)
    assert error is not None
    assert error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_write_and_read_are_granted_apart(
    secured: Secured, topic: str, grant: Grant, unique: Callable[[str], str]
) -> None:
    alice = login(secured, "alice")
    group = unique("group")
    grant(ResourceType.TOPIC, topic, AclOperation.WRITE)
    assert topic in topics_of(alice)  # writing includes describing
    assert produce(alice, topic) is None
    assert produce(alice, topic, **{"enable.idempotence": True}) is None

    def read() -> tuple[int | None, bytes | None]:
        consumer = Consumer({**alice, "group.id": group, "auto.offset.reset": "earliest"})
        try:
            consumer.assign([TopicPartition(topic, 0, 0)])
            message = consumer.poll(TIMEOUT_S)
            assert message is not None
            error = message.error()
            return (error.code(), None) if error else (None, message.value())
        finally:
            consumer.close()

    assert read()[0] in {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED}
    grant(ResourceType.TOPIC, topic, AclOperation.READ)
    grant(ResourceType.GROUP, group, AclOperation.READ)
    assert read() == (None, b"value")


def test_a_group_needs_its_own_grant(secured: Secured, topic: str, grant: Grant, unique: Callable[[str], str]) -> None:
    alice = login(secured, "alice")
    grant(ResourceType.TOPIC, topic, AclOperation.READ)
    consumer = Consumer({**alice, "group.id": unique("group"), "auto.offset.reset": "earliest"})
    try:
        consumer.subscribe([topic])
        message = consumer.poll(TIMEOUT_S)
        assert message is not None
        assert message.error().code() == KafkaError.GROUP_AUTHORIZATION_FAILED
    finally:
        consumer.close()


def test_prefixes_and_denials(secured: Secured, topic: str, grant: Grant) -> None:
    alice = login(secured, "alice")
    grant(ResourceType.TOPIC, "guarded", AclOperation.ALL, pattern=ResourcePatternType.PREFIXED)
    assert produce(alice, topic) is None
    grant(ResourceType.TOPIC, topic, AclOperation.WRITE, AclPermissionType.DENY, principal="User:*")
    error = produce(alice, topic)
    assert error is not None
    assert error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert topic in topics_of(alice)


def test_creating_is_granted_on_the_cluster_or_on_the_name(
    secured: Secured, grant: Grant, unique: Callable[[str], str]
) -> None:
    name = unique("made")
    alice = AdminClient(login(secured, "alice"))
    with pytest.raises(KafkaException) as raised:
        alice.create_topics([NewTopic(name, 1)])[name].result(TIMEOUT_S)
    assert raised.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    grant(ResourceType.TOPIC, name, AclOperation.CREATE)
    alice.create_topics([NewTopic(name, 1)])[name].result(TIMEOUT_S)
    with pytest.raises(KafkaException) as raised:
        alice.delete_topics([name])[name].result(TIMEOUT_S)
    assert raised.value.args[0].code() in {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.UNKNOWN_TOPIC_OR_PART}
    grant(ResourceType.TOPIC, name, AclOperation.DELETE)
    alice.delete_topics([name])[name].result(TIMEOUT_S)


def test_acls_are_described_and_deleted(admin: AdminClient, unique: Callable[[str], str]) -> None:
    name = unique("listed")
    bindings = [
        AclBinding(ResourceType.TOPIC, name, pattern, "User:alice", "*", AclOperation.READ, AclPermissionType.ALLOW)
        for pattern in (ResourcePatternType.LITERAL, ResourcePatternType.PREFIXED)
    ]
    for future in admin.create_acls(bindings).values():
        future.result(TIMEOUT_S)

    def matching(text: str, pattern: ResourcePatternType) -> set[AclBinding]:
        wanted = AclBindingFilter(ResourceType.ANY, text, pattern, None, None, AclOperation.ANY, AclPermissionType.ANY)
        return set(admin.describe_acls(wanted).result(TIMEOUT_S))

    assert matching(name, ResourcePatternType.ANY) == set(bindings)
    assert matching(name, ResourcePatternType.LITERAL) == {bindings[0]}
    assert matching(name + "-longer", ResourcePatternType.MATCH) == {bindings[1]}
    every = AclBindingFilter(
        ResourceType.TOPIC, name, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
    )
    assert set(admin.delete_acls([every])[every].result(TIMEOUT_S)) == set(bindings)
    assert matching(name, ResourcePatternType.ANY) == set()


def test_only_who_may_alter_the_cluster_grants(secured: Secured, unique: Callable[[str], str]) -> None:
    alice = AdminClient(login(secured, "alice"))
    binding = AclBinding(
        ResourceType.TOPIC, unique("t"), ResourcePatternType.LITERAL, "User:alice", "*", AclOperation.ALL,
        AclPermissionType.ALLOW,
    )  # fmt: skip
    with pytest.raises(KafkaException) as raised:
        alice.create_acls([binding])[binding].result(TIMEOUT_S)
    assert raised.value.args[0].code() == KafkaError.CLUSTER_AUTHORIZATION_FAILED


def test_the_operations_told_are_those_allowed(secured: Secured, topic: str, grant: Grant) -> None:
    grant(ResourceType.TOPIC, topic, AclOperation.WRITE)
    told = {}
    for user in ("admin", "alice"):
        client = AdminClient(login(secured, user))
        future = client.describe_topics(TopicCollection([topic]), include_authorized_operations=True)[topic]
        told[user] = {operation.name for operation in future.result(TIMEOUT_S).authorized_operations}
    assert told == {
        "admin": {"READ", "WRITE", "CREATE", "DELETE", "ALTER", "DESCRIBE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS"},
        "alice": {"WRITE", "DESCRIBE"},
    }
