"""Chronos on a cluster that does what it is told: every run once, whatever fails."""

from __future__ import annotations

import random

import pytest

from smackbox.chronos.state.statistics import figure
from tests.chronos.cluster import Cluster


def finish_all(cluster: Cluster) -> None:
    for task_id in list(cluster.tasks):
        cluster.say(task_id, "TASK_RUNNING")
        cluster.end(task_id)


def run_for(cluster: Cluster, seconds: int) -> None:
    for _ in range(seconds):
        cluster.advance(1)
        finish_all(cluster)


def test_runs_are_started_when_they_are_due() -> None:
    cluster = Cluster()
    cluster.add(schedule="R3/2026-01-01T00:00:10Z/PT10S")
    run_for(cluster, 60)
    assert cluster.due() == [10, 20, 30]
    assert cluster.launched[0] == "ct:1767225610000:0:job:"
    _, (job,) = cluster.request("GET", "/v1/scheduler/jobs")
    assert (job["schedule"], job["successCount"], job["errorCount"]) == ("R0/2026-01-01T00:00:40.000Z/PT10S", 3, 0)
    assert job["lastSuccess"] == "2026-01-01T00:00:30.000Z"


def test_a_failed_run_is_tried_again_with_growing_delays_and_then_given_up() -> None:
    cluster = Cluster(failure_retry_ms=2000)
    cluster.add(schedule="R1/2026-01-01T00:00:01Z/P1D", retries=2)
    cluster.advance(1)
    for attempt, delay in enumerate((2, 4)):
        (task_id,) = cluster.tasks
        assert task_id.split(":")[2] == str(attempt)
        cluster.end(task_id, "TASK_FAILED", message="exit 1")
        cluster.advance(delay - 1)
        assert not cluster.tasks
        cluster.advance(1)
        assert len(cluster.tasks) == 1
    (task_id,) = cluster.tasks
    cluster.end(task_id, "TASK_FAILED")
    cluster.advance(100)
    assert not cluster.tasks and len(cluster.launched) == 3
    _, (job,) = cluster.request("GET", "/v1/scheduler/jobs")
    assert (job["errorCount"], job["errorsSinceLastSuccess"], job["successCount"]) == (1, 1, 0)
    assert cluster.request("GET", "/v1/scheduler/graph/csv") == (200, "node,job,failure,idle\n")


def test_runs_wait_behind_the_one_before_unless_they_may_be_concurrent() -> None:
    cluster = Cluster()
    cluster.add()
    cluster.add("many", concurrent=True)
    cluster.advance(30)
    assert (cluster.due(), cluster.due("many")) == ([10], [10, 20, 30])
    for seconds in ([10, 20], [10, 20, 30]):
        cluster.end(next(task_id for task_id in cluster.tasks if ":job:" in task_id))
        assert cluster.due() == seconds


def test_a_disabled_job_is_not_started_and_its_schedule_goes_on() -> None:
    cluster = Cluster()
    cluster.add(disabled=True)
    cluster.advance(25)
    assert cluster.launched == []
    cluster.add(disabled=False)
    cluster.advance(10)
    assert cluster.due() == [30]


def test_a_child_runs_when_all_its_parents_have() -> None:
    cluster = Cluster()
    cluster.add("a", "R1/2026-01-01T00:00:01Z/P1D")
    cluster.add("b", "R1/2026-01-01T00:00:05Z/P1D")
    cluster.add("c", parents=["a", "b"])
    cluster.add("d", parents=["c"])
    run_for(cluster, 3)
    assert len(cluster.launched) == 1
    run_for(cluster, 5)
    assert [task_id.split(":")[3] for task_id in cluster.launched] == ["a", "b", "c", "d"]
    _, csv = cluster.request("GET", "/v1/scheduler/graph/csv")
    assert csv == (
        "node,a,success,idle\nnode,b,success,idle\nnode,c,success,idle\nnode,d,success,idle\n"
        "link,a,c\nlink,b,c\nlink,c,d\n"
    )
    _, dot = cluster.request("GET", "/v1/scheduler/graph/dot")
    assert dot.startswith("digraph JobGraph {") and '"a"->"c";' in dot


def test_children_of_a_failed_job_run_only_after_a_soft_error() -> None:
    cluster = Cluster()
    cluster.add("hard", "R1/2026-01-01T00:00:01Z/P1D", retries=0)
    cluster.add("soft", "R1/2026-01-01T00:00:01Z/P1D", retries=0, softError=True)
    cluster.add("after hard", parents=["hard"])
    cluster.add("after soft", parents=["soft"])
    cluster.advance(1)
    for task_id in list(cluster.tasks):
        cluster.end(task_id, "TASK_FAILED")
    assert [task_id.split(":")[3] for task_id in cluster.tasks] == ["after soft"]


def test_circles_and_missing_parents_are_refused() -> None:
    cluster = Cluster()
    cluster.add("a")
    cluster.add("b", parents=["a"])
    job = {"name": "a", "command": "x", "parents": ["b"]}
    status, answer = cluster.request("POST", "/v1/scheduler/dependency", job)
    assert status == 400 and "would wait for one another" in answer["message"]
    status, answer = cluster.request("POST", "/v1/scheduler/dependency", {**job, "name": "c", "parents": ["z"]})
    assert status == 400 and "'z'" in answer["message"]
    assert cluster.request("DELETE", "/v1/scheduler/job/a")[0] == 400
    assert cluster.request("DELETE", "/v1/scheduler/job/b") == (204, "")
    assert cluster.request("DELETE", "/v1/scheduler/job/a") == (204, "")
    assert [name for name in cluster.records if name.startswith("job:")] == []


def test_a_job_is_run_marked_and_killed_by_request() -> None:
    cluster = Cluster()
    cluster.add(schedule="R/2026-02-01T00:00:00Z/P1D", shell=False, command="/bin/echo", arguments=["a"])
    cluster.add("child", parents=["job"])
    assert cluster.request("PUT", "/v1/scheduler/job/job?arguments=b c") == (204, "")
    (task_id,) = cluster.tasks
    assert task_id.endswith(":0:job:b_c")
    assert cluster.tasks[task_id]["command"]["arguments"] == ["/bin/echo", "a", "b", "c"]
    assert cluster.request("DELETE", "/v1/scheduler/task/kill/job") == (204, "")
    cluster.advance(200)
    assert not cluster.tasks and len(cluster.launched) == 1
    assert cluster.request("PUT", "/v1/scheduler/job/success/job") == (200, True)
    assert [task_id.split(":")[3] for task_id in cluster.tasks] == ["child"]
    assert cluster.request("PUT", "/v1/scheduler/job/success/none") == (200, False)
    assert cluster.request("PUT", "/v1/scheduler/job/none")[0] == 404


def test_a_run_that_takes_too_long_is_killed_and_has_failed() -> None:
    cluster = Cluster(failure_retry_ms=1000)
    cluster.add(schedule="R1/2026-01-01T00:00:01Z/P1D", maxCompletionTime=5, retries=0)
    cluster.advance(1)
    cluster.say(next(iter(cluster.tasks)), "TASK_RUNNING")
    cluster.advance(4)
    assert len(cluster.tasks) == 1
    cluster.advance(2)
    assert not cluster.tasks
    assert cluster.chronos.entries["job"].error_count == 1


def test_the_limit_counts_from_the_moment_when_the_run_runs() -> None:
    """A task that waits for its container is not late."""
    cluster = Cluster()
    cluster.add(schedule="R1/2026-01-01T00:00:01Z/P1D", maxCompletionTime=5, retries=0)
    cluster.advance(1)
    cluster.advance(8)
    (task_id,) = cluster.tasks
    cluster.say(task_id, "TASK_RUNNING")
    cluster.advance(4)
    assert list(cluster.tasks) == [task_id]


def test_a_job_as_it_was_last_said_is_there_after_a_fail_over() -> None:
    cluster = Cluster()
    cluster.add()
    cluster.add(command="false", retries=7)
    cluster.fail_over()
    _, (job,) = cluster.request("GET", "/v1/scheduler/jobs")
    assert (job["command"], job["retries"]) == ("false", 7)


def test_a_success_that_was_said_is_no_run_in_the_statistics() -> None:
    cluster = Cluster()
    cluster.add(schedule="R1/2026-01-01T00:00:01Z/P1D")
    run_for(cluster, 3)
    _, before = cluster.request("GET", "/v1/scheduler/job/stat/job")
    assert cluster.request("PUT", "/v1/scheduler/job/success/job") == (200, True)
    _, after = cluster.request("GET", "/v1/scheduler/job/stat/job")
    assert (before["numSuccesses"], after["numSuccesses"]) == (1, 2)
    assert after["taskStatHistory"] == before["taskStatHistory"] and after["histogram"]["count"] == 1


def test_an_async_job_ends_with_its_report() -> None:
    cluster = Cluster()
    cluster.add(schedule="R2/2026-01-01T00:00:01Z/PT5S", **{"async": True})
    cluster.advance(1)
    (task_id,) = cluster.tasks
    cluster.say(task_id, "TASK_RUNNING")
    cluster.end(task_id)
    cluster.advance(10)
    assert cluster.due() == [1]
    assert cluster.request("PUT", f"/v1/scheduler/task/{task_id}", {"statusCode": 0}) == (204, "")
    assert cluster.due() == [1, 6]
    assert cluster.chronos.entries["job"].success_count == 1
    assert cluster.request("PUT", "/v1/scheduler/task/none", {"statusCode": 0})[0] == 404


def test_an_unreachable_run_is_waited_for_and_not_doubled() -> None:
    cluster = Cluster(unreachable_timeout_ms=60_000, failure_retry_ms=1000)
    cluster.add(schedule="R1/2026-01-01T00:00:01Z/P1D")
    cluster.advance(1)
    (task_id,) = cluster.tasks
    cluster.say(task_id, "TASK_RUNNING")
    cluster.say(task_id, "TASK_UNREACHABLE")
    cluster.advance(50)
    assert len(cluster.launched) == 1
    cluster.end(task_id)
    assert cluster.chronos.entries["job"].success_count == 1
    cluster.request("PUT", "/v1/scheduler/job/job")
    (task_id,) = cluster.tasks
    cluster.say(task_id, "TASK_UNREACHABLE")
    cluster.advance(62)
    assert len(cluster.launched) == 3


def test_a_run_that_never_began_is_launched_again_and_has_not_failed() -> None:
    """Dropped on its way, or not known by an agent that came back, though no status of it was ever heard."""
    cluster = Cluster()
    cluster.add(schedule="R1/2026-01-01T00:00:01Z/P1D", retries=0)
    cluster.advance(1)
    (first,) = cluster.tasks
    cluster.end(first, "TASK_DROPPED", reason="REASON_SLAVE_DISCONNECTED")
    (second,) = cluster.tasks
    cluster.say(second, "TASK_UNREACHABLE")
    cluster.end(second, "TASK_GONE", reason="REASON_RECONCILIATION")
    (third,) = cluster.tasks
    cluster.say(third, "TASK_RUNNING")
    cluster.say(third, "TASK_UNREACHABLE")
    cluster.end(third, "TASK_GONE", reason="REASON_RECONCILIATION")
    assert not cluster.tasks
    assert cluster.launched == [first, second, third]
    assert cluster.chronos.entries["job"].error_count == 1


def test_a_run_that_fits_nowhere_keeps_no_other_from_being_launched() -> None:
    """The offers that were declined for it are wanted again for each run that can be launched only later."""
    cluster = Cluster(failure_retry_ms=5_000)
    cluster.add("large", "R1/2026-01-01T00:00:01Z/P1D", cpus=100)
    cluster.add("small", "R2/2026-01-01T00:00:02Z/PT2S")
    cluster.advance(2)
    (first,) = cluster.tasks
    cluster.advance(10)
    cluster.end(first, "TASK_FAILED")
    cluster.advance(5)
    (again,) = cluster.tasks
    cluster.advance(10)
    cluster.end(again)
    cluster.advance(1)
    assert cluster.due("small") == [2, 4], "the second waited for the first"
    cluster.add("large", "R1/2026-01-01T00:00:01Z/P1D", cpus=1)
    cluster.advance(1)
    assert cluster.due("large") == [1]


def test_a_run_on_an_agent_that_cannot_be_reached_is_asked_for_each_minute() -> None:
    cluster = Cluster()
    cluster.add(schedule="R1/2026-01-01T00:00:30Z/P1D")
    cluster.advance(30)
    (task_id,) = cluster.tasks
    cluster.say(task_id, "TASK_UNREACHABLE")
    cluster.advance(61)
    assert cluster.chronos.runs_of("job")[0].state == "Running", "as the agent said when it was asked"


@pytest.mark.parametrize(
    ("policy", "found"),
    [("last", [10, 100, 110, 120]), ("all", [10, *range(20, 121, 10)]), ("none", [10, 110, 120])],
)
def test_runs_that_were_missed_follow_the_policy(policy: str, found: list[int]) -> None:
    cluster = Cluster(missed_runs=policy)
    cluster.add(epsilon="PT5S")
    run_for(cluster, 10)
    cluster.clock.advance_ms(97_000)
    cluster.fail_over()
    for _ in range(12):
        finish_all(cluster)
    run_for(cluster, 13)
    assert cluster.due() == found


def test_runs_that_were_missed_for_less_than_epsilon_are_all_started() -> None:
    cluster = Cluster(missed_runs="none")
    cluster.add(epsilon="PT30S")
    cluster.clock.advance_ms(35_000)
    cluster.fail_over()
    run_for(cluster, 1)
    for _ in range(4):
        finish_all(cluster)
    assert cluster.due() == [10, 20, 30]


def test_a_run_that_was_stored_and_never_launched_is_launched_by_the_successor() -> None:
    cluster = Cluster()
    cluster.add(schedule="R1/2026-01-01T00:00:01Z/P1D")
    cluster.connected = False
    cluster.advance(1)
    cluster.chronos.offers([])
    assert cluster.launched == []
    cluster.fail_over()
    assert len(cluster.launched) == 1


def test_a_job_that_is_changed_keeps_its_counts_and_place() -> None:
    cluster = Cluster()
    cluster.add()
    run_for(cluster, 15)
    _, (job,) = cluster.request("GET", "/v1/scheduler/jobs")
    cluster.request("POST", "/v1/scheduler/iso8601", {**job, "command": "false"})
    assert cluster.chronos.entries["job"].success_count == 1
    run_for(cluster, 10)
    assert cluster.due() == [10, 20]


def test_constraints_and_resources_choose_the_agent() -> None:
    cluster = Cluster()
    at = "R1/2026-01-01T00:00:01Z/P1D"
    cluster.add("here", at, constraints=[["rack", "EQUALS", "r1"], ["rack", "LIKE", "r[12]"]])
    cluster.add("elsewhere", at, constraints=[["rack", "EQUALS", "r2"]])
    cluster.add("not here", at, constraints=[["rack", "UNLIKE", "r.*"]])
    cluster.add("too large", at, cpus=40)
    cluster.advance(2)
    assert [task_id.split(":")[3] for task_id in cluster.tasks] == ["here"]
    _, found = cluster.request("GET", "/v1/scheduler/jobs/summary")
    states = {job["name"]: job["state"] for job in found["jobs"]}
    assert states == {"here": "1 running", "elsewhere": "queued", "not here": "queued", "too large": "queued"}


def test_statistics_and_search() -> None:
    cluster = Cluster()
    cluster.add(schedule="R3/2026-01-01T00:00:10Z/PT10S")
    for seconds in (1, 2, 3):
        while not cluster.tasks:
            cluster.advance(1)
        (task_id,) = cluster.tasks
        cluster.say(task_id, "TASK_RUNNING")
        cluster.advance(seconds)
        cluster.end(task_id)
    _, found = cluster.request("GET", "/v1/scheduler/job/stat/job")
    assert (found["histogram"]["median"], found["histogram"]["mean"], found["histogram"]["count"]) == (2.0, 2.0, 3)
    assert found["numSuccesses"] == 3
    assert cluster.request("GET", "/v1/scheduler/stats/median") == (200, [{"jobNameLabel": "job", "time": 2.0}])
    assert cluster.request("GET", "/v1/scheduler/stats/50th")[0] == 404
    for query, count in (("name=JO", 1), ("command=tru", 1), ("any=job", 1), ("name=x", 0), ("limit=0", 0)):
        assert len(cluster.request("GET", f"/v1/scheduler/jobs/search?{query}")[1]) == count
    assert figure([1.0, 2.0, 3.0, 4.0], "75thPercentile") == 3.75
    assert figure([], "mean") == 0.0


@pytest.mark.parametrize(
    "job",
    [
        {"name": "a/b", "command": "x", "schedule": "R//P1D"},
        {"name": "a", "command": "x"},
        {"name": "a", "command": "x", "schedule": "R//P1D", "parents": ["b"]},
        {"name": "a", "command": "x", "schedule": "R//tomorrow"},
        {"name": "a", "command": "x", "schedule": "R//P1D", "cpus": "many"},
        {"name": "a", "command": "x", "schedule": "R//P1D", "cpus": -1},
        {"name": "a", "command": "x", "schedule": "R//P1D", "epsilon": "soon"},
        {"name": "a", "schedule": "R//P1D"},
        {"name": "a", "command": "x", "schedule": "R//P1D", "constraints": [["rack", "NEAR", "x"]]},
        {"name": ["a"], "command": "x", "schedule": "R//P1D"},
        {"name": "a", "command": "x", "schedule": "R//P1D", "disabled": "perhaps"},
        [],
        b"{",
    ],
)
def test_what_is_no_job_is_refused_and_says_why(job: object) -> None:
    status, answer = Cluster().request("POST", "/v1/scheduler/iso8601", job)
    assert status == 400 and answer["message"]


def test_paths_of_before_version_3_and_what_is_not_there() -> None:
    cluster = Cluster()
    cluster.add(cpus="0.5", mem="64")
    assert cluster.request("GET", "/scheduler/jobs")[1][0]["cpus"] == 0.5
    assert cluster.request("GET", "/v1/scheduler/job/job")[1]["mem"] == 64
    assert cluster.request("GET", "/leader") == (200, {"leader": "127.0.0.1:4400"})
    assert cluster.request("GET", "/v1/scheduler/none")[0] == 404
    assert cluster.request("POST", "/v1/scheduler/jobs")[0] == 405
    assert cluster.request("POST", "/v1/scheduler/job/job/task/t/progress", {})[0] == 501


@pytest.mark.parametrize("seed", range(20))
def test_every_due_time_has_one_successful_run_over_failures_and_failovers(seed: int) -> None:
    """Tasks fail, statuses come late, Chronos is succeeded at any moment: each due time succeeds exactly once."""
    chance = random.Random(seed)
    cluster = Cluster(missed_runs="all", failure_retry_ms=1000)
    cluster.add(schedule="R20/2026-01-01T00:00:05Z/PT5S", retries=1000, epsilon="PT1S")
    succeeded: list[int] = []
    for _ in range(400):
        what = chance.random()
        if what < 0.1:
            cluster.connected = False
            for _ in range(chance.randrange(3)):
                cluster.advance(1)
            cluster.fail_over()
        elif what < 0.15:
            cluster.has_offers = not cluster.has_offers
        cluster.advance(1)
        for task_id in list(cluster.tasks):
            fate = chance.random()
            if fate < 0.3:
                cluster.say(task_id, "TASK_RUNNING")
            elif fate < 0.5:
                cluster.end(task_id, "TASK_FAILED")
            elif fate < 0.7:
                succeeded.append(int(task_id.split(":")[1]))
                cluster.end(task_id)
    cluster.has_offers = True
    for _ in range(20_000):
        cluster.advance(1)
        if not cluster.chronos.runs and cluster.chronos.next_due_ms("job") is None:
            break
        for task_id in list(cluster.tasks):
            succeeded.append(int(task_id.split(":")[1]))
            cluster.end(task_id)
    assert len(succeeded) == len(set(succeeded)) == 20


def test_numbers_and_booleans_are_read_as_texts_and_texts_as_booleans() -> None:
    cluster = Cluster()
    variables = [{"name": 1, "value": 2.5}, {"name": "flag", "value": True}]
    job = {
        "name": 17,
        "command": "true",
        "schedule": "R//P1D",
        "disabled": "true",
        "highPriority": "False",
        "cpus": "0.5",
        "environmentVariables": variables,
    }
    assert cluster.request("POST", "/v1/scheduler/iso8601", job)[0] == 204
    _, (shown,) = cluster.request("GET", "/v1/scheduler/jobs")
    assert (shown["name"], shown["disabled"], shown["highPriority"], shown["cpus"]) == ("17", True, False, 0.5)
    assert shown["environmentVariables"] == [{"name": "1", "value": "2.5"}, {"name": "flag", "value": "true"}]
