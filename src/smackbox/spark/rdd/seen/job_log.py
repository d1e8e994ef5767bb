"""The jobs and stages of a context so far, with their counts: what its REST interface and its progress bar show.

As in Spark, a limited number is kept (`spark.ui.retainedJobs`, `…Stages`, `…Tasks`); the oldest that ended go first.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from smackbox.spark.rdd.seen.events import (
    Event,
    JobEnded,
    JobStarted,
    StageEnded,
    StagePlan,
    StageStarted,
    TaskEnded,
    TaskStarted,
)

RUNNING, SUCCEEDED, FAILED = "RUNNING", "SUCCEEDED", "FAILED"
PENDING, ACTIVE, COMPLETE, SKIPPED = "PENDING", "ACTIVE", "COMPLETE", "SKIPPED"
KILLED = "KILLED"


@dataclass(slots=True)
class TaskRecord:
    """A task that was sent, and how it ended."""

    started: TaskStarted
    status: str = RUNNING
    ended_ms: int | None = None
    error: str | None = None


@dataclass(slots=True)
class StageRecord:
    """A stage of a job and the counts of its tasks."""

    plan: StagePlan
    job_id: int
    status: str = PENDING
    started_ms: int | None = None
    ended_ms: int | None = None
    active: int = 0
    complete: int = 0
    failed: int = 0
    killed: int = 0
    error: str | None = None
    tasks: list[TaskRecord] = field(default_factory=list)


@dataclass(slots=True)
class JobRecord:
    """A job and the stages that it runs."""

    job_id: int
    name: str
    stage_ids: list[int]
    properties: Mapping[str, str]
    started_ms: int
    ended_ms: int | None = None
    status: str = RUNNING


@dataclass(frozen=True, slots=True)
class Retained:
    """How many are kept."""

    jobs: int = 1_000
    stages: int = 1_000
    tasks: int = 100_000


class JobLog:
    """A listener. Read it under `lock`, from any thread."""

    def __init__(self, retained: Retained | None = None) -> None:
        self.lock = threading.Lock()
        self.jobs: dict[int, JobRecord] = {}
        self.stages: dict[int, StageRecord] = {}
        self.tasks_by_executor: dict[int, list[int]] = {}
        """For each executor: its tasks that run, are complete, have failed, and their milliseconds."""
        self._retained = retained or Retained()
        self._running: dict[int, TaskRecord] = {}
        self._tasks = 0

    def notify(self, event: Event) -> None:
        """Take note."""
        with self.lock:
            if isinstance(event, TaskStarted):
                self._task_started(event)
            elif isinstance(event, TaskEnded):
                self._task_ended(event)
            elif isinstance(event, StageStarted):
                self._stage_started(event)
            elif isinstance(event, StageEnded):
                self._stage_ended(event)
            elif isinstance(event, JobStarted):
                self._job_started(event)
            else:
                self._job_ended(event)

    def _job_started(self, event: JobStarted) -> None:
        ids = [plan.stage_id for plan in event.stages]
        self.jobs[event.job_id] = JobRecord(event.job_id, event.name, ids, event.properties, event.at_ms)
        for plan in event.stages:
            self.stages[plan.stage_id] = StageRecord(plan, event.job_id)

    def _job_ended(self, event: JobEnded) -> None:
        job = self.jobs.get(event.job_id)
        if job is not None:
            job.status = SUCCEEDED if event.error is None else FAILED
            job.ended_ms = event.at_ms
            for stage_id in job.stage_ids:
                stage = self.stages.get(stage_id)
                if stage is not None and stage.status == PENDING:
                    stage.status = SKIPPED
        self._drop_old()

    def _stage_started(self, event: StageStarted) -> None:
        stage = self.stages.setdefault(event.stage.stage_id, StageRecord(event.stage, event.job_id))
        stage.plan = event.stage
        stage.status = ACTIVE
        stage.started_ms = event.at_ms
        job = self.jobs.get(event.job_id)
        if job is not None and stage.plan.stage_id not in job.stage_ids:
            job.stage_ids.append(stage.plan.stage_id)  # it runs again

    def _stage_ended(self, event: StageEnded) -> None:
        stage = self.stages.get(event.stage.stage_id)
        if stage is not None:
            stage.status = COMPLETE if event.error is None else FAILED
            stage.ended_ms = event.at_ms
            stage.error = event.error

    def _task_started(self, event: TaskStarted) -> None:
        record = self._running[event.task_id] = TaskRecord(event)
        self.tasks_by_executor.setdefault(event.executor, [0, 0, 0, 0])[0] += 1
        stage = self.stages.get(event.stage.stage_id)
        if stage is not None:
            stage.active += 1
            stage.tasks.append(record)
            self._tasks += 1

    def _task_ended(self, event: TaskEnded) -> None:
        record = self._running.pop(event.task.task_id, None)
        if record is None:
            return
        record.status = KILLED if event.killed else SUCCEEDED if event.error is None else FAILED
        record.ended_ms = event.at_ms
        record.error = event.error
        counts = self.tasks_by_executor[event.task.executor]
        counts[0] -= 1
        counts[1 if event.error is None and not event.killed else 2] += 1
        counts[3] += event.at_ms - record.started.at_ms
        stage = self.stages.get(event.stage.stage_id)
        if stage is None:
            return
        stage.active -= 1
        if event.killed:
            stage.killed += 1
        elif event.error is None:
            stage.complete += 1
        else:
            stage.failed += 1

    def _drop_old(self) -> None:
        ended = [job for job in self.jobs.values() if job.ended_ms is not None]
        for job in ended[: max(0, len(self.jobs) - self._retained.jobs)]:
            del self.jobs[job.job_id]
        over = len(self.stages) - self._retained.stages
        for stage in list(self.stages.values()):
            if over <= 0 and self._tasks <= self._retained.tasks:
                break
            if stage.status in {PENDING, ACTIVE}:
                continue
            over -= 1
            self._tasks -= len(stage.tasks)
            del self.stages[stage.plan.stage_id]
