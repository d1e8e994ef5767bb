"""Several masters, Marathons and Chronos' with ZooKeeper: the leader goes, and its tasks and its plans stay."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.pool import Pool, until

from smackbox.net.service import ServiceThread


def ask(method: str, url: str, body: Any = None) -> Any:
    """The JSON of the answer; None while there is no success."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            text = answer.read()
            return json.loads(text) if text else {}
    except (urllib.error.URLError, OSError):
        return None


def leads(thread: ServiceThread) -> bool:
    return thread.service.running.leadership.term is not None  # type: ignore[attr-defined,no-any-return]


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    with Pool(tmp_path, with_zookeeper=True) as pool:
        yield pool


def test_a_standby_passes_requests_on_and_takes_over(pool: Pool) -> None:
    pool.start_master()
    pool.start_agent()
    first = pool.start_marathon()
    until(lambda: leads(first), "a leader")
    second = pool.start_marathon()
    until(lambda: ask("GET", second.url + "/v2/leader"), "the standby")
    app = {"id": "/kept", "cmd": "sleep 1000", "cpus": 0.1, "mem": 16, "instances": 2}
    assert ask("POST", second.url + "/v2/apps", app)["id"] == "/kept"
    assert ask("GET", second.url + "/v2/leader") == {"leader": first.url.partition("://")[2]}
    until(lambda: ask("GET", second.url + "/v2/apps/kept")["app"]["tasksRunning"] == 2, "two tasks")
    tasks = sorted(one["id"] for one in ask("GET", first.url + "/v2/tasks")["tasks"])
    first.stop()
    until(lambda: leads(second), "the successor")
    until(
        lambda: (ask("GET", second.url + "/v2/apps/kept") or {"app": {}})["app"].get("tasksRunning") == 2, "the tasks"
    )
    assert sorted(one["id"] for one in ask("GET", second.url + "/v2/tasks")["tasks"]) == tasks
    ask("PUT", second.url + "/v2/apps/kept", {"instances": 3})
    until(lambda: ask("GET", second.url + "/v2/apps/kept")["app"]["tasksRunning"] == 3, "a third task")


def test_a_leader_can_step_down(pool: Pool) -> None:
    pool.start_master()
    first = pool.start_marathon()
    until(lambda: leads(first), "a leader")
    second = pool.start_marathon()
    until(lambda: pool.candidates("/marathon") == 2, "the second candidacy")
    assert ask("DELETE", first.url + "/v2/leader") == {"message": "Leadership abdicated"}
    until(lambda: leads(second), "the other one")
    until(lambda: ask("GET", first.url + "/v2/info"), "the former leader as a standby")


def test_tasks_outlive_the_leading_master(pool: Pool) -> None:
    first = pool.start_master()
    pool.start_agent()
    marathon = pool.start_marathon()
    chronos = pool.start_chronos()
    until(lambda: leads(marathon) and leads(chronos), "leaders")
    pool.start_master()
    ask("POST", marathon.url + "/v2/apps", {"id": "/kept", "cmd": "sleep 1000", "cpus": 0.1, "mem": 16})
    until(lambda: ask("GET", marathon.url + "/v2/apps/kept")["app"]["tasksRunning"] == 1, "a task")
    (task,) = ask("GET", marathon.url + "/v2/tasks")["tasks"]
    first.stop()
    job = {"name": "job", "command": "true", "schedule": "R1//PT1H", "cpus": 0.1, "mem": 16}
    ask("POST", chronos.url + "/v1/scheduler/iso8601", job)
    until(lambda: ask("GET", chronos.url + "/v1/scheduler/job/job")["successCount"] == 1, "a job on the new master")
    assert [one["id"] for one in ask("GET", marathon.url + "/v2/tasks")["tasks"]] == [task["id"]]
    assert ask("GET", marathon.url + "/v2/apps/kept")["app"]["tasksRunning"] == 1
    ask("PUT", marathon.url + "/v2/apps/kept", {"instances": 2})
    until(lambda: ask("GET", marathon.url + "/v2/apps/kept")["app"]["tasksRunning"] == 2, "a second task")


def test_a_chronos_that_takes_over_runs_what_is_due_once(pool: Pool, tmp_path: Path) -> None:
    pool.start_master()
    pool.start_agent()
    first = pool.start_chronos()
    until(lambda: leads(first), "a leader")
    second = pool.start_chronos()
    command = f"echo $CHRONOS_JOB_RUN_TIME >> {tmp_path}/runs"
    job = {"name": "often", "command": command, "schedule": "R8//PT1S", "cpus": 0.1, "mem": 16, "concurrent": True}
    ask("POST", first.url + "/v1/scheduler/iso8601", job)
    until(lambda: (tmp_path / "runs").exists(), "the first run")
    first.stop()
    until(lambda: leads(second), "the successor")
    until(lambda: (ask("GET", second.url + "/v1/scheduler/job/often") or {}).get("successCount") == 8, "eight runs")
    runs = (tmp_path / "runs").read_text().split()
    assert len(runs) == len(set(runs)) == 8
