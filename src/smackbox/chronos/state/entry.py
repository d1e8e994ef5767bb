"""The stored form of jobs and runs, as JSON.

run:  Waiting -> Launched -> Running -> ended: succeeded, retried (Waiting, a later attempt), or failed
                 Launched, Running <-> Unreachable
                 Running -> Awaited (async: its command succeeded, its report has not arrived)
"""

from __future__ import annotations

import re

import msgspec

from smackbox.chronos.wire.job import Job

WAITING = "Waiting"
LAUNCHED = "Launched"
RUNNING = "Running"
UNREACHABLE = "Unreachable"
AWAITED = "Awaited"

HISTORY_LIMIT = 100
_ARGUMENTS_LIMIT = 100


class Finished(msgspec.Struct, frozen=True):
    """A finished run."""

    started_ms: int
    duration_ms: int
    succeeded: bool


class Entry(msgspec.Struct, kw_only=True):
    """A job, and the results of its runs. Times are milliseconds since 1970, 0 for never."""

    job: Job
    left: str | None = None
    """The rest of the schedule, in the text form of `wire.schedule`."""

    cron_after_ms: int = 0
    success_count: int = 0
    error_count: int = 0
    errors_since_last_success: int = 0
    last_success_ms: int = 0
    last_error_ms: int = 0
    parents_done: list[str] = []
    """Parents that have succeeded since the job's last run."""

    history: list[Finished] = []


class Run(msgspec.Struct, kw_only=True):
    """One run of a job."""

    job: str
    due_ms: int
    attempt: int = 0
    failures: int = 0
    arguments: str = ""
    state: str = WAITING
    not_before_ms: int = 0
    agent_id: str = ""
    host: str = ""
    launched_ms: int = 0
    started_ms: int = 0
    unreachable_ms: int = 0
    killed_ms: int = 0
    """The time of the last kill request."""
    given_up: bool = False
    """Killed by a request: it is not retried."""

    @property
    def task_id(self) -> str:
        """The id of its task in Chronos' form: `ct:DUE:ATTEMPT:JOB:ARGUMENTS`."""
        arguments = re.sub(r"[\s/]", "_", self.arguments)[:_ARGUMENTS_LIMIT]
        return f"ct:{self.due_ms}:{self.attempt}:{self.job}:{arguments}"

    @property
    def key(self) -> str:
        """The key shared by all its attempts."""
        return f"{self.due_ms}:{self.job}"
