"""`smack cql`: statements from the command line, from standard input, or typed at a prompt."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smackbox.base.errors import UserError
from smackbox.box.settings import CASSANDRA_PORT, DEFAULT_DIR

if TYPE_CHECKING:
    from cassandra.cluster import Session

DEFAULT_ADDRESS = f"127.0.0.1:{CASSANDRA_PORT}"
ROWS_SHOWN = 1_000
STATEMENT = re.compile(r"""((?:[^;'"$]|'[^']*'|"[^"]*"|\$\$.*?\$\$|\$)*);""", re.DOTALL)


@click.command("cql")
@click.argument("statements", nargs=-1)
@click.option("--cassandra", envvar="SMACK_CASSANDRA", help="host:port.  [default: the running box's, else port 9042]")
@click.option("--dir", "directory", type=click.Path(path_type=Path), default=DEFAULT_DIR, show_default=True)
@click.option("--keyspace", "-k", help="Keyspace to use.")
@click.option("--username", "-u", help="Who to log in as.")
@click.option("--password", envvar="SMACK_CASSANDRA_PASSWORD", help="That user's password.")
def command(
    statements: tuple[str, ...],
    cassandra: str | None,
    directory: Path,
    keyspace: str | None,
    username: str | None,
    password: str | None,
) -> None:
    """Run CQL STATEMENTS and print their rows; without any, read them from standard input."""
    from cassandra.auth import PlainTextAuthProvider

    from smackbox.box.prepare import CqlConnection
    from smackbox.box.run import running_urls

    address = cassandra or running_urls(directory).cassandra or DEFAULT_ADDRESS
    provider = PlainTextAuthProvider(username, password or "") if username else None
    failed = False
    with CqlConnection(address, keyspace, auth_provider=provider) as session:
        for statement in statements or _typed():
            try:
                _show(session, statement)
            except UserError as error:
                if statements:
                    raise
                click.echo(f"error: {error}", err=True)
                failed = True
    if failed and not sys.stdin.isatty():
        sys.exit(1)


def _typed() -> Iterator[str]:
    """Statements from standard input, each ended by a semicolon; with a prompt when a person types them."""
    prompt = sys.stdin.isatty()
    text = ""
    while True:
        if prompt:
            click.echo("smack> " if not text else "   ...> ", nl=False)
        line = sys.stdin.readline()
        if not line or line.strip() in {"exit", "quit"}:
            break
        text += line
        while whole := STATEMENT.match(text):
            text = text[whole.end() :].lstrip()
            if statement := whole[1].strip():
                yield statement
    if text.strip():
        yield text.strip()


def _show(session: Session, statement: str) -> None:
    from cassandra import DriverException, RequestExecutionException
    from cassandra.protocol import ErrorMessage
    from rich.console import Console
    from rich.table import Table

    try:
        result = session.execute(statement)
    except (DriverException, RequestExecutionException, ErrorMessage) as error:
        raise UserError(str(error)) from error
    if not result.column_names:
        return
    table = Table(*result.column_names, header_style="bold")
    shown = 0
    for row in result:
        if shown == ROWS_SHOWN:
            break
        table.add_row(*(_text(value) for value in row))
        shown += 1
    Console().print(table)
    more = f" (the first {ROWS_SHOWN}; add LIMIT, or page in your program)" if shown == ROWS_SHOWN else ""
    click.echo(f"{shown} rows{more}")


def _text(value: Any) -> str:
    return "" if value is None else str(value)
