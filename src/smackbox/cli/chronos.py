"""`smack chronos serve`: starts jobs on Mesos when they are due."""

from __future__ import annotations

from typing import Any

import click

from smackbox.cli.server_options import framework_options, serve, server_options, settings_from
from smackbox.runtime.settings import CHRONOS_PORT


@click.group("chronos")
def command() -> None:
    """A Chronos: scheduled and dependent jobs on Mesos."""


@command.command("serve")
@framework_options("chronos")
@click.option("--failure-retry", type=int, help="Milliseconds before a failed run is retried.  [default: 60000]")
@click.option(
    "--missed-runs",
    type=click.Choice(["last", "all", "none"]),
    help="Which runs to make up that were due while no instance led.  [default: last]",
)
@server_options(CHRONOS_PORT)
def serve_command(**flags: Any) -> None:
    """Run it in the foreground."""
    from smackbox.chronos.server.service import ChronosServer
    from smackbox.chronos.settings import ChronosSettings

    serve(ChronosServer(settings_from(ChronosSettings, "chronos", CHRONOS_PORT, flags)))
