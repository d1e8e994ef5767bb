"""TLS and mutual TLS with librdkafka, and what a listener that cannot work says."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from smackbox.base.errors import SettingError, StartError
from smackbox.kafka.server import KafkaServer
from smackbox.kafka.server.listeners import certificate_principal
from smackbox.kafka.settings import KafkaSettings
from smackbox.net.service import ServiceThread

CERTIFICATES = Path(__file__).parents[1] / "certificates"
SERVER = {
    "ssl_certfile": CERTIFICATES / "server.pem",
    "ssl_keyfile": CERTIFICATES / "server.key",
    "ssl_cafile": CERTIFICATES / "ca.pem",
}
TIMEOUT_S = 10


@pytest.fixture
def started(request: pytest.FixtureRequest) -> Iterator[KafkaServer]:
    server = KafkaServer(KafkaSettings(**{**SERVER, **request.param}))
    with ServiceThread(server):
        yield server


def client(server: KafkaServer, listener: int = 0, **more: Any) -> AdminClient:
    settings = {
        "bootstrap.servers": f"localhost:{server.running.ports[listener]}",
        "broker.address.family": "v4",
        "security.protocol": "SSL",
        "ssl.ca.location": str(CERTIFICATES / "ca.pem"),
        "log_level": 0,
    }
    return AdminClient({**settings, **more})


CLIENT_CERTIFICATE = {
    "ssl.certificate.location": str(CERTIFICATES / "client.pem"),
    "ssl.key.location": str(CERTIFICATES / "client.key"),
}


@pytest.mark.parametrize("started", [{"security_protocol": "SSL"}], indirect=True)
def test_a_client_that_trusts_the_authority_is_served(started: KafkaServer) -> None:
    admin = client(started)
    admin.create_topics([NewTopic("t", 1)])["t"].result(TIMEOUT_S)
    assert "t" in admin.list_topics(timeout=TIMEOUT_S).topics


@pytest.mark.parametrize("started", [{"security_protocol": "SSL"}], indirect=True)
def test_plain_bytes_end_that_connection_alone(started: KafkaServer) -> None:
    with socket.create_connection(("127.0.0.1", started.running.ports[0]), TIMEOUT_S) as stranger:
        stranger.sendall(b"\x00\x00\x00\x0f\x00\x12\x00\x00\x00\x00\x00\x01\x00\x05probe")
        assert not stranger.recv(1024).startswith(b"\x00\x00\x00")
    assert client(started).list_topics(timeout=TIMEOUT_S).topics == {}


@pytest.mark.parametrize("started", [{"security_protocol": "SSL", "ssl_client_auth": "required"}], indirect=True)
def test_a_required_certificate(started: KafkaServer) -> None:
    with pytest.raises(KafkaException):
        client(started).list_topics(timeout=1)
    assert client(started, **CLIENT_CERTIFICATE).list_topics(timeout=TIMEOUT_S).topics == {}


@pytest.mark.parametrize(
    "started",
    [
        {
            "security_protocol": "SSL",
            "ssl_client_auth": "requested",
            "authorizer": True,
            "super_users": "User:CN=client,OU=tests,O=smackbox",
        }
    ],
    indirect=True,
)
def test_a_certificates_subject_is_its_user(started: KafkaServer) -> None:
    nobody, known = client(started), client(started, **CLIENT_CERTIFICATE)
    with pytest.raises(KafkaException, match="may not CREATE"):
        nobody.create_topics([NewTopic("t", 1)])["t"].result(TIMEOUT_S)
    known.create_topics([NewTopic("t", 1)])["t"].result(TIMEOUT_S)


@pytest.mark.parametrize(
    "started", [{"listeners": "SASL_SSL://127.0.0.1:0", "sasl_plain_users": {"ann": "secret"}}], indirect=True
)
def test_sasl_inside_tls(started: KafkaServer) -> None:
    sasl = {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.username": "ann"}
    assert client(started, 1, **sasl, **{"sasl.password": "secret"}).list_topics(timeout=TIMEOUT_S).topics == {}
    with pytest.raises(KafkaException):
        client(started, 1, **sasl, **{"sasl.password": "guess"}).list_topics(timeout=1)


def start(**settings: Any) -> None:
    with ServiceThread(KafkaServer(KafkaSettings(**settings))):
        raise AssertionError("it must not start")


def test_listeners_that_cannot_work_say_why(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="needs ssl_certfile"):
        start(security_protocol="SSL")
    with pytest.raises(StartError, match="cannot read its TLS certificates"):
        start(security_protocol="SSL", ssl_certfile=tmp_path / "none.pem")
    with pytest.raises(SettingError, match="speaks PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL, not 'TLS'"):
        start(security_protocol="TLS")
    with pytest.raises(SettingError, match="a listener is like SASL_SSL://host:port"):
        start(listeners="SSL://nowhere")
    with pytest.raises(SettingError, match="sasl_enabled_mechanisms may hold"):
        start(sasl_enabled_mechanisms="GSSAPI")


def test_only_who_authenticates_may_come_from_afar() -> None:
    with pytest.raises(StartError, match="will not listen on 0.0.0.0 without authentication"):
        start(host="0.0.0.0", security_protocol="SSL", **SERVER)
    for settings in (
        {"security_protocol": "SASL_PLAINTEXT"},
        {"security_protocol": "SSL", "ssl_client_auth": "required"},
    ):
        with ServiceThread(KafkaServer(KafkaSettings(host="0.0.0.0", **SERVER, **settings))):
            pass


def test_a_subject_as_rfc_2253_writes_it() -> None:
    subject = ((("countryName", "DE"),), (("organizationName", "A, B"),), (("commonName", "#1"),))
    assert certificate_principal({"subject": subject}) == r"User:CN=\#1,O=A\, B,C=DE"
    assert certificate_principal(None) is None
