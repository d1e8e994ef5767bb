"""ACCEPT of several offers: they must be valid, of one agent and of one role, or nothing of it is done."""

from __future__ import annotations

from typing import Any

import pytest
from tests.mesos.master.cluster import Cluster, FakeAgent, FakeFramework, task

Message = dict[str, Any]
RESERVED = "cpus(a):1;mem(a):64;cpus(b):1;mem(b):64"
CAPABILITIES = [{"type": "MULTI_ROLE"}, {"type": "RESERVATION_REFINEMENT"}, {"type": "PARTITION_AWARE"}]


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def launch(framework: FakeFramework, offers: list[Message]) -> list[tuple[str, str, str]]:
    """What becomes of a task that is launched on all of these offers: state, reason and message."""
    operation = {"type": "LAUNCH", "launch": {"task_infos": [task(offers[0], "t")]}}
    framework.accept(offers, operation)
    return [(status["state"], status.get("reason", ""), status.get("message", "")) for status in framework.statuses()]


def offers_of(cluster: Cluster, framework: FakeFramework) -> list[Message]:
    cluster.advance(2)
    return framework.offers()


def test_offers_of_two_roles_are_not_accepted_together(cluster: Cluster) -> None:
    framework = FakeFramework(cluster, roles=["a", "b"], capabilities=CAPABILITIES)
    agent = FakeAgent(cluster, RESERVED)
    offers = offers_of(cluster, framework)
    assert sorted(offer["allocation_info"]["role"] for offer in offers) == ["a", "b"]
    ((state, reason, message),) = launch(framework, offers)
    assert (state, reason) == ("TASK_DROPPED", "REASON_INVALID_OFFERS")
    assert message.endswith("Aggregated offers must be allocated to the same role")
    assert agent.run() == []


def test_offers_of_two_agents_are_not_accepted_together(cluster: Cluster) -> None:
    framework = FakeFramework(cluster, roles=["a"], capabilities=CAPABILITIES)
    agents = [FakeAgent(cluster, hostname=name) for name in ("first", "second")]
    offers = offers_of(cluster, framework)
    assert len(offers) == 2
    ((state, reason, message),) = launch(framework, offers)
    assert (state, reason) == ("TASK_DROPPED", "REASON_INVALID_OFFERS")
    assert message.endswith("Aggregated offers must belong to one single agent")
    assert [agent.run() for agent in agents] == [[], []]


def test_an_offer_twice_is_not_accepted(cluster: Cluster) -> None:
    framework = FakeFramework(cluster, roles=["a"], capabilities=CAPABILITIES)
    agent = FakeAgent(cluster)
    (offer,) = offers_of(cluster, framework)
    ((state, reason, _),) = launch(framework, [offer, offer])
    assert (state, reason) == ("TASK_DROPPED", "REASON_INVALID_OFFERS")
    assert agent.run() == []


def test_the_resources_of_refused_offers_are_offered_again(cluster: Cluster) -> None:
    framework = FakeFramework(cluster, roles=["a", "b"], capabilities=CAPABILITIES)
    FakeAgent(cluster, RESERVED)
    launch(framework, offers_of(cluster, framework))
    framework.do("REVIVE")
    offers = offers_of(cluster, framework)
    assert sorted(offer["allocation_info"]["role"] for offer in offers) == ["a", "b"]


def test_offers_of_one_agent_and_one_role_are_accepted_together(cluster: Cluster) -> None:
    framework = FakeFramework(cluster, roles=["a"], capabilities=CAPABILITIES)
    agent = FakeAgent(cluster)
    (whole,) = offers_of(cluster, framework)
    framework.launch(whole, task(whole, "first", "cpus:2;mem:128"), refuse_seconds=0)
    agent.run()
    rest = offers_of(cluster, framework)
    agent.status(framework.id, "first", "TASK_FINISHED")
    freed = offers_of(cluster, framework)
    assert (len(rest), len(freed)) == (1, 1)
    both = task(whole, "both", "cpus:4;mem:4096")
    framework.accept([*rest, *freed], {"type": "LAUNCH", "launch": {"task_infos": [both]}})
    assert agent.run() == ["both"]


def test_what_is_launched_carries_its_role_and_its_framework(cluster: Cluster) -> None:
    framework = FakeFramework(cluster, roles=["a"], capabilities=CAPABILITIES)
    agent = FakeAgent(cluster)
    (offer,) = offers_of(cluster, framework)
    framework.launch(offer, task(offer, "t"), refuse_seconds=0)
    (order,) = (event["run_task"] for event in agent.stream.events("RUN_TASK"))
    assert {resource["allocation_info"]["role"] for resource in order["task"]["resources"]} == {"a"}
    (rest,) = offers_of(cluster, framework)
    group_task = task(rest, "grouped")
    executor = {"type": "DEFAULT", "executor_id": {"value": "e"}, "resources": group_task["resources"]}
    group = {"executor": executor, "task_group": {"tasks": [group_task]}}
    framework.accept([rest], {"type": "LAUNCH_GROUP", "launch_group": group})
    (order,) = (event["run_task_group"] for event in agent.stream.events("RUN_TASK_GROUP"))
    assert order["executor"]["framework_id"] == {"value": framework.id}
    parts = [*order["executor"]["resources"], *order["task_group"]["tasks"][0]["resources"]]
    assert {resource["allocation_info"]["role"] for resource in parts} == {"a"}
