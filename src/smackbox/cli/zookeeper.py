"""`smack zookeeper serve`: the ZooKeeper server alone."""

from __future__ import annotations

from typing import Any

import click

from smackbox.cli.server_options import serve, server_options, settings_from
from smackbox.runtime.settings import ZOOKEEPER_PORT


@click.group("zookeeper")
def command() -> None:
    """A ZooKeeper server."""


@command.command("serve")
@server_options(ZOOKEEPER_PORT)
def serve_command(**flags: Any) -> None:
    """Run the server in the foreground."""
    from smackbox.zookeeper.server import ZooKeeperServer
    from smackbox.zookeeper.settings import ZooKeeperSettings

    serve(ZooKeeperServer(settings_from(ZooKeeperSettings, "zookeeper", ZOOKEEPER_PORT, flags)))
