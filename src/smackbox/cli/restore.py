"""`smack restore FROM`: restores a box from a back-up into an empty directory."""

from __future__ import annotations

import time
from pathlib import Path

import click

from smackbox.cli.backup_options import key_option, moment_of, opened, storage_errors, until_option
from smackbox.cli.progress import byte_progress
from smackbox.runtime.settings import DEFAULT_DIR


@click.command("restore")
@click.argument("place", metavar="FROM")
@click.option("--id", "id_", help="The back-up, as `smack backup list` shows it.  [default: the latest]")
@until_option
@click.option("--part", "parts", multiple=True, help="Only this part (kafka, cassandra, streams, …); may be repeated.")
@click.option("--dir", "directory", type=click.Path(path_type=Path), default=DEFAULT_DIR, show_default=True)
@key_option
def command(
    place: str, id_: str | None, until: str | None, parts: tuple[str, ...], directory: Path, key_file: Path | None
) -> None:
    """Restore a back-up into a directory that has no box; then start it with `smack up` or `smack run`.

    With --until, the latest back-up that was begun by that time.
    """
    from smackbox.runtime.box_backup import restore

    if id_ is not None and until is not None:
        raise click.UsageError("give --id or --until, not both")
    began = time.monotonic()
    with storage_errors():
        repository = opened(place, key_file)
        manifest = repository.find(id_, moment_of(until))
        with byte_progress("restoring") as progress:
            size = restore(directory, repository, manifest, parts=parts, progress=progress)
    taken_s = time.monotonic() - began
    click.echo(f"{manifest.id} restored to {directory}: {size / 1e6:.1f} MB in {taken_s:.1f} s")
