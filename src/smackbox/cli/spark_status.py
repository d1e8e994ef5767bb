"""`smack spark jobs` and `smack spark stages`: the work of running contexts, from Spark's REST API."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import click

from smackbox.base.errors import UserError

TIMEOUT_S = 5.0
PORTS = range(4040, 4057)

url_option = click.option(
    "--url", metavar="URL", help="The application's, as http://127.0.0.1:4040. Default: all of ports 4040 to 4056."
)


@click.command("jobs")
@url_option
def jobs_command(url: str | None) -> None:
    """List the jobs of running applications, the newest first; also those of Apache Spark."""
    for application, base in _applications(url):
        click.echo(f"{application['id']}  {application['name']}  {base}")
        for job in _get(f"{base}/api/v1/applications/{application['id']}/jobs"):
            click.echo(
                f"  job {job['jobId']:<4} {job['status']:<10} stages {_counts(job, 'Stages')}  "
                f"tasks {job['numCompletedTasks']}/{job['numTasks']}"
                + (f" ({job['numFailedTasks']} failed)" if job["numFailedTasks"] else "")
                + f"  {job.get('description') or job['name']}"
            )


@click.command("stages")
@url_option
def stages_command(url: str | None) -> None:
    """List the stages of running applications, the newest first."""
    for application, base in _applications(url):
        click.echo(f"{application['id']}  {application['name']}  {base}")
        for stage in _get(f"{base}/api/v1/applications/{application['id']}/stages"):
            click.echo(
                f"  stage {stage['stageId']:<4} {stage['status']:<10} "
                f"tasks {stage['numCompleteTasks']} + {stage['numActiveTasks']} of {stage['numTasks']}"
                + (f" ({stage['numFailedTasks']} failed)" if stage["numFailedTasks"] else "")
                + f"  {stage['name']}"
            )


def _counts(job: dict[str, Any], what: str) -> str:
    skipped = job[f"numSkipped{what}"]
    return f"{job[f'numCompleted{what}']}/{len(job['stageIds'])}" + (f" ({skipped} skipped)" if skipped else "")


def _applications(url: str | None) -> Iterator[tuple[dict[str, Any], str]]:
    """Each application with its URL. Raises `UserError` where there is none."""
    found = False
    for base in [url.rstrip("/")] if url else [f"http://127.0.0.1:{port}" for port in PORTS]:
        try:
            applications = _get(f"{base}/api/v1/applications")
        except UserError:
            if url:
                raise
            continue
        for application in applications:
            found = True
            yield application, base
    if not found:
        raise UserError(
            f"no Spark application on ports {PORTS.start} to {PORTS.stop - 1}: jobs of `smack submit` are there while "
            "they run, and other programs with spark.ui.enabled=true"
        )


def _get(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - http, and a user's own URL
            return json.load(answer)
    except (urllib.error.URLError, TimeoutError, ConnectionError, ValueError) as error:
        raise UserError(f"{url} does not answer as Spark's REST interface: {error}") from error
