"""What operators read and change, by the v1 API and by the classic endpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from tests.mesos.master.cluster import Cluster, FakeAgent, FakeFramework, Stream, task

from smackbox.mesos.http.access import Access
from smackbox.mesos.http.access_lists import AccessLists
from smackbox.mesos.http.answers import PROTOBUF
from smackbox.mesos.master.handlers.operator import CHANGES, READS, READS_OF
from smackbox.mesos.wire import json_format, protobuf
from smackbox.mesos.wire.fields import enum_numbers
from smackbox.net.http import HttpResponse, HttpStream


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(cluster="test", flags={"work_dir": "/w"})


def populated(cluster: Cluster) -> tuple[FakeFramework, FakeAgent]:
    agent = FakeAgent(cluster, attributes=[{"name": "rack", "type": "TEXT", "text": {"value": "r1"}}])
    framework = FakeFramework(cluster, labels={"labels": [{"key": "k", "value": "v"}]})
    [offer] = framework.offers()
    executor = {"executor_id": {"value": "e"}, "command": {"value": "run"}, "resources": []}
    custom = {**task(offer, "t2"), "executor": executor}
    del custom["command"]
    framework.launch(offer, task(offer, "t1"), custom, refuse_seconds=0)
    agent.run()
    agent.status(framework.id, "t1", "TASK_FINISHED")
    for status in framework.statuses():
        framework.acknowledge(status)
    cluster.advance(1)
    return framework, agent


def test_every_call_of_the_table_is_served_or_refused(cluster: Cluster) -> None:
    kinds = set(enum_numbers("master.Call.Type")) - {"UNKNOWN", "SUBSCRIBE"}
    assert set(READS) | set(READS_OF) | set(CHANGES) == kinds


@pytest.mark.parametrize("kind", sorted(READS))
def test_what_is_read_is_the_same_in_json_and_protobuf(cluster: Cluster, kind: str) -> None:
    populated(cluster)
    answer = cluster.post("/api/v1/operator", {"type": kind})
    assert isinstance(answer, HttpResponse) and answer.status == 200
    shown = json_format.decode("master.Response", answer.body)
    assert shown == msgspec.json.decode(answer.body)
    assert shown["type"] == kind and kind.lower() in shown
    body = protobuf.encode("master.Call", {"type": kind})
    answer = cluster.request("POST", "/api/v1", body, {"content-type": PROTOBUF, "accept": PROTOBUF})
    assert isinstance(answer, HttpResponse) and answer.content_type == PROTOBUF
    read = protobuf.decode("master.Response", answer.body)
    if kind != "GET_METRICS":
        assert without_empty(read) == without_empty(shown)


def without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_empty(one) for key, one in value.items() if one != []}
    return [without_empty(one) for one in value] if isinstance(value, list) else value


def test_the_state_in_parts(cluster: Cluster) -> None:
    framework, agent = populated(cluster)
    state = cluster.operate("GET_STATE")["get_state"]
    assert [one["task_id"]["value"] for one in state["get_tasks"]["tasks"]] == ["t2"]
    assert [one["task_id"]["value"] for one in state["get_tasks"]["completed_tasks"]] == ["t1"]
    assert state["get_executors"]["executors"][0]["executor_info"]["executor_id"] == {"value": "e"}
    assert state["get_agents"]["agents"][0]["agent_info"]["id"] == {"value": agent.id}
    assert state["get_frameworks"]["frameworks"][0]["framework_info"]["id"] == {"value": framework.id}
    assert len(state["get_frameworks"]["frameworks"][0]["offers"]) == 1


@pytest.mark.parametrize(
    ("call", "status"),
    [
        ({}, 400),
        ({"type": "NIX"}, 400),
        ({"type": "UNKNOWN"}, 501),
        ({"type": "TEARDOWN"}, 400),
        ({"type": "TEARDOWN", "teardown": {"framework_id": {"value": "nix"}}}, 400),
        ({"type": "MARK_AGENT_GONE", "mark_agent_gone": {"agent_id": {"value": "nix"}}}, 404),
        ({"type": "DRAIN_AGENT", "drain_agent": {"agent_id": {"value": "nix"}}}, 400),
        ({"type": "READ_FILE", "read_file": {"path": "/nix", "offset": 0}}, 404),
        ({"type": "LIST_FILES"}, 400),
        (
            {
                "type": "GROW_VOLUME",
                "grow_volume": {
                    "volume": {"name": "disk", "type": "SCALAR"},
                    "addition": {"name": "disk", "type": "SCALAR"},
                },
            },
            501,
        ),
    ],
)
def test_what_is_refused(cluster: Cluster, call: dict[str, Any], status: int) -> None:
    answer = cluster.post("/api/v1", call)
    assert isinstance(answer, HttpResponse)
    assert answer.status == status


def test_a_subscriber_hears_what_changes(cluster: Cluster) -> None:
    answer = cluster.post("/api/v1", {"type": "SUBSCRIBE"})
    assert isinstance(answer, HttpStream)
    stream = Stream(answer)
    assert [event["type"] for event in stream.events()] == ["SUBSCRIBED", "HEARTBEAT"]
    framework, _ = populated(cluster)
    framework.do("TEARDOWN")
    events = stream.events()
    for event in events:
        json_format.check("master.Event", event)
    assert [event["type"] for event in events] == [
        "AGENT_ADDED",
        "FRAMEWORK_ADDED",
        "TASK_ADDED",
        "TASK_ADDED",
        "TASK_UPDATED",
        "TASK_UPDATED",
        "TASK_UPDATED",
        "TASK_UPDATED",
        "FRAMEWORK_REMOVED",
    ]
    cluster.advance(15)
    assert [event["type"] for event in stream.events()] == ["HEARTBEAT"]
    stream.stream.close()
    assert not cluster.master.subscribers


class TestEndpoints:
    def test_state(self, cluster: Cluster) -> None:
        framework, agent = populated(cluster)
        state = cluster.get("/master/state.json")
        assert state["cluster"] == "test"
        assert state["version"].count(".") == 2
        assert state["leader_info"]["port"] == 5050
        assert state["pid"] == "master@127.0.0.1:5050"
        [slave] = state["slaves"]
        assert (slave["id"], slave["hostname"], slave["pid"]) == (agent.id, "host", "slave(1)@127.0.0.1:5051")
        assert slave["used_resources"]["cpus"] == 1.0
        assert slave["resources"]["ports"] == "[31000-32000]"
        assert slave["attributes"] == {"rack": "r1"}
        [shown] = state["frameworks"]
        assert shown["id"] == framework.id and shown["labels"] == [{"key": "k", "value": "v"}]
        assert [one["id"] for one in shown["tasks"]] == ["t2"]
        assert [(one["id"], one["state"]) for one in shown["completed_tasks"]] == [("t1", "TASK_FINISHED")]
        assert [one["state"] for one in shown["completed_tasks"][0]["statuses"]] == ["TASK_RUNNING", "TASK_FINISHED"]
        assert shown["executors"][0]["executor_id"] == "e"
        assert len(shown["offers"]) == 1

    def test_the_rest_of_what_is_read(self, cluster: Cluster) -> None:
        framework, agent = populated(cluster)
        summary = cluster.get("/state-summary")
        assert summary["slaves"][0]["TASK_RUNNING"] == 1
        assert summary["frameworks"][0]["TASK_FINISHED"] == 1
        assert summary["frameworks"][0]["slave_ids"] == [agent.id]
        assert [one["id"] for one in cluster.get("/slaves")["slaves"]] == [agent.id]
        assert cluster.get("/slaves", slave_id="nix")["slaves"] == []
        assert [one["id"] for one in cluster.get("/frameworks")["frameworks"]] == [framework.id]
        assert {one["id"] for one in cluster.get("/tasks")["tasks"]} == {"t1", "t2"}
        assert len(cluster.get("/tasks", limit="1")["tasks"]) == 1
        assert [one["id"] for one in cluster.get("/tasks", task_id="t1")["tasks"]] == ["t1"]
        [role] = cluster.get("/roles")["roles"]
        assert (role["name"], role["frameworks"], role["allocated"]["cpus"]) == ("*", [framework.id], 1.0)
        assert cluster.get("/metrics/snapshot")["master/tasks_running"] == 1
        assert cluster.get("/metrics/snapshot")["master/cpus_used"] == 1.0
        assert cluster.get("/version")["version"].count(".") == 2
        assert cluster.get("/maintenance/status") == {"draining_machines": [], "down_machines": []}
        answer = cluster.request("GET", "/health")
        assert isinstance(answer, HttpResponse) and answer.status == 200
        answer = cluster.request("GET", "/redirect")
        assert isinstance(answer, HttpResponse) and answer.headers["Location"] == "//localhost:5050"
        answer = cluster.request("PUT", "/state")
        assert isinstance(answer, HttpResponse) and answer.status == 405

    def form(self, cluster: Cluster, path: str, **fields: str) -> int:
        answer = cluster.request("POST", path, urlencode(fields).encode())
        assert isinstance(answer, HttpResponse)
        return answer.status

    def test_teardown(self, cluster: Cluster) -> None:
        framework, _ = populated(cluster)
        assert self.form(cluster, "/teardown") == 400
        assert self.form(cluster, "/teardown", frameworkId="nix") == 400
        assert self.form(cluster, "/teardown", frameworkId=framework.id) == 200
        assert not cluster.master.frameworks

    def test_reservations_and_volumes(self, cluster: Cluster) -> None:
        framework, agent = populated(cluster)
        resource = {
            "name": "disk",
            "type": "SCALAR",
            "scalar": {"value": 100.0},
            "role": "ads",
            "reservation": {"principal": "p"},
        }
        volume = {
            **resource,
            "disk": {"persistence": {"id": "v"}, "volume": {"container_path": "p", "mode": "RW"}},
        }
        resources, volumes = (msgspec.json.encode([one]).decode() for one in (resource, volume))
        assert self.form(cluster, "/reserve", slaveId=agent.id, resources=resources) == 202
        assert framework.stream.events("RESCIND")
        assert cluster.master.agents[agent.id].total.reserved("ads").scalar("disk") == 100
        assert self.form(cluster, "/create-volumes", slaveId=agent.id, volumes=volumes) == 202
        assert self.form(cluster, "/create-volumes", slaveId=agent.id, volumes=volumes) == 400
        assert self.form(cluster, "/unreserve", slaveId=agent.id, resources=resources) == 409
        assert self.form(cluster, "/destroy-volumes", slaveId=agent.id, volumes=volumes) == 202
        assert self.form(cluster, "/unreserve", slaveId=agent.id, resources=resources) == 202
        assert not cluster.master.agents[agent.id].total.reserved()
        assert self.form(cluster, "/reserve", slaveId="nix", resources=resources) == 400
        assert self.form(cluster, "/reserve", slaveId=agent.id, resources="{") == 400
        assert len(agent.stream.events("CHECKPOINT_RESOURCES")) == 4

    def test_weights(self, cluster: Cluster) -> None:
        framework, _ = populated(cluster)
        answer = cluster.request("PUT", "/weights", b'[{"role":"a","weight":2.5}]')
        assert isinstance(answer, HttpResponse) and answer.status == 200
        assert cluster.get("/weights") == [{"role": "a", "weight": 2.5}]
        assert framework.stream.events("RESCIND")
        for body in (b"[{}]", b'[{"role":"a","weight":0}]', b'[{"role":"a b","weight":1}]', b"x"):
            answer = cluster.request("PUT", "/weights", body)
            assert isinstance(answer, HttpResponse) and answer.status == 400

    def test_quota(self, cluster: Cluster) -> None:
        framework, _ = populated(cluster)
        body = b'{"role":"ads","guarantee":[{"name":"cpus","type":"SCALAR","scalar":{"value":%d}}]%s}'

        def post(cpus: int, more: bytes = b"") -> int:
            answer = cluster.request("POST", "/quota", body % (cpus, more))
            assert isinstance(answer, HttpResponse)
            return answer.status

        assert post(99) == 409
        assert post(2) == 200
        assert framework.stream.events("RESCIND")
        assert post(2) == 400
        [info] = cluster.get("/quota")["infos"]
        assert info["role"] == "ads" and info["guarantee"][0]["scalar"] == {"value": 2.0}
        answer = cluster.request("DELETE", "/quota/ads")
        assert isinstance(answer, HttpResponse) and answer.status == 200
        assert cluster.get("/quota")["infos"] == []
        answer = cluster.request("DELETE", "/quota/ads")
        assert isinstance(answer, HttpResponse) and answer.status == 400
        assert post(99, b',"force":true') == 200

    @pytest.mark.parametrize(
        "config",
        [
            {"role": "a/b", "limits": {"cpus": {"value": 1.0}}},
            {"role": "*", "limits": {"cpus": {"value": 1.0}}},
            {"role": "a", "guarantees": {"cpus": {"value": 2.0}}, "limits": {"cpus": {"value": 1.0}}},
            {"role": "a", "guarantees": {"cpus": {"value": -2.0}}},
            {"role": "a", "guarantees": {"cpus": {"value": 1000.0}}},
        ],
    )
    def test_what_can_be_no_quota(self, cluster: Cluster, config: dict[str, Any]) -> None:
        answer = cluster.post("/api/v1", {"type": "UPDATE_QUOTA", "update_quota": {"quota_configs": [config]}})
        assert isinstance(answer, HttpResponse) and answer.status == 400
        assert not cluster.records

    def test_files(self, cluster: Cluster, tmp_path: Path) -> None:
        (tmp_path / "logs").mkdir()
        (tmp_path / "secret").write_text("x")
        (tmp_path / "logs" / "master.log").write_text("line 1\n")
        cluster.context.files["/master/logs"] = str(tmp_path / "logs")
        [entry] = cluster.get("/files/browse", path="/master/logs")
        assert (entry["path"], entry["size"], entry["mode"][0]) == ("/master/logs/master.log", 7, "-")
        assert cluster.get("/files/read", path="/master/logs/master.log") == {"offset": 7, "data": ""}
        assert cluster.get("/files/read", path="/master/logs/master.log", offset="5")["data"] == "1\n"
        answer = cluster.request("GET", "/files/download", query={"path": "/master/logs/master.log"})
        assert isinstance(answer, HttpResponse) and answer.body == b"line 1\n"
        assert cluster.get("/files/debug") == {"/master/logs": str(tmp_path / "logs")}
        answer = cluster.request("GET", "/files/read", query={"path": "/master/logs/../secret"})
        assert isinstance(answer, HttpResponse) and answer.status == 404
        answer = cluster.request("GET", "/files/read")
        assert isinstance(answer, HttpResponse) and answer.status == 400
        read = cluster.operate("READ_FILE", read_file={"path": "/master/logs/master.log", "offset": 0, "length": 4})
        assert read["read_file"] == {"size": 7, "data": "bGluZQ=="}
        infos = cluster.operate("LIST_FILES", list_files={"path": "/master/logs"})["list_files"]["file_infos"]
        assert [one["path"] for one in infos] == ["/master/logs/master.log"]


class TestAccess:
    def lists(self, **rules: Any) -> Cluster:
        return Cluster(access=Access(lists=AccessLists({"permissive": True, **rules})))

    def test_roles(self) -> None:
        rule = {"principals": {"values": ["good"]}, "roles": {"values": ["ads/%", "ads"]}}
        nobody = {"principals": {"type": "ANY"}, "roles": {"type": "NONE"}}
        cluster = self.lists(register_frameworks=[rule, nobody])
        assert FakeFramework(cluster, principal="good", role="ads/eu").id
        assert not FakeFramework(cluster, principal="good", role="web").id
        bad = FakeFramework(cluster, principal="bad", role="ads")
        assert "not authorized to use role" in bad.stream.events("ERROR")[0]["error"]["message"]

    def test_users_of_tasks(self) -> None:
        cluster = self.lists(run_tasks=[{"principals": {"type": "ANY"}, "users": {"type": "NONE"}}])
        FakeAgent(cluster)
        framework = FakeFramework(cluster)
        [offer] = framework.offers()
        framework.launch(offer, task(offer, "t1"))
        [status] = framework.statuses()
        assert (status["state"], status["reason"]) == ("TASK_ERROR", "REASON_TASK_UNAUTHORIZED")

    @pytest.mark.parametrize(
        ("action", "field", "call"),
        [
            ("teardown_frameworks", "framework_principals", "teardown"),
            ("update_weights", "roles", "update_weights"),
            ("update_quotas", "roles", "update_quota"),
            ("mark_agents_gone", "agents", "mark_agent_gone"),
            ("drain_agents", "agents", "drain_agent"),
        ],
    )
    def test_operators(self, action: str, field: str, call: str) -> None:
        cluster = self.lists(**{action: [{"principals": {"type": "ANY"}, field: {"type": "NONE"}}]})
        framework, agent = populated(cluster)
        fields = {
            "teardown": {"framework_id": {"value": framework.id}},
            "update_weights": {"weight_infos": [{"role": "a", "weight": 2.0}]},
            "update_quota": {"quota_configs": [{"role": "a", "limits": {"cpus": {"value": 1.0}}}]},
            "mark_agent_gone": {"agent_id": {"value": agent.id}},
            "drain_agent": {"agent_id": {"value": agent.id}},
        }[call]
        answer = cluster.post("/api/v1", {"type": call.upper(), call: fields})
        assert isinstance(answer, HttpResponse) and answer.status == 403

    def test_what_one_may_not_see_is_not_shown(self) -> None:
        nobody = [{"principals": {"type": "ANY"}, "users": {"type": "NONE"}}]
        cluster = self.lists(view_frameworks=nobody, view_tasks=nobody)
        populated(cluster)
        assert cluster.get("/state")["frameworks"] == []
        assert cluster.get("/tasks")["tasks"] == []
        assert cluster.operate("GET_FRAMEWORKS")["get_frameworks"]["frameworks"] == []
