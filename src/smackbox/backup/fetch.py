"""Writes a back-up's files into a folder, checks each byte, and fetches several objects at a time.

Nothing is written before every object has been found complete. The files are written to a folder beside their final
places and renamed once all are complete and synced. After a killed fetch, the next one starts over.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path, PurePosixPath

from smackbox.backup.check import faults, refuse_faults
from smackbox.backup.manifest import Manifest, SavedFile
from smackbox.backup.repository import Repository
from smackbox.backup.save import PIECE_BYTES, Progress, nothing_shown
from smackbox.base.errors import StorageError, UserError

UNFINISHED = "restoring"
WORKERS = 4
QUEUE_PIECES = 2 * WORKERS


def fetch(
    repository: Repository,
    manifest: Manifest,
    target: Path,
    *,
    parts: tuple[str, ...] = (),
    progress: Progress = nothing_shown,
) -> int:
    """Write the files of a back-up, or of some parts of it, below `target`; returns the number of bytes.

    Raises `UserError` if the back-up is incomplete, or if `target` already has any of these parts; `StorageError`
    for a damaged object or a failed write. Then `target` is unchanged.
    """
    files = list(manifest.select(parts))
    _refuse_paths(files)
    tops = list(dict.fromkeys(file.path.partition("/")[0] for file in files))
    unfinished = target / UNFINISHED
    if is_unfinished(target):
        for top in _tops_of(unfinished):
            _remove(target / top)
        shutil.rmtree(unfinished)
    there = [top for top in tops if _holds_something(target / top)]
    if there:
        raise UserError(f"{target} has {', '.join(there)} already: restore into an empty folder, or move it away first")
    refuse_faults(repository, manifest, faults(repository, manifest, files, read=False))
    try:
        unfinished.mkdir(parents=True)
        (unfinished / "parts").write_text("\n".join(tops))
        size = _Fetching(repository, unfinished / "files", sum(file.size for file in files), progress).run(files)
        for top in tops:
            _remove(target / top)
            (unfinished / "files" / top).rename(target / top)
        shutil.rmtree(unfinished)
    except (OSError, StorageError) as error:
        shutil.rmtree(unfinished / "files", ignore_errors=True)
        for top in _tops_of(unfinished):
            _remove(target / top)
        shutil.rmtree(unfinished, ignore_errors=True)
        raise StorageError(f"cannot restore {manifest.id} to {target}: {error}") from error
    return size


def is_unfinished(target: Path) -> bool:
    """Whether a restore into the folder was killed and has to be run again."""
    return (target / UNFINISHED).is_dir()


class _Fetching:
    """One run of `fetch`, into a folder that is empty."""

    def __init__(self, repository: Repository, folder: Path, total: int, progress: Progress) -> None:
        self._repository = repository
        self._folder = folder
        self._total = total
        self._done = 0
        self._progress = progress
        self._running: set[Future[int]] = set()
        self._syncing: Future[None] | None = None

    def run(self, files: Sequence[SavedFile]) -> int:
        self._folder.mkdir()
        with (
            ThreadPoolExecutor(WORKERS, thread_name_prefix="restore") as pool,
            ThreadPoolExecutor(1, thread_name_prefix="restore-sync") as syncing,
        ):
            try:
                for file in files:
                    path = self._folder / file.path
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with path.open("wb") as made:
                        made.truncate(file.size)
                    for number, name in enumerate(file.objects):
                        self._await(QUEUE_PIECES - 1)
                        expected = min(PIECE_BYTES, file.size - number * PIECE_BYTES)
                        self._running.add(pool.submit(self._piece, path, number * PIECE_BYTES, name, expected))
                        if self._syncing is None or self._syncing.done():
                            # the disk works while pieces are read, unpacked and checked
                            self._syncing = syncing.submit(_sync, path)
                self._await(0)
            finally:
                for one in self._running:
                    one.cancel()
        for folder in {path for file in files for path in (self._folder / file.path).parents}:
            if folder.is_relative_to(self._folder):
                _sync(folder)
        for file in files:
            _sync(self._folder / file.path)
        return self._done

    def _await(self, most: int) -> None:
        """Wait until at most this many are running. Raises the error of a failed one."""
        while len(self._running) > most:
            done, self._running = wait(self._running, return_when=FIRST_COMPLETED)
            for one in done:
                self._done += one.result()
                self._progress(self._done, self._total)

    def _piece(self, path: Path, position: int, name: str, expected: int) -> int:
        content = self._repository.get(name)
        if len(content) != expected:
            raise StorageError(f"the object {name} has {len(content)} bytes, {path.name} needs {expected} there")
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            rest = memoryview(content)
            while rest:
                written = os.pwrite(descriptor, rest, position)
                position += written
                rest = rest[written:]
        finally:
            os.close(descriptor)
        return len(content)


def _refuse_paths(files: Sequence[SavedFile]) -> None:
    for file in files:
        path = PurePosixPath(file.path)
        strange = path.is_absolute() or ".." in path.parts or not path.parts or path.as_posix() != file.path
        if strange or path.parts[0] == UNFINISHED or "\0" in file.path:
            raise StorageError(f"the back-up names the file {file.path!r}, which is no place in a box")
        if len(file.objects) != max(1, -(-file.size // PIECE_BYTES)):
            raise StorageError(
                f"the back-up makes the {file.size:,} bytes of {file.path} of {len(file.objects)} objects, which is "
                "not their number: it is damaged"
            )


def _tops_of(unfinished: Path) -> list[str]:
    try:
        return [top for top in (unfinished / "parts").read_text().split("\n") if top]
    except FileNotFoundError:
        return []


def _holds_something(path: Path) -> bool:
    return path.is_file() or (path.is_dir() and any(entry.is_file() for entry in path.rglob("*")))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
