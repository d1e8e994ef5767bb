"""A log of what happens in the format of Spark's own event log: its history server shows it.

A file of JSON lines, `<application id>.inprogress` while the context lives. Settings: `spark.eventLog.enabled`,
`spark.eventLog.dir`. Source: Spark's `JsonProtocol` and `SingleEventLogFileWriter`.
"""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import IO, Any

from smackbox.base.errors import SettingError
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

SPARK_VERSION = "4.1.1"
"""Whose format it is."""
HOST = "localhost"
IN_PROGRESS = ".inprogress"


class EventLog:
    """A listener. Raises `SettingError` where the directory is not there, as Spark does."""

    def __init__(self, directory: str, app_id: str, app_name: str, executors: int, at_ms: int) -> None:
        folder = Path(directory.removeprefix("file:"))
        if not folder.is_dir():
            raise SettingError(f"spark.eventLog.dir: {folder} is not a directory; make it first")
        self.path = folder / app_id
        self._started: dict[int, int] = {}
        self._file: IO[str] = Path(f"{self.path}{IN_PROGRESS}").open("w", encoding="utf-8")
        self._write("LogStart", {"Spark Version": SPARK_VERSION})
        user = getpass.getuser()
        self._write("ApplicationStart", {"App Name": app_name, "App ID": app_id, "Timestamp": at_ms, "User": user})
        for executor in range(executors):
            info = {"Host": HOST, "Total Cores": 1, "Log Urls": {}, "Attributes": {}, "Resources": {}}
            self._write(
                "ExecutorAdded",
                {"Timestamp": at_ms, "Executor ID": str(executor), "Executor Info": {**info, "Resource Profile Id": 0}},
            )
        self._file.flush()

    def notify(self, event: Event) -> None:
        """Write a line."""
        if isinstance(event, JobStarted):
            stages = [_stage(plan) for plan in event.stages]
            ids = [plan.stage_id for plan in event.stages]
            self._write(
                "JobStart",
                {
                    "Job ID": event.job_id,
                    "Submission Time": event.at_ms,
                    "Stage Infos": stages,
                    "Stage IDs": ids,
                    "Properties": dict(event.properties),
                },
            )
        elif isinstance(event, JobEnded):
            result: dict[str, Any] = {"Result": "JobSucceeded"}
            if event.error is not None:
                result = {"Result": "JobFailed", "Exception": {"Message": event.error, "Stack Trace": []}}
            self._write("JobEnd", {"Job ID": event.job_id, "Completion Time": event.at_ms, "Job Result": result})
            self._file.flush()
        elif isinstance(event, StageStarted):
            info = {**_stage(event.stage), "Submission Time": event.at_ms}
            self._started[event.stage.stage_id] = event.at_ms
            self._write("StageSubmitted", {"Stage Info": info, "Properties": {}})
        elif isinstance(event, StageEnded):
            self._write("StageCompleted", {"Stage Info": self._ended(event)})
            self._file.flush()
        elif isinstance(event, TaskStarted):
            self._write(
                "TaskStart", {"Stage ID": event.stage.stage_id, "Stage Attempt ID": 0, "Task Info": _task(event)}
            )
        else:
            self._write(
                "TaskEnd",
                {
                    "Stage ID": event.stage.stage_id,
                    "Stage Attempt ID": 0,
                    "Task Type": "ShuffleMapTask" if event.stage.makes_shuffle else "ResultTask",
                    "Task End Reason": _reason(event),
                    "Task Info": _task(event.task, event),
                    "Task Executor Metrics": {},
                    "Task Metrics": _metrics(event.at_ms - event.task.at_ms),
                },
            )

    def close(self, at_ms: int) -> None:
        """The context stops: the file gets its name."""
        self._write("ApplicationEnd", {"Timestamp": at_ms})
        self._file.close()
        Path(self._file.name).rename(self.path)

    def _write(self, kind: str, fields: dict[str, Any]) -> None:
        # without spaces: the history server looks for lines by how they begin
        self._file.write(json.dumps({"Event": f"SparkListener{kind}", **fields}, separators=(",", ":")) + "\n")

    def _ended(self, event: StageEnded) -> dict[str, Any]:
        info = {
            **_stage(event.stage),
            "Submission Time": self._started.pop(event.stage.stage_id, event.at_ms),
            "Completion Time": event.at_ms,
        }
        return info if event.error is None else {**info, "Failure Reason": event.error}


def _stage(plan: StagePlan) -> dict[str, Any]:
    return {
        "Stage ID": plan.stage_id,
        "Stage Attempt ID": 0,
        "Stage Name": plan.name,
        "Number of Tasks": plan.tasks,
        "RDD Info": [],
        "Parent IDs": [],
        "Details": plan.name,
        "Accumulables": [],
        "Resource Profile Id": 0,
        "Shuffle Push Enabled": False,
        "Shuffle Push Mergers Count": 0,
    }


def _task(task: TaskStarted, ended: TaskEnded | None = None) -> dict[str, Any]:
    return {
        "Task ID": task.task_id,
        "Index": task.index,
        "Attempt": task.attempt,
        "Partition ID": task.index,
        "Launch Time": task.at_ms,
        "Executor ID": str(task.executor),
        "Host": HOST,
        "Locality": task.locality,
        "Speculative": task.speculative,
        "Getting Result Time": 0,
        "Finish Time": 0 if ended is None else ended.at_ms,
        "Failed": ended is not None and ended.error is not None and not ended.killed,
        "Killed": ended is not None and ended.killed,
        "Accumulables": [],
    }


def _reason(event: TaskEnded) -> dict[str, Any]:
    if event.killed:
        return {"Reason": "TaskKilled", "Kill Reason": event.error or "its job was cancelled"}
    if event.error is None:
        return {"Reason": "Success"}
    kind, _, description = event.error.partition(": ")
    return {
        "Reason": "ExceptionFailure",
        "Class Name": kind,
        "Description": description or event.error,
        "Stack Trace": [],
        "Full Stack Trace": event.traceback or event.error,
        "Accumulator Updates": [],
    }


def _metrics(run_ms: int) -> dict[str, Any]:
    """What the history server wants there; of these the running time alone is measured."""
    return {
        "Executor Deserialize Time": 0,
        "Executor Deserialize CPU Time": 0,
        "Executor Run Time": run_ms,
        "Executor CPU Time": 0,
        "Peak Execution Memory": 0,
        "Result Size": 0,
        "JVM GC Time": 0,
        "Result Serialization Time": 0,
        "Memory Bytes Spilled": 0,
        "Disk Bytes Spilled": 0,
        "Shuffle Read Metrics": {
            "Remote Blocks Fetched": 0,
            "Local Blocks Fetched": 0,
            "Fetch Wait Time": 0,
            "Remote Bytes Read": 0,
            "Remote Bytes Read To Disk": 0,
            "Local Bytes Read": 0,
            "Total Records Read": 0,
        },
        "Shuffle Write Metrics": {"Shuffle Bytes Written": 0, "Shuffle Write Time": 0, "Shuffle Records Written": 0},
        "Input Metrics": {"Bytes Read": 0, "Records Read": 0},
        "Output Metrics": {"Bytes Written": 0, "Records Written": 0},
        "Updated Blocks": [],
    }
