"""Launching, updating, killing and reconciling tasks."""

from __future__ import annotations

from typing import Any

import pytest
from tests.mesos.master.cluster import Cluster, FakeAgent, FakeFramework, nothing_said, task

AWARE = [{"type": "PARTITION_AWARE"}]


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def started(cluster: Cluster, **info: Any) -> tuple[FakeFramework, FakeAgent, dict[str, Any]]:
    agent = FakeAgent(cluster)
    framework = FakeFramework(cluster, **info)
    [offer] = framework.offers()
    return framework, agent, offer


def test_an_offer_says_all_that_there_is(cluster: Cluster) -> None:
    framework, agent, offer = started(cluster)
    assert offer["agent_id"] == {"value": agent.id}
    assert offer["framework_id"] == {"value": framework.id}
    assert offer["hostname"] == "host"
    assert offer["allocation_info"] == {"role": "*"}
    assert offer["url"]["address"] == {"hostname": "host", "ip": "127.0.0.1", "port": 5051}
    assert {one["name"] for one in offer["resources"]} == {"cpus", "mem", "disk", "ports"}
    assert all(one["role"] == "*" and one["allocation_info"] == {"role": "*"} for one in offer["resources"])


def test_a_task_runs_and_ends(cluster: Cluster) -> None:
    framework, agent, offer = started(cluster)
    framework.launch(offer, task(offer, "t1"), refuse_seconds=0)
    assert agent.run() == ["t1"]
    [status] = framework.statuses()
    assert (status["state"], status["source"]) == ("TASK_RUNNING", "SOURCE_EXECUTOR")
    framework.acknowledge(status)
    [acknowledged] = agent.stream.events("ACKNOWLEDGE")
    assert acknowledged["acknowledge"]["uuid"] == status["uuid"]
    cluster.advance(1)
    [rest] = framework.offers()
    assert next(one for one in rest["resources"] if one["name"] == "cpus")["scalar"]["value"] == 3.0
    agent.status(framework.id, "t1", "TASK_FINISHED")
    [status] = framework.statuses()
    assert "t1" in cluster.master.frameworks[framework.id].tasks
    framework.acknowledge(status)
    assert not cluster.master.frameworks[framework.id].tasks
    assert cluster.master.frameworks[framework.id].completed[0]["state"] == "TASK_FINISHED"
    cluster.advance(1)
    [back] = framework.offers()
    assert next(one for one in back["resources"] if one["name"] == "cpus")["scalar"]["value"] == 1.0


def test_a_status_is_passed_on_each_time_it_is_repeated(cluster: Cluster) -> None:
    framework, agent, offer = started(cluster)
    framework.launch(offer, task(offer, "t1"))
    agent.run()
    [status] = framework.statuses()
    update = {"framework_id": {"value": framework.id}, "status": status}
    assert agent.call("UPDATE", updates=[update]) == 202
    assert framework.statuses() == [status]
    assert len(cluster.master.frameworks[framework.id].tasks["t1"].message["statuses"]) == 1


def test_one_offer_serves_once(cluster: Cluster) -> None:
    framework, agent, offer = started(cluster)
    framework.launch(offer, task(offer, "t1"))
    framework.launch(offer, task(offer, "t2"))
    [status] = framework.statuses()
    assert (status["task_id"], status["state"], status["reason"]) == (
        {"value": "t2"},
        "TASK_LOST",
        "REASON_INVALID_OFFERS",
    )
    assert agent.run() == ["t1"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"resources": []}, None),
        ({"command": None}, "at least one (but not both) of CommandInfo or ExecutorInfo"),
        ({"task_id": {"value": "a/b"}}, "invalid characters"),
        ({"task_id": {"value": ""}}, "must not be empty"),
        ({"agent_id": {"value": "other"}}, "Task uses invalid agent other"),
        (
            {"resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 99.0}}]},
            "more than available",
        ),
        (
            {"resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": -1.0}}]},
            "negative",
        ),
        ({"health_check": {}}, "must specify 'type'"),
        ({"health_check": {"type": "HTTP"}}, "Expecting 'http' to be set"),
        ({"check": {"type": "TCP", "tcp": {"port": 1}, "delay_seconds": -1.0}}, "'delay_seconds' to be non-negative"),
        ({"kill_policy": {"grace_period": {"nanoseconds": -1}}}, "must be non-negative"),
        (
            {"command": {"value": "x", "environment": {"variables": [{"name": "A"}]}}},
            "must have a value set",
        ),
        (
            {"command": None, "executor": {"executor_id": {"value": "e"}, "type": "CUSTOM"}},
            "'ExecutorInfo.command' must be set",
        ),
    ],
)
def test_an_invalid_task_is_an_error(cluster: Cluster, more: dict[str, Any], said: str | None) -> None:
    framework, agent, offer = started(cluster)
    wanted = {key: value for key, value in {**task(offer, "t1"), **more}.items() if value is not None}
    framework.launch(offer, wanted, task(offer, "t2"))
    statuses = framework.statuses()
    if said is None:
        assert not statuses
        assert agent.run() == ["t1", "t2"]
        return
    [status] = statuses
    assert (status["state"], status["reason"]) == ("TASK_ERROR", "REASON_TASK_INVALID")
    assert status["source"] == "SOURCE_MASTER"
    assert said in status["message"]
    assert "uuid" not in status
    assert agent.run() == ["t2"]


def test_an_id_cannot_be_used_twice(cluster: Cluster) -> None:
    framework, agent, offer = started(cluster)
    framework.launch(offer, task(offer, "t1"), task(offer, "t1"))
    [status] = framework.statuses()
    assert status["state"] == "TASK_ERROR" and "duplicate ID" in status["message"]
    assert agent.run() == ["t1"]


def test_an_executor_is_counted_once(cluster: Cluster) -> None:
    framework, agent, offer = started(cluster)
    executor = {
        "executor_id": {"value": "e"},
        "command": {"value": "run"},
        "resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.5}, "role": "*"}],
    }
    first = {**task(offer, "t1", "cpus:1"), "executor": executor}
    second = {**task(offer, "t2", "cpus:1"), "executor": executor}
    del first["command"], second["command"]
    framework.launch(offer, first, second, refuse_seconds=0)
    assert agent.run() == ["t1", "t2"]
    cluster.advance(1)
    [rest] = framework.offers()
    assert next(one for one in rest["resources"] if one["name"] == "cpus")["scalar"]["value"] == 1.5
    assert rest["executor_ids"] == [{"value": "e"}]
    exited = {"framework_id": {"value": framework.id}, "executor_id": {"value": "e"}, "status": 256}
    assert agent.call("EXITED_EXECUTOR", exited_executor=exited) == 202
    [failure] = framework.stream.events("FAILURE")
    assert failure["failure"] == {
        "agent_id": {"value": agent.id},
        "executor_id": {"value": "e"},
        "status": 256,
    }
    assert not cluster.master.agents[agent.id].executors


def test_a_task_group_is_all_or_nothing(cluster: Cluster) -> None:
    framework, agent, offer = started(cluster)
    executor = {"type": "DEFAULT", "executor_id": {"value": "e"}, "resources": []}
    bad = {"tasks": [task(offer, "t1"), task(offer, "t2", "cpus:99")]}
    framework.accept(
        [offer],
        {"type": "LAUNCH_GROUP", "launch_group": {"executor": executor, "task_group": bad}},
        {
            "type": "LAUNCH_GROUP",
            "launch_group": {"executor": executor, "task_group": {"tasks": [task(offer, "t3"), task(offer, "t4")]}},
        },
    )
    statuses = framework.statuses()
    assert [(one["state"], one["reason"]) for one in statuses] == [("TASK_ERROR", "REASON_TASK_GROUP_INVALID")] * 2
    assert agent.run() == ["t3", "t4"]


def test_offers_of_two_agents_cannot_be_put_together(cluster: Cluster) -> None:
    framework, _, offer = started(cluster, capabilities=AWARE)
    FakeAgent(cluster, port=5052)
    cluster.advance(1)
    [other] = framework.offers()
    framework.accept([offer, other], {"type": "LAUNCH", "launch": {"task_infos": [task(offer, "t1")]}})
    [status] = framework.statuses()
    assert (status["state"], status["reason"]) == ("TASK_DROPPED", "REASON_INVALID_OFFERS")
    assert not cluster.master.offers


def test_several_offers_of_one_agent_can(cluster: Cluster) -> None:
    framework, agent, offer = started(cluster)
    framework.launch(offer, task(offer, "t1", "cpus:2;mem:2000"), refuse_seconds=0)
    agent.run()
    cluster.advance(1)
    [first] = framework.offers()
    agent.status(framework.id, "t1", "TASK_FINISHED")
    cluster.advance(1)
    [second] = framework.offers()
    framework.accept(
        [first, second], {"type": "LAUNCH", "launch": {"task_infos": [task(first, "t2", "cpus:4;mem:4000")]}}
    )
    assert agent.run() == ["t2"]


def test_kill_goes_to_the_agent(cluster: Cluster) -> None:
    framework, agent, offer = started(cluster)
    framework.launch(offer, task(offer, "t1"))
    policy = {"grace_period": {"nanoseconds": 5}}
    framework.do("KILL", kill={"task_id": {"value": "t1"}, "kill_policy": policy})
    [event] = agent.stream.events("KILL_TASK")
    assert event["kill_task"] == {
        "framework_id": {"value": framework.id},
        "task_id": {"value": "t1"},
        "kill_policy": policy,
    }


def test_kill_of_what_is_unknown_is_answered(cluster: Cluster) -> None:
    framework, _, _ = started(cluster)
    framework.do("KILL", kill={"task_id": {"value": "nix"}})
    assert framework.states() == [("nix", "TASK_LOST")]


def test_shutdown_and_messages_reach_the_executor(cluster: Cluster) -> None:
    framework, agent, _ = started(cluster)
    whom = {"executor_id": {"value": "e"}, "agent_id": {"value": agent.id}}
    framework.do("SHUTDOWN", shutdown=whom)
    framework.do("MESSAGE", message={**whom, "data": "aGk="})
    assert agent.stream.events("SHUTDOWN_EXECUTOR")[0]["shutdown_executor"]["executor_id"] == {"value": "e"}
    assert agent.stream.events("MESSAGE")[0]["message"]["data"] == "aGk="
    said = {"framework_id": {"value": framework.id}, "executor_id": {"value": "e"}, "data": "eW8="}
    agent.call("MESSAGE", message=said)
    assert framework.stream.events("MESSAGE")[0]["message"] == {
        "agent_id": {"value": agent.id},
        "executor_id": {"value": "e"},
        "data": "eW8=",
    }


class TestReconciliation:
    def reconcile(self, framework: FakeFramework, *tasks: tuple[str, str | None]) -> list[dict[str, Any]]:
        asked = [
            {"task_id": {"value": task_id}, **({"agent_id": {"value": agent_id}} if agent_id else {})}
            for task_id, agent_id in tasks
        ]
        framework.do("RECONCILE", reconcile={"tasks": asked})
        return framework.statuses()

    def test_all(self, cluster: Cluster) -> None:
        framework, agent, offer = started(cluster)
        framework.launch(offer, task(offer, "t1"), task(offer, "t2"))
        agent.stream.events("RUN_TASK")
        agent.status(framework.id, "t1", "TASK_RUNNING", healthy=True, data="AAAA", message="x")
        framework.statuses()
        framework.do("RECONCILE", reconcile={"tasks": []})
        first, second = framework.statuses()
        assert (first["state"], second["state"]) == ("TASK_RUNNING", "TASK_STAGING")
        assert first["reason"] == second["reason"] == "REASON_RECONCILIATION"
        assert first["healthy"] is True
        assert "uuid" not in first and "data" not in first
        assert first["message"] == "Reconciliation: Latest task state"

    def test_one_that_is_known(self, cluster: Cluster) -> None:
        framework, agent, offer = started(cluster)
        framework.launch(offer, task(offer, "t1"))
        agent.run()
        framework.statuses()
        [status] = self.reconcile(framework, ("t1", None))
        assert status["state"] == "TASK_RUNNING"

    @pytest.mark.parametrize(("capabilities", "state"), [(AWARE, "TASK_GONE"), ([], "TASK_LOST")])
    def test_unknown_on_an_agent_that_is_there(self, cluster: Cluster, capabilities: list[Any], state: str) -> None:
        framework, agent, _ = started(cluster, capabilities=capabilities)
        [status] = self.reconcile(framework, ("nix", agent.id))
        assert status["state"] == state

    @pytest.mark.parametrize(("capabilities", "state"), [(AWARE, "TASK_UNKNOWN"), ([], "TASK_LOST")])
    def test_unknown_altogether(self, cluster: Cluster, capabilities: list[Any], state: str) -> None:
        framework, _, _ = started(cluster, capabilities=capabilities)
        assert [one["state"] for one in self.reconcile(framework, ("nix", "other"), ("nix", None))] == [state] * 2

    @pytest.mark.parametrize(("capabilities", "state"), [(AWARE, "TASK_UNREACHABLE"), ([], "TASK_LOST")])
    def test_on_an_agent_that_is_unreachable(self, cluster: Cluster, capabilities: list[Any], state: str) -> None:
        framework, agent, offer = started(cluster, capabilities=capabilities)
        framework.launch(offer, task(offer, "t1"))
        agent.run()
        agent.go_away()
        cluster.advance(91)
        framework.stream.events()
        for asked in (("t1", agent.id), ("t1", None), ("nix", agent.id)):
            [status] = self.reconcile(framework, asked)
            assert status["state"] == state
            assert "unreachable_time" in status

    @pytest.mark.parametrize(("capabilities", "state"), [(AWARE, "TASK_GONE_BY_OPERATOR"), ([], "TASK_LOST")])
    def test_on_an_agent_that_is_gone(self, cluster: Cluster, capabilities: list[Any], state: str) -> None:
        framework, agent, _ = started(cluster, capabilities=capabilities)
        cluster.operate("MARK_AGENT_GONE", mark_agent_gone={"agent_id": {"value": agent.id}})
        framework.stream.events()
        [status] = self.reconcile(framework, ("nix", agent.id))
        assert status["state"] == state

    def test_nothing_is_said_while_agents_may_come_back(self, cluster: Cluster) -> None:
        framework, agent, _ = started(cluster)
        cluster.new_master()
        framework.subscribe()
        with nothing_said(framework):
            self.reconcile(framework, ("nix", agent.id), ("nix", None))
        assert [one["state"] for one in self.reconcile(framework, ("nix", "other"))] == ["TASK_LOST"]
