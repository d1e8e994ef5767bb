"""`smack pipelines`: declarative pipelines, from the files that `spark-pipelines` takes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from smackbox.base.errors import SettingError, UserError

_spec = click.option(
    "--spec", type=click.Path(path_type=Path), help="The pipeline's file; else it is looked for upwards."
)
_remote = click.option("--remote", envvar="SMACK_SPARK", help="A Spark Connect server, sc://…; else an embedded one.")


@click.group("pipelines")
def command() -> None:
    """Declarative pipelines: tables, views and flows of a spark-pipeline.yml."""


@command.command("run")
@_spec
@_remote
@click.option(
    "--full-refresh", "full", multiple=True, metavar="TABLES", help="Empty these tables, then fill them again."
)
@click.option("--full-refresh-all", "everything", is_flag=True, help="Empty and fill all tables.")
@click.option("--refresh", multiple=True, metavar="TABLES", help="Update these tables alone.")
def run_command(
    spec: Path | None, remote: str | None, full: tuple[str, ...], everything: bool, refresh: tuple[str, ...]
) -> None:
    """Make the materialized views, and give the streaming tables what is new."""
    _run(spec, remote, full_refresh=_names(full), full_refresh_all=everything, refresh=_names(refresh), dry=False)


@command.command("dry-run")
@_spec
@_remote
def dry_run_command(spec: Path | None, remote: str | None) -> None:
    """Check the definitions and their queries; write nothing."""
    _run(spec, remote, full_refresh=[], full_refresh_all=False, refresh=[], dry=True)


@command.command("init")
@click.option("--name", required=True, help="Of the project, and of its folder.")
def init_command(name: str) -> None:
    """Make a project with two small tables."""
    from smackbox.spark.front import messages  # noqa: F401 - before anything else of pyspark
    from pyspark.pipelines.init_cli import init  # isort: skip

    if Path(name).exists():
        raise SettingError(f"{name} is there already")
    init(name)


def _names(values: tuple[str, ...]) -> list[str]:
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


def _run(spec: Path | None, remote: str | None, **how: Any) -> None:
    from smackbox.spark import connect
    from smackbox.spark.front import messages  # noqa: F401 - before anything else of pyspark

    with connect.quiet():
        from pyspark.errors import PySparkException
        from pyspark.pipelines import cli

    try:
        found = spec or cli.find_pipeline_spec(Path.cwd())
        if not found.is_file():
            raise SettingError(f"there is no file {found}")
        # the client's own program runs on the session that is there
        url = remote or connect.embedded_url()
        spark = connect.session(url)
        type(spark)._set_default_and_active_session(spark)
        os.environ["SPARK_REMOTE"] = url
        cli.run(found, **how)
    except PySparkException as error:
        raise UserError(str(error).split("\n\nJVM stacktrace")[0]) from error
