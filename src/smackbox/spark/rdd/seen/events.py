"""What happens in a context, as its listeners are notified of it: jobs, their stages, and the tasks of these.

Times are milliseconds since 1970. A stage that runs again, because shuffle files were lost, is another stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

JOB_GROUP, DESCRIPTION = "spark.jobGroup.id", "spark.job.description"
"""Local properties of a job."""


@dataclass(frozen=True, slots=True)
class StagePlan:
    """A stage of a job. `name` is the action, or the transformation, with its place in the program."""

    stage_id: int
    name: str
    tasks: int
    makes_shuffle: bool


@dataclass(frozen=True, slots=True)
class JobStarted:
    """`stages` are all that it stands on, in their order; one whose shuffle files are there already does not run."""

    job_id: int
    name: str
    stages: tuple[StagePlan, ...]
    properties: Mapping[str, str]
    at_ms: int


@dataclass(frozen=True, slots=True)
class JobEnded:
    """`error` None: it succeeded."""

    job_id: int
    error: str | None
    at_ms: int


@dataclass(frozen=True, slots=True)
class StageStarted:
    """A stage's first tasks are about to be sent."""

    job_id: int
    stage: StagePlan
    at_ms: int


@dataclass(frozen=True, slots=True)
class StageEnded:
    """`error` None: all of its tasks succeeded."""

    job_id: int
    stage: StagePlan
    error: str | None
    at_ms: int


@dataclass(frozen=True, slots=True)
class TaskStarted:
    """`task_id` counts the tasks of a context; `locality` is in Spark's words; `speculative`: it is a second copy."""

    stage: StagePlan
    task_id: int
    index: int
    attempt: int
    executor: int
    at_ms: int
    locality: str = "PROCESS_LOCAL"
    speculative: bool = False


@dataclass(frozen=True, slots=True)
class TaskEnded:
    """`error` and `traceback` are None of a task that succeeded; `killed`: its job was cancelled or has failed."""

    stage: StagePlan
    task: TaskStarted
    error: str | None
    traceback: str | None
    killed: bool
    at_ms: int


Event = JobStarted | JobEnded | StageStarted | StageEnded | TaskStarted | TaskEnded


class Listener(Protocol):
    """Is called in the scheduler's thread, in the order of what happens; it must not raise and not wait."""

    def notify(self, event: Event) -> None:
        """Take note."""
        ...
