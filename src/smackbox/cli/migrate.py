"""`smack migrate APP`: updates an application's tables and topics to match its changed declarations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from smackbox.cli.app_options import app_options, servers


@click.command("migrate")
@click.argument("file", metavar="APP", type=click.Path(path_type=Path))
@app_options
@click.option("--apply", is_flag=True, help="Make the changes; without this they are only shown.")
@click.option("--drop", is_flag=True, help="Also drop columns that APP does not have, with their data.")
@click.option(
    "--accept-changes", "accept", is_flag=True, help="Continue even if keys or fields of topics have changed."
)
@click.option("--add-partitions", is_flag=True, help="Add partitions where topics have fewer than declared.")
def command(file: Path, apply: bool, drop: bool, accept: bool, add_partitions: bool, **flags: Any) -> None:
    """Show how tables and topics must change to match APP; with --apply, change them."""
    from smackbox.app.load import load_app
    from smackbox.runtime.migrate import migrate, plan

    app = load_app(file)
    urls, settings = servers(flags)
    found = plan(app, urls, settings)
    for news in found.news:
        click.echo(news)
    for step in found.steps:
        keeps = " (not done without --drop: what is in it is lost)" if step.loses and not drop else ""
        click.echo(f"{step.why}\n  {step.statement}{keeps}")
    for name, there, wanted in found.partitions:
        click.echo(f"topic {name}: {there} partitions, {wanted} declared (--add-partitions)")
    for problem in (*found.refusals, *found.accepted):
        click.echo(problem)
    if not apply:
        needed = any(drop or not step.loses for step in found.steps) or found.partitions or found.accepted
        blocked = "; first mend what cannot be migrated" if found.refusals else ""
        click.echo(f"nothing has changed yet; --apply does it{blocked}" if needed else f"nothing to do{blocked}")
        return
    done = migrate(app, found, urls, settings, drop=drop, accept=accept, add_partitions=add_partitions)
    what = "1 statement is" if len(done) == 1 else f"{len(done)} statements are"
    click.echo(f"{what} done; start the application again for its streams to know")
