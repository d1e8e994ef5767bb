"""Online backup of a broker's data directory: a copy of its state at one moment, taken while the broker runs.

At that moment every segment is hard-linked into a folder beside the logs, so that retention and compaction cannot
remove it, and its size is recorded; the journal and the checkpoints are small and are read at once. Then a thread
copies each segment up to that size. The copy is a data directory: a broker started on it has everything that had been
acknowledged at that moment, and truncates only writes that were in progress. Indexes are not copied; a broker rebuilds
them.

`smack kafka backup` requests it on the control socket; if no broker is running, it copies the directory itself.

A backup of the whole box asks only for that moment (`Stage`). No request is served from then until `Resume` or the end
of `hold_s`, so that the other servers' backups cannot depend on later records.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from smackbox.base.errors import StartError, StorageError, UserError
from smackbox.kafka.state.catalog import CLEAN_SHUTDOWN, DELETED_SUFFIX, JOURNAL
from smackbox.kafka.state.compaction import CLEANED
from smackbox.net.control import CONTROL_FILE, Request, call
from smackbox.store.data_dir import LOCK_FILE, DataDir
from smackbox.store.fs import Disk

STAGING = "backup-links-delete"  # the next start removes folders of this name
COPY_CHUNK_BYTES = 8 * 1024 * 1024


class Backup(Request, frozen=True):
    """Copy the data directory to the directory `target`, which must not exist or must be empty."""

    target: str


class Stage(Request, frozen=True):
    """Link the data in their current state into the folder `target`, and serve no request until `Resume`, or for
    `hold_s` at most.

    `target` is on the file system of the data directory; it must not exist or must be empty.
    """

    target: str
    hold_s: float


class StagedFile(msgspec.Struct, frozen=True):
    """A staged file: its name in a data directory, and its size at that moment (a segment keeps growing)."""

    name: str
    size: int


class Staged(msgspec.Struct, frozen=True):
    """What the folder holds. `silence` identifies the period in which no request is served."""

    files: tuple[StagedFile, ...]
    silence: str = ""


class Resume(Request, frozen=True):
    """Serve requests again, unless that period is over: another backup may hold the broker since then."""

    silence: str = ""


class Resumed(msgspec.Struct, frozen=True):
    """Whether the broker had served no request until now."""

    was_held: bool


REQUESTS = Backup | Stage | Resume


class Copied(msgspec.Struct, frozen=True):
    """How much was copied."""

    files: int
    bytes: int


class Moment:
    """A data directory at one moment. Made on the loop, copied in a thread, then closed."""

    def __init__(self, directory: Path, topics: Iterable[Path]) -> None:
        self._staging = directory / STAGING
        shutil.rmtree(self._staging, ignore_errors=True)
        self._segments = [(self._staging / name, name, size) for name, size in _link(topics, self._staging)]
        self._small = _small(directory)

    def copy(self, target: Path) -> Copied:
        """Copy everything to `target`, which must not exist or must be empty. Raises `OSError` or `StorageError`."""
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


def stage(directory: Path, topics: Iterable[Path], target: Path) -> Staged:
    """Link and copy the current data directory into `target`; no broker may write meanwhile.

    Raises `OSError`, `StorageError`.
    """
    target.mkdir(parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise OSError(f"{target} is not empty")
    files = [StagedFile(name, size) for name, size in _link(topics, target)]
    for name, data in _small(directory).items():
        Disk().replace(target / name, data)
        files.append(StagedFile(name, len(data)))
    return Staged(tuple(files))


def topics_in(directory: Path) -> list[Path]:
    """The partition folders in a data directory that no broker has open."""
    folders = [Path(entry.path) for entry in os.scandir(directory) if entry.is_dir()]
    return sorted(folder for folder in folders if not folder.name.endswith(DELETED_SUFFIX))


def ask(directory: Path, target: Path, timeout_s: float) -> Copied:
    """Back up `directory`, through its broker if one is running on it. Raises `UserError`."""
    if not (directory / JOURNAL).exists():
        raise UserError(f"{directory} is not a broker's data directory")
    try:
        held = DataDir.open(directory)
    except StartError:
        return call(directory, Backup(str(target.resolve())), Copied, timeout_s)
    try:
        moment = Moment(directory, topics_in(directory))
        try:
            return moment.copy(target)
        finally:
            moment.close()
    except (OSError, StorageError) as error:
        raise UserError(f"cannot back up to {target}: {error}") from error
    finally:
        held.close()


def _link(topics: Iterable[Path], target: Path) -> Iterator[tuple[str, int]]:
    """Link each segment into `target` and copy the small files beside it; returns the name and size of each."""
    for topic in topics:
        folder = target / topic.name
        folder.mkdir(parents=True)
        for entry in os.scandir(topic):
            if entry.name.endswith(".log"):
                os.link(entry.path, folder / entry.name)
            elif not entry.name.endswith(("index", CLEANED)) and entry.is_file():
                shutil.copyfile(entry.path, folder / entry.name)
            else:
                continue
            yield f"{topic.name}/{entry.name}", (folder / entry.name).stat().st_size


def _small(directory: Path) -> dict[str, bytes]:
    return {
        entry.name: Path(entry.path).read_bytes()
        for entry in os.scandir(directory)
        if entry.is_file() and entry.name not in {LOCK_FILE, CONTROL_FILE, CLEAN_SHUTDOWN}
    }


def _copy_start(source: Path, target: Path, size: int) -> int:
    writing = Disk().open(target)
    try:
        with source.open("rb") as reading:
            while chunk := reading.read(min(size - writing.size, COPY_CHUNK_BYTES)):
                writing.append(chunk)
        return writing.size
    finally:
        writing.close()
