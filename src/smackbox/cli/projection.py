"""`smack projection`: the projections of a running process, over its control socket."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from smackbox.base.errors import UserError
from smackbox.runtime.settings import DEFAULT_DIR

if TYPE_CHECKING:
    from smackbox.akka.projection.control import ProjectionList


@click.group("projection")
@click.option("--dir", "directory", type=click.Path(path_type=Path), default=DEFAULT_DIR, show_default=True)
@click.pass_context
def command(ctx: click.Context, directory: Path) -> None:
    """Projections of the process that holds a data directory: status, pause, resume, rewind."""
    ctx.obj = directory


@command.command("status")
@click.pass_obj
def status_command(directory: Path) -> None:
    """Show state, events handled, lag and offset of every instance."""
    from smackbox.akka.projection.control import ListProjections, ask

    _show(ask(directory, ListProjections()))


@command.command("pause")
@click.argument("name")
@click.argument("key")
@click.pass_obj
def pause_command(directory: Path, name: str, key: str) -> None:
    """Stop handling events until `resume`, also after a restart of the process."""
    from smackbox.akka.projection.control import PauseProjection, ask

    _show(ask(directory, PauseProjection(name, key)))


@command.command("resume")
@click.argument("name")
@click.argument("key")
@click.pass_obj
def resume_command(directory: Path, name: str, key: str) -> None:
    """Continue after the saved offset."""
    from smackbox.akka.projection.control import ResumeProjection, ask

    _show(ask(directory, ResumeProjection(name, key)))


@command.command("rewind")
@click.argument("name")
@click.argument("key")
@click.option("--to", "offset", metavar="SEQ:NUMBER|TBU:UUID", help="An offset as `status` shows it.  [the beginning]")
@click.pass_obj
def rewind_command(directory: Path, name: str, key: str, offset: str | None) -> None:
    """Handle the events after an offset again."""
    from smackbox.akka.projection.control import RewindProjection, ask

    manifest, colon, text = (offset or "").partition(":")
    if offset is not None and not colon:
        raise UserError(f"an offset is SEQ:NUMBER or TBU:UUID, not {offset!r}")
    _show(ask(directory, RewindProjection(name, key, manifest, text)))


def _show(found: ProjectionList) -> None:
    if not found.projections:
        click.echo("no projections run there")
    for projection in found.projections:
        click.echo(
            f"{projection.name}\t{projection.key}\t{projection.state}\t{projection.events} events\t"
            f"lag {projection.lag_s:.1f} s\toffset {projection.offset or 'none'}"
            + (f"\t{projection.restarts} restarts, last: {projection.error}" if projection.error else "")
        )
