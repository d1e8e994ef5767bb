"""Shared by the commands that save: one server's data to a repository, and the line that reports it."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from smackbox.cli.backup_options import opened, storage_errors
from smackbox.cli.progress import byte_progress

if TYPE_CHECKING:
    from smackbox.backup.save import Saved

NICENESS = 19
"""A back-up takes the time that the box leaves."""


def save_server(part: Literal["kafka", "cassandra"], directory: Path, place: str, key_file: Path | None) -> None:
    """Save one server's data directory to the repository at `place`. Raises `UserError`."""
    from smackbox.runtime.box_backup import back_up_server

    began = time.monotonic()
    with storage_errors(), byte_progress("saving") as progress:
        repository = opened(place, key_file, create=True)
        saved = back_up_server(part, directory, repository, progress=progress, before_saving=be_nice)
    click.echo(saved_line(saved, time.monotonic() - began))


def saved_line(saved: Saved, seconds: float) -> str:
    """A back-up as a line of text: its id, its contents, and how much of it was new."""
    manifest = saved.manifest
    return (
        f"{manifest.id}: {len(manifest.files)} files, {manifest.size / 1e6:.1f} MB; new were {saved.new_objects} "
        f"objects of {saved.new_bytes / 1e6:.1f} MB; in {seconds:.1f} s"
    )


def be_nice() -> None:
    """Lower the process's priority. Call it after the snapshot: clients wait for the snapshot to end."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
