"""`smack patch APP SCRIPT`: corrects rows of a table by a Python function, once, and can undo it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smackbox.base.errors import UserError
from smackbox.cli.app_options import app_options, servers
from smackbox.cli.progress import record_progress

if TYPE_CHECKING:
    from smackbox.app.model import App
    from smackbox.app.patches import Patch
    from smackbox.runtime.patch import Report


@click.command("patch")
@click.argument("file", metavar="APP", type=click.Path(path_type=Path))
@click.argument("what", metavar="SCRIPT|NAME")
@app_options
@click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")
@click.option("--limit", type=click.IntRange(1), help="Change at most this many rows; the next run continues.")
@click.option("--undo", is_flag=True, help="Restore the old rows, except those that have changed since.")
def command(file: Path, what: str, dry_run: bool, limit: int | None, undo: bool, **flags: Any) -> None:
    """Run the patches that a Python file declares for APP (`@app.patch`), or the one of that name in APP.

    A patch runs once: a ledger in the application's keyspace records it, with the old rows. It can be resumed.
    """
    from smackbox.app.load import load_app
    from smackbox.runtime.patch import TablePatch

    if undo and (dry_run or limit is not None):
        raise click.UsageError("--undo takes everything back: leave out --dry-run and --limit")
    app = load_app(file)
    patches = _patches(app, what)
    urls, settings = servers(flags)
    for patch in patches:
        with record_progress(patch.name) as told:
            table = TablePatch(app, patch, urls, settings, told=told)
            try:
                if undo:
                    back, left = table.undo()
                else:
                    report = table.run(dry_run=dry_run, limit=limit)
            finally:
                table.close()
        if undo:
            changed = f"; {left:,} have changed since and stay" if left else ""
            click.echo(f"{patch.name}: {back:,} rows are as they were{changed}")
        else:
            _show(patch, report, dry_run=dry_run)


def _patches(app: App, what: str) -> list[Patch]:
    if not what.endswith(".py"):
        return [app.find_patch(what)]
    from smackbox.app.load import load_script

    before = list(app.patches)
    load_script(Path(what))
    found = [patch for patch in app.patches if patch not in before]
    if not found:
        raise UserError(
            f"{what} declares no patch: import app from your application, and decorate with @app.patch(table)"
        )
    return found


def _show(patch: Patch, report: Report, *, dry_run: bool) -> None:
    if report.former is not None:
        click.echo(f"{patch.name}: nothing to do, it was {report.former}")
        return
    read = "events" if patch.source is not None else "rows"
    skipped = f", {report.skipped:,} records are no events" if report.skipped else ""
    would = " would be" if dry_run else ""
    click.echo(
        f"{patch.name}: {report.read:,} {read} read{skipped}; {report.changed:,}{would} changed, {report.deleted:,} "
        f"deleted, {report.added:,} added"
    )
    for key, old, new in report.examples:
        where = ", ".join(f"{name} {value}" for name, value in key.items())
        if new is None:
            click.echo(f"  {where}: deleted")
        else:
            changes = ", ".join(f"{name} {old.get(name)!r} -> {new[name]!r}" for name in new)
            click.echo(f"  {where}: {changes}")
    if dry_run:
        click.echo("nothing is written; without --dry-run it is")
    elif not report.is_whole:
        click.echo("the limit is reached; run it again to go on")
