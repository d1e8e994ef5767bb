"""Settings of Chronos, with the names of Chronos' flags where they exist."""

from __future__ import annotations

from typing import Literal

from smackbox.base.errors import SettingError
from smackbox.mesos_framework.settings import FrameworkSettings

MissedRuns = Literal["last", "all", "none"]


class ChronosSettings(FrameworkSettings, frozen=True, kw_only=True):
    """The settings of the section `[chronos]`."""

    mesos_framework_name: str = "chronos"
    mesos_task_cpu: float = 0.1
    mesos_task_mem: float = 128.0
    mesos_task_disk: float = 256.0
    failure_retry: int = 60_000
    """Milliseconds before a failed run is retried; doubled each time, up to an hour."""

    missed_runs: MissedRuns = "last"
    """Which of a job's runs to start that fell due without a leader, longer than its epsilon ago: the last, all, or
    none.
    """

    unreachable_timeout: float = 3600.0
    """Seconds after which a run on an unreachable agent counts as failed."""

    def check(self) -> None:
        """Check the settings. Raises `SettingError`."""
        super().check()
        if self.failure_retry < 0 or self.unreachable_timeout < 0:
            raise SettingError("chronos: failure_retry and unreachable_timeout are 0 or more")
