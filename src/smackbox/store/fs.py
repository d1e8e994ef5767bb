"""The file-system interface: what storage code needs from a disk, the real disk, and a disk that fails on purpose.

A `File` is append-only, and is read by position. `append` returns when the kernel has all of the bytes (they survive
`kill -9` of the process); `sync` returns when the disk has them (they survive power loss).

All writes of a server's state use this module, because a failed write must either be undone or be the last one:
- a failed or short append is truncated, so that the next append does not follow incomplete data;
- if the truncation or a sync fails (the kernel may have dropped the pages, and a later sync would not report it), the
  file accepts nothing more until it is reopened and its owner checks its content;
- `replace` replaces the whole file or nothing.

`FaultyDisk` is for tests and simulations: any operation can fail, at any byte, once or permanently, and `drop_unsynced`
simulates the loss of the page cache in a power failure.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from smackbox.base.errors import StorageError

Buffer = bytes | bytearray | memoryview
FILE_MODE = 0o644


class File(Protocol):
    """An open file that only grows."""

    path: Path
    size: int

    def append(self, data: Buffer) -> None:
        """Write all of `data` at the end, or raise `StorageError` and leave the file unchanged."""
        ...

    def read(self, length: int, offset: int) -> bytes:
        """Up to `length` bytes at `offset`; fewer at the end of the file. Raises `StorageError`."""
        ...

    def truncate(self, size: int) -> None:
        """Truncate the file to `size` bytes. Raises `StorageError`."""
        ...

    def sync(self) -> None:
        """Return when all bytes are on the disk. After a failure (`StorageError`) the file accepts nothing more."""
        ...

    def close(self) -> None:
        """Close the file without a sync."""
        ...


class FileSystem(Protocol):
    """A source of files."""

    def open(self, path: Path) -> File:
        """The file at `path`, created if it is missing. Raises `StorageError`, as all calls here do."""
        ...

    def read(self, path: Path) -> bytes:
        """The whole content of a file."""
        ...

    def replace(self, path: Path, data: Buffer, *, sync: bool = False) -> None:
        """Write a whole file, or leave the existing one; with `sync` it survives power loss."""
        ...

    def make_directory(self, path: Path) -> None:
        """Create a directory and its missing parents."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Move a file or a directory; an existing file is replaced."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file."""
        ...

    def remove_tree(self, path: Path) -> None:
        """Remove a directory and everything in it, if it exists."""
        ...

    def entries(self, path: Path) -> Iterator[os.DirEntry[str]]:
        """The entries of a directory, in no particular order."""
        ...

    def space(self, path: Path) -> tuple[int, int]:
        """The size of the disk, and its free space, in bytes."""
        ...

    def modified_ms(self, path: Path) -> int:
        """The time of the last write, in milliseconds since 1970."""
        ...


class DiskFile:
    """A file of the real file system."""

    __slots__ = ("_damage", "_fd", "_named", "path", "size")

    def __init__(self, path: Path, fd: int, size: int) -> None:
        self.path = path
        self.size = size
        self._fd = fd
        self._damage = ""
        self._named = size > 0  # whether its directory entry survives power loss

    def append(self, data: Buffer) -> None:
        """Write all of `data` at the end. Raises `StorageError` and leaves the file unchanged when that fails."""
        if self._damage:
            raise StorageError(self._damage)
        length = len(data)
        try:
            written = self._write(data, self.size)
            if written != length:
                self._append_rest(memoryview(data), written)
        except OSError as error:
            self._undo()
            raise StorageError(f"cannot append to {self.path}: {error.strerror or error}") from error
        self.size += length

    def read(self, length: int, offset: int) -> bytes:
        """Up to `length` bytes at `offset`; fewer at the end of the file."""
        try:
            return os.pread(self._fd, length, offset)
        except OSError as error:
            raise StorageError(f"cannot read {self.path}: {error.strerror or error}") from error

    def truncate(self, size: int) -> None:
        """Truncate the file to `size` bytes. Raises `StorageError`."""
        try:
            self._cut(size)
        except OSError as error:
            raise StorageError(f"cannot truncate {self.path}: {error.strerror or error}") from error
        self.size = size

    def sync(self) -> None:
        """Block until the bytes are on the disk."""
        if self._damage:
            raise StorageError(self._damage)
        try:
            self._flush()
            if not self._named:
                _sync_directory(self.path.parent)
                self._named = True
        except OSError as error:
            self._damage = f"{self.path} accepts no more writes until a restart, as a sync failed"
            raise StorageError(f"cannot sync {self.path}: {error.strerror or error}") from error

    def close(self) -> None:
        """Close the file without a sync; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _append_rest(self, data: memoryview, written: int) -> None:
        """A short write means a full disk or a signal: continue until the kernel reports which."""
        while written < len(data):
            count = self._write(data[written:], self.size + written)
            if count == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written += count

    def _undo(self) -> None:
        try:
            self._cut(self.size)
        except OSError as error:
            self._damage = f"{self.path} accepts no more writes until a restart, as a failed append could not be undone"
            raise StorageError(f"cannot undo a failed append to {self.path}: {error.strerror or error}") from error

    def _write(self, data: Buffer, offset: int) -> int:
        return os.pwrite(self._fd, data, offset)

    def _cut(self, size: int) -> None:
        os.ftruncate(self._fd, size)

    def _flush(self) -> None:
        os.fdatasync(self._fd) if hasattr(os, "fdatasync") else os.fsync(self._fd)


class Disk:
    """The real file system. Every failure is a `StorageError` that names the file."""

    def open(self, path: Path) -> File:
        """Open for appending and reading; created if it does not exist."""
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
            return DiskFile(path, fd, os.fstat(fd).st_size)
        except OSError as error:
            raise StorageError(f"cannot open {path}: {error.strerror or error}") from error

    def read(self, path: Path) -> bytes:
        """The whole file; empty if it does not exist."""
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror or error}") from error

    def replace(self, path: Path, data: Buffer, *, sync: bool = False) -> None:
        """Replace the file's contents with `data`, all of it or nothing."""
        temporary = path.with_name(path.name + ".tmp")
        try:
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[self._write(fd, rest) :]
                if sync:
                    os.fsync(fd)
            finally:
                os.close(fd)
            temporary.replace(path)
            if sync:
                _sync_directory(path.parent)
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror or error}") from error

    def make_directory(self, path: Path) -> None:
        """Create a directory and its missing parents. Raises `StorageError`."""
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot make {path}: {error.strerror or error}") from error

    def rename(self, source: Path, target: Path) -> None:
        """Move a file or a directory. Raises `StorageError`."""
        try:
            source.rename(target)
        except OSError as error:
            raise StorageError(f"cannot rename {source}: {error.strerror or error}") from error

    def remove(self, path: Path) -> None:
        """Remove a file; does nothing if it does not exist."""
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"cannot remove {path}: {error.strerror or error}") from error

    def remove_tree(self, path: Path) -> None:
        """Remove a directory and everything in it, if it exists. Raises `StorageError`."""
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(f"cannot remove {path}: {error.strerror or error}") from error

    def entries(self, path: Path) -> Iterator[os.DirEntry[str]]:
        """The entries of a directory. Raises `StorageError`."""
        try:
            with os.scandir(path) as found:
                yield from found
        except OSError as error:
            raise StorageError(f"cannot list {path}: {error.strerror or error}") from error

    def space(self, path: Path) -> tuple[int, int]:
        """The bytes of the file system that `path` is on: total, and free."""
        try:
            usage = shutil.disk_usage(path)
        except OSError as error:
            raise StorageError(f"cannot read the free space of {path}: {error.strerror or error}") from error
        return usage.total, usage.free

    def modified_ms(self, path: Path) -> int:
        """The time of the last write, in milliseconds of wall time."""
        try:
            return path.stat().st_mtime_ns // 1_000_000
        except OSError as error:
            raise StorageError(f"cannot read the modification time of {path}: {error.strerror or error}") from error

    def _write(self, fd: int, data: memoryview) -> int:
        return os.write(fd, data)


def _sync_directory(path: Path) -> None:
    """Make the entries of a directory survive power loss."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class FaultyFile(DiskFile):
    """A file of a `FaultyDisk`."""

    __slots__ = ("_disk",)

    def __init__(self, disk: FaultyDisk, path: Path, fd: int, size: int) -> None:
        super().__init__(path, fd, size)
        self._disk = disk

    def _write(self, data: Buffer, offset: int) -> int:
        return super()._write(memoryview(data)[: self._disk.take(len(data))], offset)

    def _cut(self, size: int) -> None:
        if self._disk.undo_fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super()._cut(size)
        self._disk.synced[self.path] = min(self._disk.synced.get(self.path, 0), size)

    def _flush(self) -> None:
        if self._disk.sync_fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._disk.step()
        super()._flush()
        self._disk.synced[self.path] = self.size


class FaultyDisk(Disk):
    """A disk that fails on purpose, and records how much of each file has been synced.

    `free_bytes` is the free space (None: no limit); a larger write is cut short and fails. `fail_at` is the number of
    modifying operations that succeed before one fails: a write is cut short at `fail_byte`, all others do nothing. With
    `once` the disk works again after that failure. `sync_fails` and `undo_fails` make syncs and truncations fail.
    """

    def __init__(
        self, free_bytes: int | None = None, *, fail_at: int | None = None, fail_byte: int = 0, once: bool = False
    ) -> None:
        self.free_bytes = free_bytes
        self.fail_at = fail_at
        self.fail_byte = fail_byte
        self.once = once
        self.sync_fails = False
        self.undo_fails = False
        self.operations = 0
        self.synced: dict[Path, int] = {}
        self._cut_short = False

    def open(self, path: Path) -> File:
        existed = path.exists()
        if not existed:
            self._step(path)
        plain = super().open(path)
        size = plain.size
        plain.close()
        self.synced.setdefault(path, size if existed else 0)
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        return FaultyFile(self, path, fd, size)

    def make_directory(self, path: Path) -> None:
        self._step(path)
        super().make_directory(path)

    def rename(self, source: Path, target: Path) -> None:
        self._step(source)
        super().rename(source, target)

    def remove(self, path: Path) -> None:
        self._step(path)
        super().remove(path)

    def take(self, length: int) -> int:
        """How many of `length` bytes are written. Raises `OSError` for none."""
        if self._cut_short:
            self._cut_short = False
            self._fail()
        if self.fail_at is not None and self.operations >= self.fail_at:
            if self.fail_byte <= 0 or self.operations > self.fail_at:
                self.operations += 1
                self._fail()
            self.operations += 1
            self._cut_short = True
            return min(self.fail_byte, length - 1) or self._fail()
        self.operations += 1
        if self.free_bytes is not None and length > self.free_bytes:
            self._cut_short = self.free_bytes > 0  # the written part is undone, so the space stays
            return self.free_bytes or self._fail()
        if self.free_bytes is not None:
            self.free_bytes -= length
        return length

    def step(self) -> None:
        """Count one operation other than a write. Raises `OSError` when it is the one that fails."""
        failing = self.fail_at is not None and self.operations >= self.fail_at
        self.operations += 1
        if failing:
            self._fail()

    def drop_unsynced(self) -> None:
        """Truncate every existing file to its synced size, as a power failure may."""
        for path, size in self.synced.items():
            if path.exists() and path.stat().st_size > size:
                os.truncate(path, size)
        for path in list(self.synced):
            if not path.exists():
                del self.synced[path]

    def _step(self, path: Path) -> None:
        try:
            self.step()
        except OSError as error:
            raise StorageError(f"cannot change {path}: {error.strerror}") from error

    def _fail(self) -> int:
        if self.once:
            self.fail_at, self.free_bytes = None, None
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _write(self, fd: int, data: memoryview) -> int:
        return super()._write(fd, data[: self.take(len(data))])
