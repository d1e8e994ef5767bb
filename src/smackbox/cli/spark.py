"""`smack spark`: the Spark Connect server alone, and the status of running applications."""

from __future__ import annotations

from typing import Any

import click

from smackbox.cli.server_options import framework_options, serve, server_options, settings_from
from smackbox.cli.spark_status import jobs_command, stages_command
from smackbox.runtime.settings import DISPATCHER_PORT, SPARK_PORT


@click.group("spark")
def command() -> None:
    """A Spark Connect server; jobs and stages of running applications."""


command.add_command(jobs_command)
command.add_command(stages_command)


@command.command("serve")
@server_options(SPARK_PORT, stores=False)
def serve_command(**flags: Any) -> None:
    """Run the Spark Connect server in the foreground."""
    from smackbox.spark.server import SparkServer
    from smackbox.spark.settings import SparkSettings

    serve(SparkServer(settings_from(SparkSettings, "spark", SPARK_PORT, flags)))


@command.command("dispatcher")
@framework_options("dispatcher")
@server_options(DISPATCHER_PORT)
def dispatcher_command(**flags: Any) -> None:
    """Run drivers on Mesos that are submitted by Spark's REST protocol, in the foreground."""
    from smackbox.spark.dispatcher.service import DispatcherServer, DispatcherSettings

    serve(DispatcherServer(settings_from(DispatcherSettings, "dispatcher", DISPATCHER_PORT, flags)))
