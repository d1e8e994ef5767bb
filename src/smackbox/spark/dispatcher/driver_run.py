"""A driver that somebody submitted, from its request to its end, as it is stored."""

from __future__ import annotations

import msgspec

from smackbox.spark.submission import Submission

SUBMITTED, QUEUED, RUNNING, RETRYING = "SUBMITTED", "QUEUED", "RUNNING", "RETRYING"
FINISHED, FAILED, KILLED, NOT_FOUND = "FINISHED", "FAILED", "KILLED", "NOT_FOUND"
"""The states of the REST protocol (`DriverState` of Spark); QUEUED waits for an offer."""

ENDED = frozenset({FINISHED, FAILED, KILLED})


class DriverRun(msgspec.Struct, kw_only=True):
    """One driver. `mem_mb` is its container's; `environment` is what the driver's process gets beside its own."""

    submission_id: str
    submission: Submission
    cores: float
    mem_mb: int
    environment: dict[str, str] = {}
    labels: dict[str, str] = {}
    constraints: dict[str, frozenset[str]] = {}
    supervise: bool = False
    python: str = ""
    state: str = QUEUED
    attempt: int = 0
    agent_id: str = ""
    agent_url: str = ""
    hostname: str = ""
    message: str = ""
    exit_code: int | None = None
    is_killed: bool = False
    retry_at_ms: int = 0

    @property
    def task_id(self) -> str:
        """Of the attempt that runs."""
        return self.task_of(self.attempt)

    def task_of(self, attempt: int) -> str:
        """The task of an attempt; the first is 0."""
        return self.submission_id if not attempt else f"{self.submission_id}-retry-{attempt}"

    @property
    def is_over(self) -> bool:
        return self.state in ENDED
