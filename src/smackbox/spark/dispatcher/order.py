"""From a submission to a driver that Mesos runs: its size, and the command that submits the job in its sandbox."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from smackbox.base.errors import SettingError
from smackbox.spark.dispatcher.driver_run import DriverRun
from smackbox.spark.mesos_link import python_command
from smackbox.spark.rdd.cluster.settings import (
    DRIVER_ENVIRONMENT,
    MEMORY_OVERHEAD_FACTOR,
    MEMORY_OVERHEAD_MIN_MB,
    constraints_of,
    labels_of,
    megabytes_of,
    number_of,
)
from smackbox.spark.submission import Submission

FETCHED = ("http://", "https://", "ftp://", "hdfs://")
"""URLs that are Mesos' to fetch; objects (`s3://` and the like) are read by the driver itself."""

_numbers = itertools.count(1)


def driver_of(submission: Submission, environment: dict[str, str] | None = None) -> DriverRun:
    """A driver to submit, of `spark.driver.cores` and `spark.driver.memory`. Raises `SettingError`."""
    conf = submission.conf
    memory_mb = megabytes_of("spark.driver.memory", conf.get("spark.driver.memory", "1g"))
    factor = number_of(
        "spark.driver.memoryOverheadFactor", conf.get("spark.driver.memoryOverheadFactor", str(MEMORY_OVERHEAD_FACTOR))
    )
    given = conf.get("spark.driver.memoryOverhead")
    overhead_mb = (
        max(MEMORY_OVERHEAD_MIN_MB, int(memory_mb * factor))
        if given is None
        else megabytes_of("spark.driver.memoryOverhead", given)
    )
    supervise = conf.get("spark.driver.supervise", "false").lower()
    if supervise not in {"true", "false"}:
        raise SettingError(f"spark.driver.supervise must be true or false, not {supervise!r}")
    return DriverRun(
        submission_id=f"driver-{datetime.now(UTC):%Y%m%d%H%M%S}-{next(_numbers):04}",
        submission=submission,
        cores=number_of("spark.driver.cores", conf.get("spark.driver.cores", "1")),
        mem_mb=memory_mb + overhead_mb,
        environment={**(environment or {}), **environment_of(conf)},
        labels=labels_of(conf.get("spark.mesos.driver.labels", "")),
        constraints=constraints_of(conf.get("spark.mesos.driver.constraints", "")),
        supervise=supervise == "true",
        python=conf.get("spark.pyspark.driver.python") or conf.get("spark.pyspark.python", ""),
    )


def environment_of(conf: Mapping[str, str]) -> dict[str, str]:
    """The variables of `spark.mesos.driverEnv.NAME`."""
    return {
        key.removeprefix(DRIVER_ENVIRONMENT): value for key, value in conf.items() if key.startswith(DRIVER_ENVIRONMENT)
    }


def command_of(driver: DriverRun, master: str) -> dict[str, Any]:
    """The CommandInfo: `smack submit` in client mode, which fetches the job and what goes along."""
    submission, fetched = _by_fetcher(driver.submission)
    arguments = ["-m", "smackbox", "submit", "--master", master, *submission.command_line()]
    command = python_command(driver.python, arguments, {"PYTHONUNBUFFERED": "1", **driver.environment})
    return {**command, "uris": [{"value": url, "extract": False} for url in fetched]}


def _by_fetcher(submission: Submission) -> tuple[Submission, list[str]]:
    """With what Mesos' fetcher brings into the sandbox by its name there, and the URLs of it."""
    fetched: list[str] = []

    def in_sandbox(name: str) -> str:
        if not name.startswith(FETCHED):
            return name
        fetched.append(name)
        return unquote(urlsplit(name).path).rpartition("/")[2]

    submission = replace(
        submission,
        job=in_sandbox(submission.job),
        py_files=[in_sandbox(name) for name in submission.py_files],
        files=[in_sandbox(name) for name in submission.files],
    )
    return submission, fetched


def absolute(name: str) -> str:
    """A file of this machine by its whole path, for a driver that starts in another folder; a URL as it is."""
    path = Path(name)
    return str(path.absolute()) if "://" not in name and path.exists() else name
