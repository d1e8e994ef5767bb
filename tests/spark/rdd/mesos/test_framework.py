"""From offers to executors, step by step: sizes, constraints, suppress and revive, memory, agents that fail."""

from __future__ import annotations

from typing import Any

import pytest
from tests.spark.mesos_calls import Calls, Clock

from smackbox.mesos_framework.effects import Effects
from smackbox.spark.rdd.cluster.framework import Ended, ExecutorFramework
from smackbox.spark.rdd.cluster.settings import ClusterSettings


class Bench:
    """A framework that is subscribed."""

    def __init__(self, **conf: str) -> None:
        self.mesos, self.clock, self.ended = Calls(), Clock(), list[Ended]()
        names = {f"spark.{name.replace('_', '.')}": value for name, value in conf.items()}
        settings = ClusterSettings.of(
            {"spark.executor.memory": "100m", "spark.executor.memoryOverhead": "28m", **names}
        )
        self.framework = ExecutorFramework(
            self.clock, self.mesos, settings, lambda _: {"command": {}}, self.ended.append
        )
        self.framework.subscribed("F")
        self.calls()

    def calls(self) -> list[tuple[str, Any]]:
        while self.framework.effects:
            effects, self.framework.effects = self.framework.effects, Effects()
            for action in effects.actions:
                action()
        return self.mesos.take()

    def want(self, cores: float) -> list[str]:
        self.framework.want(cores, frozenset())
        return [kind for kind, _ in self.calls()]

    def offer(self, *offers: dict[str, Any]) -> list[tuple[str, float, float]]:
        """Agent, cpus and mem of what is launched."""
        self.framework.offers(offers)
        found = []
        for kind, fields in self.calls():
            if kind == "ACCEPT":
                for task in fields["operations"][0]["launch"]["task_infos"]:
                    sizes = {each["name"]: each["scalar"]["value"] for each in task["resources"]}
                    found.append((task["agent_id"]["value"], sizes["cpus"], sizes["mem"]))
        return found

    def status(self, executor_id: str, state: str, **fields: Any) -> None:
        self.framework.update({"task_id": {"value": executor_id}, "state": state, "agent_id": {"value": "A"}, **fields})


def offer(agent: str, cpus: float = 4, mem: float = 4096, **attributes: str) -> dict[str, Any]:
    scalars = {"cpus": cpus, "mem": mem}
    return {
        "id": {"value": f"O{agent}"},
        "agent_id": {"value": agent},
        "hostname": f"host-{agent}",
        "attributes": [{"name": name, "type": "TEXT", "text": {"value": value}} for name, value in attributes.items()],
        "resources": [{"name": name, "type": "SCALAR", "scalar": {"value": value}} for name, value in scalars.items()],
    }


def test_executors_are_spread_over_the_offers() -> None:
    bench = Bench(cores_max="4")
    bench.want(4)
    assert bench.offer(offer("A"), offer("B")) == [("A", 2, 128), ("B", 2, 128)]
    assert bench.offer(offer("C")) == []


def test_executors_of_a_size_are_cut_out_of_an_offer() -> None:
    bench = Bench(cores_max="7", executor_cores="2")
    bench.want(7)
    assert bench.offer(offer("A", cpus=8, mem=300)) == [("A", 2, 128), ("A", 2, 128)]
    assert bench.offer(offer("B", cpus=8)) == [("B", 2, 128)]  # three executors of two cores are at most 7


def test_the_hosts_of_the_data_come_first() -> None:
    bench = Bench()
    bench.framework.want(1, frozenset({"host-B"}))
    assert bench.offer(offer("A"), offer("B")) == [("B", 1, 128)]


def test_offers_are_suppressed_while_nothing_is_wanted_and_revived_then() -> None:
    bench = Bench()
    assert bench.want(0) == []
    bench.clock.now_ms += 1_000
    assert bench.want(2) == ["REVIVE"]
    bench.offer(offer("A"))
    assert bench.framework._suppressed
    bench.clock.now_ms += 1_000
    assert "REVIVE" in bench.want(5)


def test_what_an_offer_lacks_is_named() -> None:
    bench = Bench(executor_cores="3")
    bench.want(3)
    assert bench.offer(offer("A", cpus=2, mem=64)) == []
    assert bench.framework.lacking == "host-A: too little cpus 2 of 3 and mem 64 of 128"


@pytest.mark.parametrize(
    ("constraint", "expected"), [("rack:one", ["A"]), ("rack:one,two", ["A", "B"]), ("rack", ["A", "B"]), ("disk", [])]
)
def test_constraints_choose_agents(constraint: str, expected: list[str]) -> None:
    bench = Bench(mesos_constraints=constraint)
    bench.want(3)
    launched = bench.offer(offer("A", rack="one"), offer("B", rack="two"), offer("C"))
    assert sorted({agent for agent, _, _ in launched}) == expected
    if not expected:
        assert "attribute disk is None" in bench.framework.lacking


def test_memory_is_doubled_after_a_kill_for_memory() -> None:
    bench = Bench()
    bench.want(1)
    assert bench.offer(offer("A")) == [("A", 1, 128)]
    bench.framework.registered("executor-0")
    bench.status("executor-0", "TASK_FAILED", reason="REASON_CONTAINER_LIMITATION_MEMORY", message="Memory limit")
    assert "later executors get 200 MB" in bench.ended[0].reason
    assert bench.offer(offer("A")) == [("A", 1, 228)]


def test_an_agent_where_executors_do_not_start_gets_no_more() -> None:
    bench = Bench()
    bench.want(1)
    for number in range(2):
        assert bench.offer(offer("A")) == [("A", 1, 128)]
        bench.status(f"executor-{number}", "TASK_FAILED", message="exited with status 127")
    assert bench.offer(offer("A")) == []
    assert "failed to start there 2 times" in bench.framework.lacking
    assert bench.framework.last_failure.endswith("TASK_FAILED, exited with status 127")
    assert bench.offer(offer("B")) == [("B", 1, 128)]


def test_a_lost_agent_is_not_the_tasks_fault() -> None:
    bench = Bench()
    bench.want(2)
    bench.offer(offer("A"), offer("B"))
    bench.status("executor-0", "TASK_UNREACHABLE")
    bench.status("executor-1", "TASK_FAILED")
    assert [ended.counts for ended in bench.ended] == [False, True]


def test_a_release_is_a_kill_and_its_end_no_failure() -> None:
    bench = Bench()
    bench.want(1)
    bench.offer(offer("A"))
    bench.framework.release(["executor-0", "executor-0"])
    assert [kind for kind, _ in bench.calls()].count("KILL") == 1
    bench.status("executor-0", "TASK_KILLED")
    assert [ended.counts for ended in bench.ended] == [False]
    assert bench.framework.last_failure == ""


def test_a_task_that_is_not_known_is_killed() -> None:
    bench = Bench()
    bench.status("executor-9", "TASK_RUNNING")
    assert ("KILL", {"task_id": {"value": "executor-9"}, "agent_id": {"value": "A"}}) in bench.calls()


def test_an_executor_that_never_comes_is_ended() -> None:
    bench = Bench()
    bench.want(1)
    bench.offer(offer("A"))
    bench.clock.now_ms += 121_000
    bench.framework.tick()
    assert "KILL" in [kind for kind, _ in bench.calls()]
