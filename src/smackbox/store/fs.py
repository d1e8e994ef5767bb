"""The file-system seam: what storage code asks of a disk, the disk itself, and a disk that fails on purpose.

A `File` is append-only and read by position. `append` returns when the kernel has all of the bytes (they survive
`kill -9` of the process); `sync` returns when the disk has them (they survive power loss). A failed or short append
leaves the file as it was before.

`FaultyDisk` is for tests and simulations: it refuses appends after a budget of bytes, and `drop_unsynced` does to the
files what a power cut does to the page cache.
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
    """An open file that grows at its end."""

    path: Path
    size: int

    def append(self, data: Buffer) -> None: ...

    def read(self, length: int, offset: int) -> bytes: ...

    def truncate(self, size: int) -> None: ...

    def sync(self) -> None: ...

    def close(self) -> None: ...


class FileSystem(Protocol):
    """Where files come from."""

    def open(self, path: Path) -> File: ...

    def read(self, path: Path) -> bytes: ...

    def replace(self, path: Path, data: Buffer, *, sync: bool = False) -> None: ...

    def make_directory(self, path: Path) -> None: ...

    def rename(self, source: Path, target: Path) -> None: ...

    def remove(self, path: Path) -> None: ...

    def remove_tree(self, path: Path) -> None: ...

    def entries(self, path: Path) -> Iterator[os.DirEntry[str]]: ...

    def space(self, path: Path) -> tuple[int, int]: ...


class DiskFile:
    """A file of the kernel's."""

    __slots__ = ("_fd", "path", "size")

    def __init__(self, path: Path, fd: int, size: int) -> None:
        self.path = path
        self.size = size
        self._fd = fd

    def append(self, data: Buffer) -> None:
        """Write all of `data` at the end. Raises `StorageError` and leaves the file as it was when that fails."""
        length = len(data)
        try:
            written = os.pwrite(self._fd, data, self.size)
            if written != length:
                written = self._append_rest(memoryview(data), written)
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
        try:
            os.ftruncate(self._fd, size)
        except OSError as error:
            raise StorageError(f"cannot truncate {self.path}: {error.strerror or error}") from error
        self.size = size

    def sync(self) -> None:
        """Blocks until the disk has the bytes."""
        try:
            os.fdatasync(self._fd) if hasattr(os, "fdatasync") else os.fsync(self._fd)
        except OSError as error:
            raise StorageError(f"cannot sync {self.path}: {error.strerror or error}") from error

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _append_rest(self, data: memoryview, written: int) -> int:
        """A short write is a full disk or a signal: go on until the kernel says which."""
        while written < len(data):
            count = os.pwrite(self._fd, data[written:], self.size + written)
            if count == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written += count
        return written

    def _undo(self) -> None:
        try:
            os.ftruncate(self._fd, self.size)
        except OSError as error:
            raise StorageError(f"cannot undo a failed append to {self.path}: {error.strerror or error}") from error


class Disk:
    """The real file system. Every failure is a `StorageError` that names the file."""

    def open(self, path: Path) -> File:
        """Open for appending and reading; made when it is not there."""
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
            return DiskFile(path, fd, os.fstat(fd).st_size)
        except OSError as error:
            raise StorageError(f"cannot open {path}: {error.strerror or error}") from error

    def read(self, path: Path) -> bytes:
        """The whole file; empty when it is not there."""
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror or error}") from error

    def replace(self, path: Path, data: Buffer, *, sync: bool = False) -> None:
        """Put `data` in the place of the file, all of it or nothing."""
        temporary = path.with_name(path.name + ".tmp")
        try:
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(fd, rest) :]
                if sync:
                    os.fsync(fd)
            finally:
                os.close(fd)
            temporary.replace(path)
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror or error}") from error

    def make_directory(self, path: Path) -> None:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot make {path}: {error.strerror or error}") from error

    def rename(self, source: Path, target: Path) -> None:
        try:
            source.rename(target)
        except OSError as error:
            raise StorageError(f"cannot rename {source}: {error.strerror or error}") from error

    def remove(self, path: Path) -> None:
        """Remove a file; nothing happens when it is not there."""
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"cannot remove {path}: {error.strerror or error}") from error

    def remove_tree(self, path: Path) -> None:
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(f"cannot remove {path}: {error.strerror or error}") from error

    def entries(self, path: Path) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(path) as found:
                yield from found
        except OSError as error:
            raise StorageError(f"cannot list {path}: {error.strerror or error}") from error

    def space(self, path: Path) -> tuple[int, int]:
        """Bytes of the file system that `path` is on: all, and those that are free."""
        try:
            usage = shutil.disk_usage(path)
        except OSError as error:
            raise StorageError(f"cannot ask for the space of {path}: {error.strerror or error}") from error
        return usage.total, usage.free


class FaultyFile(DiskFile):
    """A file of a `FaultyDisk`."""

    __slots__ = ("_disk",)

    def __init__(self, disk: FaultyDisk, path: Path, fd: int, size: int) -> None:
        super().__init__(path, fd, size)
        self._disk = disk

    def append(self, data: Buffer) -> None:
        if not self._disk.take(len(data)):
            raise StorageError(f"cannot append to {self.path}: {os.strerror(errno.ENOSPC)}")
        super().append(data)

    def truncate(self, size: int) -> None:
        super().truncate(size)
        self._disk.synced[self.path] = min(self._disk.synced.get(self.path, 0), size)

    def sync(self) -> None:
        if self._disk.sync_fails:
            raise StorageError(f"cannot sync {self.path}: {os.strerror(errno.EIO)}")
        super().sync()
        self._disk.synced[self.path] = self.size


class FaultyDisk(Disk):
    """A disk with `free_bytes` left (None: no limit), that remembers how much of each file has been synced, and refuses
    to sync while `sync_fails`."""

    def __init__(self, free_bytes: int | None = None) -> None:
        self.free_bytes = free_bytes
        self.sync_fails = False
        self.synced: dict[Path, int] = {}

    def open(self, path: Path) -> File:
        existed = path.exists()
        plain = super().open(path)
        size = plain.size
        plain.close()
        self.synced.setdefault(path, size if existed else 0)
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        return FaultyFile(self, path, fd, size)

    def take(self, length: int) -> bool:
        """Whether `length` more bytes fit."""
        if self.free_bytes is None:
            return True
        if length > self.free_bytes:
            return False
        self.free_bytes -= length
        return True

    def drop_unsynced(self) -> None:
        """Cut every file that is still there to what had been synced, as a power cut may."""
        for path, size in self.synced.items():
            if path.exists() and path.stat().st_size > size:
                os.truncate(path, size)
        for path in list(self.synced):
            if not path.exists():
                del self.synced[path]
