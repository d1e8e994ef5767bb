"""`smack cassandra`: the CQL server alone, and tools for its data."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smackbox.box.settings import CASSANDRA_PORT, DEFAULT_DIR
from smackbox.cli.server_options import serve, server_options, settings_from

if TYPE_CHECKING:
    from cassandra.cluster import Session


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


def server_address(verb: Callable[..., None]) -> Callable[..., None]:
    """The options that say which server a tool talks to, and as whom."""
    for option in (
        click.option("--password", envvar="SMACK_CASSANDRA_PASSWORD", help="That user's password."),
        click.option("--username", "-u", help="Who to log in as."),
        click.option("--dir", "directory", type=click.Path(path_type=Path), default=DEFAULT_DIR, show_default=True),
        click.option(
            "--cassandra", envvar="SMACK_CASSANDRA", help="host:port.  [default: the running box's, else port 9042]"
        ),
    ):
        verb = option(verb)
    return verb


_format_option = click.option(
    "--format", "form", type=click.Choice(("csv", "jsonl", "parquet")), help="[default: by the file's name]"
)


@command.command("export")
@click.argument("table", metavar="KEYSPACE.TABLE")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_format_option
@server_address
def export_command(
    table: str,
    file: Path,
    form: str | None,
    cassandra: str | None,
    directory: Path,
    username: str | None,
    password: str | None,
) -> None:
    """Write all rows of a table to FILE: CSV, JSON lines or Parquet."""
    from smackbox.cli.table_files import export, format_of

    form = format_of(file, form)
    with _connection(cassandra, directory, username, password) as session:
        click.echo(f"{export(session, table, file, form)} rows of {table} written to {file}")


@command.command("import")
@click.argument("table", metavar="KEYSPACE.TABLE")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_format_option
@server_address
def import_command(
    table: str,
    file: Path,
    form: str | None,
    cassandra: str | None,
    directory: Path,
    username: str | None,
    password: str | None,
) -> None:
    """Insert all rows of FILE (CSV with a header, JSON lines or Parquet) into a table."""
    from smackbox.cli.table_files import format_of, load

    form = format_of(file, form)
    with _connection(cassandra, directory, username, password) as session:
        click.echo(f"{load(session, table, file, form)} rows of {file} inserted into {table}")


@command.command("tablestats")
@click.argument("name", metavar="[KEYSPACE[.TABLE]]", default="")
@server_address
def tablestats_command(
    name: str, cassandra: str | None, directory: Path, username: str | None, password: str | None
) -> None:
    """Partitions and rows of tables, counted; without a name, of all that are not the system's."""
    from smackbox.cli.table_stats import table_stats

    with _connection(cassandra, directory, username, password) as session:
        click.echo("table\tpartitions\trows")
        for table, partitions, rows in table_stats(session, name):
            click.echo(f"{table}\t{partitions}\t{rows}")


def _connection(
    cassandra: str | None, directory: Path, username: str | None, password: str | None
) -> AbstractContextManager[Session]:
    from cassandra.auth import PlainTextAuthProvider

    from smackbox.box.prepare import CqlConnection
    from smackbox.box.run import running_urls

    address = cassandra or running_urls(directory).cassandra or f"127.0.0.1:{CASSANDRA_PORT}"
    provider = PlainTextAuthProvider(username, password or "") if username else None
    return CqlConnection(address, auth_provider=provider)


@command.command("serve")
@server_options(CASSANDRA_PORT)
def serve_command(**flags: Any) -> None:
    """Run the CQL server in the foreground."""
    from smackbox.cassandra.server import CassandraServer
    from smackbox.cassandra.settings import CassandraSettings

    serve(CassandraServer(settings_from(CassandraSettings, "cassandra", CASSANDRA_PORT, flags)))
