"""A server's data directory: created on demand, locked by one process, temporary when it is in memory.

`lock` is an `flock` on a file in the directory: the kernel releases it when the process dies, however it dies, so
there is no stale lock to clean up. A memory directory is a temporary one on `/dev/shm` where that exists; the next
server that starts removes what a killed process left there.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from smackbox.base.errors import StartError

LOCK_FILE = "smackbox.lock"
MEMORY_PREFIX = "smackbox-memory-"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the tmpfs itself is what is wanted


class HeldError(StartError):
    """Another process has locked the directory."""


class DataDir:
    """An open, locked data directory. `close` releases it, and removes it when it was a memory directory."""

    def __init__(self, path: Path, lock_fd: int, *, temporary: bool) -> None:
        self.path = path
        self.temporary = temporary
        self._lock_fd = lock_fd

    @classmethod
    def open(cls, path: Path | None) -> DataDir:
        """Open `path`, or a fresh memory directory for None.

        Raises `StartError` when the directory cannot be created or another process has locked it.
        """
        if path is None:
            return cls._open_memory()
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock_fd = os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StartError(f"cannot use the data directory {path}: {error.strerror or error}") from error
        if not try_lock(lock_fd):
            holder = os.read(lock_fd, 32).decode(errors="replace").strip()
            os.close(lock_fd)
            raise HeldError(f"the data directory {path} is held by process {holder or 'unknown'}; stop it or use --dir")
        os.ftruncate(lock_fd, 0)
        os.pwrite(lock_fd, f"{os.getpid()}\n".encode(), 0)
        return cls(path, lock_fd, temporary=False)

    @classmethod
    def _open_memory(cls) -> DataDir:
        parent = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else Path(tempfile.gettempdir())
        _sweep(parent)
        path = Path(tempfile.mkdtemp(prefix=MEMORY_PREFIX, dir=parent))
        lock_fd = os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try_lock(lock_fd)
        return cls(path, lock_fd, temporary=True)

    def close(self) -> None:
        """Release the lock; a temporary directory is removed."""
        if self._lock_fd < 0:
            return
        if self.temporary:
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock_fd)
        self._lock_fd = -1


def try_lock(lock_fd: int) -> bool:
    """Take the lock of an open file, which the kernel releases when the process ends; False if another process
    has it.
    """
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sweep(parent: Path) -> None:
    """Remove this user's memory directories whose process is gone: those that can be locked."""
    for left_over in parent.glob(f"{MEMORY_PREFIX}*"):
        try:
            if left_over.stat().st_uid != os.getuid():
                continue
            lock_fd = os.open(left_over / LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue  # not ours, or its owner has created the directory and not locked it yet
        try:
            if try_lock(lock_fd):
                shutil.rmtree(left_over, ignore_errors=True)
        finally:
            os.close(lock_fd)
