"""`smack status`: what runs in a directory, and whether it answers."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from smackbox.runtime.settings import DEFAULT_DIR


@click.command("status")
@click.option("--dir", "directory", type=click.Path(path_type=Path), default=DEFAULT_DIR, show_default=True)
def command(directory: Path) -> None:
    """Show every process of the box and its applications. Exits with 1 when one of them does not answer."""
    from smackbox.runtime.status import status

    lines, healthy = status(directory)
    click.echo("\n".join(lines))
    sys.exit(0 if healthy else 1)
