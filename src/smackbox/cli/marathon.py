"""`smack marathon serve`: keeps apps running on Mesos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from smackbox.cli.server_options import framework_options, serve, server_options, settings_from
from smackbox.runtime.settings import MARATHON_PORT


@click.group("marathon")
def command() -> None:
    """A Marathon: long-running apps on Mesos."""


@command.command("serve")
@framework_options("marathon")
@click.option("--framework-name", help="[default: marathon]")
@click.option("--secrets-dir", type=click.Path(path_type=Path), help="A file for each secret of an app.")
@server_options(MARATHON_PORT)
def serve_command(**flags: Any) -> None:
    """Run it in the foreground."""
    from smackbox.marathon.server.service import MarathonServer
    from smackbox.marathon.settings import MarathonSettings

    serve(MarathonServer(settings_from(MarathonSettings, "marathon", MARATHON_PORT, flags)))
