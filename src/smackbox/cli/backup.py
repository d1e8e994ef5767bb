"""`smack backup TO`: saves a consistent copy of the running box; `list`, `verify` and `prune` manage back-ups."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from smackbox.base.errors import UserError
from smackbox.cli.backup_options import key_option, opened, storage_errors
from smackbox.cli.backup_server import be_nice, saved_line
from smackbox.cli.default_verb import DefaultVerb
from smackbox.cli.progress import byte_progress
from smackbox.runtime.settings import DEFAULT_DIR

if TYPE_CHECKING:
    from smackbox.backup.prune import Pruned


class BackUps(DefaultVerb):
    """`smack backup TO` is `smack backup save TO`."""

    default_verb = "save"


@click.group("backup", cls=BackUps)
def command() -> None:
    """Back-ups of a whole box: `smack backup TO` saves it; TO is a folder, s3://, gs:// or az://."""


@command.command("save")
@click.argument("to")
@click.option("--dir", "directory", type=click.Path(path_type=Path), default=DEFAULT_DIR, show_default=True)
@click.option("--keep", help="Then delete older back-ups, as `prune --keep` does.")
@key_option
def save_command(to: str, directory: Path, keep: str | None, key_file: Path | None) -> None:
    """Save the box: only what is new is written. `smack backup TO` does the same."""
    from smackbox.backup.prune import age_s, prune
    from smackbox.runtime.box_backup import back_up

    keep_s = None if keep is None else age_s(keep)
    began = time.monotonic()
    with storage_errors():
        repository = opened(to, key_file, create=True)
        with byte_progress("saving") as progress:
            saved = back_up(directory, repository, progress=progress, before_saving=be_nice)
        click.echo(saved_line(saved, time.monotonic() - began))
        if keep_s is not None:
            click.echo(_pruned(prune(repository, keep_s, time.time())))


@command.command("list")
@click.argument("place", metavar="FROM")
@key_option
def list_command(place: str, key_file: Path | None) -> None:
    """List the back-ups, the oldest first."""
    with storage_errors():
        repository = opened(place, key_file)
        click.echo("id\tbox\ttaken\tfiles\tMB\tstored MB\tparts")
        for one in repository.backups():
            manifest = repository.read(one.id)
            taken = datetime.fromtimestamp(manifest.taken_ms / 1000, UTC)
            click.echo(
                f"{one.id}\t{manifest.box[:8]}\t{taken:%Y-%m-%dT%H:%M:%SZ}\t{len(manifest.files)}"
                f"\t{manifest.size / 1e6:.1f}\t{manifest.stored / 1e6:.1f}\t{','.join(manifest.parts)}"
            )


@command.command("verify")
@click.argument("place", metavar="FROM")
@click.option("--id", "id_", help="The back-up.  [default: all]")
@click.option("--quick", is_flag=True, help="Only check that every object exists and has the right size.")
@key_option
def verify_command(place: str, id_: str | None, quick: bool, key_file: Path | None) -> None:
    """Read every object and compare it with its checksum; exit with 1 if a back-up cannot be restored."""
    from smackbox.backup.check import faults

    with storage_errors():
        repository = opened(place, key_file)
        manifests = [repository.find(id_)] if id_ else [repository.read(one.id) for one in repository.backups()]
        broken = 0
        for manifest in manifests:
            found = faults(repository, manifest, manifest.files, read=not quick)
            for fault in found:
                click.echo(f"{manifest.id}\t{fault.path}\t{fault.why}")
            broken += bool(found)
            if not found:
                click.echo(f"{manifest.id}\twhole")
    if broken:
        raise UserError(f"{broken} of {len(manifests)} back-ups in {place} cannot be restored")


@command.command("prune")
@click.argument("place", metavar="FROM")
@click.option("--keep", required=True, help="Maximum age of a back-up: a number and s, m, h, d or w, such as 7d.")
@key_option
def prune_command(place: str, keep: str, key_file: Path | None) -> None:
    """Delete older back-ups, except each box's latest, and the objects that only they used."""
    from smackbox.backup.prune import age_s, prune

    with storage_errors():
        click.echo(_pruned(prune(opened(place, key_file), age_s(keep), time.time())))


def _pruned(pruned: Pruned) -> str:
    return (
        f"{len(pruned.forgotten)} back-ups forgotten, {pruned.objects} objects of {pruned.bytes / 1e6:.1f} MB removed"
    )
