"""`smack cassandra`: the CQL server alone, and tools for its data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from smackbox.box.settings import CASSANDRA_PORT, DEFAULT_DIR
from smackbox.cli.server_options import serve, server_options, settings_from


@click.group("cassandra")
def command() -> None:
    """A Cassandra (CQL) server."""


@command.command("snapshot")
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--dir", "directory", type=click.Path(path_type=Path), default=DEFAULT_DIR / "cassandra", show_default=True
)
@click.option("--timeout", "timeout_s", type=float, default=300.0, show_default=True, help="Seconds to wait.")
def snapshot_command(target: Path, directory: Path, timeout_s: float) -> None:
    """Copy a server's data to TARGET, as it is at one moment, while the server goes on.

    TARGET is a data directory then: `smack cassandra serve --dir TARGET` serves it.
    """
    from smackbox.cassandra.server.snapshot import ask

    taken = ask(directory, target, timeout_s)
    click.echo(f"{taken.files} files, {taken.bytes / 1e6:.1f} MB in {target}")


@command.command("serve")
@server_options(CASSANDRA_PORT)
def serve_command(**flags: Any) -> None:
    """Run the CQL server in the foreground."""
    from smackbox.cassandra.server import CassandraServer
    from smackbox.cassandra.settings import CassandraSettings

    serve(CassandraServer(settings_from(CassandraSettings, "cassandra", CASSANDRA_PORT, flags)))
