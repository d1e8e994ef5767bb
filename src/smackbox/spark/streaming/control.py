"""What a stream's process is asked for on the control socket of its checkpoint's directory: a copy of the checkpoint.

A commit is one write, so a copy has whole batches: offsets, totals and identities of one moment.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from smackbox.base.errors import StorageError
from smackbox.net.control import Request
from smackbox.net.control_thread import ControlThread
from smackbox.store.rocks import RocksStore, open_store

STORE_DIR = "state"


class CopyCheckpoint(Request, frozen=True):
    """Make a checkpoint of the store as `target/state`; `target` must not be there."""

    target: str


class CheckpointCopied(msgspec.Struct, frozen=True):
    """It is there; so many files."""

    files: int


def serve_copies(directory: Path, stream: str, store: RocksStore) -> ControlThread:
    """Take requests for copies of an open store, until it is closed. Raises `StartError`."""

    def serve(request: CopyCheckpoint) -> CheckpointCopied:
        return copy_store(store, Path(request.target))

    return ControlThread.open(directory, stream, CopyCheckpoint, serve)


def copy_closed(directory: Path, target: Path) -> CheckpointCopied:
    """The same for a checkpoint whose directory the caller has locked. Raises `StartError`, `StorageError`."""
    store = open_store(directory / STORE_DIR)
    try:
        return copy_store(store, target)
    finally:
        store.close()


def copy_store(store: RocksStore, target: Path) -> CheckpointCopied:
    """Copy an open store; files are linked where the file system allows. Raises `StorageError`."""
    try:
        target.mkdir(parents=True)
        store.checkpoint(target / STORE_DIR)
    except Exception as error:  # rocksdict raises bare Exception for every RocksDB status
        if type(error) is not Exception and not isinstance(error, OSError):
            raise
        raise StorageError(f"the checkpoint cannot be copied to {target}: {error}") from error
    return CheckpointCopied(sum(1 for _ in (target / STORE_DIR).iterdir()))
