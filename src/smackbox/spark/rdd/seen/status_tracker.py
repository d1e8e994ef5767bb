# ruff: noqa: N802, N803, N815 - PySpark's names
"""`sc.statusTracker()`: what runs, for the program itself. Names and fields are those of `pyspark.status`."""

from __future__ import annotations

from typing import NamedTuple

from smackbox.spark.rdd.seen.events import JOB_GROUP
from smackbox.spark.rdd.seen.job_log import ACTIVE, RUNNING, JobLog


class SparkJobInfo(NamedTuple):
    """A job: `status` is RUNNING, SUCCEEDED or FAILED."""

    jobId: int
    stageIds: list[int]
    status: str


class SparkStageInfo(NamedTuple):
    """A stage and the counts of its tasks."""

    stageId: int
    currentAttemptId: int
    name: str
    numTasks: int
    numActiveTasks: int
    numCompletedTasks: int
    numFailedTasks: int


class StatusTracker:
    """Of one context. What is no longer kept, and what never was, gives None."""

    def __init__(self, log: JobLog) -> None:
        self._log = log

    def getJobIdsForGroup(self, jobGroup: str | None = None) -> list[int]:
        """The jobs of a group; of none for None."""
        with self._log.lock:
            return [job.job_id for job in self._log.jobs.values() if job.properties.get(JOB_GROUP) == jobGroup]

    def getActiveJobsIds(self) -> list[int]:
        """The jobs that run."""
        with self._log.lock:
            return [job.job_id for job in self._log.jobs.values() if job.status == RUNNING]

    def getActiveStageIds(self) -> list[int]:
        """The stages that run."""
        with self._log.lock:
            return [stage.plan.stage_id for stage in self._log.stages.values() if stage.status == ACTIVE]

    def getJobInfo(self, jobId: int) -> SparkJobInfo | None:
        """A job as it stands."""
        with self._log.lock:
            job = self._log.jobs.get(jobId)
            return None if job is None else SparkJobInfo(job.job_id, list(job.stage_ids), job.status)

    def getStageInfo(self, stageId: int) -> SparkStageInfo | None:
        """A stage as it stands."""
        with self._log.lock:
            stage = self._log.stages.get(stageId)
            if stage is None:
                return None
            plan = stage.plan
            return SparkStageInfo(plan.stage_id, 0, plan.name, plan.tasks, stage.active, stage.complete, stage.failed)
