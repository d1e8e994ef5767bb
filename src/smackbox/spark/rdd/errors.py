"""What goes wrong in a job, as errors that say which stage, which task, and what to mend."""

from __future__ import annotations

from smackbox.base.errors import RequestError, SmackError


class JobError(SmackError):
    """A job was aborted; the message ends with the traceback of the task that failed."""


class ClosureError(RequestError):
    """A function cannot be sent to the executors; the message names the variable that does not pickle."""


class FetchFailedError(SmackError):
    """A shuffle file is gone: its map task has to run again. Raised in a task, handled by the scheduler."""

    def __init__(self, shuffle_id: int, map_index: int) -> None:
        super().__init__(shuffle_id, map_index)
        self.shuffle_id = shuffle_id
        self.map_index = map_index


class JobCancelledError(JobError):
    """The job was cancelled, alone or with its group."""
