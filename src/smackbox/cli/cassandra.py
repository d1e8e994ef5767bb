"""`smack cassandra`: the CQL server alone. It also has the data tools of `smack cql`."""

from __future__ import annotations

from typing import Any

import click

from smackbox.cli.cql_tools import TOOLS
from smackbox.cli.server_options import serve, server_options, settings_from
from smackbox.runtime.settings import CASSANDRA_PORT


@click.group("cassandra")
def command() -> None:
    """A Cassandra (CQL) server."""


@command.command("serve")
@server_options(CASSANDRA_PORT)
def serve_command(**flags: Any) -> None:
    """Run the CQL server in the foreground."""
    from smackbox.cassandra.server import CassandraServer
    from smackbox.cassandra.settings import CassandraSettings

    serve(CassandraServer(settings_from(CassandraSettings, "cassandra", CASSANDRA_PORT, flags)))


for tool in TOOLS:
    command.add_command(tool)
