"""A pool in which everybody has a name and everything is TLS: master, agent, Marathon and Chronos."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.pool import Pool, until

from smackbox.base.errors import StartError
from smackbox.marathon.server.service import MarathonServer
from smackbox.marathon.settings import MarathonSettings
from smackbox.net.http import basic_authorization
from smackbox.net.service import ServiceThread

CERTIFICATES = Path(__file__).parents[1] / "certificates"
NAMES = {"agent": "a-word", "marathon": "m-word", "chronos": "c-word"}
OPERATOR = "ops:o-word"


def ask(method: str, url: str, body: Any = None, credentials: str | None = OPERATOR) -> tuple[int, Any]:
    context = ssl.create_default_context(cafile=str(CERTIFICATES / "ca.pem"))
    headers = {"Content-Type": "application/json"}
    if credentials is not None:
        headers["Authorization"] = basic_authorization(*credentials.split(":"))
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url.replace("127.0.0.1", "localhost"), data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        return error.code, None


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    with Pool(tmp_path) as pool:
        yield pool


def test_everybody_has_a_name_and_everything_is_tls(pool: Pool, tmp_path: Path) -> None:
    listed = [{"principal": name, "secret": secret} for name, secret in NAMES.items()]
    (tmp_path / "credentials").write_text(json.dumps({"credentials": listed}))
    for name, secret in NAMES.items():
        (tmp_path / name).write_text(secret)
    (tmp_path / "credential").write_text(json.dumps({"principal": "agent", "secret": NAMES["agent"]}))
    own = {"ssl_cert_file": CERTIFICATES / "server.pem", "ssl_key_file": CERTIFICATES / "server.key"}
    acls = {"register_frameworks": [{"principals": {"values": ["marathon", "chronos"]}, "roles": {"type": "ANY"}}],
            "register_agents": [{"principals": {"values": ["agent"]}, "agents": {"type": "ANY"}}],
            "permissive": False, "run_tasks": [{"principals": {"type": "ANY"}, "users": {"type": "ANY"}}]}  # fmt: skip
    (tmp_path / "acls").write_text(json.dumps(acls))
    pool.start_master(
        credentials=tmp_path / "credentials", authenticate_frameworks=True, authenticate_agents=True,
        authenticate_http_readonly=True, authenticate_http_readwrite=True, acls=tmp_path / "acls", **own,
    )  # fmt: skip
    pool.start_agent(credential=tmp_path / "credential", ssl_ca_file=CERTIFICATES / "ca.pem", **own)

    def framework(name: str) -> dict[str, Any]:
        return {
            "mesos_authentication_principal": name,
            "mesos_authentication_secret_file": tmp_path / name,
            "mesos_ssl_cafile": CERTIFICATES / "ca.pem",
            "ssl_certfile": CERTIFICATES / "server.pem",
            "ssl_keyfile": CERTIFICATES / "server.key",
            "http_credentials": OPERATOR,
        }

    marathon = pool.start_marathon(**framework("marathon"))
    chronos = pool.start_chronos(**framework("chronos"))
    app = {"id": "/secure", "cmd": "exec sleep 1000", "cpus": 0.1, "mem": 32}
    assert ask("POST", marathon.url + "/v2/apps", app, credentials=None)[0] == 401
    assert ask("POST", marathon.url + "/v2/apps", app, credentials="ops:wrong")[0] == 401
    assert ask("POST", marathon.url + "/v2/apps", app)[0] == 201
    until(lambda: ask("GET", marathon.url + "/v2/apps/secure")[1]["app"]["tasksRunning"] == 1, "a task")
    job = {"name": "secure", "command": "true", "schedule": "R1//PT1H", "cpus": 0.1, "mem": 32}
    assert ask("POST", chronos.url + "/v1/scheduler/iso8601", job, credentials=None)[0] == 401
    assert ask("POST", chronos.url + "/v1/scheduler/iso8601", job)[0] == 204
    until(lambda: ask("GET", chronos.url + "/v1/scheduler/job/secure")[1]["successCount"] == 1, "a run")


def test_nobody_listens_beyond_loopback_without_a_name() -> None:
    server = MarathonServer(MarathonSettings(host="0.0.0.0"))
    with pytest.raises(StartError, match="will not listen on 0.0.0.0 without authentication"):
        ServiceThread(server).start()
