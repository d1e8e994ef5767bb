"""`smack cql`: statements from the command line, standard input or a prompt; and tools (`cql_tools`)."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smackbox.base.errors import UserError
from smackbox.cli.cql_tools import TOOLS, connection, server_address

if TYPE_CHECKING:
    from cassandra.cluster import Session

STATEMENTS = "statements"
ROWS_SHOWN = 1_000
STATEMENT = re.compile(r"""((?:[^;'"$]|'[^']*'|"[^"]*"|\$\$.*?\$\$|\$)*);""", re.DOTALL)


class StatementsOrVerb(click.Group):
    """Runs the tool that the first word names; otherwise the words are statements."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = [STATEMENTS, *args]
        return super().parse_args(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        statements = self.commands[STATEMENTS]
        statements.format_help(click.Context(statements, info_name=ctx.info_name, parent=ctx.parent), formatter)
        self.format_commands(ctx, formatter)


@click.group("cql", cls=StatementsOrVerb)
def command() -> None:
    """Run CQL statements, or a tool for a server's data."""


@command.command(STATEMENTS, hidden=True)
@click.argument("statements", nargs=-1)
@click.option("--keyspace", "-k", help="Keyspace to use.")
@server_address
def statements_command(
    statements: tuple[str, ...],
    keyspace: str | None,
    cassandra: str | None,
    directory: Path,
    username: str | None,
    password: str | None,
) -> None:
    """Run CQL STATEMENTS and print their rows; without any, read them from standard input.

    If the first word is one of the commands below, that command runs.
    """
    failed = False
    with connection(cassandra, directory, username, password, keyspace) as session:
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
    """Statements from standard input, each ended by a semicolon; with a prompt on a terminal."""
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


for tool in TOOLS:
    command.add_command(tool)
