"""The tools of `smack cql`, for one server: the counterparts of nodetool, sstableloader and COPY.

Those that take `--cassandra` speak CQL, so they work with any Cassandra. Those that take a server's `--dir` change its
files, through the server if it runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from smackbox.cli.backup_options import key_option
from smackbox.cli.backup_server import save_server
from smackbox.cli.progress import record_progress
from smackbox.runtime.settings import CASSANDRA_PORT, DEFAULT_DIR, BoxSettings
from smackbox.store.objects import is_url

if TYPE_CHECKING:
    from cassandra.cluster import Session


def server_address(verb: Callable[..., None]) -> Callable[..., None]:
    """The options for the server's address and the login."""
    for option in (
        click.option("--password", envvar="SMACK_CASSANDRA_PASSWORD", help="That user's password."),
        click.option("--username", "-u", help="User to log in as."),
        click.option("--dir", "directory", type=click.Path(path_type=Path), default=DEFAULT_DIR, show_default=True),
        click.option(
            "--cassandra", envvar="SMACK_CASSANDRA", help="host:port.  [default: the running box's, else port 9042]"
        ),
    ):
        verb = option(verb)
    return verb


def connection(
    cassandra: str | None, directory: Path, username: str | None, password: str | None, keyspace: str | None = None
) -> AbstractContextManager[Session]:
    """A driver session with those options; without a username, it logs in as the box's applications do."""
    from smackbox.base.settings import load
    from smackbox.runtime.prepare import CqlConnection
    from smackbox.runtime.run import running_urls

    address = cassandra or running_urls(directory).cassandra or f"127.0.0.1:{CASSANDRA_PORT}"
    if username is None:
        settings = load(BoxSettings, "box", {})
        username, password = settings.cassandra_username, password or settings.cassandra_password
    return CqlConnection(address, keyspace, username=username, password=password)


_server_dir = click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    default=DEFAULT_DIR / "cassandra",
    show_default=True,
    help="The server's data directory.",
)
_timeout = click.option("--timeout", "timeout_s", type=float, default=300.0, show_default=True, help="Seconds to wait.")
_format = click.option(
    "--format", "form", type=click.Choice(("csv", "jsonl", "parquet")), help="[default: by the file's name]"
)


@click.command("status")
@server_address
def status_command(cassandra: str | None, directory: Path, username: str | None, password: str | None) -> None:
    """Show the nodes: their state, load, tokens, ids and racks."""
    from smackbox.cli.table_stats import node_lines

    with connection(cassandra, directory, username, password) as session:
        for line in node_lines(session):
            click.echo("\t".join(line))


@click.command("tablestats")
@click.argument("name", metavar="[KEYSPACE[.TABLE]]", default="")
@server_address
def tablestats_command(
    name: str, cassandra: str | None, directory: Path, username: str | None, password: str | None
) -> None:
    """Count partitions and rows of tables; without a name, of all but system tables."""
    from smackbox.cli.table_stats import table_stats

    with connection(cassandra, directory, username, password) as session:
        click.echo("table\tpartitions\trows")
        for table, partitions, rows in table_stats(session, name):
            click.echo(f"{table}\t{partitions}\t{rows}")


@click.command("export")
@click.argument("table", metavar="KEYSPACE.TABLE")
@click.argument("file")
@_format
@server_address
def export_command(
    table: str,
    file: str,
    form: str | None,
    cassandra: str | None,
    directory: Path,
    username: str | None,
    password: str | None,
) -> None:
    """Write all rows of a table to FILE: CSV, JSON lines or Parquet; a path, s3://, gs:// or az://.

    If the name ends in .gz or .zst, the file is compressed. FILE appears complete or not at all.
    """
    from smackbox.cli.table_files import export, format_of

    form = format_of(file, form)
    with connection(cassandra, directory, username, password) as session:
        with record_progress("exporting") as told:
            count = export(session, table, file, form, told)
        click.echo(f"{count} rows of {table} written to {file}")


@click.command("import")
@click.argument("table", metavar="KEYSPACE.TABLE")
@click.argument("file")
@_format
@server_address
def import_command(
    table: str,
    file: str,
    form: str | None,
    cassandra: str | None,
    directory: Path,
    username: str | None,
    password: str | None,
) -> None:
    """Insert all rows of FILE (CSV with a header, JSON lines, Parquet; a path, s3://, gs:// or az://) into a table."""
    from smackbox.cli.table_files import format_of, load

    form = format_of(file, form)
    with connection(cassandra, directory, username, password) as session:
        with record_progress("importing") as told:
            count = load(session, table, file, form, told)
        click.echo(f"{count} rows of {file} inserted into {table}")


@click.command("flush")
@_server_dir
@_timeout
def flush_command(directory: Path, timeout_s: float) -> None:
    """Write a server's memtables to its files."""
    from smackbox.cassandra.server.tools import flush

    click.echo(flush(directory, timeout_s))


@click.command("compact")
@click.argument("name", metavar="[KEYSPACE[.TABLE]]", default="")
@_server_dir
@_timeout
def compact_command(name: str, directory: Path, timeout_s: float) -> None:
    """Rewrite the files without data that was deleted or expired more than gc_grace_seconds ago."""
    from smackbox.cassandra.server.tools import compact

    click.echo(compact(directory, name, timeout_s))


@click.command("snapshot")
@click.argument("target", required=False)
@click.option(
    "--tag", "-t", "name", help="Keep it in the server's directory under this name.  [default: the current time]"
)
@click.option("--ttl", help="How long to keep a named snapshot: a number and s, m, h or d; at least a minute.")
@_server_dir
@_timeout
@key_option
def snapshot_command(
    target: str | None, name: str | None, ttl: str | None, directory: Path, timeout_s: float, key_file: Path | None
) -> None:
    """Copy a consistent snapshot of a running server's data to TARGET, or keep it under a name.

    A folder becomes a data directory: `smack cassandra serve --dir TARGET` serves it. At s3://, gs:// and az:// it is
    an incremental back-up: `smack restore TARGET --part cassandra` restores it.
    """
    from smackbox.cassandra.server.snapshot import let_expire, named, ttl_s
    from smackbox.cassandra.server.tools import ask

    if target is not None and (name is not None or ttl is not None):
        raise click.UsageError("give TARGET or --tag and --ttl, not both")
    if target is not None and is_url(target):
        save_server("cassandra", directory, target, key_file)
        return
    kept_s = None if ttl is None else ttl_s(ttl)
    place = Path(target) if target is not None else named(directory, name or str(time.time_ns() // 1_000_000))
    taken = ask(directory, place, timeout_s)
    if kept_s is not None:
        let_expire(place, int(time.time()) + kept_s)
    click.echo(f"{taken.files} files, {taken.bytes / 1e6:.1f} MB in {place}")


@click.command("listsnapshots")
@_server_dir
def listsnapshots_command(directory: Path) -> None:
    """List the named snapshots of a server, the oldest first."""
    from datetime import UTC, datetime

    from smackbox.cassandra.server.snapshot import clear_expired, snapshots

    clear_expired(directory, time.time())
    kept = snapshots(directory)
    click.echo("name\ttaken\tMB\texpires")
    for found in kept:
        taken, expires = (
            "" if moment is None else f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"
            for moment in (found.taken_s, found.expires_s)
        )
        click.echo(f"{found.name}\t{taken}\t{found.bytes / 1e6:.1f}\t{expires}")


@click.command("clearsnapshot")
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="All named snapshots.")
@_server_dir
def clearsnapshot_command(name: str | None, everything: bool, directory: Path) -> None:
    """Remove the snapshot NAME of a server."""
    from smackbox.cassandra.server.snapshot import clear

    if (name is None) != everything:
        raise click.UsageError("give NAME or --all")
    click.echo(f"{clear(directory, name or '')} snapshots removed")


@click.command("restore")
@click.argument("source")
@_server_dir
def restore_command(source: str, directory: Path) -> None:
    """Replace a stopped server's data with a snapshot, given by its name or directory."""
    from smackbox.cassandra.server.snapshot import named, restore

    place = Path(source) if "/" in source else named(directory, source)
    click.echo(f"{restore(directory, place) / 1e6:.1f} MB of {place} restored to {directory}")


TOOLS = (
    clearsnapshot_command,
    compact_command,
    export_command,
    flush_command,
    import_command,
    listsnapshots_command,
    restore_command,
    snapshot_command,
    status_command,
    tablestats_command,
)
