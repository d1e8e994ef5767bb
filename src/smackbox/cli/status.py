"""`smack status`: the processes of a directory, and whether they answer."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from smackbox.runtime.settings import DEFAULT_DIR


@click.command("status")
@click.option("--dir", "directory", type=click.Path(path_type=Path), default=DEFAULT_DIR, show_default=True)
@click.option("--watch", "-w", is_flag=True, help="Refresh until Ctrl-C, with the streams' rates.")
@click.option(
    "--every", type=click.FloatRange(0.1, 3600), default=1.0, show_default=True, help="Seconds between refreshes."
)
@click.option("--targets", is_flag=True, help="Print Prometheus' scrape targets, for its file_sd_configs.")
def command(directory: Path, watch: bool, every: float, targets: bool) -> None:
    """Show every process of the box and its applications. Exits with 1 when one of them does not answer."""
    if watch:
        from smackbox.cli.watching import watch as show

        show(directory, every)
        return
    from smackbox.runtime.status import scrape_targets, status

    if targets:
        click.echo(json.dumps(scrape_targets(directory), indent=1))
        return
    lines, healthy = status(directory)
    click.echo("\n".join(lines))
    sys.exit(0 if healthy else 1)
