"""The order in which Mesos checks a call, and what it answers."""

from __future__ import annotations

import pytest
from tests.mesos.master.cluster import AGENT_LINK, SCHEDULER, Cluster, FakeFramework

from smackbox.mesos.http.answers import JSON, PROTOBUF
from smackbox.mesos.master.handlers import routes
from smackbox.mesos.wire import protobuf
from smackbox.net.http import HttpResponse, HttpStream

SUBSCRIBE = b'{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n"}}}'


def ask(cluster: Cluster, body: bytes = SUBSCRIBE, method: str = "POST", **headers: str) -> tuple[int, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = cluster.request(method, SCHEDULER, body, {"content-type": JSON, **named})
    assert isinstance(answer, HttpResponse), answer
    return answer.status, answer.body.decode()


def test_another_leads() -> None:
    cluster = Cluster()
    cluster.context.leads = False
    cluster.context.leader = {"hostname": "h2", "port": 5050, "address": {"ip": "10.0.0.2", "port": 5050}}
    answer = cluster.request("POST", SCHEDULER, SUBSCRIBE)
    assert isinstance(answer, HttpResponse)
    assert (answer.status, answer.headers["Location"]) == (307, "//h2:5050/api/v1/scheduler")
    cluster.context.leader = None
    assert ask(cluster) == (503, "No leader elected")


def test_it_is_recovering() -> None:
    cluster = Cluster()
    cluster.context.master = None
    assert ask(cluster) == (503, "Master has not finished recovery")


def test_the_checks_come_in_order() -> None:
    cluster = Cluster()
    assert ask(cluster, b"x", "GET", content_type="x/y")[0] == 405
    answer = cluster.request("POST", SCHEDULER, b"x", {})
    assert isinstance(answer, HttpResponse)
    assert (answer.status, answer.body) == (400, b"Expecting 'Content-Type' to be present")
    assert ask(cluster, b"x", accept="x/y")[0] == 400
    assert ask(cluster, SUBSCRIBE, content_type="text/plain", accept="x/y")[0] == 415
    assert ask(cluster, b"{}", accept="x/y") == (
        400,
        "Failed to validate scheduler::Call: Expecting 'type' to be present",
    )
    assert ask(cluster, SUBSCRIBE, accept="x/y", mesos_stream_id="1")[0] == 406
    assert ask(cluster, SUBSCRIBE, mesos_stream_id="1") == (
        400,
        "Subscribe calls should not include the 'Mesos-Stream-Id' header",
    )
    assert ask(cluster, b'{"type":"REVIVE","framework_id":{"value":"nix"}}') == (400, "Framework cannot be found")
    assert ask(cluster, b'{"type":"REVIVE"}')[0] == 400
    assert ask(cluster, b'{"type":"KILL","framework_id":{"value":"nix"}}') == (
        400,
        "Failed to validate scheduler::Call: Expecting 'kill' to be present",
    )


def test_who_is_not_subscribed_may_not_call() -> None:
    cluster = Cluster()
    framework = FakeFramework(cluster)
    revive = b'{"type":"REVIVE","framework_id":{"value":"%s"}}' % framework.id.encode()
    assert ask(cluster, revive)[0] == 400
    assert ask(cluster, revive, mesos_stream_id="other")[0] == 400
    assert ask(cluster, revive, mesos_stream_id=framework.stream.id) == (202, "")
    framework.go_away()
    assert ask(cluster, revive, mesos_stream_id=framework.stream.id) == (403, "Framework is not subscribed")


def test_a_principal_that_is_not_the_frameworks_own() -> None:
    cluster = Cluster()
    framework = FakeFramework(cluster, principal="f")
    assert cluster.master.frameworks[framework.id].info["principal"] == "f"
    framework.principal = "other"
    assert framework.call("REVIVE").status == 400
    call = {"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "u", "name": "n", "principal": "p"}}}
    answer = cluster.post(SCHEDULER, call, principal="q")
    assert isinstance(answer, HttpResponse) and answer.status == 400


def test_accept_matters_only_where_there_is_an_answer() -> None:
    cluster = Cluster()
    framework = FakeFramework(cluster)
    stream = {"mesos_stream_id": framework.stream.id, "accept": "x/y"}
    revive = b'{"type":"REVIVE","framework_id":{"value":"%s"}}' % framework.id.encode()
    assert ask(cluster, revive, **stream)[0] == 202
    reconcile = b'{"type":"RECONCILE_OPERATIONS","reconcile_operations":{},' + revive[17:]
    assert ask(cluster, reconcile, **stream)[0] == 406


def test_a_framework_that_mesos_would_not_take_is_told_so_on_its_stream() -> None:
    cluster = Cluster()
    framework = FakeFramework(cluster, roles=["a"])
    assert framework.stream.stream.closed
    [event] = framework.stream.events()
    assert event["type"] == "ERROR"
    assert "MULTI_ROLE" in event["error"]["message"]
    assert not cluster.master.frameworks


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_both_encodings_in_and_out(kind: str) -> None:
    cluster = Cluster()
    call = {"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "u", "name": "n"}}}
    body = protobuf.encode("scheduler.Call", call) if kind == PROTOBUF else SUBSCRIBE
    answer = cluster.request("POST", SCHEDULER, body, {"content-type": kind, "accept": kind})
    assert isinstance(answer, HttpStream)
    assert answer.content_type == kind
    length, _, record = answer.take().partition(b"\n")
    if kind == PROTOBUF:
        event = protobuf.decode("scheduler.Event", record[: int(length)])
        assert event["type"] == "SUBSCRIBED"
        assert event["subscribed"]["heartbeat_interval_seconds"] == 15.0


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/api/v1/scheduler", "api/v1/scheduler"),
        ("/master/api/v1/scheduler", "api/v1/scheduler"),
        ("/api/v1/scheduler/more/of/it", "api/v1/scheduler"),
        ("/api/v1/operator", "api/v1"),
        ("/master/state.json", "state"),
        ("/state", "state"),
        ("/master/health", "health"),
        (AGENT_LINK, "internal/v1/agent"),
    ],
)
def test_paths_are_shortened_until_one_is_served(path: str, route: str) -> None:
    assert routes.find(path) is routes.ROUTES[route]


def test_a_path_that_nothing_serves() -> None:
    assert routes.find("/nix/state") is None
    assert routes.find("/") is None
