"""`smack marathon serve`: keeps apps running on Mesos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from smackbox.box.settings import MARATHON_PORT
from smackbox.cli.server_options import serve, server_options, settings_from


@click.group("marathon")
def command() -> None:
    """A Marathon: long-running apps on Mesos."""


@command.command("serve")
@click.option("--master", help="Mesos' master: host:port or zk://host:port/mesos.  [default: 127.0.0.1:5050]")
@click.option("--zk", help="zk://host:port/marathon: keep the state there; several may run, one leads.")
@click.option("--hostname", help="How standbys and Mesos reach this process.  [default: --host]")
@click.option("--mesos-role", help="The role whose resources are used.  [default: *]")
@click.option("--framework-name", help="[default: marathon]")
@click.option("--http-credentials", help="user:password that requests need.")
@click.option("--mesos-authentication-principal", help="The name that Mesos knows it by.")
@click.option("--mesos-authentication-secret-file", type=click.Path(path_type=Path), help="What proves that name.")
@click.option("--mesos-ssl-cafile", type=click.Path(path_type=Path), help="PEM authority of masters that speak TLS.")
@click.option("--ssl-certfile", type=click.Path(path_type=Path), help="PEM certificate: requests are TLS.")
@click.option(
    "--ssl-keyfile", type=click.Path(path_type=Path), help="PEM key, where it is not in the certificate's file."
)
@click.option("--secrets-dir", type=click.Path(path_type=Path), help="A file for each secret of an app.")
@server_options(MARATHON_PORT)
def serve_command(**flags: Any) -> None:
    """Run it in the foreground."""
    from smackbox.marathon.server.service import MarathonServer
    from smackbox.marathon.settings import MarathonSettings

    serve(MarathonServer(settings_from(MarathonSettings, "marathon", MARATHON_PORT, flags)))
