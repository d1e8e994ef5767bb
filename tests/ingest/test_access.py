"""Credentials, pages of other origins, TLS: who may post."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from smackbox.base.errors import SettingError, StartError
from smackbox.ingest.server import IngestServer
from smackbox.ingest.settings import IngestSettings

CERTIFICATES = Path(__file__).parents[1] / "certificates"
PAGE = "https://shop.example"


@pytest.fixture
def serve(start: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(start(**settings))


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize("authorization", ["Bearer t1", "bearer t2", basic("jörg", "pass:word")])
def test_known_credentials_may_post(serve: Callable[..., Any], authorization: str) -> None:
    running = serve(auth_tokens=("t1", "t2"), auth_users={"jörg": "pass:word"})
    answer = running.client().post(running.encode(running.event()), Authorization=authorization)
    assert (answer.status, len(running.sink.records)) == (202, 1)


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Bearer t",
        "Bearer",
        "Bearer t1 x",
        "Basic t1",
        "Basic !!",
        "Digest x",
        basic("ann", ""),
        basic("bob", "no"),
    ],
)
def test_unknown_credentials_are_401_before_the_body_is_read(serve: Callable[..., Any], authorization: Any) -> None:
    running = serve(auth_tokens=("t1",), auth_users={"bob": "secret"})
    client = running.client()
    header = f"Authorization: {authorization}\r\n" if authorization else ""
    client.send(f"POST /events HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n{header}\r\n".encode())
    answer = client.read()
    assert (answer.status, running.sink.records) == (401, [])
    assert answer.headers["www-authenticate"].startswith(("Bearer", "Basic"))
    assert client.ended()


def test_health_needs_no_credentials_and_metrics_do(serve: Callable[..., Any]) -> None:
    running = serve(auth_tokens=("t1",))
    for path, status in [("/healthz", 200), ("/metrics", 401)]:
        client = running.client()
        client.send(running.request(b"", path, "GET"))
        assert client.read().status == status


def test_an_endpoint_with_credentials_may_listen_everywhere(tmp_path: Path) -> None:
    assert IngestServer(IngestSettings(host="0.0.0.0", auth_tokens=("t",)), [])._access.authenticates


def preflight(running: Any, path: str = "/events", **headers: str) -> Any:
    client = running.client()
    client.send(running.request(b"", path, "OPTIONS", **headers))
    return client.read(head_only=True)


def test_a_page_of_a_known_origin_may_post_json(serve: Callable[..., Any]) -> None:
    running = serve(cors_origins=(PAGE, "http://localhost:3000"), auth_tokens=("t1",))
    answer = preflight(
        running,
        Origin=PAGE,
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="content-type,authorization",
    )
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-methods"] == "POST"
    allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert {"content-type", "authorization"} <= allowed
    assert "access-control-allow-credentials" not in answer.headers
    posted = running.client().post(running.encode(running.event()), Origin=PAGE, Authorization="Bearer t1")
    assert (posted.status, posted.headers["access-control-allow-origin"]) == (202, PAGE)
    assert posted.headers["vary"] == "Origin"


def test_a_page_can_read_a_refusal(serve: Callable[..., Any]) -> None:
    running = serve(cors_origins=(PAGE,), body_limit=1024)
    answer = running.client().post(b"x" * 2000, Origin=PAGE)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (413, PAGE)


def test_any_origin(serve: Callable[..., Any]) -> None:
    running = serve(cors_origins=("*",))
    answer = preflight(running, Origin="null", Access_Control_Request_Method="POST")
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (204, "*")


def test_a_page_of_another_origin_is_not_named(serve: Callable[..., Any]) -> None:
    running = serve(cors_origins=(PAGE,))
    answer = preflight(running, Origin="https://evil.example", Access_Control_Request_Method="POST")
    assert answer.status == 204
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_without_origins_a_preflight_is_refused(serve: Callable[..., Any]) -> None:
    running = serve()
    client = running.client()
    client.send(running.request(b"", "/events", "OPTIONS", Origin=PAGE, Access_Control_Request_Method="POST"))
    answer = client.read()
    assert (answer.status, "access-control-allow-origin" in answer.headers) == (405, False)


def test_a_request_that_asks_for_an_upgrade_keeps_its_credentials(serve: Callable[..., Any]) -> None:
    running = serve(auth_tokens=("t1",))
    headers = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "Authorization": "Bearer t1"}
    assert running.client().post(running.encode(running.event()), **headers).status == 202


def test_a_target_in_absolute_form_is_served(serve: Callable[..., Any]) -> None:
    running = serve()
    assert running.client().post(running.encode(running.event()), "http://here/events?x=1").status == 202
    assert running.client().post(running.encode(running.event()), "http://here").status == 404


def test_tls(serve: Callable[..., Any]) -> None:
    running = serve(ssl_certfile=CERTIFICATES / "server.pem", ssl_keyfile=CERTIFICATES / "server.key")
    assert running.thread.url.startswith("https://")
    port = int(running.thread.url.rpartition(":")[2])
    trust = ssl.create_default_context(cafile=str(CERTIFICATES / "ca.pem"))
    client = http.client.HTTPSConnection("localhost", port, context=trust, timeout=10)
    for number in range(3):
        client.request("POST", "/events", running.encode([running.event(number)] * 500))
        answer = client.getresponse()
        assert (answer.status, json.loads(answer.read())) == (202, {"accepted": 500})
    client.close()


@pytest.mark.parametrize(
    "wrong", [{"cors_origins": ("shop.example",)}, {"cors_origins": ("https://a/b",)}, {"ssl_keyfile": Path("k")}]
)
def test_settings_that_cannot_hold_are_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        IngestServer(IngestSettings(**wrong), [])


def test_a_missing_certificate_is_an_error() -> None:
    with pytest.raises(StartError, match="TLS"):
        IngestServer(IngestSettings(ssl_certfile=Path("/nowhere.pem")), [])
