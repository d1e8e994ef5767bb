"""Who watches a context, by its settings: the job log always; the event log, the REST interface and the progress bar
where they are asked for.

    spark.eventLog.enabled, spark.eventLog.dir    false, /tmp/spark-events
    spark.ui.enabled, spark.ui.port               false (in Spark true), 4040
    spark.ui.showConsoleProgress                  false
    spark.ui.retainedJobs, …Stages, …Tasks        1000, 1000, 100000

`smack submit` switches the REST interface and, on a terminal, the progress bar on.
"""

from __future__ import annotations

import getpass
import sys
import time
from collections.abc import Mapping

from smackbox.base.errors import SettingError
from smackbox.spark.rdd.seen.event_log import EventLog
from smackbox.spark.rdd.seen.events import Listener
from smackbox.spark.rdd.seen.job_log import JobLog, Retained
from smackbox.spark.rdd.seen.progress import ConsoleProgress
from smackbox.spark.rdd.seen.rest import DEFAULT_PORT, Application, StatusServer

DEFAULT_EVENT_DIR = "/tmp/spark-events"  # noqa: S108 - Spark's own default


class Observers:
    """Of one context, from its beginning to `stop`. Raises `SettingError`."""

    def __init__(self, settings: Mapping[str, str], name: str, master: str, executors: int) -> None:
        now_ms = time.time_ns() // 1_000_000
        self.app_id = f"{'mesos' if master.startswith('mesos://') else 'local'}-{now_ms}"
        self.log = JobLog(
            Retained(
                _number(settings, "spark.ui.retainedJobs", 1_000),
                _number(settings, "spark.ui.retainedStages", 1_000),
                _number(settings, "spark.ui.retainedTasks", 100_000),
            )
        )
        self._event_log: EventLog | None = None
        self._server: StatusServer | None = None
        self._progress: ConsoleProgress | None = None
        if _switch(settings, "spark.eventLog.enabled"):
            folder = settings.get("spark.eventLog.dir", DEFAULT_EVENT_DIR)
            self._event_log = EventLog(folder, self.app_id, name, executors, now_ms)
        if _switch(settings, "spark.ui.enabled"):
            application = Application(self.app_id, name, master, executors, now_ms, settings, getpass.getuser())
            self._server = StatusServer(application, self.log, _number(settings, "spark.ui.port", DEFAULT_PORT))
            self._server.start()
        if _switch(settings, "spark.ui.showConsoleProgress"):
            self._progress = ConsoleProgress(self.log, sys.stderr)
            self._progress.start()

    @property
    def listeners(self) -> list[Listener]:
        """For the scheduler."""
        return [self.log] if self._event_log is None else [self.log, self._event_log]

    @property
    def url(self) -> str | None:
        """Of the REST interface, None where there is none."""
        return None if self._server is None else self._server.url

    def stop(self) -> None:
        """The context has stopped."""
        if self._progress is not None:
            self._progress.stop()
        if self._server is not None:
            self._server.stop()
        if self._event_log is not None:
            self._event_log.close(time.time_ns() // 1_000_000)


def _switch(settings: Mapping[str, str], name: str) -> bool:
    value = str(settings.get(name, "false")).lower()
    if value not in {"true", "false"}:
        raise SettingError(f"{name} must be true or false, not {settings[name]!r}")
    return value == "true"


def _number(settings: Mapping[str, str], name: str, default: int) -> int:
    try:
        value = int(settings.get(name, default))
    except ValueError:
        value = -1
    if value < 0:
        raise SettingError(f"{name} must be a number of 0 or more, not {settings[name]!r}")
    return value
