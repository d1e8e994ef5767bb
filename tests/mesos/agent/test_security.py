"""Who may talk to the agent, and how it talks to a master that asks for a name."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.mesos.agent.conftest import StartAgent, stop
from tests.mesos.agent.fake_master import FakeMaster
from tests.mesos.agent.test_executor_custom import executor_info, output
from tests.mesos.agent.test_http import ask

from smackbox.base.errors import SettingError, StartError
from smackbox.mesos.agent.server.service import AgentService
from smackbox.mesos.agent.settings import MesosAgentSettings
from smackbox.mesos.master.server.service import MasterServer
from smackbox.mesos.master.settings import MasterSettings
from smackbox.net.service import ServiceThread

CERTIFICATES = Path(__file__).parents[2] / "certificates"


def basic(principal: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{principal}:{secret}".encode()).decode()}


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps({"credentials": [{"principal": "ops", "secret": "word"}]}))
    return file


def test_operators_have_names(start_agent: StartAgent, credentials: Path) -> None:
    agent = start_agent(http_credentials=credentials)
    for path in ("/state", "/containers", "/flags", "/metrics/snapshot", "/files/debug", "/monitor/statistics"):
        assert ask(agent, path)[0] == 401, path
        assert ask(agent, path, None, basic("ops", "wrong"))[0] == 401, path
        assert ask(agent, path, None, basic("ops", "word"))[0] == 200, path
    body, headers = b'{"type": "GET_HEALTH"}', {"Content-Type": "application/json"}
    assert ask(agent, "/api/v1", body, headers)[0] == 401
    assert ask(agent, "/api/v1", body, {**headers, **basic("ops", "word")})[0] == 200
    assert ask(agent, "/health")[0] == 200
    assert ask(agent, "/version")[0] == 200


def test_nobody_is_let_in_by_accident(start_agent: StartAgent, credentials: Path, master: FakeMaster) -> None:
    with pytest.raises(StartError, match="will not listen on 0.0.0.0 without authentication"):
        start_agent(host="0.0.0.0")
    stop(start_agent(host="0.0.0.0", insecure=True, hostname="here", advertise_ip="127.0.0.1"))
    agent = start_agent(host="0.0.0.0", http_credentials=credentials, hostname="here", advertise_ip="127.0.0.1")
    assert agent.running.agent.settings.executor_token is not None, "beyond loopback an executor needs its token"


def test_executors_give_their_token(start_agent: StartAgent, master: FakeMaster, tmp_path: Path) -> None:
    first = start_agent(authenticate_http_executors=True)
    task = master.run(None, executor=executor_info())
    master.state(task, "TASK_RUNNING")
    ids = {"framework_id": {"value": "f"}, "executor_id": {"value": "e"}}
    body = json.dumps({"type": "SUBSCRIBE", "subscribe": {}, **ids}).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    assert ask(first, "/api/v1/executor", body, headers)[0] == 401
    assert ask(first, "/api/v1/executor", body, {**headers, "Authorization": "Bearer wrong"})[0] == 401
    stop(first)
    assert (tmp_path / "work/meta/executor_key").stat().st_mode & 0o077 == 0
    start_agent(authenticate_http_executors=True, executor_reregistration_timeout="20secs")
    master.wait(lambda: output(tmp_path).count("SUBSCRIBED") == 2, "the executor, with the same token")
    master.kill(task)
    assert master.terminal(task)["state"] == "TASK_KILLED"


def test_the_agent_says_who_it_is(start_agent: StartAgent, master: FakeMaster, tmp_path: Path) -> None:
    file = tmp_path / "credential.json"
    file.write_text('{"principal": "agent", "secret": "word"}')
    start_agent(credential=file)
    assert master.headers[0]["authorization"] == basic("agent", "word")["Authorization"]
    file.write_text("{}")
    with pytest.raises(SettingError, match=r"credential.json: Object missing required field"):
        start_agent(credential=file, dir=tmp_path / "other")


@pytest.fixture
def secure_master(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    file = tmp_path / "master.json"
    file.write_text(json.dumps({"credentials": [{"principal": "agent", "secret": "word"}]}))
    settings: dict[str, Any] = {
        "credentials": file,
        "authenticate_agents": True,
        "ssl_cert_file": CERTIFICATES / "server.pem",
        "ssl_key_file": CERTIFICATES / "server.key",
    }
    with ServiceThread(MasterServer(MasterSettings(**settings))) as server:
        own = tmp_path / "own.json"
        own.write_text('{"principal": "agent", "secret": "word"}')
        yield server.url, own


def test_a_master_with_tls_that_asks_for_a_name(secure_master: tuple[str, Path], tmp_path: Path) -> None:
    url, credential = secure_master
    settings = MesosAgentSettings(
        dir=tmp_path / "agent",
        master=url,
        credential=credential,
        ssl_ca_file=CERTIFICATES / "ca.pem",
        ssl_cert_file=CERTIFICATES / "server.pem",
        ssl_key_file=CERTIFICATES / "server.key",
    )
    service = AgentService(settings)
    with ServiceThread(service):
        assert service.running.is_registered
        assert service.url.startswith("https://")
        context = ssl.create_default_context(cafile=CERTIFICATES / "ca.pem")
        context.check_hostname = False
        with urllib.request.urlopen(service.url + "/version", context=context) as answer:
            assert answer.status == 200


def test_without_its_name_the_agent_is_not_let_in(secure_master: tuple[str, Path], tmp_path: Path) -> None:
    settings = MesosAgentSettings(
        dir=tmp_path / "agent", master=secure_master[0], ssl_ca_file=CERTIFICATES / "ca.pem", registration_wait="300ms"
    )
    service = AgentService(settings)
    with ServiceThread(service):
        assert not service.running.is_registered
