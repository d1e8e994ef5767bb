"""Spark's REST interface of a running context: `/api/v1/applications/…`, read only, on 127.0.0.1.

Jobs, stages, their tasks, executors, environment and version, in the shapes of `org.apache.spark.status.api.v1`; what
is not measured here is left out. The port is `spark.ui.port` (4040) or one of the 16 after it, as in Spark; where none
is free, and for 0, it is any other.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from smackbox.spark.rdd.seen.event_log import SPARK_VERSION
from smackbox.spark.rdd.seen.events import DESCRIPTION, JOB_GROUP
from smackbox.spark.rdd.seen.job_log import (
    ACTIVE,
    COMPLETE,
    FAILED,
    SKIPPED,
    JobLog,
    JobRecord,
    StageRecord,
    TaskRecord,
)

HOST = "127.0.0.1"
DEFAULT_PORT = 4040
PORT_RETRIES = 16
REQUEST_TIMEOUT_S = 10.0
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Application:
    """The context that is shown."""

    app_id: str
    name: str
    master: str
    executors: int
    started_ms: int
    settings: Mapping[str, str]
    user: str


class NotFound(Exception):  # noqa: N818 - Spark's name
    """There is no such thing; the message is Spark's."""


class StatusServer:
    """Serves a context from `start` to `stop`."""

    def __init__(self, application: Application, log: JobLog, port: int = DEFAULT_PORT) -> None:
        self._server = _bound(Status(application, log).answer, port)
        self._thread = threading.Thread(target=self._server.serve_forever, name="spark status", daemon=True)

    @property
    def url(self) -> str:
        """Without the path."""
        return f"http://{HOST}:{self._server.server_port}"

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Status:
    """The answers, as plain data."""

    def __init__(self, application: Application, log: JobLog) -> None:
        self._application = application
        self._log = log

    def answer(self, path: str, query: Mapping[str, list[str]]) -> Any:
        """What the path shows. Raises `NotFound`, and `ValueError` for a parameter of the wrong form."""
        parts = [part for part in path.split("/") if part]
        if parts[:2] != ["api", "v1"]:
            raise NotFound(f"no such page: {path}; see /api/v1/applications")
        match parts[2:]:
            case ["version"]:
                return {"spark": SPARK_VERSION}
            case ["applications"]:
                return [self._shown()]
            case ["applications", app_id, *rest]:
                if app_id != self._application.app_id:
                    raise NotFound(f"unknown app: {app_id}")
                with self._log.lock:
                    return self._of_application(rest, query)
        raise NotFound(f"no such page: {path}")

    def _of_application(self, rest: list[str], query: Mapping[str, list[str]]) -> Any:
        match rest:
            case []:
                return self._shown()
            case ["jobs"]:
                wanted = {status.upper() for status in query.get("status", ())}
                jobs = [job for job in reversed(self._log.jobs.values()) if not wanted or job.status in wanted]
                return [self._job(job) for job in jobs]
            case ["jobs", number]:
                return self._job(self._found_job(number))
            case ["stages"]:
                wanted = {status.upper() for status in query.get("status", ())}
                stages = [
                    stage for stage in reversed(self._log.stages.values()) if not wanted or stage.status in wanted
                ]
                return [self._stage(stage) for stage in stages]
            case ["stages", number]:
                return [self._stage(self._found_stage(number), details=True)]
            case ["stages", number, "0"]:
                return self._stage(self._found_stage(number), details=True)
            case ["stages", number, "0", "taskList"]:
                return self._tasks(self._found_stage(number), query)
            case ["executors"] | ["allexecutors"]:
                numbers = {*range(self._application.executors), *self._log.tasks_by_executor}
                return [self._executor(number) for number in sorted(numbers)]
            case ["environment"]:
                return {"sparkProperties": sorted(self._application.settings.items())}
        raise NotFound(f"no such page: {'/'.join(rest)}")

    def _found_job(self, number: str) -> JobRecord:
        job = self._log.jobs.get(int(number))
        if job is None:
            raise NotFound(f"unknown job: {number}")
        return job

    def _found_stage(self, number: str) -> StageRecord:
        stage = self._log.stages.get(int(number))
        if stage is None:
            raise NotFound(f"unknown stage: {number}")
        return stage

    def _shown(self) -> Json:
        own = self._application
        attempt = {
            "startTime": _time(own.started_ms),
            "endTime": _time(-1),
            "lastUpdated": _time(own.started_ms),
            "duration": 0,
            "sparkUser": own.user,
            "completed": False,
            "appSparkVersion": SPARK_VERSION,
            "startTimeEpoch": own.started_ms,
            "endTimeEpoch": -1,
            "lastUpdatedEpoch": own.started_ms,
        }
        return {"id": own.app_id, "name": own.name, "attempts": [attempt]}

    def _job(self, job: JobRecord) -> Json:
        stages = [self._log.stages[stage_id] for stage_id in job.stage_ids if stage_id in self._log.stages]
        shown: Json = {
            "jobId": job.job_id,
            "name": job.name,
            "submissionTime": _time(job.started_ms),
            "stageIds": job.stage_ids,
            "jobTags": [],
            "status": job.status,
            "numTasks": sum(stage.plan.tasks for stage in stages),
            "numActiveTasks": sum(stage.active for stage in stages),
            "numCompletedTasks": sum(stage.complete for stage in stages),
            "numSkippedTasks": sum(stage.plan.tasks for stage in stages if stage.status == SKIPPED),
            "numFailedTasks": sum(stage.failed for stage in stages),
            "numKilledTasks": sum(stage.killed for stage in stages),
            "numCompletedIndices": sum(stage.complete for stage in stages),
            "numActiveStages": sum(stage.status == ACTIVE for stage in stages),
            "numCompletedStages": sum(stage.status == COMPLETE for stage in stages),
            "numSkippedStages": sum(stage.status == SKIPPED for stage in stages),
            "numFailedStages": sum(stage.status == FAILED for stage in stages),
            "killedTasksSummary": {},
        }
        if job.ended_ms is not None:
            shown["completionTime"] = _time(job.ended_ms)
        for name, key in (("jobGroup", JOB_GROUP), ("description", DESCRIPTION)):
            if key in job.properties:
                shown[name] = job.properties[key]
        return shown

    def _stage(self, stage: StageRecord, *, details: bool = False) -> Json:
        shown: Json = {
            "status": stage.status,
            "stageId": stage.plan.stage_id,
            "attemptId": 0,
            "name": stage.plan.name,
            "details": stage.plan.name,
            "schedulingPool": "default",
            "numTasks": stage.plan.tasks,
            "numActiveTasks": stage.active,
            "numCompleteTasks": stage.complete,
            "numFailedTasks": stage.failed,
            "numKilledTasks": stage.killed,
            "numCompletedIndices": stage.complete,
            "executorRunTime": sum(_duration(task) or 0 for task in stage.tasks),
            "rddIds": [],
            "accumulatorUpdates": [],
            "killedTasksSummary": {},
            "resourceProfileId": 0,
        }
        if stage.started_ms is not None:
            shown["submissionTime"] = shown["firstTaskLaunchedTime"] = _time(stage.started_ms)
        if stage.ended_ms is not None:
            shown["completionTime"] = _time(stage.ended_ms)
        if stage.error is not None:
            shown["failureReason"] = stage.error
        if details:
            shown["tasks"] = {str(task.started.task_id): _task(task) for task in stage.tasks}
        return shown

    def _tasks(self, stage: StageRecord, query: Mapping[str, list[str]]) -> list[Json]:
        offset = int(query.get("offset", ["0"])[0])
        length = int(query.get("length", ["20"])[0])
        return [_task(task) for task in stage.tasks[offset : offset + length]]

    def _executor(self, number: int) -> Json:
        active, complete, failed, spent_ms = self._log.tasks_by_executor.get(number, (0, 0, 0, 0))
        return {
            "id": str(number),
            "hostPort": HOST,
            "isActive": True,
            "totalCores": 1,
            "maxTasks": 1,
            "activeTasks": active,
            "completedTasks": complete,
            "failedTasks": failed,
            "totalTasks": active + complete + failed,
            "totalDuration": spent_ms,
            "addTime": _time(self._application.started_ms),
            "isExcluded": False,
        }


def _duration(task: TaskRecord) -> int | None:
    return None if task.ended_ms is None else task.ended_ms - task.started.at_ms


def _task(task: TaskRecord) -> Json:
    shown: Json = {
        "taskId": task.started.task_id,
        "index": task.started.index,
        "attempt": task.started.attempt,
        "partitionId": task.started.index,
        "launchTime": _time(task.started.at_ms),
        "executorId": str(task.started.executor),
        "host": HOST,
        "status": {"SUCCEEDED": "SUCCESS"}.get(task.status, task.status),
        "taskLocality": task.started.locality,
        "speculative": task.started.speculative,
        "accumulatorUpdates": [],
    }
    if task.ended_ms is not None:
        shown["duration"] = task.ended_ms - task.started.at_ms
    if task.error is not None:
        shown["errorMessage"] = task.error
    return shown


def _time(at_ms: int) -> str:
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03}GMT"


def _bound(answer: Callable[[str, Mapping[str, list[str]]], Any], port: int) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_TIMEOUT_S

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            try:
                status, body = 200, answer(url.path, parse_qs(url.query))
            except NotFound as error:
                status, body = 404, str(error)
            except ValueError as error:
                status, body = 400, f"a parameter is of the wrong form: {error}"
            text = body if isinstance(body, str) else json.dumps(body, indent=2)
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if isinstance(body, str) else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Requests are not logged."""

    for candidate in range(port, port + PORT_RETRIES + 1) if port else ():
        with contextlib.suppress(OSError, OverflowError):
            return ThreadingHTTPServer((HOST, candidate), Handler)
    return ThreadingHTTPServer((HOST, 0), Handler)
