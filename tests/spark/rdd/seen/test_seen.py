"""A context as others see it: REST, event log, progress bar, status tracker, the verbs of the command line."""

from __future__ import annotations

import io
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from smackbox.base.errors import SettingError
from smackbox.cli.spark import command
from smackbox.spark.rdd.context import SparkContext
from smackbox.spark.rdd.errors import JobError
from smackbox.spark.rdd.seen.events import JobStarted, StagePlan, StageStarted, TaskEnded, TaskStarted
from smackbox.spark.rdd.seen.job_log import JobLog
from smackbox.spark.rdd.seen.progress import ConsoleProgress


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("events")


@pytest.fixture(scope="module")
def sc(folder: Path) -> Iterator[SparkContext]:
    """A context on which a job with a shuffle, the same again, and one that failed have run."""
    conf = {
        "spark.ui.enabled": "true",
        "spark.ui.port": "0",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": str(folder),
        "spark.task.maxFailures": "2",
    }
    with SparkContext("local[2]", "seen", conf) as context:
        context.setJobGroup("reports", "the daily report")
        counts = context.parallelize(range(100), 4).map(lambda row: (row % 3, 1)).reduceByKey(lambda a, b: a + b)
        counts.collect()
        counts.count()
        context.setLocalProperty("spark.jobGroup.id", None)
        context.setLocalProperty("spark.job.description", None)
        with pytest.raises(JobError):
            context.parallelize([1, 0], 2).map(lambda row: 1 // row).collect()
        yield context


def get(sc: SparkContext, path: str) -> Any:
    url = f"{sc.uiWebUrl}/api/v1/applications/{sc.applicationId}{path}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def test_jobs_newest_first(sc: SparkContext) -> None:
    jobs = get(sc, "/jobs")
    shown = [(job["jobId"], job["status"], job["stageIds"], job["numCompletedTasks"], job["numTasks"]) for job in jobs]
    assert shown == [(2, "FAILED", [4], 1, 2), (1, "SUCCEEDED", [2, 3], 4, 8), (0, "SUCCEEDED", [0, 1], 8, 8)]
    assert [job["numSkippedStages"] for job in jobs] == [0, 1, 0]
    assert jobs[2]["name"].startswith("collect at test_seen.py:") and jobs[2]["jobGroup"] == "reports"
    assert jobs[2]["description"] == "the daily report" and "jobGroup" not in jobs[0]
    assert get(sc, "/jobs?status=failed") == [jobs[0]] and get(sc, "/jobs/1") == jobs[1]


def test_stages_are_named_by_the_program(sc: SparkContext) -> None:
    stages = get(sc, "/stages")
    names = [stage["name"].split(" ")[0] for stage in stages]
    assert names == ["collect", "count", "reduceByKey", "collect", "reduceByKey"]
    assert [stage["status"] for stage in stages] == ["FAILED", "COMPLETE", "SKIPPED", "COMPLETE", "COMPLETE"]
    assert (stages[0]["numFailedTasks"], stages[0]["numCompleteTasks"]) == (2, 1)
    assert "ZeroDivisionError" in stages[0]["failureReason"]
    tasks = get(sc, "/stages/4/0/taskList")
    assert sorted((task["index"], task["attempt"], task["status"]) for task in tasks) == [
        (0, 0, "SUCCESS"), (1, 0, "FAILED"), (1, 1, "FAILED"),
    ]  # fmt: skip
    assert get(sc, "/stages/4/0/taskList?offset=1&length=1") == tasks[1:2]
    assert get(sc, "/stages/4")[0]["tasks"].keys() == {str(task["taskId"]) for task in tasks}


def test_executors_and_environment(sc: SparkContext) -> None:
    executors = get(sc, "/executors")
    assert [one["id"] for one in executors] == ["0", "1"]
    assert sum(one["completedTasks"] for one in executors) == 13
    assert sum(one["failedTasks"] for one in executors) == 2
    assert ["spark.task.maxFailures", "2"] in get(sc, "/environment")["sparkProperties"]


@pytest.mark.parametrize(
    ("path", "status"), [("/jobs/99", 404), ("/stages/99", 404), ("/jobs/x", 400), ("/none", 404), ("/stages/1/7", 404)]
)
def test_what_is_not_there(sc: SparkContext, path: str, status: int) -> None:
    with pytest.raises(urllib.error.HTTPError) as raised:
        get(sc, path)
    assert raised.value.code == status
    raised.value.close()


def test_the_status_tracker(sc: SparkContext) -> None:
    tracker = sc.statusTracker()
    assert tracker.getJobIdsForGroup("reports") == [0, 1] and tracker.getJobIdsForGroup() == [2]
    assert tracker.getActiveJobsIds() == [] and tracker.getActiveStageIds() == []
    job = tracker.getJobInfo(0)
    assert job is not None and (job.jobId, job.stageIds, job.status) == (0, [0, 1], "SUCCEEDED")
    stage = tracker.getStageInfo(4)
    assert stage is not None and (stage.numTasks, stage.numCompletedTasks, stage.numFailedTasks) == (2, 1, 2)
    assert tracker.getJobInfo(99) is None and tracker.getStageInfo(99) is None


def test_a_job_that_runs_is_seen_while_it_runs() -> None:
    seen: list[Any] = []
    with SparkContext("local[2]", conf={"spark.ui.enabled": "true", "spark.ui.port": "0"}) as context:
        hold = threading.Event()

        def look() -> None:
            while not (active := context.statusTracker().getActiveStageIds()):
                pass
            seen.append((context.statusTracker().getActiveJobsIds(), active, get(context, "/jobs?status=running")))
            hold.set()

        watcher = threading.Thread(target=look)
        watcher.start()
        for _ in range(1000):
            context.parallelize([1, 2], 2).count()
            if hold.is_set():
                break
        watcher.join()
    jobs, stages, shown = seen[0]
    assert len(jobs) == 1 and len(stages) == 1
    assert all(job["status"] == "RUNNING" for job in shown)


def test_the_event_log_has_all_in_order(sc: SparkContext, folder: Path) -> None:
    path = folder / f"{sc.applicationId}.inprogress"
    events = [json.loads(line) for line in path.read_text().splitlines()]
    kinds = [event["Event"].removeprefix("SparkListener") for event in events]
    assert kinds[:4] == ["LogStart", "ApplicationStart", "ExecutorAdded", "ExecutorAdded"]
    assert [kinds.count(kind) for kind in ("JobStart", "JobEnd", "StageSubmitted", "StageCompleted")] == [3, 3, 4, 4]
    assert kinds.count("TaskStart") == kinds.count("TaskEnd") == 15
    begun = next(event for event in events if event["Event"] == "SparkListenerJobStart")
    assert begun["Stage IDs"] == [0, 1] and begun["Properties"]["spark.jobGroup.id"] == "reports"
    failed = [event for event in events if event.get("Task End Reason", {}).get("Reason") == "ExceptionFailure"]
    assert {event["Task End Reason"]["Class Name"] for event in failed} == {"ZeroDivisionError"}


def test_a_stopped_context_leaves_its_log_under_its_own_name(tmp_path: Path) -> None:
    conf = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": f"file:{tmp_path}"}
    with SparkContext("local[1]", "once", conf) as context:
        assert context.parallelize([1]).count() == 1
        assert context.uiWebUrl is None
    (path,) = tmp_path.iterdir()
    assert path.name == context.applicationId
    assert json.loads(path.read_text().splitlines()[-1])["Event"] == "SparkListenerApplicationEnd"


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"spark.eventLog.enabled": "yes"}, "spark.eventLog.enabled must be true or false, not 'yes'"),
        ({"spark.eventLog.enabled": "true", "spark.eventLog.dir": "/nowhere"}, "spark.eventLog.dir"),
        ({"spark.ui.retainedJobs": "-1"}, "spark.ui.retainedJobs must be a number"),
        ({"spark.ui.enabled": "true", "spark.ui.port": "x"}, "spark.ui.port must be a number"),
    ],
)
def test_settings_of_the_wrong_form(conf: dict[str, str], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        SparkContext("local[1]", conf=conf)


def test_the_verbs(sc: SparkContext) -> None:
    jobs = CliRunner().invoke(command, ["jobs", "--url", sc.uiWebUrl or ""])
    assert jobs.exit_code == 0, jobs.output
    lines = [line.split() for line in jobs.output.splitlines()]
    assert lines[0][:2] == [sc.applicationId, "seen"]
    assert lines[1][:3] == ["job", "2", "FAILED"] and "(2 failed)" in jobs.output
    assert "the daily report" in jobs.output and "(1 skipped)" in jobs.output
    stages = CliRunner().invoke(command, ["stages", "--url", sc.uiWebUrl or ""])
    assert stages.exit_code == 0 and "reduceByKey at test_seen.py" in stages.output
    nobody = CliRunner().invoke(command, ["jobs", "--url", "http://127.0.0.1:1"])
    assert nobody.exit_code == 1 and "does not answer as Spark's REST interface" in str(nobody.exception)


def test_the_progress_bar_is_spark_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "61")
    log, out, now_ms = JobLog(), io.StringIO(), [0]
    bar = ConsoleProgress(log, out, lambda: now_ms[0])
    plan = StagePlan(3, "x", 8, False)
    log.notify(JobStarted(0, "x", (plan,), {}, 0))
    log.notify(StageStarted(0, plan, 0))
    tasks = [TaskStarted(plan, number, number, 0, 0, 0) for number in range(4)]
    for task in tasks:
        log.notify(task)
    for task in tasks[:2]:
        log.notify(TaskEnded(plan, task, None, None, False, 1))
    now_ms[0] = 499
    bar.refresh()
    assert out.getvalue() == "", "short stages are not shown"
    now_ms[0] = 500
    bar.refresh()
    line = out.getvalue().removeprefix("\r")
    assert len(line) == 60 and line.startswith("[Stage 3:") and line.endswith("(2 + 2) / 8]")
    inside = line[len("[Stage 3:") : -len("(2 + 2) / 8]")]
    assert inside.rstrip() == "=" * (len(inside) // 4) + ">"
    bar.refresh()
    assert out.getvalue().count("[Stage") == 1, "drawn when it changes"
