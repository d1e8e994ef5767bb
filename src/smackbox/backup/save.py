"""Saves files into a repository: only new objects, several at a time, the manifest last.

A file is cut into pieces of `PIECE_BYTES`, each an object. A log that has grown shares all its whole pieces with the
back-up before, and a table file that never changes shares everything. A file whose size, inode and time of change are
those of the last back-up of the same box is not read again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from smackbox.backup.manifest import Manifest, SavedFile, id_of
from smackbox.backup.repository import Repository
from smackbox.base.errors import StorageError

PIECE_BYTES = 8 * 1024 * 1024
WORKERS = 4
QUEUE_PIECES = 2 * WORKERS
"""Pieces that are read and wait: with those under way, all that a `save` keeps in memory."""

Progress = Callable[[int, int], None]
"""Bytes done, bytes in all."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """`size` bytes of `file` to save as `path`; the file may grow meanwhile."""

    path: str
    file: Path
    size: int


@dataclass(frozen=True, slots=True)
class Saved:
    """A completed back-up, and how much of it was new: bytes as stored, and objects."""

    manifest: Manifest
    new_bytes: int
    new_objects: int


def nothing_shown(done: int, total: int) -> None:
    """A callback that shows no progress."""


def save(
    repository: Repository,
    files: Sequence[SourceFile],
    *,
    box: str,
    taken_ms: int,
    facts: dict[str, str] | None = None,
    progress: Progress = nothing_shown,
) -> Saved:
    """Save the files as one back-up. `box` identifies the box that owns them; `facts` are stored with them.

    Raises `StorageError`, and `UserError` while the repository is being pruned; then no back-up is created.
    """
    with repository.locked("save", against="prune", now_s=taken_ms / 1000) as check_lock:
        there = {one.id for one in repository.backups()}
        while id_of(taken_ms) in there:  # of another box, in the same millisecond
            taken_ms += 1
        work = _Saving(repository, box, sum(file.size for file in files), progress)
        saved = work.run(files)
        used = {name for file in saved for name in file.objects}
        present = repository.stored()
        for name in used:
            if present.get(name) != work.sizes[name]:
                raise StorageError(
                    f"the object {name} was written to {repository.url} and is not there whole: the back-up is not made"
                )
        manifest = Manifest(
            id=id_of(taken_ms),
            box=box,
            taken_ms=taken_ms,
            files=tuple(saved),
            objects={name: work.sizes[name] for name in sorted(used)},
            facts=facts or {},
        )
        check_lock()
        repository.write(manifest)
    return Saved(manifest, work.new_bytes, work.new_objects)


class _Saving:
    """One run of `save`."""

    def __init__(self, repository: Repository, box: str, total: int, progress: Progress) -> None:
        self.sizes = repository.stored()
        self.new_bytes = 0
        self.new_objects = 0
        self._repository = repository
        self._former = _former(repository, box)
        self._lock = threading.Lock()
        self._total = total
        self._done = 0
        self._progress = progress
        self._running: set[Future[str]] = set()
        self._under_way: dict[str, Future[None]] = {}

    def run(self, files: Iterable[SourceFile]) -> list[SavedFile]:
        """Save all files; returns the objects of each. Raises `StorageError`."""
        readings: list[SavedFile | _Reading] = []
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="backup") as pool:
            try:
                for file in files:
                    found = self._unchanged(file)
                    if found is not None:
                        self._show(file.size)
                    readings.append(found or self._read(file, pool))
                return [one if isinstance(one, SavedFile) else one.saved() for one in readings]
            except OSError as error:
                raise StorageError(f"cannot read what is to be saved: {error}") from error
            finally:
                for piece in self._running:
                    piece.cancel()

    def _read(self, file: SourceFile, pool: ThreadPoolExecutor) -> _Reading:
        """Hand the file's pieces to the pool, as there is room for them."""
        pieces: list[Future[str]] = []
        with file.file.open("rb") as source:
            status = os.fstat(source.fileno())
            left = file.size
            while left or not pieces:
                content = source.read(min(left, PIECE_BYTES))
                if len(content) < min(left, PIECE_BYTES):
                    raise StorageError(f"{file.file} is shorter than it was when the back-up began")
                left -= len(content)
                self._running = _room(self._running)
                pieces.append(pool.submit(self._piece, content))
                self._running.add(pieces[-1])
        return _Reading(file, status, pieces)

    def _unchanged(self, file: SourceFile) -> SavedFile | None:
        former = self._former.get(file.path)
        if former is None or former.size != file.size:
            return None
        status = file.file.stat()
        if (status.st_size, status.st_mtime_ns, status.st_ino) != (file.size, former.mtime_ns, former.inode):
            return None
        return former if all(name in self.sizes for name in former.objects) else None

    def _piece(self, content: bytes) -> str:
        name = self._repository.cipher.name(content)
        with self._lock:
            is_new = name not in self.sizes and name not in self._under_way
            if is_new:
                self._under_way[name] = Future()
            other = self._under_way.get(name)
        if is_new:
            self._put(name, content)
        elif other is not None:
            other.result()  # another worker is storing it now
        self._show(len(content))
        return name

    def _put(self, name: str, content: bytes) -> None:
        try:
            size = self._repository.put(name, content)
        except BaseException as error:
            self._under_way[name].set_exception(error)
            raise
        with self._lock:
            self.sizes[name] = size
            self.new_bytes += size
            self.new_objects += 1
            self._under_way.pop(name).set_result(None)

    def _show(self, size: int) -> None:
        with self._lock:
            self._done += size
            self._progress(self._done, self._total)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A file whose pieces are with the workers."""

    file: SourceFile
    status: os.stat_result
    pieces: list[Future[str]]

    def saved(self) -> SavedFile:
        names = tuple(piece.result() for piece in self.pieces)
        return SavedFile(self.file.path, self.file.size, names, self.status.st_mtime_ns, self.status.st_ino)


def _room(running: set[Future[str]]) -> set[Future[str]]:
    """The running ones, fewer than the queue holds. Raises the error of a failed one."""
    while len(running) >= QUEUE_PIECES:
        done, running = wait(running, return_when=FIRST_COMPLETED)
        for one in done:
            one.result()
    return running


def _former(repository: Repository, box: str) -> dict[str, SavedFile]:
    """The files of the last back-up of this box by path; empty if no back-up can be read."""
    for one in reversed(repository.backups()):
        try:
            manifest = repository.read(one.id)
        except StorageError:
            continue
        if manifest.box == box:
            return {file.path: file for file in manifest.files}
    return {}
