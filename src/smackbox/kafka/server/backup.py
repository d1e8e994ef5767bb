"""Online back-up of a broker's data directory: a copy as it was at one moment, taken while the broker goes on.

At that moment every segment is linked into a folder beside the logs (so that retention and compaction cannot take it
away) and its size is noted; the journal and the checkpoints are small and are read at once. Then a thread copies that
much of each. The copy is a data directory: a broker started on it finds what had been answered at that moment, and cuts
nothing but what was on its way. Indexes are not copied; a broker makes them again.

`smack kafka backup` asks for it on the control socket; where no broker runs, it copies the directory itself.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import msgspec

from smackbox.base.errors import StartError, StorageError, UserError
from smackbox.kafka.state.catalog import CLEAN_SHUTDOWN, JOURNAL
from smackbox.net.control import CONTROL_FILE, Request, call
from smackbox.store.data_dir import LOCK_FILE, DataDir
from smackbox.store.fs import Disk

STAGING = "backup-links-delete"  # a folder of this name is swept at the next start
COPY_CHUNK_BYTES = 8 * 1024 * 1024


class Backup(Request, frozen=True):
    """Copy the data directory to the directory `target`, which must not be there or be empty."""

    target: str


class Copied(msgspec.Struct, frozen=True):
    """How much was copied."""

    files: int
    bytes: int


class Moment:
    """A data directory at one moment. Made on the loop, copied in a thread, then closed."""

    def __init__(self, directory: Path, topics: Iterable[Path]) -> None:
        self._staging = directory / STAGING
        shutil.rmtree(self._staging, ignore_errors=True)
        self._segments: list[tuple[Path, str, int]] = []
        for topic in topics:
            folder = self._staging / topic.name
            folder.mkdir(parents=True)
            for entry in os.scandir(topic):
                if entry.name.endswith(".log"):
                    os.link(entry.path, folder / entry.name)
                    self._segments.append((folder / entry.name, f"{topic.name}/{entry.name}", entry.stat().st_size))
                elif not entry.name.endswith("index") and entry.is_file():
                    shutil.copyfile(entry.path, folder / entry.name)
                    self._segments.append((folder / entry.name, f"{topic.name}/{entry.name}", entry.stat().st_size))
        self._small = {
            entry.name: Path(entry.path).read_bytes()
            for entry in os.scandir(directory)
            if entry.is_file() and entry.name not in {LOCK_FILE, CONTROL_FILE, CLEAN_SHUTDOWN}
        }

    def copy(self, target: Path) -> Copied:
        """Copy everything to `target`, which must not be there or be empty. Raises `OSError` or `StorageError`."""
        target.mkdir(parents=True, exist_ok=True)
        if any(target.iterdir()):
            raise OSError(f"{target} is not empty")
        total = 0
        for source, name, size in self._segments:
            file = target / name
            file.parent.mkdir(exist_ok=True)
            total += _copy_start(source, file, size)
        for name, data in sorted(self._small.items(), key=lambda item: item[0] == JOURNAL):
            Disk().replace(target / name, data)
            total += len(data)
        return Copied(len(self._segments) + len(self._small), total)

    def close(self) -> None:
        """Remove what was staged."""
        shutil.rmtree(self._staging, ignore_errors=True)


def ask(directory: Path, target: Path, timeout_s: float) -> Copied:
    """Back up `directory`, by its broker when one runs on it. Raises `UserError`."""
    if not (directory / JOURNAL).exists():
        raise UserError(f"{directory} is not a broker's data directory")
    try:
        held = DataDir.open(directory)
    except StartError:
        return call(directory, Backup(str(target.resolve())), Copied, timeout_s)
    try:
        topics = [Path(entry.path) for entry in os.scandir(directory) if entry.is_dir()]
        moment = Moment(directory, topics)
        try:
            return moment.copy(target)
        finally:
            moment.close()
    except (OSError, StorageError) as error:
        raise UserError(f"cannot back up to {target}: {error}") from error
    finally:
        held.close()


def _copy_start(source: Path, target: Path, size: int) -> int:
    writing = Disk().open(target)
    try:
        with source.open("rb") as reading:
            while chunk := reading.read(min(size - writing.size, COPY_CHUNK_BYTES)):
                writing.append(chunk)
        return writing.size
    finally:
        writing.close()
