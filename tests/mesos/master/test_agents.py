"""Agents: admitted, away, back, unreachable, gone, drained, under maintenance; and a master that takes over."""

from __future__ import annotations

from typing import Any

import pytest
from tests.mesos.master.cluster import AGENT_LINK, Cluster, FakeAgent, FakeFramework, task

from smackbox.net.http import HttpResponse

AWARE = [{"type": "PARTITION_AWARE"}]


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def running(cluster: Cluster, **info: Any) -> tuple[FakeFramework, FakeAgent]:
    """A framework with a task `t1` that runs on an agent."""
    agent = FakeAgent(cluster)
    framework = FakeFramework(cluster, **info)
    [offer] = framework.offers()
    framework.launch(offer, task(offer, "t1"))
    agent.run()
    [status] = framework.statuses()
    framework.acknowledge(status)
    return framework, agent


def test_an_agent_is_in_the_registry_before_it_is_told_its_id(cluster: Cluster) -> None:
    cluster.store_works = False
    refused = FakeAgent(cluster)
    assert refused.stream.stream.closed and refused.id == ""
    cluster.store_works = True
    agent = FakeAgent(cluster)
    assert f"agent/{agent.id}" in cluster.records
    assert agent.id.endswith("-S1")


def test_what_is_stored_in_one_go_has_a_limit(cluster: Cluster) -> None:
    stored: list[str] = []
    for number in range(5):
        cluster.master.commit({f"weight/{number}": b"1" * 200_000}, lambda: stored.append("1"))
    cluster.master.commit({"weight/a": b"1" * 900_000}, lambda: stored.append("1"))
    batches = []
    while cluster.master.commits:
        batches.append(len(cluster.master.take_commits()))
    assert batches == [2, 2, 1, 1]


def test_what_is_no_call_of_an_agent(cluster: Cluster) -> None:
    agent = FakeAgent(cluster)
    assert agent.call("NIX") == 501
    assert agent.call("UPDATE") == 400
    agent.stream.id = "other"
    assert agent.call("PONG") == 403
    answer = cluster.request("GET", AGENT_LINK)
    assert isinstance(answer, HttpResponse) and answer.status == 405
    answer = cluster.request("POST", AGENT_LINK, b"{")
    assert isinstance(answer, HttpResponse) and answer.status == 400


def test_pings_come_and_answers_keep_the_agent(cluster: Cluster) -> None:
    agent = FakeAgent(cluster)
    for _ in range(20):
        cluster.advance(15)
        assert agent.stream.events("PING")
        agent.call("PONG")
    assert agent.id in cluster.master.agents


@pytest.mark.parametrize(("capabilities", "state"), [(AWARE, "TASK_UNREACHABLE"), ([], "TASK_LOST")])
def test_a_silent_agent_is_unreachable_after_five_pings(cluster: Cluster, capabilities: list[Any], state: str) -> None:
    framework, agent = running(cluster, capabilities=capabilities)
    cluster.advance(89)
    assert agent.id in cluster.master.agents
    cluster.advance(1)
    assert agent.id not in cluster.master.agents
    assert f"unreachable/{agent.id}" in cluster.records and f"agent/{agent.id}" not in cluster.records
    [status] = framework.statuses()
    assert (status["state"], status["reason"]) == (state, "REASON_AGENT_REMOVED")
    assert framework.stream.events("FAILURE") == [{"type": "FAILURE", "failure": {"agent_id": {"value": agent.id}}}]
    assert cluster.master.allocator.totals.quantities["cpus"] == 0


def test_an_unreachable_agent_comes_back_with_its_tasks(cluster: Cluster) -> None:
    framework, agent = running(cluster, capabilities=AWARE)
    agent.go_away()
    cluster.advance(91)
    framework.stream.events()
    agent.subscribe()
    assert f"unreachable/{agent.id}" not in cluster.records
    [status] = framework.statuses()
    assert (status["state"], status["reason"]) == ("TASK_RUNNING", "REASON_AGENT_REREGISTERED")
    assert list(cluster.master.frameworks[framework.id].tasks) == ["t1"]
    pool = cluster.master.allocator.agents[agent.id]
    assert sum(one.scalar("cpus") for one in pool.allocated.values()) == 4
    assert cluster.master.agents[agent.id].used()[framework.id, "*"].scalar("cpus") == 1


def test_an_agent_that_reconnects_keeps_its_tasks_and_its_offers_are_new(cluster: Cluster) -> None:
    framework, agent = running(cluster)
    cluster.advance(6)
    [offer] = framework.offers()
    agent.go_away()
    [rescinded] = framework.stream.events("RESCIND")
    assert rescinded["rescind"]["offer_id"] == offer["id"]
    cluster.advance(1)
    assert not framework.offers()
    agent.subscribe()
    assert len(framework.offers()) == 1
    assert not framework.statuses()
    assert agent.id in cluster.master.agents


def test_a_task_that_the_agent_never_got_is_dropped(cluster: Cluster) -> None:
    agent = FakeAgent(cluster)
    framework = FakeFramework(cluster, capabilities=AWARE)
    [offer] = framework.offers()
    framework.launch(offer, task(offer, "t1"))
    agent.go_away()
    agent.subscribe()
    [status] = framework.statuses()
    assert (status["state"], status["reason"]) == ("TASK_DROPPED", "REASON_RECONCILIATION")
    assert not cluster.master.frameworks[framework.id].tasks


def test_an_agent_that_leaves_is_forgotten(cluster: Cluster) -> None:
    framework, agent = running(cluster)
    assert agent.call("UNSUBSCRIBE") == 202
    assert not cluster.master.agents
    assert f"agent/{agent.id}" not in cluster.records
    assert framework.states() == [("t1", "TASK_LOST")]


def test_an_agent_that_was_given_up_must_end(cluster: Cluster) -> None:
    framework, agent = running(cluster, capabilities=AWARE)
    cluster.operate("MARK_AGENT_GONE", mark_agent_gone={"agent_id": {"value": agent.id}})
    assert agent.stream.events("SHUTDOWN")
    assert framework.states() == [("t1", "TASK_GONE_BY_OPERATOR")]
    agent.subscribe()
    assert agent.stream.events("SHUTDOWN") and agent.stream.stream.closed
    assert not cluster.master.agents


class TestFrameworkLife:
    def test_it_fails_over(self, cluster: Cluster) -> None:
        framework, agent = running(cluster)
        old = framework.stream
        framework.subscribe()
        assert old.events("ERROR")[0]["error"]["message"] == "Framework failed over"
        assert old.stream.closed
        assert list(cluster.master.frameworks[framework.id].tasks) == ["t1"]
        agent.status(framework.id, "t1", "TASK_FINISHED")
        assert framework.states() == [("t1", "TASK_FINISHED")]

    def test_it_fails_over_without_failover_time(self, cluster: Cluster) -> None:
        framework, agent = running(cluster, failover_timeout=0.0)
        framework.subscribe()
        assert list(cluster.master.frameworks[framework.id].tasks) == ["t1"]
        assert not agent.stream.events("SHUTDOWN_FRAMEWORK")

    def test_what_cannot_change_stays_when_it_comes_back(self, cluster: Cluster) -> None:
        framework = FakeFramework(cluster)
        framework.info.update(user="other", name="renamed")
        framework.subscribe()
        info = cluster.master.frameworks[framework.id].info
        assert (info["user"], info["name"]) == ("root", "renamed")

    def test_it_has_its_failover_time(self, cluster: Cluster) -> None:
        framework, agent = running(cluster)
        framework.go_away()
        cluster.advance(59)
        assert framework.id in cluster.master.frameworks
        cluster.advance(2)
        assert framework.id not in cluster.master.frameworks
        assert agent.stream.events("SHUTDOWN_FRAMEWORK")
        framework.subscribe()
        assert framework.stream.events("ERROR")[0]["error"]["message"] == "Framework has been removed"

    def test_without_failover_time_it_ends_at_once(self, cluster: Cluster) -> None:
        framework, agent = running(cluster, failover_timeout=0.0)
        framework.go_away()
        assert not cluster.master.frameworks
        assert agent.stream.events("SHUTDOWN_FRAMEWORK")
        pool = cluster.master.allocator.agents[agent.id]
        assert pool.free == pool.total

    def test_it_is_torn_down(self, cluster: Cluster) -> None:
        framework, agent = running(cluster)
        framework.do("TEARDOWN")
        assert framework.stream.stream.closed
        assert agent.stream.events("SHUTDOWN_FRAMEWORK")
        [completed] = cluster.master.completed_frameworks
        assert completed.completed[0]["state"] == "TASK_KILLED"
        uuid = agent.status(framework.id, "t1", "TASK_KILLED")["uuid"]
        assert agent.stream.events("ACKNOWLEDGE")[-1]["acknowledge"]["uuid"] == uuid

    def test_one_that_does_not_read_is_cut_off(self, cluster: Cluster) -> None:
        framework, agent = running(cluster)
        data = "A" * (1 << 20)
        said = {"framework_id": {"value": framework.id}, "executor_id": {"value": "e"}, "data": data}
        for _ in range(17):
            agent.call("MESSAGE", message=said)
        assert framework.stream.stream.cut_off
        assert not cluster.master.frameworks[framework.id].connected

    def test_heartbeats(self, cluster: Cluster) -> None:
        framework = FakeFramework(cluster)
        assert len(framework.stream.events("HEARTBEAT")) == 1
        cluster.advance(45)
        assert len(framework.stream.events("HEARTBEAT")) == 3

    def test_it_changes_its_roles(self, cluster: Cluster) -> None:
        agent = FakeAgent(cluster)
        framework = FakeFramework(cluster, roles=["a"], capabilities=[{"type": "MULTI_ROLE"}])
        [offer] = framework.offers()
        assert offer["allocation_info"] == {"role": "a"}
        info = {**framework.info, "roles": ["b"]}
        answer = framework.call("UPDATE_FRAMEWORK", update_framework={"framework_info": info})
        assert answer.status == 200
        assert framework.stream.events("RESCIND")
        [offer] = framework.offers()
        assert offer["allocation_info"] == {"role": "b"}
        assert agent.id == offer["agent_id"]["value"]
        bad = {**info, "user": "other"}
        assert framework.call("UPDATE_FRAMEWORK", update_framework={"framework_info": bad}).status == 400

    def test_suppressed_roles_and_revive(self, cluster: Cluster) -> None:
        FakeAgent(cluster)
        framework = FakeFramework(cluster)
        [offer] = framework.offers()
        framework.do("DECLINE", decline={"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 1000.0}})
        cluster.advance(50)
        assert not framework.offers()
        framework.do("REVIVE")
        [offer] = framework.offers()
        framework.do("SUPPRESS")
        framework.do("DECLINE", decline={"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 0.0}})
        cluster.advance(10)
        assert not framework.offers()

    def test_offers_time_out(self) -> None:
        cluster = Cluster(offer_timeout_ms=30_000)
        FakeAgent(cluster)
        framework = FakeFramework(cluster)
        [offer] = framework.offers()
        cluster.advance(30)
        [event] = framework.stream.events("RESCIND")
        assert event["rescind"]["offer_id"] == offer["id"]
        cluster.advance(1)
        assert len(framework.offers()) == 1

    def test_offer_constraints(self, cluster: Cluster) -> None:
        one = FakeAgent(cluster, hostname="h1", attributes=[{"name": "rack", "type": "TEXT", "text": {"value": "r1"}}])
        FakeAgent(cluster, hostname="h2", port=5052)
        framework = FakeFramework(cluster)
        framework.do("SUPPRESS")
        matches = {"selector": {"attribute_name": "rack"}, "predicate": {"text_matches": {"regex": "r[0-9]"}}}
        group = {"attribute_constraints": [matches]}
        constraints = {"role_constraints": {"*": {"groups": [group]}}}
        framework.stream.events()
        framework.subscribe(offer_constraints=constraints)
        assert [offer["agent_id"]["value"] for offer in framework.offers()] == [one.id]
        broken = {"selector": {"attribute_name": "rack"}, "predicate": {"text_matches": {"regex": "["}}}
        bad = {"role_constraints": {"*": {"groups": [{"attribute_constraints": [broken]}]}}}
        answer = framework.call(
            "UPDATE_FRAMEWORK", update_framework={"framework_info": framework.info, "offer_constraints": bad}
        )
        assert answer.status == 400


class TestFailover:
    """Another master takes over, with the registry of the first."""

    def test_tasks_are_known_again(self, cluster: Cluster) -> None:
        framework, agent = running(cluster)
        cluster.new_master()
        assert list(cluster.master.recovered_agents) == [agent.id]
        agent.subscribe()
        recovered = cluster.master.frameworks[framework.id]
        assert recovered.recovered and not recovered.connected
        framework.subscribe()
        assert not cluster.master.frameworks[framework.id].recovered
        framework.do("RECONCILE", reconcile={"tasks": []})
        assert framework.states() == [("t1", "TASK_RUNNING")]
        agent.status(framework.id, "t1", "TASK_FINISHED")
        assert framework.states() == [("t1", "TASK_FINISHED")]

    def test_the_framework_may_come_first(self, cluster: Cluster) -> None:
        framework, agent = running(cluster)
        cluster.new_master()
        framework.subscribe()
        agent.subscribe()
        assert list(cluster.master.frameworks[framework.id].tasks) == ["t1"]
        [offer] = framework.offers()
        assert next(one for one in offer["resources"] if one["name"] == "cpus")["scalar"]["value"] == 3.0

    def test_an_agent_that_does_not_come_back_is_unreachable(self, cluster: Cluster) -> None:
        framework, agent = running(cluster, capabilities=AWARE, failover_timeout=1e6)
        cluster.new_master()
        framework.subscribe()
        cluster.advance(599, step_s=100)
        assert agent.id in cluster.master.recovered_agents
        cluster.advance(10)
        assert f"unreachable/{agent.id}" in cluster.records
        framework.do("RECONCILE", reconcile={"tasks": [{"task_id": {"value": "t1"}, "agent_id": {"value": agent.id}}]})
        assert framework.states() == [("t1", "TASK_UNREACHABLE")]

    def test_quota_weights_and_the_schedule_stay(self, cluster: Cluster) -> None:
        FakeAgent(cluster)
        cluster.operate("UPDATE_WEIGHTS", update_weights={"weight_infos": [{"role": "a", "weight": 2.0}]})
        config = {"role": "a", "guarantees": {"cpus": {"value": 1.0}}, "limits": {"cpus": {"value": 2.0}}}
        cluster.operate("UPDATE_QUOTA", update_quota={"quota_configs": [config]})
        cluster.new_master()
        assert cluster.operate("GET_WEIGHTS")["get_weights"] == {"weight_infos": [{"role": "a", "weight": 2.0}]}
        assert cluster.operate("GET_QUOTA")["get_quota"]["status"]["configs"] == [config]
        assert cluster.master.allocator.quotas.by_role["a"].limits == {"cpus": 2000}

    def test_reservations_and_volumes_come_with_the_agent(self, cluster: Cluster) -> None:
        agent = FakeAgent(cluster)
        framework = FakeFramework(cluster, role="ads", principal="p")
        [offer] = framework.offers()
        framework.accept([offer], reserve("cpus", 2.0), refuse_seconds=0)
        [event] = agent.stream.events("CHECKPOINT_RESOURCES")
        agent.checkpointed = event["checkpoint_resources"]["resources"]
        cluster.new_master()
        agent.subscribe()
        total = cluster.master.agents[agent.id].total
        assert total.reserved("ads").scalar("cpus") == 2
        assert total.scalar("cpus") == 4


def reserve(name: str, amount: float, role: str = "ads", **more: Any) -> dict[str, Any]:
    resource = {
        "name": name,
        "type": "SCALAR",
        "scalar": {"value": amount},
        "role": role,
        "reservation": {"principal": "p"},
    }
    return {"type": "RESERVE", "reserve": {"resources": [resource]}, **more}


class TestOperations:
    def test_reserve_create_launch_destroy_unreserve(self, cluster: Cluster) -> None:
        agent = FakeAgent(cluster)
        framework = FakeFramework(cluster, role="ads", principal="p")
        [offer] = framework.offers()
        volume = {
            **reserve("disk", 100.0)["reserve"]["resources"][0],
            "disk": {
                "persistence": {"id": "v1", "principal": "p"},
                "volume": {"container_path": "data", "mode": "RW"},
            },
        }
        uses = {**task(offer, "t1", "cpus:1"), "resources": [*task(offer, "t1", "cpus:1")["resources"], volume]}
        framework.accept(
            [offer],
            reserve("disk", 500.0),
            {"type": "CREATE", "create": {"volumes": [volume]}},
            {"type": "LAUNCH", "launch": {"task_infos": [uses]}},
            refuse_seconds=0,
        )
        kinds = [event["type"] for event in agent.stream.events() if event["type"] != "PING"]
        assert kinds == ["CHECKPOINT_RESOURCES", "RUN_TASK"]
        total = cluster.master.agents[agent.id].total
        assert total.reserved("ads").scalar("disk") == 500
        assert total.scalar("disk") == 10_000
        cluster.advance(1)
        [offer] = framework.offers()
        framework.accept([offer], {"type": "DESTROY", "destroy": {"volumes": [volume]}}, refuse_seconds=0)
        assert cluster.master.agents[agent.id].total == total
        agent.status(framework.id, "t1", "TASK_FINISHED")
        cluster.advance(1)
        [offer] = framework.offers()
        back = {"type": "UNRESERVE", "unreserve": {"resources": reserve("disk", 500.0)["reserve"]["resources"]}}
        framework.accept([offer], {"type": "DESTROY", "destroy": {"volumes": [volume]}}, back, refuse_seconds=0)
        assert not cluster.master.agents[agent.id].total.reserved()
        [event] = agent.stream.events("CHECKPOINT_RESOURCES")
        assert event["checkpoint_resources"]["resources"] == []
        assert len(event["checkpoint_resources"]["operations"]) == 2

    def test_an_id_of_a_volume_is_given_once_in_a_role(self, cluster: Cluster) -> None:
        FakeAgent(cluster)
        framework = FakeFramework(cluster, role="ads", principal="p")
        [offer] = framework.offers()
        volume = {
            **reserve("disk", 100.0)["reserve"]["resources"][0],
            "disk": {"persistence": {"id": "v1"}, "volume": {"container_path": "data", "mode": "RW"}},
        }
        create = {"type": "CREATE", "create": {"volumes": [volume]}}
        framework.accept(
            [offer],
            reserve("disk", 500.0),
            {**create, "id": {"value": "first"}},
            {**create, "id": {"value": "second"}},
            refuse_seconds=0,
        )
        statuses = {status["operation_id"]["value"]: status for status in operation_statuses(framework)}
        assert statuses["second"]["state"] == "OPERATION_ERROR"
        assert "'v1' already exists" in statuses["second"]["message"]
        assert "first" not in statuses

    def test_a_volume_in_use_is_not_destroyed(self, cluster: Cluster) -> None:
        FakeAgent(cluster)
        framework = FakeFramework(cluster, role="ads", principal="p", capabilities=[{"type": "SHARED_RESOURCES"}])
        [offer] = framework.offers()
        volume = {
            **reserve("disk", 100.0)["reserve"]["resources"][0],
            "disk": {"persistence": {"id": "v1"}, "volume": {"container_path": "data", "mode": "RW"}},
            "shared": {},
        }
        uses = {**task(offer, "t1", "cpus:1"), "resources": [*task(offer, "t1", "cpus:1")["resources"], volume]}
        framework.accept(
            [offer],
            reserve("disk", 500.0),
            {"type": "CREATE", "create": {"volumes": [volume]}},
            {"type": "LAUNCH", "launch": {"task_infos": [uses]}},
            refuse_seconds=0,
        )
        cluster.advance(1)
        [offer] = framework.offers()
        destroy = {"type": "DESTROY", "destroy": {"volumes": [volume]}, "id": {"value": "o"}}
        framework.accept([offer], destroy, refuse_seconds=0)
        [status] = operation_statuses(framework)
        assert (status["state"], status["message"]) == ("OPERATION_ERROR", "Persistent volumes in use")

    def test_a_framework_that_gave_an_id_hears_of_the_outcome(self, cluster: Cluster) -> None:
        agent = FakeAgent(cluster)
        framework = FakeFramework(cluster, role="ads")
        [offer] = framework.offers()
        framework.accept(
            [offer],
            reserve("cpus", 1.0, id={"value": "o1"}),
            reserve("cpus", 99.0, id={"value": "o2"}),
            {"type": "GROW_VOLUME", "id": {"value": "o3"}},
            refuse_seconds=0,
        )
        statuses = {one["operation_id"]["value"]: one for one in operation_statuses(framework)}
        assert (statuses["o2"]["state"], statuses["o3"]["state"]) == ("OPERATION_ERROR", "OPERATION_ERROR")
        assert "not done by this master" in statuses["o3"]["message"]
        framework.do("RECONCILE_OPERATIONS", reconcile_operations={"operations": []})
        [pending] = operation_statuses(framework)
        assert pending["state"] == "OPERATION_PENDING"
        [event] = agent.stream.events("CHECKPOINT_RESOURCES")
        [operation] = event["checkpoint_resources"]["operations"]
        status = {"state": "OPERATION_FINISHED", "uuid": operation["uuid"]}
        agent.call("OPERATION_UPDATE", operation_update={"framework_id": {"value": framework.id}, "status": status})
        [finished] = operation_statuses(framework)
        assert (finished["state"], finished["operation_id"]) == ("OPERATION_FINISHED", {"value": "o1"})
        acknowledged = {"uuid": finished["uuid"]["value"], "operation_id": {"value": "o1"}}
        framework.do("ACKNOWLEDGE_OPERATION_STATUS", acknowledge_operation_status=acknowledged)
        asked = [{"operation_id": {"value": "o1"}}]
        framework.do("RECONCILE_OPERATIONS", reconcile_operations={"operations": asked})
        [unknown] = operation_statuses(framework)
        assert unknown["state"] == "OPERATION_UNKNOWN"

    @pytest.mark.parametrize(
        "resource",
        [
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.0}, "role": "web", "reservation": {}},
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.0}, "role": "ads"},
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.0}},
        ],
    )
    def test_what_cannot_be_reserved(self, cluster: Cluster, resource: dict[str, Any]) -> None:
        FakeAgent(cluster)
        framework = FakeFramework(cluster, role="ads")
        [offer] = framework.offers()
        operation = {"type": "RESERVE", "id": {"value": "o"}, "reserve": {"resources": [resource]}}
        framework.accept([offer], operation)
        [status] = operation_statuses(framework)
        assert status["state"] == "OPERATION_ERROR"

    def test_a_reservation_is_refined(self, cluster: Cluster) -> None:
        agent = FakeAgent(cluster, "cpus:4;mem:4096;cpus(ads):2")
        capabilities = [{"type": "RESERVATION_REFINEMENT"}]
        framework = FakeFramework(cluster, role="ads", capabilities=capabilities)
        [offer] = framework.offers()
        levels = [{"type": "STATIC", "role": "ads"}, {"type": "DYNAMIC", "role": "ads/eu"}]
        resource = {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.0}, "reservations": levels}
        framework.accept([offer], {"type": "RESERVE", "reserve": {"resources": [resource]}})
        total = cluster.master.agents[agent.id].total
        assert total.reserved("ads/eu").scalar("cpus") == 1
        assert total.reserved("ads").scalar("cpus") == 1
        assert any(one.get("reservations") for one in offer["resources"])


def operation_statuses(framework: FakeFramework) -> list[dict[str, Any]]:
    events = framework.stream.events("UPDATE_OPERATION_STATUS")
    return [event["update_operation_status"]["status"] for event in events]


class TestDrain:
    def test_it_drains_and_is_reactivated(self, cluster: Cluster) -> None:
        framework, agent = running(cluster)
        what = {"agent_id": {"value": agent.id}}
        cluster.operate("DRAIN_AGENT", drain_agent={**what, "max_grace_period": {"seconds": 10}})
        [event] = agent.stream.events("DRAIN")
        assert event["drain"] == {"max_grace_period": {"nanoseconds": 10_000_000_000}}
        [shown] = cluster.operate("GET_AGENTS")["get_agents"]["agents"]
        assert shown["deactivated"] and shown["drain_info"]["state"] == "DRAINING"
        cluster.advance(10)
        assert not framework.offers()
        answer = cluster.post("/api/v1", {"type": "REACTIVATE_AGENT", "reactivate_agent": what})
        assert isinstance(answer, HttpResponse) and answer.status == 400
        agent.status(framework.id, "t1", "TASK_KILLED")
        framework.acknowledge(framework.statuses()[-1])
        cluster.settle()
        [shown] = cluster.operate("GET_AGENTS")["get_agents"]["agents"]
        assert shown["drain_info"]["state"] == "DRAINED"
        cluster.new_master()
        agent.tasks.clear()
        agent.subscribe()
        assert cluster.master.agents[agent.id].deactivated
        cluster.operate("REACTIVATE_AGENT", reactivate_agent=what)
        framework.subscribe()
        assert len(framework.offers()) == 1

    def test_it_is_gone_when_drained(self, cluster: Cluster) -> None:
        agent = FakeAgent(cluster)
        cluster.operate("DRAIN_AGENT", drain_agent={"agent_id": {"value": agent.id}, "mark_gone": True})
        assert f"gone/{agent.id}" in cluster.records
        assert agent.stream.events("SHUTDOWN")

    def test_it_is_deactivated(self, cluster: Cluster) -> None:
        framework, agent = running(cluster)
        cluster.advance(6)
        assert framework.offers()
        what = {"agent_id": {"value": agent.id}}
        cluster.operate("DEACTIVATE_AGENT", deactivate_agent=what)
        assert framework.stream.events("RESCIND")
        agent.status(framework.id, "t1", "TASK_RUNNING")
        assert framework.states() == [("t1", "TASK_RUNNING")]
        cluster.operate("REACTIVATE_AGENT", reactivate_agent=what)
        assert len(framework.offers()) == 1


class TestMaintenance:
    MACHINE = {"hostname": "HOST", "ip": "127.0.0.1"}

    def schedule(self, cluster: Cluster) -> None:
        window = {
            "machine_ids": [self.MACHINE],
            "unavailability": {"start": {"nanoseconds": 5}, "duration": {"nanoseconds": 7}},
        }
        cluster.operate("UPDATE_MAINTENANCE_SCHEDULE", update_maintenance_schedule={"schedule": {"windows": [window]}})

    def test_a_machine_is_asked_back_then_down_then_up(self, cluster: Cluster) -> None:
        framework, agent = running(cluster)
        cluster.advance(6)
        framework.offers()
        self.schedule(cluster)
        assert framework.stream.events("RESCIND")
        [offer] = framework.offers()
        assert offer["unavailability"]["start"] == {"nanoseconds": 5}
        [event] = framework.stream.events("INVERSE_OFFERS")
        [inverse] = event["inverse_offers"]["inverse_offers"]
        assert inverse["agent_id"] == {"value": agent.id}
        framework.do("ACCEPT_INVERSE_OFFERS", accept_inverse_offers={"inverse_offer_ids": [inverse["id"]]})
        status = cluster.operate("GET_MAINTENANCE_STATUS")["get_maintenance_status"]["status"]
        assert status["draining_machines"][0]["statuses"][0]["status"] == "ACCEPT"
        cluster.advance(2)
        assert not framework.stream.events("INVERSE_OFFERS")
        cluster.advance(5)
        assert framework.stream.events("INVERSE_OFFERS")
        cluster.operate("START_MAINTENANCE", start_maintenance={"machines": [self.MACHINE]})
        assert agent.stream.events("SHUTDOWN")
        assert framework.states() == [("t1", "TASK_LOST")]
        agent.info.pop("id")
        agent.subscribe()
        assert agent.stream.events("SHUTDOWN")
        status = cluster.operate("GET_MAINTENANCE_STATUS")["get_maintenance_status"]["status"]
        assert status["down_machines"] == [self.MACHINE]
        cluster.operate("STOP_MAINTENANCE", stop_maintenance={"machines": [self.MACHINE]})
        assert cluster.get("/maintenance/schedule") == {"windows": []}
        agent.tasks.clear()
        agent.subscribe()
        assert agent.id in cluster.master.agents

    def test_what_cannot_be_scheduled(self, cluster: Cluster) -> None:
        window = {"machine_ids": [self.MACHINE], "unavailability": {"start": {"nanoseconds": 5}}}
        for windows in ([window, window], [{**window, "machine_ids": []}], [{**window, "machine_ids": [{}]}]):
            call = {
                "type": "UPDATE_MAINTENANCE_SCHEDULE",
                "update_maintenance_schedule": {"schedule": {"windows": windows}},
            }
            answer = cluster.post("/api/v1", call)
            assert isinstance(answer, HttpResponse) and answer.status == 400
        answer = cluster.post("/machine/down", [self.MACHINE])  # type: ignore[arg-type]
        assert isinstance(answer, HttpResponse) and answer.status == 400
