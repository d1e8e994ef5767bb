"""`smack chronos serve`: starts jobs on Mesos when they are due."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from smackbox.box.settings import CHRONOS_PORT
from smackbox.cli.server_options import serve, server_options, settings_from


@click.group("chronos")
def command() -> None:
    """A Chronos: scheduled and dependent jobs on Mesos."""


@command.command("serve")
@click.option("--master", help="Mesos' master: host:port or zk://host:port/mesos.  [default: 127.0.0.1:5050]")
@click.option("--zk", help="zk://host:port/chronos: keep the state there; several may run, one leads.")
@click.option("--hostname", help="How standbys and Mesos reach this process.  [default: --host]")
@click.option("--mesos-role", help="The role whose resources are used.  [default: *]")
@click.option("--http-credentials", help="user:password that requests need.")
@click.option("--mesos-authentication-principal", help="The name that Mesos knows it by.")
@click.option("--mesos-authentication-secret-file", type=click.Path(path_type=Path), help="What proves that name.")
@click.option("--mesos-ssl-cafile", type=click.Path(path_type=Path), help="PEM authority of masters that speak TLS.")
@click.option("--ssl-certfile", type=click.Path(path_type=Path), help="PEM certificate: requests are TLS.")
@click.option(
    "--ssl-keyfile", type=click.Path(path_type=Path), help="PEM key, where it is not in the certificate's file."
)
@click.option("--failure-retry", type=int, help="Milliseconds before a failed run is tried again.  [default: 60000]")
@click.option(
    "--missed-runs",
    type=click.Choice(["last", "all", "none"]),
    help="Of the runs that were due while nobody led.  [default: last]",
)
@server_options(CHRONOS_PORT)
def serve_command(**flags: Any) -> None:
    """Run it in the foreground."""
    from smackbox.chronos.server.service import ChronosServer
    from smackbox.chronos.settings import ChronosSettings

    serve(ChronosServer(settings_from(ChronosSettings, "chronos", CHRONOS_PORT, flags)))
