"""Whatever frameworks, agents, operators, failures and time do to a master, its books are right after each step."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.mesos.master.cluster import Cluster, FakeAgent, FakeFramework, task

from smackbox.mesos.master.state.master import Master
from smackbox.mesos.resources.resources import Resources, total
from smackbox.net.http import HttpResponse

STEPS = 120
STATES = ["TASK_RUNNING", "TASK_FINISHED", "TASK_FAILED", "TASK_KILLING", "TASK_KILLED"]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 32))
def test_the_books_are_right(seed: int) -> None:
    play = Play(Random(seed))
    for _ in range(STEPS):
        play.step()
        check(play.cluster.master)


class Play:
    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.cluster = Cluster(agent_reregister_timeout_ms=60_000)
        self.agents: list[FakeAgent] = []
        self.frameworks: list[FakeFramework] = []
        self.offers: dict[int, list[dict[str, Any]]] = {}
        self.count = 0

    def step(self) -> None:
        steps = [self.new_agent, self.new_framework, self.time_goes_on, self.time_goes_on, self.fail_over, self.operate]
        if self.agents:
            steps += [self.agent_away, *[self.agent_back] * 2, *[self.agent_runs] * 4, *[self.agent_updates] * 6]
            steps += [self.operate_on_agent]
        if self.frameworks:
            steps += [self.framework_away, self.framework_back, self.reconcile]
            steps += [*[self.accept] * 6, *[self.acknowledge] * 3, self.decline, self.revive, self.kill]
        self.chance.choice(steps)()

    # --- agents

    def new_agent(self) -> None:
        if len(self.agents) < 4:
            reserved = self.chance.choice(["", ";cpus(a):2"])
            self.agents.append(FakeAgent(self.cluster, f"cpus:4;mem:4096;disk:1000{reserved}", port=5051 + self.count))
            self.count += 1

    def agent_away(self) -> None:
        self.chance.choice(self.agents).go_away()

    def agent_back(self) -> None:
        agent = self.chance.choice(self.agents)
        if self.chance.random() < 0.2:
            agent.tasks.clear()
        agent.subscribe()
        if not agent.id or agent.stream.stream.closed:
            self.agents.remove(agent)

    def agent_runs(self) -> None:
        agent = self.chance.choice(self.agents)
        if not agent.stream.stream.closed and self.knows(agent):
            agent.run()
            for event in agent.stream.events("CHECKPOINT_RESOURCES"):
                agent.checkpointed = event["checkpoint_resources"]["resources"]

    def agent_updates(self) -> None:
        agent = self.chance.choice(self.agents)
        if agent.stream.stream.closed or not agent.tasks or not self.knows(agent):
            return
        framework_id, task_id = self.chance.choice(sorted(agent.tasks))
        state = self.chance.choice(STATES)
        agent.status(framework_id, task_id, state)
        if state in {"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED"}:
            del agent.tasks[framework_id, task_id]

    def knows(self, agent: FakeAgent) -> bool:
        return agent.stream.id in self.cluster.master.agent_streams

    # --- frameworks

    def new_framework(self) -> None:
        if len(self.frameworks) < 4:
            role = self.chance.choice(["*", "a", "a/x", "b"])
            capabilities = [{"type": "PARTITION_AWARE"}] if self.chance.random() < 0.5 else []
            timeout_s = self.chance.choice([0.0, 30.0, 1e6])
            self.frameworks.append(
                FakeFramework(self.cluster, role=role, capabilities=capabilities, failover_timeout=timeout_s)
            )

    def one(self) -> FakeFramework | None:
        framework = self.chance.choice(self.frameworks)
        known = self.cluster.master.frameworks.get(framework.id)
        return framework if known is not None and known.stream_id == framework.stream.id and known.connected else None

    def framework_away(self) -> None:
        if self.chance.random() < 0.5:
            self.chance.choice(self.frameworks).go_away()

    def framework_back(self) -> None:
        framework = self.chance.choice(self.frameworks)
        framework.subscribe()
        if framework.stream.stream.closed:
            self.frameworks.remove(framework)

    def accept(self) -> None:
        framework = self.one()
        if framework is None or not (offers := framework.offers()):
            return
        offer = self.chance.choice(offers)
        operations: list[dict[str, Any]] = []
        role = offer["allocation_info"]["role"]
        if role != "*" and self.chance.random() < 0.3:
            resource = {
                "name": "cpus",
                "type": "SCALAR",
                "scalar": {"value": self.chance.choice([1.0, 99.0])},
                "role": role,
                "reservation": {},
            }
            kind = self.chance.choice(["RESERVE", "UNRESERVE"])
            operations.append({"type": kind, kind.lower(): {"resources": [resource]}})
        tasks = []
        for _ in range(self.chance.randint(0, 3)):
            self.count += 1
            tasks.append(task(offer, f"t{self.count % 40}", self.chance.choice(["cpus:1;mem:10", "cpus:9"])))
        operations.append({"type": "LAUNCH", "launch": {"task_infos": tasks}})
        framework.accept([offer], *operations, refuse_seconds=self.chance.choice([0.0, 5.0]))

    def decline(self) -> None:
        framework = self.one()
        if framework is not None:
            ids = [offer["id"] for offer in framework.offers()]
            framework.do("DECLINE", decline={"offer_ids": ids, "filters": {"refuse_seconds": 3.0}})

    def revive(self) -> None:
        framework = self.one()
        if framework is not None:
            framework.do(self.chance.choice(["REVIVE", "SUPPRESS", "TEARDOWN" if self.count % 7 == 0 else "REVIVE"]))

    def kill(self) -> None:
        framework = self.one()
        if framework is not None:
            framework.do("KILL", kill={"task_id": {"value": f"t{self.chance.randint(0, 40)}"}})

    def acknowledge(self) -> None:
        framework = self.one()
        if framework is not None:
            for status in framework.statuses():
                if "uuid" in status:
                    framework.acknowledge(status)

    def reconcile(self) -> None:
        framework = self.one()
        if framework is not None:
            framework.do("RECONCILE", reconcile={"tasks": []})

    # --- operators, failures and time

    def operate(self) -> None:
        quota = {"role": "a", "guarantees": {"cpus": {"value": float(self.chance.randint(0, 3))}}}
        call = self.chance.choice(
            [
                {"type": "UPDATE_QUOTA", "update_quota": {"quota_configs": [quota]}},
                {"type": "UPDATE_WEIGHTS", "update_weights": {"weight_infos": [{"role": "a/x", "weight": 2.0}]}},
                {"type": "GET_STATE"},
            ]
        )
        answer = self.cluster.post("/api/v1", call)
        assert isinstance(answer, HttpResponse) and answer.status in {200, 400}
        self.cluster.get("/state")

    def operate_on_agent(self) -> None:
        agent = self.chance.choice(self.agents)
        kind = self.chance.choice(["DRAIN_AGENT", "DEACTIVATE_AGENT", "REACTIVATE_AGENT", "REACTIVATE_AGENT"])
        if self.chance.random() < 0.05:
            kind = "MARK_AGENT_GONE"
        answer = self.cluster.post("/api/v1", {"type": kind, kind.lower(): {"agent_id": {"value": agent.id}}})
        assert isinstance(answer, HttpResponse) and answer.status in {200, 400, 404}, answer

    def fail_over(self) -> None:
        if self.chance.random() < 0.2:
            self.cluster.new_master()

    def time_goes_on(self) -> None:
        silent = self.chance.random() < 0.1
        for _ in range(self.chance.choice([1, 1, 2, 6])):
            self.cluster.advance(15, step_s=5)
            for agent in self.agents:
                if not silent and not agent.stream.stream.closed and self.knows(agent):
                    agent.call("PONG")


def check(master: Master) -> None:
    for agent in master.agents.values():
        pool = master.allocator.agents[agent.id]
        expected = agent.used()
        for offer in agent.offers.values():
            key = (offer.framework_id, offer.role)
            expected[key] = expected.get(key, Resources()) + offer.resources
        assert {key: one for key, one in expected.items() if one} == pool.allocated
        assert agent.total == pool.total
        missing = total(pool.allocated.values()) - pool.total
        assert pool.free == pool.total - total(pool.allocated.values())
        assert not missing or agent.reregistered_ms is not None or master.recovered_agents is not None
        for (framework_id, task_id), one in agent.tasks.items():
            assert master.frameworks[framework_id].tasks[task_id] is one
            assert one.in_use != one.terminal
    for framework in master.frameworks.values():
        for task_id, one in framework.tasks.items():
            assert master.agents[one.agent_id].tasks[framework.id, task_id] is one
        assert set(framework.offers) == {key for key, one in master.offers.items() if one.framework_id == framework.id}
        assert framework.connected or not framework.offers
    assert set(master.allocator.agents) == set(master.agents)
    assert set(master.allocator.claims) == set(master.frameworks)
    for offer in master.offers.values():
        assert master.agents[offer.agent_id].offers[offer.id] is offer
    assert not master.changing_agents
