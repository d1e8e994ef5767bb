"""The master on its sockets: streams, authentication, TLS, the registry on disk, and two masters with an election."""

from __future__ import annotations

import http.client
import json
import logging
import ssl
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from smackbox.base.errors import SettingError, StartError
from smackbox.mesos.master.server.service import MasterServer
from smackbox.mesos.master.settings import MasterSettings
from smackbox.mesos.resources.text import parse_resources
from smackbox.net.recordio import RecordDecoder
from smackbox.net.service import ServiceThread
from smackbox.zookeeper.server import ZooKeeperServer
from smackbox.zookeeper.settings import ZooKeeperSettings

TIMEOUT_S = 20.0
CERTIFICATES = Path(__file__).parents[2] / "certificates"
Message = dict[str, Any]


class Client:
    """HTTP to one master, and at most one stream."""

    def __init__(self, url: str, credentials: str | None = None, context: ssl.SSLContext | None = None) -> None:
        scheme, _, address = url.partition("://")
        self._context = context
        self._tls = scheme == "https"
        self.address = address
        self.headers = {"Content-Type": "application/json"}
        if credentials is not None:
            self.headers["Authorization"] = "Basic " + b64encode(credentials.encode()).decode()
        self._decoder = RecordDecoder()
        self._records: list[Message] = []
        self.stream: http.client.HTTPResponse | None = None

    def _connect(self) -> http.client.HTTPConnection:
        if self._tls:
            return http.client.HTTPSConnection(self.address, timeout=TIMEOUT_S, context=self._context)
        return http.client.HTTPConnection(self.address, timeout=TIMEOUT_S)

    def ask(self, method: str, path: str, message: Any = None, **headers: str) -> tuple[int, bytes, dict[str, str]]:
        connection = self._connect()
        try:
            body = None if message is None else json.dumps(message)
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, {**self.headers, **named})
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.headers)
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        status, body, _ = self.ask("GET", path)
        assert status == 200, (status, body)
        return json.loads(body)

    def subscribe(self, path: str, message: Message) -> int:
        self.connection = self._connect()
        self.connection.request("POST", path, json.dumps(message), self.headers)
        self.stream = self.connection.getresponse()
        self.stream_id = self.stream.headers.get("Mesos-Stream-Id", "")
        return self.stream.status

    def event(self, kind: str) -> Message:
        """The next event of that type; those before it are left out."""
        assert self.stream is not None
        while True:
            for number, record in enumerate(self._records):
                if record["type"] == kind:
                    del self._records[: number + 1]
                    return record
            self._records.clear()
            data = self.stream.read1(65536)
            if not data:
                raise EOFError("the stream has ended")
            self._records += [json.loads(record) for record in self._decoder.feed(data)]

    def call(self, path: str, message: Message) -> int:
        return self.ask("POST", path, message, Mesos_Stream_Id=self.stream_id)[0]

    def close(self) -> None:
        if self.stream is not None:
            self.stream.close()
            self.connection.close()


class Framework(Client):
    def start(self, **info: Any) -> None:
        whole = {"user": "root", "name": "f", "failover_timeout": 60.0, **info}
        call = {"type": "SUBSCRIBE", "subscribe": {"framework_info": whole}}
        if "id" in whole:
            call["framework_id"] = whole["id"]
        assert self.subscribe("/api/v1/scheduler", call) == 200
        self.id = self.event("SUBSCRIBED")["subscribed"]["framework_id"]

    def do(self, kind: str, **fields: Any) -> None:
        assert self.call("/api/v1/scheduler", {"framework_id": self.id, "type": kind, **fields}) == 202


class Agent(Client):
    def start(self, agent_id: Message | None = None, tasks: list[Message] | None = None, **more: Any) -> None:
        info: Message = {"hostname": "h", "port": 5051, "resources": parse_resources("cpus:4;mem:4096").to_messages()}
        if agent_id is not None:
            info["id"] = agent_id
        call = {"agent_info": info, "version": "1.11.0", "tasks": tasks or [], **more}
        assert self.subscribe("/internal/v1/agent", {"type": "SUBSCRIBE", "subscribe": call}) == 200
        self.id = self.event("SUBSCRIBED")["subscribed"]["agent_id"]


def until(what: Callable[[], Any]) -> Any:
    """What `what` gives as soon as it is true."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (value := what()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return value


@pytest.fixture
def master(request: pytest.FixtureRequest) -> Iterator[ServiceThread]:
    settings = getattr(request, "param", {})
    with ServiceThread(MasterServer(MasterSettings(**settings))) as started:
        yield started


def test_a_task_over_the_wire(master: ServiceThread) -> None:
    agent, framework = Agent(master.url), Framework(master.url)
    agent.start()
    framework.start()
    [offer] = framework.event("OFFERS")["offers"]["offers"]
    task = {
        "name": "t",
        "task_id": {"value": "t"},
        "agent_id": offer["agent_id"],
        "command": {"value": "größer"},
        "resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.0}}],
    }
    launch = {"type": "LAUNCH", "launch": {"task_infos": [task]}}
    framework.do("ACCEPT", accept={"offer_ids": [offer["id"]], "operations": [launch]})
    assert agent.event("RUN_TASK")["run_task"]["task"]["command"]["value"] == "größer"
    status = {"task_id": {"value": "t"}, "state": "TASK_RUNNING", "uuid": "AAAAAAAAAAAAAAAAAAAAAA=="}
    update = {"framework_id": framework.id, "status": status}
    assert agent.call("/internal/v1/agent", {"type": "UPDATE", "updates": [update]}) == 202
    assert framework.event("UPDATE")["update"]["status"]["agent_id"] == agent.id
    [shown] = Client(master.url).get("/state")["frameworks"][0]["tasks"]
    assert shown["state"] == "TASK_RUNNING"
    framework.close()
    until(lambda: not Client(master.url).get("/state")["frameworks"][0]["connected"])
    agent.close()
    until(lambda: not Client(master.url).get("/state")["slaves"][0]["active"])


@pytest.mark.parametrize("master", [{"scheduler_heartbeat_interval": "50ms"}], indirect=True)
def test_heartbeats_may_be_short(master: ServiceThread) -> None:
    framework = Framework(master.url)
    framework.start()
    for _ in range(3):
        framework.event("HEARTBEAT")
    framework.close()


@pytest.mark.parametrize("master", [{"metrics_port": 0}], indirect=True)
def test_prometheus_has_the_figures(master: ServiceThread) -> None:
    server = master.service
    assert isinstance(server, MasterServer)
    _, body, _ = Client(server.running.metrics_url.rpartition("/")[0]).ask("GET", "/metrics")
    assert b"\nmesos_master_elected 1.0\n" in body
    assert b"\nmesos_master_slaves_active 0.0\n" in body


def test_the_registry_is_on_disk(tmp_path: Path) -> None:
    with ServiceThread(MasterServer(MasterSettings(dir=tmp_path))) as first:
        agent = Agent(first.url)
        agent.start()
        quota = {"quota_configs": [{"role": "a", "limits": {"cpus": {"value": 1.0}}}]}
        assert Client(first.url).ask("POST", "/api/v1", {"type": "UPDATE_QUOTA", "update_quota": quota})[0] == 200
        agent.close()
    with ServiceThread(MasterServer(MasterSettings(dir=tmp_path))) as second:
        state = Client(second.url).get("/state")
        assert [one["id"] for one in state["recovered_slaves"]] == [agent.id["value"]]
        again = Agent(second.url)
        again.start(agent.id)
        assert again.id == agent.id
        again.close()


def test_what_was_answered_is_there_after_kill_9(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "smackbox", "mesos", "master", "--port=0", f"--dir={tmp_path}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[2]
        for number in range(20):
            weights = {"weight_infos": [{"role": f"r{number}", "weight": 2.0}]}
            assert Client(url).ask("POST", "/api/v1", {"type": "UPDATE_WEIGHTS", "update_weights": weights})[0] == 200
    finally:
        process.kill()
        process.communicate()
    with ServiceThread(MasterServer(MasterSettings(dir=tmp_path))) as master:
        assert len(Client(master.url).get("/weights")) == 20


def test_the_log_shows_more_for_a_while(master: ServiceThread) -> None:
    def set_level(level: int, nanoseconds: int) -> None:
        call = {"level": level, "duration": {"nanoseconds": nanoseconds}}
        message = {"type": "SET_LOGGING_LEVEL", "set_logging_level": call}
        assert Client(master.url).ask("POST", "/api/v1", message)[0] == 200

    def level() -> int:
        body = Client(master.url).ask("POST", "/api/v1", {"type": "GET_LOGGING_LEVEL"})[1]
        return int(json.loads(body)["get_logging_level"]["level"])

    set_level(2, 60_000_000_000)
    assert level() == 2
    until(lambda: logging.getLogger("smackbox.mesos").level == logging.DEBUG)
    set_level(1, 1)
    until(lambda: level() == 0)
    assert logging.getLogger("smackbox.mesos").level == logging.NOTSET


class TestAuthentication:
    @pytest.fixture
    def secure(self, tmp_path: Path) -> Iterator[ServiceThread]:
        credentials = tmp_path / "credentials.json"
        credentials.write_text(
            '{"credentials": [{"principal": "op", "secret": "s1"}, {"principal": "f", "secret": "s2"}]}'
        )
        acls = tmp_path / "acls.json"
        acls.write_text(
            '{"teardown_frameworks": [{"principals": {"values": ["op"]}, "framework_principals": {"type": "ANY"}},'
            ' {"principals": {"type": "ANY"}, "framework_principals": {"type": "NONE"}}]}'
        )
        settings = MasterSettings(
            host="0.0.0.0",
            authenticate_frameworks=True,
            authenticate_agents=True,
            authenticate_http_readonly=True,
            authenticate_http_readwrite=True,
            credentials=credentials,
            acls=acls,
        )
        with ServiceThread(MasterServer(settings)) as started:
            yield started

    def test_who_is_unknown_is_refused(self, secure: ServiceThread) -> None:
        url = secure.url.replace("0.0.0.0", "127.0.0.1")
        for path, realm in (
            ("/api/v1/scheduler", "mesos-master-scheduler"),
            ("/internal/v1/agent", "mesos-master-agent"),
            ("/api/v1", "mesos-master-readwrite"),
            ("/teardown", "mesos-master-readwrite"),
        ):
            for client in (Client(url), Client(url, "op:wrong"), Client(url, "nix:s1")):
                status, _, headers = client.ask("POST", path, {})
                assert (status, headers["WWW-Authenticate"]) == (401, f'Basic realm="{realm}"')
        assert Client(url).ask("GET", "/state")[0] == 401
        assert Client(url).ask("GET", "/health")[0] == 200

    def test_who_is_known_may_do_what_the_lists_say(self, secure: ServiceThread) -> None:
        url = secure.url.replace("0.0.0.0", "127.0.0.1")
        framework = Framework(url, "f:s2")
        framework.start()
        teardown = {"type": "TEARDOWN", "teardown": {"framework_id": framework.id}}
        assert Client(url, "f:s2").ask("POST", "/api/v1", teardown)[0] == 403
        other = Client(url, "op:s1")
        other.stream_id = framework.stream_id
        assert other.call("/api/v1/scheduler", {"framework_id": framework.id, "type": "REVIVE"}) == 400
        assert other.ask("POST", "/api/v1", teardown)[0] == 200
        framework.close()

    def test_nobody_unknown_starts_a_process_from_afar(self, tmp_path: Path) -> None:
        with pytest.raises(StartError, match="without authentication"):
            ServiceThread(MasterServer(MasterSettings(host="0.0.0.0"))).start()
        with ServiceThread(MasterServer(MasterSettings(host="0.0.0.0", insecure=True))):
            pass

    @pytest.mark.parametrize(
        ("text", "said"),
        [('{"credentials": [{}]}', "secret|principal"), ("x", "credentials"), (None, "cannot be read")],
    )
    def test_bad_credentials(self, tmp_path: Path, text: str | None, said: str) -> None:
        path = tmp_path / "credentials"
        if text is not None:
            path.write_text(text)
        with pytest.raises(SettingError, match=said):
            MasterServer(MasterSettings(credentials=path))


@pytest.mark.parametrize(
    "settings",
    [
        {"allocation_interval": "soon"},
        {"allocation_interval": "0ms"},
        {"max_agent_ping_timeouts": 0},
        {"authenticate_agents": True},
        {"min_allocatable_resources": "cpus"},
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        ServiceThread(MasterServer(MasterSettings(**settings))).start()


def test_tls() -> None:
    settings = MasterSettings(ssl_cert_file=CERTIFICATES / "server.pem", ssl_key_file=CERTIFICATES / "server.key")
    context = ssl.create_default_context(cafile=str(CERTIFICATES / "ca.pem"))
    context.check_hostname = False
    with ServiceThread(MasterServer(settings)) as master:
        assert master.url.startswith("https://")
        assert Client(master.url, context=context).get("/version")["version"] == "1.11.0"


class TestElection:
    @pytest.fixture
    def zookeeper(self) -> Iterator[str]:
        with ServiceThread(ZooKeeperServer(ZooKeeperSettings(tick_time_ms=200))) as started:
            yield started.url

    def master(self, zookeeper: str) -> ServiceThread:
        settings = MasterSettings(zk=f"zk://{zookeeper}/mesos", zk_session_timeout="4secs")
        started = ServiceThread(MasterServer(settings))
        started.start()
        return started

    def test_the_second_takes_over_with_all_that_the_first_knew(self, zookeeper: str) -> None:
        first, second = self.master(zookeeper), self.master(zookeeper)
        try:
            leads = until(lambda: next((one for one in (first, second) if elected(one)), None))
            other = second if leads is first else first
            until(lambda: Client(other.url).ask("GET", "/redirect")[0] == 307)
            status, _, headers = Client(other.url).ask("POST", "/api/v1/scheduler", {})
            assert (status, headers["Location"]) == (
                307,
                f"//{leads.url.removeprefix('http://')}/api/v1/scheduler",
            )
            assert Client(other.url).get("/metrics/snapshot")["master/elected"] == 0.0
            agent, framework = Agent(leads.url), Framework(leads.url)
            agent.start()
            framework.start()
            [offer] = framework.event("OFFERS")["offers"]["offers"]
            leads.stop()
            with pytest.raises((EOFError, OSError, http.client.HTTPException)):
                framework.event("NEVER")
            agent.close()
            framework.close()
            until(lambda: elected(other))
            until(lambda: Client(other.url).ask("GET", "/state")[0] == 200)
            state = Client(other.url).get("/state")
            assert [one["id"] for one in state["recovered_slaves"]] == [agent.id["value"]]
            task = {
                "name": "t",
                "task_id": {"value": "t"},
                "framework_id": framework.id,
                "agent_id": agent.id,
                "state": "TASK_RUNNING",
                "resources": offer["resources"],
            }
            info = {"user": "root", "name": "f", "id": framework.id, "failover_timeout": 60.0}
            again, back = Agent(other.url), Framework(other.url)
            again.start(agent.id, [task], frameworks=[info])
            assert again.id == agent.id
            back.start(id=framework.id)
            back.do("RECONCILE", reconcile={"tasks": []})
            assert back.event("UPDATE")["update"]["status"]["state"] == "TASK_RUNNING"
            again.close()
            back.close()
        finally:
            for one in (first, second):
                if one is not leads:
                    one.stop()

    def test_a_leader_whose_node_is_gone_stores_nothing_and_lets_another_lead(self, zookeeper: str) -> None:
        from kazoo.client import KazooClient

        first, second = self.master(zookeeper), self.master(zookeeper)
        client = KazooClient(zookeeper)
        client.start(TIMEOUT_S)
        try:
            leads = until(lambda: next((one for one in (first, second) if elected(one)), None))
            until(lambda: Client(leads.url).ask("GET", "/state")[0] == 200)
            framework = Framework(leads.url)
            framework.start()
            lowest = min(one for one in client.get_children("/mesos") if one.startswith("json.info_"))
            client.delete(f"/mesos/{lowest}")
            quota = {"quota_configs": [{"role": "a", "limits": {"cpus": {"value": 1.0}}}]}
            status = Client(leads.url).ask("POST", "/api/v1", {"type": "UPDATE_QUOTA", "update_quota": quota})[0]
            assert status in {503, 307}
            with pytest.raises((EOFError, OSError, http.client.HTTPException)):
                framework.event("NEVER")
            framework.close()
            other = second if leads is first else first
            until(lambda: elected(other) and Client(other.url).ask("GET", "/state")[0] == 200)
            assert Client(other.url).get("/quota") == {"infos": [], "configs": []}
            until(lambda: Client(leads.url).ask("GET", "/state")[0] == 307)
        finally:
            client.stop()
            client.close()
            first.stop()
            second.stop()

    def test_the_node_has_what_clients_read(self, zookeeper: str) -> None:
        from kazoo.client import KazooClient

        master = self.master(zookeeper)
        client = KazooClient(zookeeper)
        client.start(TIMEOUT_S)
        try:
            until(lambda: elected(master))
            [name] = [one for one in client.get_children("/mesos") if one.startswith("json.info_")]
            assert name.removeprefix("json.info_").isdigit()
            info = json.loads(client.get(f"/mesos/{name}")[0])
            host, _, port = master.url.removeprefix("http://").rpartition(":")
            assert info["address"] == {"hostname": host, "ip": host, "port": int(port)}
            assert info["pid"] == f"master@{host}:{port}"
            assert info["ip"] == int.from_bytes(bytes([127, 0, 0, 1]), "little")
            assert {"id", "hostname", "port", "version"} <= set(info)
        finally:
            client.stop()
            client.close()
            master.stop()


def elected(master: ServiceThread) -> bool:
    return bool(Client(master.url).get("/metrics/snapshot")["master/elected"])
