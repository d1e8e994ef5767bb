"""The life of a run: bounded, killed for good, kept over a failover."""

from __future__ import annotations

import pytest

from smackbox.chronos.state import chronos as machine
from tests.chronos.cluster import Cluster


def kills(cluster: Cluster) -> list[tuple[str, str]]:
    """Task and agent of each KILL."""
    orders = [call["kill"] for call in cluster.calls if call["type"] == "KILL"]
    return [(order["task_id"]["value"], order.get("agent_id", {}).get("value", "")) for order in orders]


def test_an_unknown_task_that_runs_is_killed_where_it_runs() -> None:
    cluster = Cluster()
    cluster.say("ct:1:0:gone:", "TASK_RUNNING")
    assert kills(cluster) == [("ct:1:0:gone:", "a1")]


@pytest.mark.parametrize("state", ["TASK_UNREACHABLE", "TASK_KILLING", "TASK_FINISHED"])
def test_an_unknown_task_that_does_not_run_is_left_alone(state: str) -> None:
    cluster = Cluster()
    cluster.say("ct:1:0:gone:", state)
    assert kills(cluster) == []


def test_runs_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "RUNS_LIMIT", 3)
    cluster = Cluster()
    cluster.has_offers = False
    cluster.add()
    cluster.advance(100)
    assert len(cluster.chronos.runs_of("job")) == 3


def test_a_killed_run_is_not_tried_again_by_a_successor() -> None:
    cluster = Cluster()
    cluster.add(schedule="R1/2026-01-01T00:00:01Z/P1D", retries=5)
    cluster.advance(1)
    (task_id,) = cluster.tasks
    cluster.chronos.kill_tasks("job")
    del cluster.tasks[task_id]  # the KILL is under way when the leader changes
    cluster._commit()
    cluster.fail_over()
    cluster.say(task_id, "TASK_KILLED")
    cluster.advance(200)
    assert cluster.launched == [task_id]


def test_a_killed_run_that_was_dropped_is_not_launched_again() -> None:
    cluster = Cluster()
    cluster.add(schedule="R1/2026-01-01T00:00:01Z/P1D", retries=5)
    cluster.advance(1)
    (task_id,) = cluster.tasks
    (run,) = cluster.chronos.runs_of("job")
    run.given_up = True
    cluster.end(task_id, "TASK_DROPPED")
    cluster.advance(200)
    assert cluster.launched == [task_id]
    assert cluster.chronos.runs_of("job") == []


def test_a_run_that_was_dropped_is_launched_again_without_counting_as_failed() -> None:
    cluster = Cluster()
    cluster.add(schedule="R1/2026-01-01T00:00:01Z/P1D", retries=0)
    cluster.advance(1)
    (task_id,) = cluster.tasks
    cluster.end(task_id, "TASK_DROPPED")
    (again,) = cluster.tasks
    assert again != task_id
    assert cluster.chronos.entries["job"].error_count == 0


def test_the_history_and_the_errors_of_a_job_outlive_its_leader() -> None:
    cluster = Cluster()
    cluster.add(schedule="R1/2026-01-01T00:00:01Z/P1D", retries=0)
    cluster.advance(1)
    (task_id,) = cluster.tasks
    cluster.end(task_id, "TASK_FAILED")
    before = cluster.chronos.entries["job"]
    assert (before.error_count, before.errors_since_last_success, len(before.history)) == (1, 1, 1)
    cluster.fail_over()
    assert cluster.chronos.entries["job"] == before


def test_a_run_that_reports_its_own_end_is_not_killed() -> None:
    cluster = Cluster()
    cluster.add(schedule="R1/2026-01-01T00:00:01Z/P1D", **{"async": True})
    cluster.advance(1)
    (task_id,) = cluster.tasks
    cluster.end(task_id, "TASK_FINISHED")
    assert len(cluster.chronos.runs_of("job")) == 1
    cluster.chronos.report(task_id, 0)
    cluster.settle()
    assert kills(cluster) == []
    assert cluster.chronos.entries["job"].success_count == 1


def test_a_run_that_reports_its_end_while_it_runs_is_killed() -> None:
    cluster = Cluster()
    cluster.add(schedule="R1/2026-01-01T00:00:01Z/P1D", **{"async": True})
    cluster.advance(1)
    (task_id,) = cluster.tasks
    cluster.chronos.report(task_id, 0)
    cluster.settle()
    assert [task for task, _ in kills(cluster)] == [task_id]
