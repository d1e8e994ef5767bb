"""The unmodified client `chronos-python` from PyPI: jobs that run on a real agent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chronos
import pytest
from tests.contract.pool import Pool, until

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with Pool(tmp_path_factory.mktemp("pool")) as pool:
        pool.start_master()
        pool.start_agent()
        url = pool.start_chronos(failure_retry=100).url
        yield chronos.connect(url.partition("://")[2])


def job(name: str, command: str, **fields: Any) -> dict[str, Any]:
    given = {"name": name, "command": command, "owner": "me", "disabled": False, "cpus": 0.1, "mem": 16, **fields}
    return given if "parents" in given else {"schedule": "R1//PT1H", **given}


def one(client: Any, name: str) -> dict[str, Any]:
    return next(found for found in client.list() if found["name"] == name)


def test_jobs_run_in_the_order_of_their_dependencies(client: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    client.add(job("first", f"echo first >> {log}", schedule="R1/2099-01-01T00:00:00Z/P1D"))
    client.add(job("second", f"echo second >> {log}", parents=["first"]))
    client.run("first")
    until(lambda: one(client, "second")["successCount"] == 1, "the second job")
    assert log.read_text() == "first\nsecond\n"
    assert "link,first,second" in client.scheduler_graph()
    client.delete("second")
    client.delete("first")


def test_a_job_that_fails_is_tried_again(client: Any, tmp_path: Path) -> None:
    command = f"echo x >> {tmp_path}/tries; test $(wc -l < {tmp_path}/tries) -ge 3"
    client.add(job("flaky", command, retries=2))
    until(lambda: one(client, "flaky")["successCount"] == 1, "the third try")
    assert (tmp_path / "tries").read_text() == "x\n" * 3
    assert client.job_stat("flaky")["numSuccesses"] == 1
    client.delete("flaky")


def test_a_running_job_is_killed(client: Any, tmp_path: Path) -> None:
    client.add(job("long", f"touch {tmp_path}/begun; sleep 1000"))
    until((tmp_path / "begun").exists, "the run")
    client.delete_tasks("long")
    until(lambda: one(client, "long")["errorCount"] == 1, "its end")
    client.delete("long")


def test_lists_searches_figures_and_refusals(client: Any) -> None:
    client.add(job("nightly report", "true", schedule="R/2099-01-01T02:00:00Z/P1D", scheduleTimeZone="Europe/Berlin"))
    assert [found["name"] for found in client.search(name="report")] == ["nightly report"]
    assert client.search(command="false") == []
    assert client.scheduler_stat_99th() == client.scheduler_stat_median()
    assert client.metrics()["gauges"]["chronos.leading"] == {"value": 1}
    with pytest.raises(chronos.ChronosAPIError):
        client.add(job("bad", "true", schedule="tomorrow"))
    with pytest.raises(chronos.ChronosAPIError):
        client.run("nobody")
    client.delete("nightly report")
    assert client.list() == []
