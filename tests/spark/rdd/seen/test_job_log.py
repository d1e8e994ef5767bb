"""What is counted of jobs, stages and tasks, and how much of it is kept."""

from __future__ import annotations

from typing import Any

from smackbox.spark.rdd.seen.events import (
    JobEnded,
    JobStarted,
    StageEnded,
    StagePlan,
    StageStarted,
    TaskEnded,
    TaskStarted,
)
from smackbox.spark.rdd.seen.job_log import JobLog, Retained

MAP = StagePlan(0, "reduceByKey at a.py:1", 2, True)
RESULT = StagePlan(1, "collect at a.py:2", 3, False)


def started(log: JobLog, properties: dict[str, str] | None = None) -> None:
    log.notify(JobStarted(0, "collect at a.py:2", (MAP, RESULT), properties or {}, 100))


def run(log: JobLog, plan: StagePlan, task_id: int, *, error: str | None = None, killed: bool = False) -> None:
    task = TaskStarted(plan, task_id, task_id, 0, task_id % 2, 110)
    log.notify(task)
    log.notify(TaskEnded(plan, task, error, None, killed, 115))


def counts(log: JobLog, stage_id: int) -> dict[str, Any]:
    stage = log.stages[stage_id]
    return {name: getattr(stage, name) for name in ("status", "active", "complete", "failed", "killed")}


def test_a_stage_counts_its_tasks_by_how_they_end() -> None:
    log = JobLog()
    started(log)
    log.notify(StageStarted(0, MAP, 105))
    run(log, MAP, 0)
    run(log, MAP, 1, error="ValueError: x")
    run(log, MAP, 2, error="its job has failed", killed=True)
    log.notify(TaskStarted(MAP, 3, 1, 1, 0, 120))
    assert counts(log, 0) == {"status": "ACTIVE", "active": 1, "complete": 1, "failed": 1, "killed": 1}
    assert [task.status for task in log.stages[0].tasks] == ["SUCCEEDED", "FAILED", "KILLED", "RUNNING"]
    assert log.tasks_by_executor == {0: [1, 1, 1, 10], 1: [0, 0, 1, 5]}


def test_a_stage_that_was_not_reached_is_skipped_when_its_job_ends() -> None:
    log = JobLog()
    started(log)
    log.notify(StageStarted(0, MAP, 105))
    log.notify(StageEnded(0, MAP, "no", 120))
    log.notify(JobEnded(0, "no", 130))
    assert [stage.status for stage in log.stages.values()] == ["FAILED", "SKIPPED"]
    job = log.jobs[0]
    assert (job.status, job.started_ms, job.ended_ms) == ("FAILED", 100, 130)


def test_a_stage_that_runs_again_belongs_to_the_job() -> None:
    log = JobLog()
    started(log)
    again = StagePlan(7, MAP.name, 1, True)
    log.notify(StageStarted(0, again, 140))
    assert log.jobs[0].stage_ids == [0, 1, 7]
    log.notify(StageEnded(0, again, None, 150))
    assert counts(log, 7)["status"] == "COMPLETE"


def test_the_oldest_that_ended_go_first() -> None:
    log = JobLog(Retained(jobs=2, stages=2, tasks=100))
    for number in range(4):
        plan = StagePlan(number, "x", 1, False)
        log.notify(JobStarted(number, "x", (plan,), {}, number))
        log.notify(StageStarted(number, plan, number))
        run(log, plan, number)
        if number != 1:  # it goes on
            log.notify(StageEnded(number, plan, None, number))
            log.notify(JobEnded(number, None, number))
    assert list(log.jobs) == [1, 3] and list(log.stages) == [1, 3]


def test_many_tasks_take_their_stages_with_them() -> None:
    log = JobLog(Retained(jobs=10, stages=10, tasks=5))
    for number in range(3):
        plan = StagePlan(number, "x", 4, False)
        log.notify(JobStarted(number, "x", (plan,), {}, number))
        log.notify(StageStarted(number, plan, number))
        for task in range(4):
            run(log, plan, number * 4 + task)
        log.notify(StageEnded(number, plan, None, number))
        log.notify(JobEnded(number, None, number))
    assert list(log.stages) == [2] and list(log.jobs) == [0, 1, 2]
